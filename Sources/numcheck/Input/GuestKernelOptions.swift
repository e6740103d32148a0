import ArgumentParser
import Guests
import NumKit
import SystemPackage
import TensorFiles

/// A kernel from outside, and how it is called.
struct GuestKernelOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Run this line of the shell for the results: {results} is the file to write, {input} (or {q}, {k}, {a} ...) those to read.",
      valueName: "LINE"))
  var exec: String?

  @Option(
    help: ArgumentHelp(
      "Call the kernel in this shared library, built with numcheck_kernel.h, in a process of its own.",
      valueName: "FILE"), completion: .file())
  var plugin: String?

  @Option(help: "Files for --exec: 'npy' or 'safetensors' (bf16 and 8 bits always).")
  var exchange: ProgramGuest.Exchange = .npy

  @Option(
    help: ArgumentHelp("Seconds that a call may take (default: 60; in a search 10).", valueName: "seconds"))
  var timeout: NumberArgument?

  /// Whether there is a kernel to call.
  var isCalled: Bool { exec != nil || plugin != nil }
  /// The flag that names it.
  var flag: String { exec == nil ? "--plugin" : "--exec" }

  func validate() throws {
    if exec != nil && plugin != nil { throw ValidationError("--exec and --plugin are two kernels: name one") }
    if let timeout, !(timeout.value > 0 && timeout.value < 1e6) {
      throw ValidationError("--timeout must be above 0 and below 1000000")
    }
    // What is run is read, and no report may take its place.
    for file in [plugin].compactMap({ $0 }) + (exec ?? "").split(separator: " ").map(String.init) {
      if let identity = FileIdentity(FilePath(argument: file)) { OpenedFiles.insert(identity) }
    }
  }

  /// Starts the kernel for calls with these arrays and parameters, of which none may take longer than --timeout, or `seconds`; throws
  /// where it cannot be started.
  func start(
    arrays: [String], parameters: [String], results: [String] = ["results"], optional: [String] = ["lse"],
    seconds: Double = 60
  ) throws(UsageError) -> any GuestKernel {
    let seconds = timeout?.value ?? seconds
    do throws(GuestFault) {
      if let exec {
        return try ProgramGuest(
          exec, exchange: exchange, seconds: seconds, arrays: arrays, parameters: parameters,
          results: results, optional: optional)
      }
      let path = plugin ?? ""
      let library = LibraryGuest(
        path.contains("/") ? path : "./" + path,
        program: [Invocation.executable, Invocation.libraryCommand], seconds: seconds)
      try library.load()
      return library
    } catch {
      throw UsageError("\(flag): \(error)")
    }
  }
}

extension ProgramGuest.Exchange: ExpressibleByArgument {}
