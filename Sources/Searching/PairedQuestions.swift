import Guests
import NumKit
import StabilityTesting

/// A dot product: a row of A and a column of B, pair by pair.
package struct PairedProduct: PairedQuestion {
  package let operation = "matmul"
  package let inputs: NumberFormat
  package let format: NumberFormat
  package let parameters: [GuestParameter] = []
  private let claims: Claims

  package init(inputs: NumberFormat, format: NumberFormat, claims: Claims) {
    (self.inputs, self.format, self.claims) = (inputs, format, claims)
  }

  /// All rows of A times all columns of B, of which the diagonal is asked for.
  package func arrays(_ rows: [[Double]]) -> [SearchedArray] {
    let columns = rows.map { Self.columns($0) }
    let (count, n) = (rows.count, (rows.first?.count ?? 0) / 2)
    var b = [Double](repeating: 0, count: n * count)
    for (j, pair) in columns.enumerated() { for i in 0..<n { b[i * count + j] = pair.1[i] } }
    return [
      SearchedArray(name: "a", shape: [count, n], values: columns.flatMap(\.0)),
      SearchedArray(name: "b", shape: [n, count], values: b),
    ]
  }

  /// Every row of A meets every column of B.
  package var mostRows: Int { 16 }
  package func resultShapes(rows: Int, length: Int) -> [[Int]] { [[rows, rows]] }
  package func resultPlaces(of row: Int, among rows: Int, count: Int) -> Range<Int> {
    row * rows + row..<row * rows + row + 1
  }

  static func product(_ row: [Double]) throws -> MatmulInputs {
    let (a, b) = columns(row)
    guard let inputs = MatmulInputs(rows: a, columns: b, inner: a.count) else {
      throw SearchError.declined("an empty product")
    }
    return inputs
  }

  package func judge(_ row: [Double], _ results: [Double]) throws -> (Judgement, ProvenRow) {
    let product = try Self.product(row)
    var verification = MatmulVerification(product, storage: inputs, format: format)
    verification.claims = claims
    let plans = try verification.plans(product, verification.accumulator)
    return try Self.judged(
      Judge(
        MatmulQuestion(), formats: [format], prover: MatmulProver(product, format: format),
        model: WidestErrors(plans)), MatmulQuestion.Item(inputs: product, row: 0), results)
  }
}

extension SearchSubject {
  /// A product of ours.
  package init(_ order: MatmulOrder, _ configuration: MatmulConfiguration, format: NumberFormat) {
    let result = configuration.result
    @Sendable func candidate(_ row: [Double]) throws -> (MatmulCandidate, MatmulInputs) {
      let inputs = try PairedProduct.product(row)
      return (try MatmulCandidate(order, configuration, inputs), inputs)
    }
    self.init(name: order.description, inputs: format, format: result) { row in
      var (own, inputs) = try candidate(row)
      return try own.results(MatmulQuestion.Item(inputs: inputs, row: 0), count: 1)
    } judge: { row, results in
      let (own, inputs) = try candidate(row)
      return try PairedProduct.judged(
        Judge(
          MatmulQuestion(), formats: [result], prover: MatmulProver(inputs, format: result),
          model: own.errorModel()), MatmulQuestion.Item(inputs: inputs, row: 0), results)
    }
  }

  /// A vector–Jacobian product of ours.
  package init(
    vjp algorithm: Algorithm, _ configuration: KernelConfiguration, _ question: PairedVJP,
    format: NumberFormat
  ) {
    @Sendable func candidate(_ row: [Double]) throws -> (KernelCandidate, RowQuestion.Item) {
      let item = question.item(row, configuration)
      return (try KernelCandidate(algorithm, configuration, parameters: item.parameters), item)
    }
    self.init(name: algorithm.description, inputs: format, format: format) { row in
      var (own, item) = try candidate(row)
      return try own.results(item, count: item.values.count)
    } judge: { row, results in
      let (own, item) = try candidate(row)
      return try PairedVJP.judged(
        Judge(
          RowQuestion(.softmaxVJP), formats: [format], prover: RowProver(.softmaxVJP, format: format),
          model: own.errorModel()), item, results)
    }
  }

  /// An attention of ours, whose keys and values are single numbers.
  package init(attention runner: AttentionRunner, _ question: PairedAttention) {
    let format = question.format
    self.init(name: runner.algorithm.rawValue, inputs: format, format: format) { row in
      guard let tensors = question.tensors(row),
        let found = runner.run(tensors, question.asked(row), rows: 0..<1)
      else { throw AttentionError.cannotRun(runner) }
      return found.output
    } judge: { row, results in
      guard let tensors = question.tensors(row) else { throw UnfitAttention() }
      let asked = question.asked(row)
      let own = AttentionCandidate(runner, asked, on: tensors)
      return try question.judge(tensors, asked, results, own.errorModel())
    }
  }
}

/// Softmax's vector–Jacobian product: logits and cotangents.
package struct PairedVJP: PairedQuestion {
  package let operation = RowOperation.softmaxVJP.rawValue
  package let inputs: NumberFormat
  package let format: NumberFormat
  private let asked: OperationParameters
  private let claims: Claims

  package init(
    inputs: NumberFormat, format: NumberFormat, parameters: OperationParameters, claims: Claims
  ) {
    (self.inputs, self.format, self.asked, self.claims) = (inputs, format, parameters, claims)
  }

  package var parameters: [GuestParameter] { [GuestParameter("temperature", asked.temperature)] }
  /// A call's rows share their cotangent.
  package var mostRows: Int { 1 }

  package func arrays(_ rows: [[Double]]) -> [SearchedArray] {
    let (x, v) = Self.columns(rows.first ?? [])
    return [
      SearchedArray(name: "input", shape: [1, x.count], values: x),
      SearchedArray(name: "cotangent", shape: [v.count], values: v),
    ]
  }

  package func resultShapes(rows: Int, length: Int) -> [[Int]] { [[1, length]] }

  func item(_ row: [Double], _ configuration: KernelConfiguration) -> RowQuestion.Item {
    let (x, v) = Self.columns(row)
    var parameters = asked
    parameters.cotangent = v
    return RowQuestion.Item(values: x, parameters: parameters.rounded(to: configuration))
  }

  package func judge(_ row: [Double], _ results: [Double]) throws -> (Judgement, ProvenRow) {
    let compute = claims.compute ?? RowPlans.usual(format)
    let item = item(
      row,
      KernelConfiguration(
        storage: .float(format), compute: compute, accumulator: claims.accumulate ?? compute))
    let judge = try Judge(
      .softmaxVJP, format: format, inputs: inputs, parameters: item.parameters, claims: claims)
    return try Self.judged(judge, item, results)
  }
}

/// Attention of one query: scores and values of its keys. The query is (√d, 0, …), so that at the usual scale a key's first number is its
/// score; values have their number first, and zeros. A score of −∞ is a key that a mask hides.
package struct PairedAttention: PairedQuestion {
  package let operation = "attention"
  package let format: NumberFormat
  package var inputs: NumberFormat { format }
  private let headSize: Int
  private let hasMask: Bool
  private let claims: Claims

  /// `headSize` is a power of 4, of which the root is exact.
  package init(format: NumberFormat, headSize: Int, hasMask: Bool = false, claims: Claims) {
    (self.format, self.headSize, self.hasMask, self.claims) = (format, headSize, hasMask, claims)
  }

  private var root: Double { Double(headSize).squareRoot() }

  func asked(_ row: [Double]) -> AttentionParameters {
    var parameters = AttentionParameters()
    parameters.scale = 1 / root
    if hasMask { parameters.mask.additive = Self.mask(row) }
    return parameters
  }

  /// −∞ for keys that are hidden, 0 for the others.
  private static func mask(_ row: [Double]) -> [Double] {
    columns(row).0.map { $0 == -.infinity ? -.infinity : 0 }
  }

  package var parameters: [GuestParameter] {
    [
      ("scale", 1 / root), ("causal", 0), ("top_left", 0), ("window_left", -1), ("window_right", -1),
      ("sinks", 0), ("softcap", 0), ("safe", 0),
    ].map { GuestParameter($0.0, $0.1) }
  }

  /// A head for each row.
  package func arrays(_ rows: [[Double]]) -> [SearchedArray] {
    let (count, n, d) = (rows.count, (rows.first?.count ?? 0) / 2, headSize)
    let zeros = [Double](repeating: 0, count: d - 1)
    let columns = rows.map { Self.columns($0) }
    // Of a hidden key there is a number all the same.
    let scores = columns.flatMap { $0.0.map { hasMask && $0 == -.infinity ? 0 : $0 } }
    let mask = SearchedArray(
      name: "mask", shape: [count, 1, n], values: rows.flatMap { Self.mask($0) }, format: .f32)
    return [
      SearchedArray(name: "q", shape: [count, 1, d], values: rows.flatMap { _ in [root] + zeros }),
      SearchedArray(
        name: "k", shape: [count, n, d], values: scores.flatMap { [$0] + zeros }),
      SearchedArray(
        name: "v", shape: [count, n, d], values: columns.flatMap { $0.1.flatMap { [$0] + zeros } }),
    ] + (hasMask ? [mask] : [])
  }

  package func resultShapes(rows: Int, length: Int) -> [[Int]] { [[rows, 1, headSize]] }

  func tensors(_ row: [Double]) -> AttentionInputs? {
    let arrays = arrays([row])
    let shape = AttentionShape(
      heads: 1, keyHeads: 1, queries: 1, keys: row.count / 2, headSize: headSize, valueSize: headSize)
    return AttentionInputs(q: arrays[0].values, k: arrays[1].values, v: arrays[2].values, shape: shape)
  }

  package func judge(_ row: [Double], _ results: [Double]) throws -> (Judgement, ProvenRow) {
    guard let tensors = tensors(row) else { throw UnfitAttention() }
    let asked = asked(row)
    var verification = AttentionVerification(tensors, asked, format: format)
    verification.claims = claims
    return try judge(tensors, asked, results, WidestErrors(try verification.plans(tensors, asked)))
  }

  func judge(
    _ tensors: AttentionInputs, _ asked: AttentionParameters, _ results: [Double],
    _ model: (any ErrorModel<AttentionForward>)?
  ) throws -> (Judgement, ProvenRow) {
    let judge = Judge(
      AttentionForward(asked, logSumExp: false), formats: [format],
      prover: try AttentionProver(tensors, asked, format: format), model: model)
    return try Self.judged(judge, AttentionQueries(tensors, block: 1).makeItem(), results)
  }
}
