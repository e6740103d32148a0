import SystemPackage

/// A tensor as a command line names it: `FILE`, `FILE:TENSOR`, or `-` for `FILE`.
public struct TensorSpecifier: Sendable, Hashable, CustomStringConvertible {
  /// The file, or `-` for standard input.
  public let path: FilePath
  /// The tensor in it; nil for the only one.
  public let tensorName: String?

  /// Reads `text`. Both parts may hold colons: a file that exists wins, and of several the longest path.
  public init(_ text: String) { self.init(bytes: text.utf8) }

  /// The same of bytes, which a path is.
  public init(bytes: some Sequence<UInt8>) {
    let text = Array(bytes)
    func file(_ end: Int) -> FilePath { FilePath(bytes: text[..<end]) }
    let colons = text.indices.filter { text[$0] == UInt8(ascii: ":") }
    if text == [UInt8(ascii: "-")] || colons.isEmpty || status(ofPath: file(text.count)) != nil {
      (path, tensorName) = (file(text.count), nil)
      return
    }
    // Where no file exists, the last colon after the folders is taken for the one meant.
    var split: Int?
    if text.starts(with: "-:".utf8) {
      split = colons.first
    } else {
      let existing = colons.last { status(ofPath: file($0))?.isRegular ?? false }
      let folders = text.lastIndex(of: UInt8(ascii: "/")) ?? 0
      split = existing ?? colons.last { $0 > folders }
    }
    guard let split, split > 0 else {
      (path, tensorName) = (file(text.count), nil)
      return
    }
    path = file(split)
    tensorName = FilePath.label(Array(text[(split + 1)...]))
  }

  /// `path`, or `path:tensorName`.
  public var description: String { tensorName.map { "\(path.label):\($0)" } ?? path.label }

  /// Opens the file and returns the tensor; throws where there is none, or no name and several.
  public func open() throws -> TensorView {
    let file = try TensorFile.open(path)
    guard let tensorName else { return try file.onlyTensor() }
    return try file.tensor(named: tensorName)
  }
}
