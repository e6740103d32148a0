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

  /// The treatment made ready for a tensor, which is read band by band, several times where something of all of it must be known.
  /// `isFinite`: whether all its elements are numbers; nil where that is to be seen.
  ///
  /// Throws `CureError.notFinite` for a tensor with NaN or infinities where there is a cure, `CureError.overflow` where a transform
  /// leaves the range of Float, and what cures and scheme throw.
  public func prepared(
    for tensor: TensorBands, context: CureContext, isFinite: Bool? = nil
  ) throws -> PreparedTreatment { try PreparedTreatment(self, tensor, context, isFinite: isFinite) }

  /// What becomes of a matrix in memory, and the bits stored for it, whatever the cures need included. Throws as `prepared` does.
  public func apply(_ matrix: TensorMatrix, context: CureContext) throws -> (decoded: TensorMatrix, bits: Int)
  {
    try prepared(for: TensorBands(matrix, elements: max(1, matrix.values.count)), context: context).whole()
  }

  /// The same of both factors of XWᵀ: see `PreparedTreatment.opposite`.
  public func apply(
    _ matrix: TensorMatrix, activations: TensorMatrix, context: CureContext
  ) throws -> (decoded: TensorMatrix, bits: Int, activations: TensorMatrix) {
    let ready = try prepared(
      for: TensorBands(matrix, elements: max(1, matrix.values.count)), context: context)
    let (decoded, bits) = try ready.whole()
    return (decoded, bits, try ready.opposite(activations))
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

  /// Applies `treatment` and measures, band by band; `isMassive` says whether an element is.
  public init(
    _ treatment: Treatment, _ tensor: TensorBands, isMassive: (Float) -> Bool, isFinite: Bool? = nil,
    context: CureContext
  ) throws {
    let ready = try treatment.prepared(for: tensor, context: context, isFinite: isFinite)
    var (statistics, rest) = (StretchedErrors(), StretchedErrors())
    var flushed = 0
    var output = (context.judges ?? context.activations).map { OutputErrors($0) }
    let bits = try ready.forEachBand { _, band, decoded in
      statistics.add(band.values, decoded.values)
      var (kept, made) = (band.values, decoded.values)
      for i in kept.indices {
        if isMassive(kept[i]) {
          (kept[i], made[i]) = (0, 0)
        } else if kept[i] != 0 && made[i] == 0 {
          flushed += 1
        }
      }
      rest.add(kept, made)
      output?.add(band, decoded)
    }
    self.init(
      name: treatment.name, bitsPerWeight: Double(bits) / Double(max(tensor.rows * tensor.columns, 1)),
      statistics: statistics.all, rest: rest.all, flushed: flushed, outputSqnr: output?.sqnr)
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
}

/// Sums of errors that are taken in stretches of as many elements wherever bands end.
private struct StretchedErrors {
  private static let length = 1024
  private var sums = ErrorSums()
  private var x: [Float] = []
  private var y: [Float] = []

  mutating func add(_ given: [Float], _ decoded: [Float]) {
    x += given
    y += decoded
    let whole = x.count / Self.length * Self.length
    put(whole)
    x.removeFirst(whole)
    y.removeFirst(whole)
  }

  private mutating func put(_ count: Int) {
    x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer {
        sums.add(UnsafeBufferPointer(rebasing: x[..<count]), UnsafeBufferPointer(rebasing: $0[..<count]))
      }
    }
  }

  /// Those of all that was added.
  var all: ErrorSums {
    var copy = self
    copy.put(x.count)
    return copy.sums
  }
}

/// ‖WXᵀ‖² and ‖(Ŵ − W)Xᵀ‖².
private struct OutputErrors {
  // Rows of Xᵀ, so that the inner loop runs along tokens.
  private let transposed: [Double]
  private let tokens: Int
  private var signal = ExactSum()
  private var noise = ExactSum()

  init(_ x: TensorMatrix) {
    tokens = x.rows
    let n = x.columns
    var transposed = [Double](repeating: 0, count: n * x.rows)
    for i in x.values.indices { transposed[i % n * x.rows + i / n] = Double(x.values[i]) }
    self.transposed = transposed
  }

  mutating func add(_ w: TensorMatrix, _ decoded: TensorMatrix) {
    let n = w.columns
    for row in 0..<w.rows {
      var y = [Double](repeating: 0, count: tokens)
      var e = y
      transposed.withUnsafeBufferPointer { t in
        guard let t = t.baseAddress else { return }
        for j in 0..<n {
          let exact = Double(w.values[row * n + j])
          nc_add_scaled(&y, t + j * tokens, exact, tokens)
          nc_add_scaled(&e, t + j * tokens, Double(decoded.values[row * n + j]) - exact, tokens)
        }
      }
      for k in y.indices {
        signal.add(y[k] * y[k])
        noise.add(e[k] * e[k])
      }
    }
  }

  /// 10·log10 of the ratio.
  var sqnr: Double { noise.value == 0 ? .infinity : 10 * nc_log10(signal.value / noise.value) }
}
