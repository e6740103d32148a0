import CSchemes

/// What decodes a block type of a GGUF file.
public struct GGMLBlockReader: Sendable {
  /// The elements and the bytes of a block.
  public let blockLength: Int
  public let blockBytes: Int
  private let values: @Sendable (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) -> Void

  init(
    _ blockLength: Int, _ blockBytes: Int,
    _ values: @escaping @Sendable (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    self.blockLength = blockLength
    self.blockBytes = blockBytes
    self.values = values
  }

  /// Decodes whole blocks into all of `values`.
  public func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) throws {
    let blocks = values.count / blockLength
    guard values.count == blocks * blockLength else {
      throw SchemeError.shape("\(values.count) elements are no whole blocks of \(blockLength)")
    }
    guard bytes.count == blocks * blockBytes else {
      throw SchemeError.bytes(expected: blocks * blockBytes, found: bytes.count)
    }
    guard let y = bytes.baseAddress, let x = values.baseAddress else { return }
    self.values(y.assumingMemoryBound(to: UInt8.self), blocks, x)
  }
}

extension GGMLSchemes {
  /// The types that are read and not written, by their names in lower case. Decoding is ggml's own to the bit.
  public static let readTypes: KeyValuePairs<String, GGMLBlockReader> = [
    "q1_0": GGMLBlockReader(128, 18) { nc_q1_0_values($0, $1, $2) },
    "q8_k": GGMLBlockReader(256, 292) { nc_q8_k_values($0, $1, $2) },
  ]

  /// What decodes blocks of a GGUF file's type: a scheme, or one of `readTypes`; nil for types that are not known.
  public static func decoder(
    ofBlockType name: String
  ) -> (@Sendable (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) throws -> Void)? {
    if let scheme = scheme(ofBlockType: name) {
      return { try scheme.decode($0, rows: 1, columns: $1.count, into: $1) }
    }
    guard let reader = readTypes.first(where: { $0.key == name })?.value else { return nil }
    return { try reader.decode($0, into: $1) }
  }
}
