import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file of failures, a line each, numbers as hexadecimal floats: they are tried first, here and on any other machine. Lines can be
/// read, merged and removed by people.
///
///     # stability-testing 1
///     softmax() accurate softmax<TAB>above-bound<TAB>[ 0x1p+0 -0x1.8p+4 ]
public struct RegressionFile: Sendable, Hashable {
  /// Where it is; there need be none yet.
  public let path: String

  /// The file at `path`.
  public init(_ path: String) { self.path = path }

  /// A file beside the test that asks for it, `regressions.txt` unless named otherwise.
  public static func beside(_ test: String = #filePath, named name: String = "regressions.txt")
    -> RegressionFile
  {
    let folder = test.lastIndex(of: "/").map { test[...$0] } ?? ""
    return RegressionFile(folder + name)
  }

  /// A failure.
  public struct Entry: Sendable, Hashable {
    /// What failed, and how.
    public var name: String
    public var kind: String
    /// What made it fail.
    public var choices: [Choice]

    /// All parts; tabs and line ends in names become spaces.
    public init(name: String, kind: String, choices: [Choice]) {
      func line(_ text: String) -> String {
        String(
          String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
      }
      self.name = line(name)
      self.kind = line(kind)
      self.choices = choices
    }
  }

  /// The first line.
  public static let header = "# stability-testing 1"
  /// The largest file that is read, in bytes.
  public static let limit = 64 << 20

  /// The entries of a file's text.
  ///
  /// - Throws: `RegressionFileError.line` for the first line that is none.
  public static func entries(in text: String) throws(RegressionFileError) -> [Entry] {
    var entries: [Entry] = []
    for (number, line) in text.split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" }
    ).enumerated() {
      if number == 0 {
        guard line == header else { throw .header }
        continue
      }
      if line.isEmpty || line.first == "#" { continue }
      let parts = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, !parts[0].isEmpty else {
        throw .line(number + 1, "must be NAME, KIND and numbers with tabs between them")
      }
      do throws(ChoiceTextError) {
        entries.append(
          Entry(name: String(parts[0]), kind: String(parts[1]), choices: try ChoiceText.choices(parts[2])))
      } catch { throw .line(number + 1, error.description) }
    }
    return entries
  }

  /// A file's text.
  public static func text(_ entries: [Entry]) -> String { adding(entries, to: "") }

  /// A file's text with more entries at its end; all that stands in it stays.
  public static func adding(_ entries: [Entry], to text: String) -> String {
    var text = text.isEmpty ? header : text
    if text.utf8.last != 10 { text += "\n" }
    for entry in entries { text += "\(entry.name)\t\(entry.kind)\t\(ChoiceText.text(entry.choices))\n" }
    return text
  }

  /// All entries; none where there is no file.
  ///
  /// - Throws: `RegressionFileError`.
  public func entries() throws(RegressionFileError) -> [Entry] {
    guard let text = try contents() else { return [] }
    do throws(RegressionFileError) { return try Self.entries(in: text) } catch { throw error.within(path) }
  }

  /// Its text; nil where there is no file.
  private func contents() throws(RegressionFileError) -> String? {
    guard let bytes = try read() else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .text(path) }
    return text
  }

  /// Those of one name.
  public func entries(of name: String) throws(RegressionFileError) -> [Entry] {
    let name = Entry(name: name, kind: "", choices: []).name
    return try entries().filter { $0.name == name }
  }

  // Tests run side by side in one process.
  private static let writing = Mutex(())

  /// Adds an entry that is not there yet. The file is replaced as a whole.
  public func add(_ entry: Entry) throws(RegressionFileError) {
    let failure = Self.writing.withLock { _ -> RegressionFileError? in
      do throws(RegressionFileError) {
        let entries = try entries()
        if entries.contains(entry) { return nil }
        try write(Self.adding([entry], to: try contents() ?? ""))
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  private func read() throws(RegressionFileError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 && errno == ENOENT { return nil }
    guard descriptor >= 0 else { throw .system(path, String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      throw .system(path, "is no file")
    }
    guard information.st_size <= Self.limit else { throw .system(path, "is larger than \(Self.limit) bytes") }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= Self.limit {
      let n = systemRead(descriptor, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw .system(path, String(cString: strerror(errno))) }
      if n == 0 { return bytes }
      bytes += buffer[..<n]
    }
    throw .system(path, "is larger than \(Self.limit) bytes")
  }

  private func write(_ text: String) throws(RegressionFileError) {
    let draft = "\(path).\(getpid()).draft"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .system(draft, String(cString: strerror(errno))) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { break }
      rest = rest.dropFirst(n)
    }
    let isWritten = close(descriptor) == 0 && rest.isEmpty
    guard isWritten, rename(draft, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(draft)
      throw .system(path, reason)
    }
  }
}

/// Why a file holds no failures.
public enum RegressionFileError: Error, Hashable, CustomStringConvertible {
  /// It does not begin as one.
  case header
  /// It is no UTF-8.
  case text(String)
  /// A line is no entry, and why.
  case line(Int, String)
  /// Something of the system's.
  case system(String, String)
  /// Any of these, of a file.
  indirect case of(String, RegressionFileError)

  fileprivate func within(_ path: String) -> RegressionFileError { .of(path, self) }

  public var description: String {
    switch self {
    case .header: "does not begin with '\(RegressionFile.header)'"
    case .text(let path): "\(path): is no UTF-8"
    case .line(let line, let reason): "line \(line): \(reason)"
    case .system(let path, let reason): "\(path): \(reason)"
    case .of(let path, let error): "\(path): \(error)"
    }
  }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
  #if canImport(Darwin)
    Darwin.read(descriptor, buffer, count)
  #elseif canImport(Glibc)
    Glibc.read(descriptor, buffer, count)
  #elseif canImport(Musl)
    Musl.read(descriptor, buffer, count)
  #endif
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
  #if canImport(Darwin)
    Darwin.write(descriptor, buffer, count)
  #elseif canImport(Glibc)
    Glibc.write(descriptor, buffer, count)
  #elseif canImport(Musl)
    Musl.write(descriptor, buffer, count)
  #endif
}
