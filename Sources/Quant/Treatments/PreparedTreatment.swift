/// A treatment that knows of a tensor what it must, and decodes it band by band.
public struct PreparedTreatment: Sendable {
  /// The tensor after the transforms.
  private let tensor: TensorBands
  private let transforms: [any PreparedTransform]
  private let scheme: any Scheme
  private let coder: any BandCoder
  /// Bits stored for the tensor beside those of its bands, of what undoes transforms too.
  public let sharedBits: Int

  init(_ treatment: Treatment, _ tensor: TensorBands, _ context: CureContext, isFinite: Bool?) throws {
    scheme = treatment.scheme
    if let activations = context.activations, activations.columns != tensor.columns {
      throw CureError.activations(columns: activations.columns, needed: tensor.columns)
    }
    if treatment.isPlain {
      (self.tensor, transforms) = (tensor, [])
      coder = try SchemeCoder(scheme, tensor)
      sharedBits = coder.sharedBits
      return
    }
    guard try isFinite ?? tensor.isFinite() else { throw CureError.notFinite }
    var (changed, context) = (tensor, context)
    var prepared: [any PreparedTransform] = []
    for transform in treatment.transforms {
      let step = try transform.prepare(changed, scheme: scheme, context: context)
      changed = changed.after(step, named: transform.name)
      // (W T)(X T⁻ᵀ)ᵀ = WXᵀ: what follows sees the activations that then belong to it.
      if var activations = context.activations {
        step.applyOpposite(&activations)
        context.activations = activations
      }
      prepared.append(step)
    }
    coder =
      try treatment.calibration?.prepare(changed, scheme: scheme, context: context)
      ?? SchemeCoder(scheme, changed)
    (self.tensor, transforms) = (changed, prepared)
    sharedBits = prepared.reduce(coder.sharedBits) { $0 + $1.storedBits }
  }

  /// All bands but the last have a multiple of so many rows.
  public var rowUnit: Int { coder.rowUnit }

  /// What becomes of a band of the tensor as it is, whose first row, a multiple of `rowUnit`, has that number, and the bits stored for
  /// the band.
  public func decoded(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    let stages = try tensor.stages(of: band, firstRow: firstRow)
    var (decoded, bits) = try coder.code(stages.last ?? band, firstRow: firstRow)
    tensor.undo(&decoded, stages: stages, firstRow: firstRow)
    return (decoded, bits)
  }

  /// Calls `body` with each band in order, as it is and as it is decoded; returns the bits stored for the whole tensor.
  @discardableResult public func forEachBand(
    _ body: (_ firstRow: Int, _ band: TensorMatrix, _ decoded: TensorMatrix) throws -> Void
  ) throws -> Int {
    var bits = sharedBits
    try tensor.given.forEach(unit: rowUnit) { first, band in
      let (made, stored) = try decoded(band, firstRow: first)
      bits += stored
      try body(first, band, made)
    }
    return bits
  }

  /// Bits stored for the whole tensor; decodes all of it.
  public func bits() throws -> Int { try forEachBand { _, _, _ in } }

  /// What becomes of the other factor of a product along columns: changed the opposite way, coded by the scheme as it is, and changed
  /// back, as where both are multiplied in the scheme (SmoothQuant, QuaRot).
  public func opposite(_ activations: TensorMatrix) throws -> TensorMatrix {
    var changed = activations
    for step in transforms { step.applyOpposite(&changed) }
    var back = try changed.coded(by: scheme).decoded
    for step in transforms.reversed() { step.undoOpposite(&back) }
    return back
  }

  /// All bands in one.
  func whole() throws -> (decoded: TensorMatrix, bits: Int) {
    var values: [Float] = []
    let bits = try forEachBand { _, _, decoded in values += decoded.values }
    return (TensorMatrix(rows: tensor.rows, columns: tensor.columns, values: values), bits)
  }
}
