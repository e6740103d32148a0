import NumKit

/// What a decoder keeps of keys and values: each head's tokens × width numbers in a scheme, the last tokens in f16.
public struct CacheFormat: Sendable {
  /// How the numbers of a head are stored, a token a row.
  public let scheme: any Scheme
  /// As it is written.
  public let name: String
  /// How many of the last tokens stay in f16.
  public var recent: Int
  /// How many tokens are encoded at a time, at least those that share a scale: what makes no whole step stays in f16.
  public var step = 1

  /// The scheme of this name (`f16`, `int8@token`, `q8_0`, `mxfp4`, `f8e4m3fn:saturate`). A channel's scale reaches over 32 tokens,
  /// encoded once they are complete, as KIVI does with keys (arXiv 2402.02750): `int4@channel` is `int4@b32x1`; `@channelN` and `@bNx1`
  /// say how many.
  ///
  /// - Throws: `SchemeError.unknown`.
  public init(_ text: String, recent: Int = 0) throws {
    var scheme = text.lowercased()
    var name: String?
    if let match = scheme.wholeMatch(of: /(?<base>[^@]+)@channel(?<count>[0-9]*)(?<dialect>:.*)?/) {
      guard let tokens = match.count.isEmpty ? 32 : Int(match.count), tokens > 0 else {
        throw SchemeError.unknown(text)
      }
      let (base, dialect) = (match.base, match.dialect ?? "")
      name = "\(base)@channel\(tokens)\(dialect)"
      scheme = "\(base)@b\(tokens)x1\(dialect)"
    }
    self.scheme = try SchemeRegistry.scheme(named: scheme)
    self.name = name ?? self.scheme.name
    self.recent = max(recent, 0)
  }

  /// How many of `tokens` are encoded; the others stand in f16. Rows that share a scale are encoded together, once they are there.
  public func encodedCount(_ tokens: Int) -> Int {
    let old = max(0, tokens - recent)
    guard let rows = scheme.independentRows else { return old }
    let unit = max(step, rows)
    return old / unit * unit
  }

  /// Bits that the numbers of `tokens` vectors of `width` take: codes, all that stands beside them, and uncompressed tokens.
  ///
  /// - Throws: `SchemeError.shape` where the scheme does not fit vectors of that width.
  public func bits(tokens: Int, width: Int) throws -> Int {
    let encoded = encodedCount(tokens)
    return try scheme.byteCount(rows: encoded, columns: width) * 8 + (tokens - encoded) * width * 16
  }

  /// What comes back out of the cache when it holds `tokens` vectors of `width`, the numbers `x`, each taken as an f32.
  ///
  /// - Precondition: `x` has tokens × width numbers.
  /// - Throws: `SchemeError.shape` where the scheme does not fit vectors of that width.
  public func decoded(_ x: ArraySlice<Double>, tokens: Int, width: Int) throws -> [Double] {
    precondition(x.count == tokens * width, "tokens × width numbers")
    let encoded = encodedCount(tokens)
    let given = x.prefix(encoded * width).map { Float($0) }
    let held = try scheme.roundTrip(given, rows: encoded, columns: width)
    return held.map { Double($0) } + x.dropFirst(encoded * width).map { NumberFormat.f16.round($0) }
  }
}

extension Scheme {
  /// What encoding and decoding makes of a matrix.
  ///
  /// - Throws: `SchemeError.shape` where the scheme does not fit it.
  public func roundTrip(_ values: [Float], rows: Int, columns: Int) throws -> [Float] {
    var decoded = [Float](repeating: 0, count: values.count)
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try byteCount(rows: rows, columns: columns), alignment: 16)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    try values.withUnsafeBufferPointer {
      try encode($0, rows: rows, columns: columns, into: bytes)
    }
    try decoded.withUnsafeMutableBufferPointer {
      try decode(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, into: $0)
    }
    return decoded
  }
}
