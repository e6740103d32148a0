import Foundation
import Testing

/// However the command ends, it says so honestly and leaves nothing behind.
@Suite struct EndingTests {
  private let folder: URL

  init() throws { folder = try CommandRunner.temporaryFolder() }

  private var contents: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? []
  }

  private func shell(_ script: String) throws -> Shell { try Shell(script, in: folder) }

  /// Writes two files for as long as anybody waits.
  private var endless: [String] {
    ["quantize", "--scheme", "q8_0", "--rows", "1000000000", "--length", "32"]
      + [
        "--output", folder.appendingPathComponent("x.npy").path, "--raw",
        folder.appendingPathComponent("x").path,
      ]
  }

  /// Runs it until `isWriting`, and ends it.
  private func end(
    _ arguments: [String], by number: Int32, with environment: [String: String] = [:],
    once isWriting: (Int32) -> Bool
  ) throws {
    let process = Process()
    process.executableURL = CommandRunner.binary
    process.arguments = arguments
    process.environment = environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    let patience = Date(timeIntervalSinceNow: 60)
    while !isWriting(process.processIdentifier) && process.isRunning && Date() < patience { usleep(10_000) }
    #expect(process.isRunning && isWriting(process.processIdentifier))
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
    #expect(contents == [])
  }

  /// Ended in the middle of writing two files, by any signal that ends a process.
  @Test(arguments: [
    SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGXCPU, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGABRT,
    SIGSEGV, SIGILL, SIGKILL, 40,
  ])
  func aSignalLeavesNoFile(_ number: Int32) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let start = folder.resolvingSymlinksInPath().path
    try end(endless, by: number) { process in
      let open = "/proc/\(process)/fd"
      let places = try? FileManager.default.contentsOfDirectory(atPath: open).filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(open)/\($0)"))?.hasPrefix(start)
          == true
      }
      return (places ?? []).count == 2 || contents.count == 2
    }
  }

  /// The same where files must have names from the start: where /proc/self/fd cannot be reached none could get one later.
  @Test func aSignalRemovesNamedFiles() throws {
    let tools = try CommandRunner.temporaryFolder()
    defer { for each in [folder, tools] { try? FileManager.default.removeItem(at: each) } }
    let library = tools.appendingPathComponent("shim.so")
    try "int access(const char *path, int mode) { return -1; }\n".write(
      to: tools.appendingPathComponent("shim.c"), atomically: true, encoding: .utf8)
    let compiled = try Shell("cc -shared -fPIC -o shim.so shim.c", in: tools)
    try #require(compiled.status == 0, "\(compiled)")
    for number in [SIGTERM, SIGINT, SIGSEGV] {
      try end(endless, by: number, with: ["LD_PRELOAD": library.path]) { _ in contents.count == 2 }
    }
  }

  @Test func anIgnoredSignalStaysIgnored() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try shell(
      "trap '' HUP QUIT PIPE; \"$N\" softmax --rows 2000 --length 256 & p=$!; sleep 0.2; kill -HUP $p; kill -QUIT $p; "
        + "kill -PIPE $p; wait $p")
    #expect(run.status == 0 && run.output.contains("verdict"), "\(run)")
  }

  /// Nobody reads what is said where nothing can be written; the status says it still.
  @Test func aLostMessageChangesNoStatus() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let check = "softmax --dtype f16 --range 1000 --rows 4 --length 16 --no-nan --format csv"
    for end in ["2>&-", "2>/dev/full", "2>&- <&-"] {
      #expect(try shell("\"$N\" softmax --rows 0 \(end)").status == 2, "\(end)")
      #expect(try shell("\"$N\" nonsense \(end)").status == 2, "\(end)")
      #expect(try shell("\"$N\" \(check) \(end)").status == 1, "\(end)")
      #expect(try shell("\"$N\" softmax --rows 2 --length 8 \(end)").status == 0, "\(end)")
      #expect(try shell("\"$N\" quantize --input - \(end)").status == 2, "\(end)")
    }
    // A report that is lost is no success.
    for end in [">&-", ">/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full", ">&- 2>&- <&-"] {
      for command in ["softmax --rows 2 --length 8", "list formats", "--help", "--version"] {
        #expect(try shell("\"$N\" \(command) \(end)").status == 2, "\(command) \(end)")
      }
      let output = "softmax --rows 2 --length 8 --algorithm shifted --output x.npy"
      #expect(try shell("\"$N\" \(output) \(end)").status == 2, "\(end)")
      #expect(contents == [], "\(end)")
    }
  }

  /// With standard error closed its number is free: no file that is written may get it, and what is said.
  @Test func messagesDoNotReachAFile() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let command = "\"$N\" quantize --scheme q8_0 --rows 4 --length 64 --format csv"
    #expect(try shell("\(command) --output a.npy --raw a").status == 0)
    #expect(try shell("\(command) --output b.npy --raw b 2>&- <&-").status == 0)
    for (a, b) in [("a.npy", "b.npy"), ("a", "b")] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.appendingPathComponent(a).path, andPath: folder.appendingPathComponent(b).path))
    }
    #expect(contents == ["a", "a.npy", "b", "b.npy"])
  }

  /// Where there is too little of something: one line, or the work is done with less.
  @Test func limitsAreKeptTo() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let row = try shell("ulimit -v 600000; \"$N\" softmax --rows 1 --length 50000000")
    #expect(row.isRefusal("a row of 50000000 elements needs about", "of memory"), "\(row)")
    let reference = try shell(
      "ulimit -v 600000; \"$N\" reference lse --rows 1 --length 50000000 --output x.npy")
    #expect(reference.isRefusal("memory"), "\(reference)")
    let wide = try shell("ulimit -v 600000; \"$N\" quantize --rows 1 --length 20000000")
    #expect(wide.isRefusal("memory"), "\(wide)")
    let attention = try shell("ulimit -v 600000; \"$N\" attention --tokens 500000 --queries 1 --head-size 64")
    #expect(attention.isRefusal("memory"), "\(attention)")
    let free = try shell("\"$N\" softmax --rows 600 --length 64 --format csv")
    let tight = try shell(
      "ulimit -v 600000; \"$N\" softmax --rows 600 --length 64 --format csv --threads 1024")
    #expect(tight.status == 0 && tight.output == free.output, "\(tight)")
    let few = try shell("ulimit -n 4; \"$N\" softmax --rows 600 --length 64 --format csv")
    #expect(few.status == 0 && few.output == free.output, "\(few)")
    #expect(try shell("\"$N\" softmax --rows 4 --length 8 --algorithm shifted --output in.npy").status == 0)
    let open = try shell("ulimit -n 4; \"$N\" reference softmax in.npy --output x.npy")
    #expect(open.status == 0 || open.isRefusal("Too many open files"), "\(open)")
    #expect(contents.filter { $0.hasPrefix(".") } == [])
  }

  /// Not one thread beside the first.
  @Test func noThreadsCanBeMade() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let user = getuid() == 0 ? "setpriv --reuid 65533 --clear-groups --" : ""
    guard try shell("\(user) \"$N\" --version").status == 0 else { return }
    let free = try shell("\"$N\" softmax --rows 600 --length 64 --format csv")
    let alone = try shell(
      "\(user) /bin/sh -c 'ulimit -u 1; exec \"$N\" softmax --rows 600 --length 64 --format csv --threads 4'")
    #expect(alone.status == 0 && alone.output == free.output, "\(alone)")
  }

  /// A file that is written anew while it is read, again and again: an answer or one line, never a trap.
  @Test func aFileThatChangesIsAnError() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let make = "\"$N\" quantize --scheme f16 --rows 4096 --length 256 --format csv"
    #expect(
      try shell("\(make) --seed 1 --output a.npy >o && \(make) --seed 2 --range 1e4 --output b.npy >o").status
        == 0)
    for command in [
      "activations x.npy --format json", "quantize x.npy --scheme int8@channel --format csv",
      "softmax x.npy --rows 64",
    ] {
      let run = try shell(
        "cat a.npy >x.npy; (while :; do cat b.npy >x.npy; cat a.npy >x.npy; done) & w=$!; for i in 1 2 3 4 5 6; do "
          + "\"$N\" \(command) >o 2>e; s=$?; [ $s = 0 ] || [ $s = 2 ] || { cat e >&2; echo $s >&2; kill $w; exit 1; }; "
          + "done; kill $w")
      #expect(run.status == 0, "\(command): \(run)")
    }
  }
}
