import CSchemes
import NumKit

/// A scheme with what is done to help it: transforms in order, then a calibration.
public struct Treatment: Sendable {
  /// The scheme.
  public let scheme: any Scheme
  /// What is done to the tensor before, and undone in reverse order after.
  public let transforms: [any Transform]
  /// How the scheme's scales or codes are chosen; nil: as the scheme has it.
  public let calibration: (any Calibration)?

  public init(_ scheme: any Scheme, transforms: [any Transform] = [], calibration: (any Calibration)? = nil) {
    self.scheme = scheme
    self.transforms = transforms
    self.calibration = calibration
  }

  /// `hadamard + int8@token + mse`.
  public var name: String {
    (transforms.map(\.name) + [scheme.name] + (calibration.map { [$0.name] } ?? [])).joined(separator: " + ")
  }

  /// Whether this is the scheme as it is.
  public var isPlain: Bool { transforms.isEmpty && calibration == nil }

  /// What becomes of a matrix, and the bits stored for it, whatever the cures need included.
  ///
  /// Throws `CureError.notFinite` for a matrix with NaN or infinities where there is a cure, `CureError.overflow` where a transform
  /// leaves the range of Float, and what cures and scheme throw.
  public func apply(_ matrix: TensorMatrix, context: CureContext) throws -> (decoded: TensorMatrix, bits: Int)
  {
    let (decoded, bits, _) = try applied(matrix, context)
    return (decoded, bits)
  }

  /// The same of both factors of XWᵀ: X is changed the opposite way, coded by the scheme as it is, and changed back, as where both
  /// are multiplied in the scheme (SmoothQuant, QuaRot).
  public func apply(
    _ matrix: TensorMatrix, activations: TensorMatrix, context: CureContext
  ) throws -> (decoded: TensorMatrix, bits: Int, activations: TensorMatrix) {
    let (decoded, bits, prepared) = try applied(matrix, context)
    var changed = activations
    for step in prepared { step.applyOpposite(&changed) }
    var back = try changed.coded(by: scheme).decoded
    for step in prepared.reversed() { step.undoOpposite(&back) }
    return (decoded, bits, back)
  }

  private func applied(_ matrix: TensorMatrix, _ context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int, prepared: [any PreparedTransform])
  {
    try context.check(matrix)
    if isPlain {
      let (decoded, bits) = try matrix.coded(by: scheme)
      return (decoded, bits, [])
    }
    guard matrix.values.allSatisfy(\.isFinite) else { throw CureError.notFinite }
    var changed = matrix
    var context = context
    var prepared: [any PreparedTransform] = []
    for transform in transforms {
      let step = try transform.prepare(changed, scheme: scheme, context: context)
      step.apply(&changed)
      guard changed.values.allSatisfy(\.isFinite) else { throw CureError.overflow(transform.name) }
      // (W T)(X T⁻ᵀ)ᵀ = WXᵀ: what follows sees the activations that then belong to it.
      if var activations = context.activations {
        step.applyOpposite(&activations)
        context.activations = activations
      }
      prepared.append(step)
    }
    var (decoded, bits) =
      try calibration?.quantize(changed, scheme: scheme, context: context) ?? changed.coded(by: scheme)
    for step in prepared.reversed() {
      step.undo(&decoded)
      bits += step.storedBits
    }
    return (decoded, bits, prepared)
  }
}

/// What a treatment restores.
public struct TreatmentResult: Sendable {
  /// The treatment's name.
  public let name: String
  /// Bits an element, whatever the cures need included.
  public let bitsPerWeight: Double
  /// The error of the whole tensor.
  public let statistics: ErrorSums
  /// The error of what is not massive.
  public let rest: ErrorSums
  /// Elements other than zero, not massive, that became zero.
  public let flushed: Int
  /// SQNR in dB of the product with the activations, where there are any: with `CureContext.judges` if there are.
  public let outputSqnr: Double?

  /// Applies `treatment` and measures; `isMassive` has a flag for each element.
  public init(
    _ treatment: Treatment, _ matrix: TensorMatrix, isMassive: [Bool], context: CureContext
  ) throws {
    precondition(isMassive.count == matrix.values.count, "a flag for each element")
    let (decoded, bits) = try treatment.apply(matrix, context: context)
    var statistics = ErrorSums()
    var rest = ErrorSums()
    var flushed = 0
    matrix.values.withUnsafeBufferPointer { x in
      decoded.values.withUnsafeBufferPointer { statistics.add(x, $0) }
    }
    var (kept, made) = (matrix.values, decoded.values)
    for i in kept.indices {
      if isMassive[i] {
        (kept[i], made[i]) = (0, 0)
      } else if kept[i] != 0 && made[i] == 0 {
        flushed += 1
      }
    }
    kept.withUnsafeBufferPointer { x in made.withUnsafeBufferPointer { rest.add(x, $0) } }
    self.init(
      name: treatment.name, bitsPerWeight: Double(bits) / Double(max(matrix.values.count, 1)),
      statistics: statistics, rest: rest, flushed: flushed,
      outputSqnr: (context.judges ?? context.activations).map { Self.outputSqnr(matrix, decoded, $0) })
  }

  package init(
    name: String, bitsPerWeight: Double, statistics: ErrorSums, rest: ErrorSums, flushed: Int,
    outputSqnr: Double?
  ) {
    self.name = name
    self.bitsPerWeight = bitsPerWeight
    self.statistics = statistics
    self.rest = rest
    self.flushed = flushed
    self.outputSqnr = outputSqnr
  }

  /// 10·log10 of ‖WXᵀ‖²/‖(Ŵ − W)Xᵀ‖².
  private static func outputSqnr(_ w: TensorMatrix, _ decoded: TensorMatrix, _ x: TensorMatrix) -> Double {
    let n = w.columns
    // Rows of Xᵀ, so that the inner loop runs along tokens.
    var transposed = [Double](repeating: 0, count: n * x.rows)
    for i in x.values.indices { transposed[i % n * x.rows + i / n] = Double(x.values[i]) }
    var (signal, noise) = (ExactSum(), ExactSum())
    var (y, e) = ([Double](), [Double]())
    for row in 0..<w.rows {
      y = [Double](repeating: 0, count: x.rows)
      e = y
      transposed.withUnsafeBufferPointer { t in
        guard let t = t.baseAddress else { return }
        for j in 0..<n {
          let exact = Double(w.values[row * n + j])
          nc_add_scaled(&y, t + j * x.rows, exact, x.rows)
          nc_add_scaled(&e, t + j * x.rows, Double(decoded.values[row * n + j]) - exact, x.rows)
        }
      }
      for k in y.indices {
        signal.add(y[k] * y[k])
        noise.add(e[k] * e[k])
      }
    }
    return noise.value == 0 ? .infinity : 10 * nc_log10(signal.value / noise.value)
  }
}
