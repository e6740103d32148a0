import NumKit
import TestSupport
import Testing

/// One product of `fixtures/matmul/golden.txt`: 2 rows, 3 columns.
struct GoldenProduct {
  let name: String
  let configuration: MatmulConfiguration
  let order: MatmulOrder
  let inputs: MatmulInputs
  let truth: [Double]
  let kernel: [Double]

  var stored: MatmulInputs { inputs.stored(as: configuration.storage, configuration.scaling) }

  static func all() throws -> [GoldenProduct] {
    let lines = try fixtureText("matmul/golden.txt").split(separator: "\n").map {
      $0.split(separator: " ").map(String.init)
    }
    return try stride(from: 0, to: lines.count, by: 5).map { try GoldenProduct(Array(lines[$0..<$0 + 5])) }
  }

  private init(_ lines: [[String]]) throws {
    func numbers(_ line: Int, _ name: String) throws -> [Double] {
      try #require(lines[line][0] == name)
      return try lines[line].dropFirst().map { try #require(Double($0)) }
    }
    let words = lines[0]
    try #require(words.count == 7 && words[0] == "case")
    name = words.joined(separator: " ")
    let format = DType(words[3])?.numberFormat
    let accumulator = words[3] == "int32" ? .int32 : MatmulAccumulator.float(try #require(format))
    configuration = try MatmulConfiguration(
      storage: try #require(DType(words[1])), scaling: try Self.scaling(words[2]), accumulator: accumulator,
      result: try #require(DType(words[4])?.numberFormat))
    order = try #require(MatmulOrder(words[5]))
    let inner = try #require(Int(words[6]))
    let (a, b) = (try numbers(1, "a"), try numbers(2, "b"))
    inputs = try #require(MatmulInputs(rows: a, columns: b, inner: inner))
    truth = try numbers(3, "truth")
    kernel = try numbers(4, "kernel")
  }

  private static func scaling(_ name: String) throws -> MatmulScaling {
    switch name {
    case "none": return .none
    case "tensor": return .tensor
    case "row": return .row
    default: return .block(try #require(Int(name.dropFirst("block:".count))))
    }
  }
}

@Suite struct MatmulGoldenTests {
  /// Inputs stored, scaled, multiplied and rounded as exact rationals have it.
  @Test func theTruthIsTheRoundedProduct() throws {
    var certificate = Certificate()
    let products = try GoldenProduct.all()
    #expect(products.count >= 200)
    for golden in products {
      let stored = golden.stored
      let result = golden.configuration.result
      var prover = MatmulProver(stored, format: result)
      for row in 0..<2 {
        var truths = [Truth()]
        prover.answer(MatmulQuestion.Item(inputs: stored, row: row), into: &truths)
        #expect(truths[0].rounded == Array(golden.truth[row * 3..<row * 3 + 3]), "\(golden.name), row \(row)")
        certificate.merge(truths[0].certificate)
      }
    }
    // All ways to prove a result have been there.
    #expect(certificate.undecided == 0 && certificate.exact > 0 && certificate.doubleDouble > 0)
    #expect(certificate.maxPrecision > 0)
  }

  /// Every operation of every order of summation rounds as exact rationals have it.
  @Test func kernelsRoundAsTheyShould() throws {
    for golden in try GoldenProduct.all() {
      let runner = try MatmulRunner(golden.order, golden.configuration, golden.stored)
      var trace = StageTrace()
      for row in 0..<2 {
        var results = [Double](repeating: .nan, count: 3)
        results.withUnsafeMutableBufferPointer { runner.run(row, into: $0, trace: &trace) }
        #expect(results == Array(golden.kernel[row * 3..<row * 3 + 3]), "\(golden.name), row \(row)")
      }
    }
  }

  /// Codes times scales are the numbers, exactly, and scales are numbers of f32 that leave nothing beyond the largest.
  @Test func scalesAreKept() throws {
    for golden in try GoldenProduct.all() {
      for (given, operand) in [
        (golden.inputs.a, golden.stored.a), (golden.inputs.b, golden.stored.b),
      ] {
        #expect(operand.scales.allSatisfy { Double(Float($0)) == $0 && $0 > 0 })
        #expect(operand.overflowed(from: given, golden.configuration.storage) == 0 || operand.scales.isEmpty)
        for i in operand.values.indices {
          let vector = i / operand.inner
          let scale =
            operand.scales.isEmpty
            ? 1 : operand.scales[vector * operand.blocks + i % operand.inner / operand.block]
          let product = operand.codes[i].multipliedFullWidthIsExact(by: scale)
          #expect(product == operand.values[i], "\(golden.name)")
        }
      }
    }
  }
}

extension Double {
  /// The product, NaN where it was rounded.
  fileprivate func multipliedFullWidthIsExact(by other: Double) -> Double {
    let product = self * other
    return (-product).addingProduct(self, other) == 0 ? product : .nan
  }
}
