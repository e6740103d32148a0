import SystemPackage

/// Writes a file of plain bytes, piece by piece and in any order. It appears under its name whole with `finish()`, or not
/// at all.
public final class RawWriter: UnfinishedContent {
  let file: AtomicFile
  public var path: String { file.path }

  /// Begins the file at `path`; throws where nothing can be written there.
  public init(_ path: FilePath) throws { file = try AtomicFile(path) }

  /// The same for a path as text.
  public convenience init(_ path: String) throws { try self.init(FilePath(checked: path)) }

  /// Writes `bytes` at `offset`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try file.write(bytes, at: offset)
  }

  public func prepare() throws { try file.close() }
}
