import Foundation
import NumKit

private let formats: [(String, NumberFormat)] = [
  ("f16", .f16), ("bf16", .bf16), ("f32", .f32), ("f64", .f64),
]

/// The certified softmax and log-sum-exp: `answer` (values for error measurement too) and `round` (the proven
/// roundings alone).
func certifiedCases(_ rows: Rows) -> [Case] {
  var cases: [Case] = []
  for (name, format) in formats {
    for operation in [RowOperation.softmax, .logSumExp] {
      let reference = Reference(operation, format: format)
      let parameters = OperationParameters()
      var truth = Truth()
      cases.append(
        Case(name: "ours.\(operation.rawValue).\(name)", elements: rows.f64.count) {
          for i in 0..<rows.count {
            reference.answer(rows.wideRow(i), parameters: parameters, into: &truth)
          }
        })
      if format.significandBits > 23 {
        let results = UnsafeMutableBufferPointer<Double>.allocate(
          capacity: operation == .softmax ? Rows.length : 1)
        results.initialize(repeating: 0)
        var certificate = Certificate()
        cases.append(
          Case(name: "ours.round.\(operation.rawValue).\(name)", elements: rows.f64.count) {
            for i in 0..<rows.count {
              certificate.merge(reference.round(rows.wideRow(i), parameters: parameters, into: results))
            }
          })
        continue
      }
      let results = UnsafeMutableBufferPointer<Float>.allocate(
        capacity: operation == .softmax ? Rows.length : 1)
      results.initialize(repeating: 0)
      var certificate = Certificate()
      cases.append(
        Case(name: "ours.round.\(operation.rawValue).\(name)", elements: rows.f32.count) {
          for i in 0..<rows.count {
            certificate.merge(reference.round(rows.row(i), parameters: parameters, into: results))
          }
        })
    }
  }
  return cases
}

/// What decided 16.8 million softmax results (4096 rows of 4096, N(0, 10)): one line a format.
func printTiers() {
  var generator = Gaussian()
  var row = [Double](repeating: 0, count: 4096)
  var certificates = formats.map { _ in Certificate() }
  let references = formats.map { Reference(.softmax, format: $0.1) }
  let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: row.count)
  results.initialize(repeating: 0)
  for _ in 0..<4096 {
    for i in row.indices { row[i] = Double(Float(10 * generator.next())) }
    row.withUnsafeBufferPointer {
      for (i, reference) in references.enumerated() {
        certificates[i].merge(reference.round($0, parameters: OperationParameters(), into: results))
      }
    }
  }
  for (i, c) in certificates.enumerated() {
    print(formats[i].0, c.total, c.double, c.doubleLow, c.doubleDouble, c.mpfr, c.undecided, separator: "\t")
  }
}

/// Standard normal numbers by Marsaglia's polar method from a linear congruential generator.
private struct Gaussian {
  private var state: UInt64 = 1
  private mutating func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(Int64(truncatingIfNeeded: state) >> 11) * 0x1p-52
  }
  mutating func next() -> Double {
    while true {
      let (u, v) = (uniform(), uniform())
      let s = u * u + v * v
      if s < 1, s > 0 { return u * (-2 * log(s) / s).squareRoot() }
    }
  }
}
