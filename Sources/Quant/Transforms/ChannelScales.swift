import CSchemes

/// A scale for each column, kept as bf16: powers of ten apart is what they have to say.
struct ColumnScales: PreparedTransform {
  let scales: [Float]
  private let scaleBits: Int
  /// Whether columns are multiplied by the scales, not divided.
  let multiplies: Bool

  /// Zeros, and what is not finite, become 1.
  init(_ wanted: [Double], multiplies: Bool = false) {
    self.multiplies = multiplies
    scaleBits = 16
    scales = wanted.map { x in
      guard x > 0, x.isFinite else { return 1 }
      let clamped = Float(min(max(x, 0x1p-100), 0x1p100))
      // To nearest in the upper half of the bits; never 0 or ∞ after the clamp.
      return Float(bitPattern: (clamped.bitPattern + 0x8000) & 0xffff_0000)
    }
  }

  /// The same of scales in f32, as they are.
  init(single scales: [Float], multiplies: Bool) {
    self.multiplies = multiplies
    scaleBits = 32
    self.scales = scales.map { $0 > 0 && $0.isFinite ? $0 : 1 }
  }

  var storedBits: Int { scaleBits * scales.count }

  func apply(_ band: inout TensorMatrix, firstRow: Int) { change(&band, multiply: multiplies) }
  func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int) {
    change(&band, multiply: !multiplies)
  }
  func applyOpposite(_ activations: inout TensorMatrix) { change(&activations, multiply: !multiplies) }
  func undoOpposite(_ activations: inout TensorMatrix) { change(&activations, multiply: multiplies) }

  private func change(_ matrix: inout TensorMatrix, multiply: Bool) {
    let n = scales.count
    for row in 0..<matrix.rows {
      for j in 0..<n {
        if multiply {
          matrix.values[row * n + j] *= scales[j]
        } else {
          matrix.values[row * n + j] /= scales[j]
        }
      }
    }
  }
}

/// x / max|x| by channel.
struct ChannelScale: Transform {
  var name: String { "channel-scale" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("channel-scale takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    ColumnScales(try tensor.columnMaxima().map(Double.init))
  }
}

/// SmoothQuant (Xiao et al., arXiv 2211.10438, eq. 4): s = max|X|^α / max|W|^(1 − α) by channel; X/s, W·s.
///
/// With activations in the context the tensor is W; without, it is X, and nothing is known of W: max|W| = 1.
struct Smooth: Transform {
  let alpha: Double
  var name: String { "smooth:\(shortName(alpha))" }

  init(_ number: Double?) throws {
    alpha = number ?? 0.5
    guard (0...1).contains(alpha) else { throw CureError.parameter("smooth: the share must be 0 to 1") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let maxima = try tensor.columnMaxima()
    guard let activations = context.activations else {
      return ColumnScales(maxima.map { nc_pow(Double($0), alpha) })
    }
    let scales = zip(activations.columnMaxima, maxima).map { x, w in
      nc_pow(Double(x), alpha) / nc_pow(Double(w), 1 - alpha)
    }
    return ColumnScales(scales, multiplies: true)
  }
}
