import NumKit
import RealModule

/// Queries, keys and values brought to a narrow format with scales beside them, and back: what a low-precision kernel multiplies.
public struct ScaledInputs: Sendable, Hashable {
  /// Tokens that share a scale in a head; nil for the whole tensor.
  public var block: Int?
  /// Whether queries and keys are rotated first, by random signs and a Hadamard matrix: the same product, outliers spread over all
  /// channels.
  public var rotates: Bool

  /// Both parts.
  public init(block: Int?, rotates: Bool) {
    self.block = block
    self.rotates = rotates
  }

  /// The tensors as the kernel sees them; nil where the head size cannot be rotated.
  public func applied(
    to tensors: AttentionInputs, _ format: NumberFormat, using random: inout some RandomNumberGenerator
  ) -> AttentionInputs? {
    let s = tensors.shape
    var (q, k) = (tensors.q, tensors.k)
    if rotates {
      guard s.headSize & (s.headSize - 1) == 0 else { return nil }
      let signs = (0..<s.headSize).map { _ in random.next() & 1 == 0 ? 1.0 : -1 }
      Self.rotate(&q, signs)
      Self.rotate(&k, signs)
    }
    return AttentionInputs(
      q: scaled(q, tokens: s.queries, s.headSize, format), k: scaled(k, tokens: s.keys, s.headSize, format),
      v: scaled(tensors.v, tokens: s.keys, s.valueSize, format), shape: s)
  }

  /// Each block's largest number goes to the format's largest; products with the scale are rounded to f32.
  private func scaled(_ x: [Double], tokens: Int, _ width: Int, _ format: NumberFormat) -> [Double] {
    var y = x
    let each = tokens * width
    let size = block.map { $0 * width } ?? x.count
    for head in stride(from: 0, to: x.count, by: block == nil ? x.count : each) {
      let end = block == nil ? x.count : head + each
      for start in stride(from: head, to: end, by: size) {
        let part = start..<Swift.min(start + size, end)
        let largest = part.reduce(0) { x[$1].isFinite ? Swift.max($0, x[$1].magnitude) : $0 }
        var scale = Double(Float(largest / format.largestFinite))
        if !(scale > 0 && scale.isFinite) { scale = 1 }
        for i in part {
          y[i] = Double(Float(format.round(x[i] / scale, overflow: .saturate) * scale))
        }
      }
    }
    return y
  }

  /// Each vector x becomes H(signs·x)/√d, by the fast Walsh–Hadamard transform.
  package static func rotate(_ x: inout [Double], _ signs: [Double]) {
    let d = signs.count
    let factor = 1 / Double(d).squareRoot()
    x.withUnsafeMutableBufferPointer { x in
      for start in stride(from: 0, to: x.count, by: d) {
        for c in 0..<d { x[start + c] *= signs[c] }
        var half = 1
        while half < d {
          for block in stride(from: 0, to: d, by: 2 * half) {
            for c in start + block..<start + block + half {
              (x[c], x[c + half]) = (x[c] + x[c + half], x[c] - x[c + half])
            }
          }
          half *= 2
        }
        for c in start..<start + d { x[c] *= factor }
      }
    }
  }
}
