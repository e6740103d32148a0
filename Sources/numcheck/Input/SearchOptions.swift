import ArgumentParser
import Guests
import NumKit
import Searching
import StabilityTesting
import SystemPackage
import TensorFiles

/// What is searched for, among which rows, and for how long.
struct SearchOptions: ParsableArguments {
  @Option(
    name: [.customLong("maximise"), .customLong("maximize")],
    help: ArgumentHelp(
      "What to make as large as it gets: 'ulp' (the error), 'bound' (its share of what a right kernel may err by), 'nan', or 'batch' "
        + "(what a row's neighbours change of it). Default: ulp of our kernels, bound of yours.",
      valueName: "aim"))
  var maximise: SearchAim?

  @Option(
    help: ArgumentHelp("Rows to try (default: 20000, or as many as --seconds allow).", valueName: "N"),
    transform: Whole.number)
  var tries: Int?

  @Option(
    help: ArgumentHelp(
      "Seconds to search, all kernels together; making rows simple may take as long again. What is found then depends on the machine.",
      valueName: "seconds"))
  var seconds: NumberArgument?

  @Option(
    help: ArgumentHelp("Numbers, or pairs, in a row, at least.", valueName: "N"), transform: Whole.number)
  var minLength: Int = 1

  @Option(
    help: ArgumentHelp(
      "Numbers in a row, at most (default: 65537; 24 for the Jacobian; of pairs 16385 for matmul, 4097 else).",
      valueName: "N"),
    transform: Whole.number)
  var maxLength: Int?

  @Option(
    help: ArgumentHelp(
      "Largest magnitude of a finite number (default: the dtype's; of pairs what no sum overflows with).",
      valueName: "R"))
  var range: NumberArgument?

  @Flag(help: "Rows of finite numbers alone: no -inf.")
  var finite = false

  @Flag(help: "Also rows with NaN and +inf, and fully masked ones.")
  var specialValues = false

  @Option(help: "Seed of everything random.", transform: Whole.seed)
  var seed: UInt64 = 1

  @Flag(help: "End with the first row that fails.")
  var first = false

  @Flag(help: "Uniform random rows of the largest length alone: what a search is to be measured against.")
  var random = false

  @Option(
    help: ArgumentHelp("Rows to try to make a failure simpler.", valueName: "N"), transform: Whole.number)
  var shrink: Int = 3000

  @Option(
    help: ArgumentHelp(
      "Rows that failed before, as hexadecimal floats: tried first; what is found now is added. Need not exist yet.",
      valueName: "FILE"), completion: .file())
  var witnesses: String?

  @Option(
    help: ArgumentHelp(
      "Write the simplest failing row as a test that stands alone: \(TestEmitterRegistry.all.map { $0.name }.joined(separator: ", ")); repeatable.",
      valueName: "KIND=FILE"))
  var emit: [EmittedFile] = []

  func validate() throws {
    if let tries, !(1...1 << 40).contains(tries) { throw ValidationError("--tries must be 1 to \(1 << 40)") }
    if let seconds, !(seconds.value > 0 && seconds.value < 1e7) {
      throw ValidationError("--seconds must be above 0 and below 10000000")
    }
    guard minLength >= 1 else { throw ValidationError("--min-length must be 1 or more") }
    if let maxLength {
      guard maxLength <= 1 << 24 else { throw ValidationError("--max-length must be at most \(1 << 24)") }
      guard maxLength >= minLength else {
        throw ValidationError("--max-length must be at least --min-length")
      }
    }
    if let range, !(range.value > 0) { throw ValidationError("--range must be above 0") }
    guard (0...10_000_000).contains(shrink) else { throw ValidationError("--shrink must be 0 to 10000000") }
    if finite && specialValues { throw ValidationError("--finite and --special-values: one or the other") }
  }

  /// The files that are written beside the report.
  var outputs: [String] { [witnesses].compactMap(\.self) + emit.map(\.path) }

  func limits(_ format: NumberFormat, longest: Int = 65_537) throws -> RowLimits {
    let most = maxLength ?? max(longest, minLength)
    let range = range?.value ?? .infinity
    guard format.largest(upTo: range) > 0 else {
      throw UsageError("--range \(Figures.number(range)): no number of \(format.name) is in it but 0")
    }
    return RowLimits(
      format, lengths: minLength...most, range: range, allowsMasks: !finite, allowsSpecials: specialValues)
  }

  /// How it is searched, `threads` at a time.
  func settings(_ limits: RowLimits, isCalled: Bool, threads: Int) throws -> SearchSettings {
    let aim = maximise ?? (isCalled ? .bound : .ulp)
    if aim == .batch && !isCalled {
      throw UsageError("--maximise batch: our kernels take one row at a time; name one by --exec or --plugin")
    }
    var settings = SearchSettings(aim, limits, tries: tries ?? (seconds == nil ? 20_000 : 1 << 40))
    settings.seconds = seconds?.value
    settings.threads = threads
    settings.seed = seed
    settings.endsAtFirst = first
    settings.shrinks = shrink
    settings.isRandom = random
    return settings
  }

  /// What --witnesses holds; nothing where there is no such file.
  func kept() throws -> (text: String, entries: [RegressionFile.Entry]) {
    guard let witnesses else { return ("", []) }
    let path = FilePath(argument: witnesses)
    guard FileIdentity(path) != nil else { return ("", []) }
    let bytes = try SmallFile.bytes(path, limit: RegressionFile.limit, kept: false)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(ArgumentText.shown(witnesses)): is no UTF-8")
    }
    do { return (text, try RegressionFile.entries(in: text)) } catch {
      throw UsageError("\(ArgumentText.shown(witnesses)): \(error)")
    }
  }
}

extension SearchAim: ExpressibleByArgument {}

/// A kind of test and the path it is written to.
struct EmittedFile: ExpressibleByArgument {
  let emitter: any TestEmitter.Type
  let path: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let emitter = TestEmitterRegistry.named(parts[0]) else { return nil }
    (self.emitter, path) = (emitter, parts[1])
  }
}

/// A kernel from outside that is searched.
struct SearchedKernelOptions: ParsableArguments {
  @OptionGroup var callee: GuestKernelOptions

  @Option(
    help: ArgumentHelp(
      "What the kernel promises, like accumulate=f32,compute=f32,algorithm=shifted: then that plan's bound counts.",
      valueName: "NAME=VALUE,..."))
  var claims: String?

  @Option(help: ArgumentHelp("Format that rows are rounded to (default: the dtype).", valueName: "dtype"))
  var roundInputs: DType?

  var isCalled: Bool { callee.isCalled }

  func validate() throws {
    if !isCalled && claims != nil {
      throw ValidationError("--claims is for a kernel that is called: --exec or --plugin")
    }
    if !isCalled && roundInputs != nil {
      throw ValidationError("--round-inputs is for a kernel that is called: --exec or --plugin")
    }
    if let roundInputs, roundInputs.numberFormat?.hasZero != true {
      throw ValidationError("--round-inputs \(roundInputs): not a format that rows can have")
    }
  }

  var claimed: Claims {
    get throws { try Claims(argument: claims) }
  }

  /// Starts the kernel for one thread; throws where it cannot be started.
  func start(_ kernel: some CalledKernel) throws -> any GuestKernel {
    try callee.start(
      arrays: kernel.arrayNames, parameters: kernel.parameters.map(\.name), results: kernel.resultNames,
      seconds: 10)
  }
}
