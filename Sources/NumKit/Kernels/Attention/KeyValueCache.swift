import NumKitNumbers

/// What a decoder keeps of keys and values: in which format, and how far a scale reaches.
public struct CacheFormat: Sendable, Hashable {
  /// What shares a scale.
  public enum Sharing: Sendable, Hashable {
    /// Nothing: a plain cast.
    case none
    /// One token's vector in one head.
    case token
    /// So many numbers of one token's vector.
    case group(Int)
    /// One channel of so many tokens, encoded once they are complete (KIVI, arXiv 2402.02750, does so with keys).
    case channel(Int)
  }

  /// The format of the numbers.
  public var dtype: DType
  /// What shares a scale.
  public var sharing: Sharing
  /// How many of the last tokens stay in f16.
  public var recent: Int
  /// Whether codes count from the least of the numbers that share a scale, it and the scale kept in f16 (KIVI, §3.1), not from an
  /// integer zero point.
  public var countsFromLeast: Bool

  /// A format; integers need scales.
  public init(_ dtype: DType, _ sharing: Sharing, recent: Int = 0, countsFromLeast: Bool = false) {
    self.dtype = dtype
    self.sharing = sharing
    self.recent = recent
    self.countsFromLeast = countsFromLeast
  }

  /// Parses `f16`, `int8@token`, `int4@g32`, `f8e4m3fn@channel` (of 32 tokens) or `uint4@channel64`; nil for anything else.
  public init?(_ text: String, recent: Int = 0) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
    guard (1...2).contains(parts.count), let dtype = DType(parts[0]), dtype != .float(.e8m0), recent >= 0
    else { return nil }
    let sharing: Sharing
    if parts.count == 1 {
      guard dtype.numberFormat != nil else { return nil }
      sharing = .none
    } else if parts[1] == "token" {
      sharing = .token
    } else if parts[1] == "channel" {
      sharing = .channel(32)
    } else if parts[1].hasPrefix("channel"), let n = Int(parts[1].dropFirst(7)), n > 0, n < 1 << 20 {
      sharing = .channel(n)
    } else if parts[1].hasPrefix("g"), let n = Int(parts[1].dropFirst()), n > 0, n < 1 << 20 {
      sharing = .group(n)
    } else {
      return nil
    }
    self.init(dtype, sharing, recent: recent)
  }

  /// As it is written.
  public var name: String {
    switch sharing {
    case .none: return dtype.name
    case .token: return "\(dtype.name)@token"
    case .group(let n): return "\(dtype.name)@g\(n)"
    case .channel(let n): return "\(dtype.name)@channel\(n)"
    }
  }

  /// How many of `tokens` are encoded; the others stand in f16.
  public func encodedCount(_ tokens: Int) -> Int {
    let old = Swift.max(0, tokens - recent)
    if case .channel(let n) = sharing { return old / n * n }
    return old
  }

  /// Bits that the numbers of `tokens` vectors of `width` take, uncompressed tokens counted, and scales: f32, with a zero point of
  /// 8 bits where codes have no sign; or f16, with a least number in f16.
  public func bits(tokens: Int, width: Int) -> Int {
    let encoded = encodedCount(tokens)
    var scale = 32
    if !countsFromLeast, case .integer(let f) = dtype, !f.isSigned { scale += 8 }
    let scales: Int
    switch sharing {
    case .none: scales = 0
    case .token: scales = encoded
    case .group(let n): scales = encoded * ((width + n - 1) / n)
    case .channel(let n): scales = encoded / n * width
    }
    return encoded * width * dtype.bitWidth + scales * scale + (tokens - encoded) * width * 16
  }

  /// What comes back out of the cache when it holds `tokens` vectors of `width`, the numbers `x`.
  public func decoded(_ x: ArraySlice<Double>, tokens: Int, width: Int) -> [Double] {
    precondition(x.count == tokens * width, "tokens × width numbers")
    var y = Array(x)
    let encoded = encodedCount(tokens)
    for i in encoded * width..<y.count { y[i] = NumberFormat.f16.round(y[i]) }
    switch sharing {
    case .none:
      guard let format = dtype.numberFormat else { break }
      for i in 0..<encoded * width { y[i] = format.round(y[i]) }
    case .token, .group:
      var size = width
      if case .group(let n) = sharing { size = n }
      for token in 0..<encoded {
        for start in stride(from: 0, to: width, by: size) {
          let indices = (start..<Swift.min(start + size, width)).map { token * width + $0 }
          code(&y, indices)
        }
      }
    case .channel(let n):
      for block in 0..<encoded / n {
        for c in 0..<width { code(&y, (block * n..<(block + 1) * n).map { $0 * width + c }) }
      }
    }
    return y
  }

  /// Encodes and decodes numbers that share a scale: on the integer grid that fits them, or with their largest at the format's.
  private func code(_ y: inout [Double], _ indices: [Int]) {
    switch dtype {
    case .integer(let format) where countsFromLeast:
      let numbers = indices.map { y[$0] }.filter(\.isFinite)
      guard let low = numbers.min(), let high = numbers.max() else { return }
      let top = Double(1 << format.bitWidth - 1)
      let least = NumberFormat.f16.round(low)
      let step = NumberFormat.f16.round((high - low) / top)
      for i in indices where y[i].isFinite {
        let code = step > 0 ? ((y[i] - least) / step).rounded(.toNearestOrEven) : 0
        y[i] = least + step * Swift.min(Swift.max(code, 0), top)
      }
    case .integer(let format):
      var grid = IntegerGrid(format)
      grid.fit(count: indices.count) { y[indices[$0]] }
      for i in indices { y[i] = grid.value(grid.code(y[i])) }
    case .float(let format):
      let largest = indices.reduce(0) { y[$1].isFinite ? Swift.max($0, y[$1].magnitude) : $0 }
      var scale = Float(largest / format.largestFinite)
      if !(scale > 0 && scale.isFinite) { scale = 1 }
      for i in indices { y[i] = format.round(y[i] / Double(scale), overflow: .saturate) * Double(scale) }
    }
  }
}
