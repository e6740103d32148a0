/// A tensor as a command line names it: `FILE`, `FILE:TENSOR`, or `-` for `FILE`.
public struct TensorSpecifier: Sendable, Hashable, CustomStringConvertible {
  /// The file, or `-` for standard input.
  public let path: String
  /// The tensor in it; nil for the only one.
  public let tensorName: String?

  /// Reads `text`. Both parts may hold colons: a file that exists wins, and of several the longest path.
  public init(_ text: String) {
    let colons = text.indices.filter { text[$0] == ":" }
    if text == "-" || colons.isEmpty || status(ofPath: text) != nil {
      (path, tensorName) = (text, nil)
      return
    }
    // Where no file exists, the last colon after the folders is taken for the one meant.
    var split: String.Index?
    if text.hasPrefix("-:") {
      split = colons.first
    } else {
      let existing = colons.last { status(ofPath: String(text[..<$0]))?.isRegular ?? false }
      let folders = text.lastIndex(of: "/") ?? text.startIndex
      split = existing ?? colons.last { $0 > folders }
    }
    guard let split, split > text.startIndex else {
      (path, tensorName) = (text, nil)
      return
    }
    path = String(text[..<split])
    tensorName = String(text[text.index(after: split)...])
  }

  /// `path`, or `path:tensorName`.
  public var description: String { tensorName.map { "\(path):\($0)" } ?? path }

  /// Opens the file and returns the tensor; throws where there is none, or no name and several.
  public func open() throws -> TensorView {
    let file = try TensorFile.open(path)
    guard let tensorName else { return try file.onlyTensor() }
    return try file.tensor(named: tensorName)
  }
}
