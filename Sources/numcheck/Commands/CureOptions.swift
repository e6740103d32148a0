import ArgumentParser
import Foundation
import NumKit
import Quant
import Reports
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
  /// All that are named, opened once: standard input is read when it is.
  let list: CuredTensors
  let facts: [Fact]
  let schemes: [any Scheme]
  let threads: Int

  /// Every tensor, treated and measured, and those that cannot be.
  func report() throws -> CureReport {
    let context = try options.context(seed: input.seed)
    func extent(_ matrix: TensorMatrix) -> (Int, Float) { (matrix.rows, matrix.columnMaxima.max() ?? 0) }
    let treatments = try schemes.map { try options.treatments(of: $0) }
    let progress = Progress(
      total: list.count * treatments.reduce(0) { $0 + $1.count }, what: "treatments")
    defer { progress.finish() }
    var tensors: [CureReport.Tensor] = []
    let leftOut = try list.forEach { source in
      tensors.append(try study(source, treatments, context, progress))
    }
    if tensors.isEmpty { throw UsageError(leftOut.first.map { "\($0)" } ?? "nothing to measure") }
    return CureReport(
      tensors: tensors, leftOut: leftOut, facts: facts, isList: !options.cure.isEmpty,
      tokens: context.judges.flatMap { judges in
        context.activations.map { (extent($0), extent(judges)) }
      })
  }

  private func study(
    _ source: MatrixSource, _ treatments: [[Treatment]], _ context: CureContext, _ progress: Progress
  ) throws -> CureReport.Tensor {
    do {
      try MemoryNeeds.requireRow(of: source, schemes: 4)
      let study = try CureStudy(
        TensorBands(source), profile: source.profile(threads: threads), schemes: treatments, context: context,
        skipsUnfit: options.cure.contains("all"), threads: threads, progress: { _ in progress.add(1) })
      if study.groups.isEmpty, let first = study.skipped.first {
        throw UsageError("\(source.name): no scheme fits: \(first.reason)")
      }
      return CureReport.Tensor(name: source.name, rows: source.rows, columns: source.columns, study: study)
    } catch let error as CureError {
      throw UsageError("\(source.name): \(error)")
    } catch let error as SchemeError {
      throw UsageError("\(source.name): \(error)")
    }
  }

  /// Writes what the one treatment makes of the one tensor.
  func written(_ path: String) throws -> any UnfinishedFile {
    guard schemes.count == 1, options.cure.isEmpty, let source = try list.only() else {
      throw UsageError("--output needs one tensor, one --scheme, and no --cure")
    }
    do {
      let ready = try options.treatment(of: schemes[0]).prepared(
        for: TensorBands(source), context: options.context(seed: input.seed))
      let writer = try TensorWriter(
        FilePath(argument: path),
        [TensorWriter.Declaration("dequantized", .f32, [source.rows, source.columns])])
      let progress = Progress(total: source.rows * source.columns, what: "numbers written")
      defer { progress.finish() }
      try ready.forEachBand { _, _, decoded in
        progress.add(decoded.values.count)
        try decoded.values.withUnsafeBufferPointer { try writer.append($0) }
      }
      return writer
    } catch let error as CureError {
      throw UsageError("\(error)")
    } catch let error as SchemeError {
      throw UsageError("\(error)")
    }
  }
}

/// The tensors that are treated, each opened when its turn comes: those of files, or generated rows.
struct CuredTensors {
  private let input: any InputChoice
  private let lists: [(list: TensorList, roles: ModelRoles)]

  init(_ inputs: [String], _ input: any InputChoice) throws {
    self.input = input
    lists = try TensorList.all(inputs).map { list in
      if list.items.isEmpty { throw list.nothing(list.leftOut) }
      return (list, ModelRoles(list))
    }
  }

  /// How many there are.
  var count: Int { lists.isEmpty ? 1 : lists.reduce(0) { $0 + $1.roles.items.count } }

  /// Calls `body` with each in order. Those that cannot be read, or that hold numbers beyond f32, come back, but where only one is
  /// asked for.
  func forEach(_ body: (MatrixSource) throws -> Void) throws -> [LeftOut] {
    guard !lists.isEmpty else {
      try body(MatrixSource(input))
      return []
    }
    var leftOut: [LeftOut] = []
    for (list, roles) in lists {
      leftOut += list.leftOut + roles.leftOut
      for item in roles.items {
        do {
          try body(open(list, item))
        } catch  where count > 1 && !(error is OutOfMemory) {
          leftOut.append(LeftOut(list.name(item), error))
        }
      }
    }
    return leftOut
  }

  private func open(_ list: TensorList, _ item: Int) throws -> MatrixSource {
    let view = list.view(item)
    try view.open()
    return try MatrixSource(view, name: list.name(item), input)
  }

  /// The one there is; nil where there are several.
  func only() throws -> MatrixSource? {
    guard let (list, roles) = lists.first else { return MatrixSource(input) }
    guard count == 1, list.leftOut.isEmpty else { return nil }
    return try open(list, roles.items[0])
  }
}
