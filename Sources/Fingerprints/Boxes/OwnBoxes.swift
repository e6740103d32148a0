import NumKit

/// A kernel of ours of softmax or a relative.
package final class OwnRowBox: RowBox {
  package let kind: RowKind
  package let format: NumberFormat
  package let length: Int
  private let runner: KernelRunner
  private let width: Int

  /// Nil where there is no such kernel.
  package init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration, length: Int) {
    guard let kind = RowKind(rawValue: algorithm.operation.rawValue),
      let format = configuration.storage.numberFormat,
      let runner = KernelRunner(algorithm, configuration, parameters: OperationParameters())
    else { return nil }
    (self.kind, self.format, self.length, self.runner) = (kind, format, length, runner)
    width = algorithm.operation.resultCount(length: length)
  }

  package func read(_ probes: [RowProbe]) throws -> [Double] {
    var results = [Double](repeating: 0, count: width)
    var trace = StageTrace()
    return results.withUnsafeMutableBufferPointer { results in
      probes.enumerated().map { number, probe in
        trace.startRow(number)
        probe.values.withUnsafeBufferPointer { runner.run($0, target: 0, into: results, trace: &trace) }
        return results[width == 1 ? 0 : probe.place]
      }
    }
  }
}

/// A kernel of ours of a normalisation.
package final class OwnNormBox: RowBox {
  package let kind: RowKind
  package let format: NumberFormat
  package let length: Int
  private let runner: NormRunner

  package init?(
    _ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, length: Int, epsilon: Double
  ) {
    let parameters = NormParameters(epsilon: epsilon)
    guard let kind = RowKind(rawValue: algorithm.operation.rawValue),
      let format = configuration.storage.numberFormat,
      let runner = NormRunner(algorithm, configuration, parameters: parameters.rounded(to: configuration))
    else { return nil }
    (self.kind, self.format, self.length, self.runner) = (kind, format, length, runner)
  }

  package func read(_ probes: [RowProbe]) throws -> [Double] {
    var results = [Double](repeating: 0, count: length)
    var trace = StageTrace()
    return results.withUnsafeMutableBufferPointer { results in
      probes.enumerated().map { number, probe in
        trace.startRow(number)
        probe.values.withUnsafeBufferPointer { runner.run($0, into: results, trace: &trace) }
        return results[probe.place]
      }
    }
  }
}

/// A product of matrices of ours.
package final class OwnDotBox: DotBox {
  package let format: NumberFormat
  package let length: Int
  package let factor = 1.0
  package let takesPairs = true
  private let order: MatmulOrder
  private let configuration: MatmulConfiguration

  /// Of a format that is stored without scales and given back.
  package init(_ order: MatmulOrder, _ configuration: MatmulConfiguration, length: Int) throws {
    guard configuration.storage.numberFormat == configuration.result, configuration.scaling == .none else {
      throw FingerprintError(
        "a product is fingerprinted where results are numbers of the dtype, without scales")
    }
    (self.order, self.configuration, self.length) = (order, configuration, length)
    format = configuration.result
  }

  package func products(_ probes: [DotProbe]) throws -> [Double] {
    var results = [Double](repeating: 0, count: probes.count)
    let ones = [Double](repeating: 1, count: length)
    let plain = probes.indices.filter { probes[$0].b == nil }
    try ask(plain, plain.flatMap { probes[$0].a }, ones, probes.count, &results, column: { _ in 0 })
    let pairs = probes.indices.filter { probes[$0].b != nil }
    try ask(
      pairs, pairs.flatMap { probes[$0].a }, pairs.flatMap { probes[$0].b ?? ones }, probes.count, &results,
      column: { $0 })
    return results
  }

  private func ask(
    _ places: [Int], _ a: [Double], _ b: [Double], _ count: Int, _ results: inout [Double],
    column: (Int) -> Int
  ) throws {
    guard !places.isEmpty, let inputs = MatmulInputs(rows: a, columns: b, inner: length) else { return }
    let runner = try MatmulRunner(order, configuration, inputs)
    var row = [Double](repeating: 0, count: inputs.b.count)
    var trace = StageTrace()
    for (k, place) in places.enumerated() {
      trace.startRow(k)
      row.withUnsafeMutableBufferPointer { runner.run(k, into: $0, trace: &trace) }
      results[place] = row[column(k)]
    }
  }
}

/// An attention of ours: heads of one query over keys of one number.
package final class OwnAttentionBox: AttentionBox {
  package let format: NumberFormat
  package let keys: Int
  private let runner: AttentionRunner

  package init?(_ runner: AttentionRunner, keys: Int) {
    guard let format = runner.configuration.storage.numberFormat else { return nil }
    (self.format, self.keys, self.runner) = (format, keys, runner)
  }

  package func weighted(_ heads: [(scores: [Double], values: [Double])]) throws -> [Double] {
    var results: [Double] = []
    var parameters = AttentionParameters()
    parameters.scale = 1
    for start in stride(from: 0, to: heads.count, by: 4096) {
      let part = heads[start..<min(start + 4096, heads.count)]
      let shape = AttentionShape(
        heads: part.count, keyHeads: part.count, queries: 1, keys: keys, headSize: 1, valueSize: 1)
      guard
        let found = runner.run(
          q: [Double](repeating: 1, count: part.count), k: part.flatMap(\.scores), v: part.flatMap(\.values),
          shape: shape, parameters: parameters)
      else { throw FingerprintError("no such attention") }
      results += found.output
    }
    return results
  }
}
