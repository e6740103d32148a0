/// Writes a file of plain bytes, piece by piece and in any order. It appears under its name whole with `finish()`, or not
/// at all.
public final class RawWriter {
  private let file: AtomicFile

  /// Begins the file at `path`; throws where nothing can be written there.
  public init(_ path: String) throws { file = try AtomicFile(path) }

  /// Writes `bytes` at `offset`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try file.write(bytes, at: offset)
  }

  /// Puts the file under its name.
  public func finish() throws {
    do { try file.commit() } catch {
      file.discard()
      throw error
    }
  }
}
