import NumKit

/// q, k or v as a scheme stores it: codes, and the scales beside them.
public struct EncodedOperand: Sendable {
  /// Integer codes [heads, tokens, width]; empty where the format is floating-point.
  public let codes: [Int32]
  /// The numbers that floating-point codes stand for, before the scale; empty where codes are integers.
  public let numbers: [Float]
  /// The scale of each [head, token]; 1 where channels have them.
  public let tokenScales: [Float]
  /// The scale of each [head, channel]; empty unless channels have them.
  public let channelScales: [Float]
  /// Bits a number, scales counted.
  public let bits: Double

  /// Encodes x [heads, tokens, width].
  ///
  /// - Throws: `SchemeError` where a cache's scheme does not fit, or groups are asked to share a scale.
  public init(
    _ x: [Double], heads: Int, tokens: Int, width: Int, _ coding: AttentionScheme.Coding
  ) throws {
    let each = tokens * width
    precondition(x.count == heads * each && each > 0, "heads × tokens × width numbers")
    var (codes, numbers): ([Int32], [Float]) = ([], [])
    var tokenScales = [Float](repeating: 1, count: heads * tokens)
    var channelScales: [Float] = []
    switch coding {
    case .plain(let format):
      numbers = x.map { Float(format.round($0)) }
      bits = Double(format.bitWidth)
    case .cached(let name, let recent, let step):
      var format = try CacheFormat(name, recent: recent)
      format.step = step
      for h in 0..<heads {
        let held = try format.decoded(x[h * each..<(h + 1) * each], tokens: tokens, width: width)
        numbers += held.map { Float(NumberFormat.f16.round($0)) }
      }
      bits = Double(try format.bits(tokens: tokens, width: width)) / Double(each)
    case .threaded(let warp, let run):
      codes = Array(repeating: 0, count: x.count)
      var scales = 0
      for h in 0..<heads {
        for first in stride(from: 0, to: tokens, by: warp) {
          for thread in 0..<8 / run {
            let members = (first..<Swift.min(first + warp, tokens)).filter {
              ($0 - first) % 8 / run == thread
            }
            if members.isEmpty { continue }
            let places = members.map { h * each + $0 * width }
            let scale = Self.threadScale(x, places, width)
            for start in places {
              for i in start..<start + width { codes[i] = Self.threadCode(Float(x[i]) / scale) }
            }
            for t in members { tokenScales[h * tokens + t] = scale }
            scales += 1
          }
        }
      }
      bits = 8 + 32 * Double(scales) / Double(x.count)
    case .scaled(let dtype, let granularity):
      if case .integer = dtype { codes = Array(repeating: 0, count: x.count) }
      if case .float = dtype { numbers = Array(repeating: 0, count: x.count) }
      /// Encodes the numbers at `start + i·step` and answers their scale.
      func encode(_ start: Int, _ step: Int, _ count: Int) -> Float {
        switch dtype {
        case .integer(let format):
          var grid = IntegerGrid(format)
          grid.fit(count: count) { x[start + $0 * step] }
          for i in 0..<count { codes[start + i * step] = grid.code(x[start + i * step]) }
          return grid.scale
        case .float(let format):
          var largest = 0.0
          for i in 0..<count where x[start + i * step].isFinite {
            largest = Swift.max(largest, x[start + i * step].magnitude)
          }
          var scale = Float(largest / format.largestFinite)
          if !(scale > 0 && scale.isFinite) { scale = 1 }
          for i in 0..<count {
            numbers[start + i * step] = Float(
              format.round(x[start + i * step] / Double(scale), overflow: .saturate))
          }
          return scale
        }
      }
      var scales = 0
      switch granularity {
      case .tensor:
        tokenScales = Array(repeating: encode(0, 1, x.count), count: heads * tokens)
        scales = 1
      case .token, .block:
        var size = 1
        if case .block(let n, _) = granularity { size = n }
        for h in 0..<heads {
          for first in stride(from: 0, to: tokens, by: size) {
            let count = Swift.min(size, tokens - first)
            let scale = encode(h * each + first * width, 1, count * width)
            for t in first..<first + count { tokenScales[h * tokens + t] = scale }
            scales += 1
          }
        }
      case .channel:
        for h in 0..<heads {
          for c in 0..<width { channelScales.append(encode(h * each + c, width, tokens)) }
        }
        scales = channelScales.count
      case .group:
        throw SchemeError.shape(
          "a scale for a group of a token's numbers cannot be factored out of a product")
      }
      bits = Double(dtype.bitWidth) + 32 * Double(scales) / Double(x.count)
    }
    (self.codes, self.numbers) = (codes, numbers)
    (self.tokenScales, self.channelScales) = (tokenScales, channelScales)
  }

  /// The scale of tokens that start at `places`; what is no number does not count.
  private static func threadScale(_ x: [Double], _ places: [Int], _ width: Int) -> Float {
    var largest: Float = 0
    for start in places {
      for i in start..<start + width where x[i].isFinite {
        largest = Swift.max(largest, Float(x[i]).magnitude)
      }
    }
    return largest / 127 + 0.0000001
  }

  /// A half is added away from zero, and the rest cut off.
  private static func threadCode(_ quotient: Float) -> Int32 {
    guard !quotient.isNaN else { return 0 }
    let away = quotient + (quotient >= 0 ? 0.5 : -0.5)
    return Int32(Swift.min(Swift.max(away, -127), 127).rounded(.towardZero))
  }

  /// x [heads, tokens, width] with each channel's mean over a head's tokens taken off; means of finite numbers, summed in Double.
  public static func withoutMean(_ x: [Double], tokens: Int, width: Int) -> [Double] {
    var y = x
    for head in stride(from: 0, to: x.count, by: tokens * width) {
      for c in 0..<width {
        var sum = 0.0
        for t in 0..<tokens { sum += x[head + t * width + c] }
        let mean = sum / Double(tokens)
        guard mean.isFinite else { continue }
        for t in 0..<tokens { y[head + t * width + c] -= mean }
      }
    }
    return y
  }
}
