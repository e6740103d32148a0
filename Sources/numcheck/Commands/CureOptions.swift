import ArgumentParser
import Foundation
import NumKit
import Quant
import SystemPackage
import TensorFiles

/// Flags of `quantize` that do more than try schemes: cures, and the error where it matters.
struct CureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Try what helps a scheme against outliers: 'all', or a transform, a calibration, a granularity (@g32); repeatable.",
      valueName: "name"))
  var cure: [String] = []

  @Option(
    help: ArgumentHelp(
      "Change the tensor before the scheme, and back after; repeatable: "
        + TransformRegistry.kinds.map(\.name).joined(separator: ", ") + ".", valueName: "name[:x]"))
  var transform: [String] = []

  @Option(
    help: ArgumentHelp(
      "How scales or codes are chosen: " + CalibrationRegistry.kinds.map(\.name).joined(separator: ", ")
        + ".",
      valueName: "name[:x]"))
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "The activations (tokens x inputs) that the input, then a weight (outputs x inputs), is multiplied with.",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var activations: String?

  func validate() throws {
    if !cure.isEmpty && (!transform.isEmpty || calibration != nil) {
      throw ValidationError("--cure tries transforms and calibrations itself; take one or the other")
    }
    if cure.contains("all") && cure.count > 1 {
      throw ValidationError("--cure all tries everything; name no other")
    }
  }

  /// Whether any treatment is asked for.
  var isAsked: Bool { !cure.isEmpty || !transform.isEmpty || calibration != nil || activations != nil }

  /// The treatments of a scheme, the scheme as it is first.
  func treatments(of scheme: any Scheme) throws -> [Treatment] {
    do {
      if cure.contains("all") { return try CureList.treatments(for: scheme) }
      if !cure.isEmpty {
        return [Treatment(scheme)] + (try cure.map { try CureList.treatment(named: $0, for: scheme) })
      }
      let treated = try treatment(of: scheme)
      return transform.isEmpty && calibration == nil ? [treated] : [Treatment(scheme), treated]
    } catch let error as CureError {
      throw UsageError("\(error)")
    }
  }

  /// The scheme with --transform and --calibration.
  func treatment(of scheme: any Scheme) throws -> Treatment {
    Treatment(
      scheme, transforms: try transform.map { try TransformRegistry.transform(named: $0) },
      calibration: try calibration.map { try CalibrationRegistry.calibration(named: $0) })
  }

  func context(seed: UInt64) throws -> CureContext {
    guard let activations else { return CureContext(seed: seed) }
    let all = try Self.matrix(FileTensor.one(activations))
    guard all.values.allSatisfy(\.isFinite) else {
      throw UsageError("\(activations): activations with NaN or infinities judge nothing")
    }
    // Where nothing is fitted to them there is nothing to hold back.
    let isFitted = !cure.isEmpty || !transform.isEmpty || calibration != nil
    return isFitted ? CureContext(seed: seed, splitting: all) : CureContext(seed: seed, activations: all)
  }

  /// A whole tensor in memory.
  static func matrix(_ tensor: FileTensor) throws -> TensorMatrix {
    guard tensor.count <= 1 << 28 else {
      throw UsageError("\(tensor.name): \(tensor.count) elements are more than the \(1 << 28) that fit here")
    }
    // The tensor, what becomes of it, and what cures make on the way.
    try Memory.require(
      Memory.product(tensor.count, 48), for: "\(tensor.name): holding \(tensor.count) elements")
    var values = [Float](repeating: 0, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { try tensor.read(0..<tensor.count, into: $0) }
    return TensorMatrix(rows: tensor.rows, columns: tensor.columns, values: values)
  }
}

/// Runs `quantize` with treatments.
struct CureRun {
  let options: CureOptions
  let input: any InputChoice
  let schemes: [any Scheme]
  let threads: Int

  /// Every one of `matrices`, treated and measured.
  func report(_ matrices: [(String, TensorMatrix)], leftOut: [LeftOut]) throws -> CureReport {
    let context = try options.context(seed: input.seed)
    func extent(_ matrix: TensorMatrix) -> (Int, Float) { (matrix.rows, matrix.columnMaxima.max() ?? 0) }
    let tensors = try matrices.map { name, matrix in
      do {
        let study = try CureStudy(
          matrix, schemes: schemes.map { try options.treatments(of: $0) }, context: context,
          skipsUnfit: options.cure.contains("all"), threads: threads)
        if study.groups.isEmpty, let first = study.skipped.first {
          throw UsageError("\(name): no scheme fits: \(first.reason)")
        }
        return CureReport.Tensor(name: name, rows: matrix.rows, columns: matrix.columns, study: study)
      } catch let error as CureError {
        throw UsageError("\(name): \(error)")
      } catch let error as SchemeError {
        throw UsageError("\(name): \(error)")
      }
    }
    return CureReport(
      tensors: tensors, leftOut: leftOut, facts: input.facts, isList: !options.cure.isEmpty,
      tokens: context.judges.flatMap { judges in
        context.activations.map { (extent($0), extent(judges)) }
      })
  }

  /// Throws where there is not one treatment of one tensor to write.
  func checkOutput(_ matrices: [(String, TensorMatrix)]) throws {
    guard matrices.count == 1, schemes.count == 1, options.cure.isEmpty else {
      throw UsageError("--output needs one tensor, one --scheme, and no --cure")
    }
  }

  /// Writes what the one treatment makes of the one tensor.
  func written(_ path: String, _ matrices: [(String, TensorMatrix)]) throws -> any UnfinishedFile {
    do {
      let context = try options.context(seed: input.seed)
      let matrix = matrices[0].1
      let decoded = try options.treatment(of: schemes[0]).apply(matrix, context: context).decoded
      let writer = try TensorWriter(
        FilePath(argument: path),
        [TensorWriter.Declaration("dequantized", .f32, [matrix.rows, matrix.columns])])
      try decoded.values.withUnsafeBufferPointer { try writer.append($0) }
      return writer
    } catch let error as CureError {
      throw UsageError("\(error)")
    } catch let error as SchemeError {
      throw UsageError("\(error)")
    }
  }

  /// The tensors of the input, read once, and those that cannot be.
  func matrices() throws -> (matrices: [(String, TensorMatrix)], leftOut: [LeftOut]) {
    guard let text = input.input else {
      let source = MatrixSource(input)
      try source.requireMemory(12)
      var values = [Float](repeating: 0, count: source.rows * source.columns)
      try values.withUnsafeMutableBufferPointer { try source.read(0..<source.rows, into: $0) }
      return ([(source.name, TensorMatrix(rows: source.rows, columns: source.columns, values: values))], [])
    }
    let list = try TensorList(text)
    let (matrices, leftOut) = try list.map { view, name -> (String, TensorMatrix) in
      let whole = try CureOptions.matrix(FileTensor(view, name: name, axis: input.axis))
      guard let limit = input.rows, limit < whole.rows else { return (name, whole) }
      return (
        name,
        TensorMatrix(
          rows: limit, columns: whole.columns, values: Array(whole.values[..<(limit * whole.columns)]))
      )
    }
    if matrices.isEmpty { throw list.nothing(leftOut) }
    return (matrices, leftOut)
  }
}
