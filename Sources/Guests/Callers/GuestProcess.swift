import CFiles
import CGuests

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A process that runs what others wrote, the leader of a group of its own: whatever it starts ends with it, and both end where a signal
/// ends this process.
final class GuestProcess {
  private let identifier: pid_t
  /// What it writes on standard output and standard error.
  private let said: Int32
  private var tail = nc_tail()
  private(set) var hasEnded = false

  /// Starts `arguments` (the first a path) with `descriptors` as its third and following ones; standard input is empty.
  init(_ arguments: [String], environment: [String: String], descriptors: [Int32] = []) throws(GuestFault) {
    var ends: [Int32] = [-1, -1]
    guard nc_pipe(&ends) == 0 else { throw GuestFault(.start, "no pipe can be opened") }
    said = ends[0]
    let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
    var all = ProcessEnvironment.variables
    for (name, value) in environment { all[name] = value }
    var pid: pid_t = 0
    var code: Int32 = 0
    let handed = [nothing, ends[1], ends[1]] + descriptors
    withCStrings(arguments) { argv in
      withCStrings(all.map { "\($0.key)=\($0.value)" }) { envp in
        var mask = sigset_t()
        nc_files_begin(&mask)
        defer { nc_files_end(&mask) }
        code = nc_spawn(argv, envp, nil, handed, Int32(handed.count), &pid)
        if code == 0 { _ = nc_group_add(pid) }
      }
    }
    identifier = pid
    close(nothing)
    close(ends[1])
    if code != 0 {
      close(said)
      hasEnded = true
      throw GuestFault(.start, "\(arguments.first ?? ""): \(String(cString: strerror(code)))")
    }
  }

  deinit {
    if !hasEnded { end() }
    close(said)
  }

  /// Kills it and its group.
  func end() {
    guard !hasEnded else { return }
    nc_kill_group(identifier)
    finish()
  }

  private func finish() {
    hasEnded = true
    nc_drain(said, &tail)
    nc_group_forget(identifier)
  }

  /// Waits for its end: an exit status, 256 plus a signal, or nil where it takes longer and was killed.
  func wait(seconds: Double) -> Int? {
    var status: Int32 = 0
    let ended = nc_wait(identifier, Self.milliseconds(seconds), said, &tail, &status)
    if ended == 1 {
      // What it left running is not to outlive it.
      kill(-identifier, SIGKILL)
      finish()
      return Int(nc_ending(status))
    }
    end()
    return nil
  }

  enum Reception { case done, late, closed }

  /// Reads from a channel to it, and what it writes meanwhile.
  func receive<T>(_ value: inout T, from channel: Int32, seconds: Double) -> Reception {
    let length = Int64(MemoryLayout<T>.size)
    let state = withUnsafeMutableBytes(of: &value) {
      nc_receive(channel, $0.baseAddress, length, Self.milliseconds(seconds), said, &tail)
    }
    return state == 1 ? .done : state == 0 ? .late : .closed
  }

  private static func milliseconds(_ seconds: Double) -> Int64 {
    seconds.isFinite ? Int64(max(0, min(seconds, 1e9)) * 1000) : -1
  }

  /// The last lines that it wrote.
  func lastLines(_ count: Int = 8) -> [String] {
    let bytes = withUnsafeBytes(of: tail.bytes) { Array($0.prefix(Int(tail.used))) }
    let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map(String.init).filter { $0.contains { !$0.isWhitespace } }
    return Array(lines.suffix(count))
  }

  /// What an ending is in words: `ended by SIGSEGV`.
  static func words(_ ending: Int) -> String {
    guard ending >= 256 else { return "ended with status \(ending)" }
    let names: [Int32: String] = [
      SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE", SIGABRT: "SIGABRT",
      SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGPIPE: "SIGPIPE",
    ]
    return "ended by " + (names[Int32(ending - 256)] ?? "signal \(ending - 256)")
  }
}

/// This process's environment.
enum ProcessEnvironment {
  static var variables: [String: String] {
    var all: [String: String] = [:]
    guard var entry = nc_environment() else { return all }
    while let text = entry.pointee {
      let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { all[String(parts[0])] = String(parts[1]) }
      entry += 1
    }
    return all
  }
}

/// Calls `body` with the texts as C has them, ended by a null pointer.
private func withCStrings(
  _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Void
) {
  var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
  defer { for pointer in pointers { free(pointer) } }
  pointers.append(nil)
  pointers.withUnsafeBufferPointer { if let base = $0.baseAddress { body(base) } }
}
