import NumKit
import TestSupport
import Testing

/// One problem of `fixtures/attention/golden.txt`.
struct GoldenAttention {
  var shape = AttentionShape(queries: 1, keys: 1, headSize: 1)
  var parameters = AttentionParameters()
  var q: [Double] = []
  var k: [Double] = []
  var v: [Double] = []
  /// Roundings to each format, and digits; outputs and log-sum-exps in the order of queries.
  var outputs: [([Double], String)] = []
  var logSumExps: [([Double], String)] = []

  static func all() throws -> (formats: [NumberFormat], problems: [GoldenAttention]) {
    var formats: [NumberFormat] = []
    var problems: [GoldenAttention] = []
    for line in try fixtureText("attention/golden.txt").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      func numbers() throws -> [Double] { try words.dropFirst().map { try #require(Double($0)) } }
      let last = problems.count - 1
      switch words[0] {
      case "formats": formats = try words.dropFirst().map { try #require(DType($0)?.numberFormat) }
      case "case": problems.append(try GoldenAttention(words))
      case "q": problems[last].q = try numbers()
      case "k": problems[last].k = try numbers()
      case "v": problems[last].v = try numbers()
      case "m": problems[last].parameters.mask.additive = try numbers()
      default:
        let rounded = try words[1...formats.count].map { try #require(Double($0)) }
        if words[0] == "o" {
          problems[last].outputs.append((rounded, words[formats.count + 1]))
        } else {
          problems[last].logSumExps.append((rounded, words[formats.count + 1]))
        }
      }
    }
    return (formats, problems)
  }

  private init(_ words: [String]) throws {
    let n = try words[1...9].map { try #require(Int($0)) }
    shape = AttentionShape(
      heads: n[0], keyHeads: n[1], queries: n[2], keys: n[3], headSize: n[4], valueSize: n[5])
    parameters.mask = AttentionMask(causal: n[6] == 1, left: n[7] < 0 ? nil : n[7], sinks: n[8])
    parameters.scale = Double(words[10])
    parameters.softcap = words[11] == "0.0" ? nil : Double(words[11])
    if let kind = QueryKeyNorm.Kind(rawValue: words[12]) {
      parameters.norm = QueryKeyNorm(kind, epsilon: try #require(Double(words[13])))
    }
    let rest = try words[15...].map { try #require(Double($0)) }
    switch words[14] {
    case "sink": parameters.softmax = .sink(rest)
    case "clipped": parameters.softmax = .clipped(lower: rest[0], upper: rest[1])
    default: break
    }
  }
}

@Suite struct AttentionGoldenTests {
  /// Outputs and log-sum-exps rounded correctly, their values within what is stated; by MPFR alone and with pairs before it.
  @Test(arguments: [false, true])
  func theTruthAgreesWithAnIndependentComputation(usesFastTiers: Bool) throws {
    let (formats, problems) = try GoldenAttention.all()
    #expect(problems.count >= 30)
    var truth = Truth()
    var lse = Truth()
    var total = Certificate()
    for (number, p) in problems.enumerated() {
      let tensors = try #require(AttentionInputs(q: p.q, k: p.k, v: p.v, shape: p.shape))
      for (column, format) in formats.enumerated() {
        let reference = try AttentionReference(
          tensors, p.parameters, format: format, lseFormat: format, usesFastTiers: usesFastTiers)
        for row in 0..<p.shape.heads * p.shape.queries {
          reference.answer(
            head: row / p.shape.queries, query: row % p.shape.queries, into: &truth, logSumExp: &lse)
          total.merge(truth.certificate)
          total.merge(lse.certificate)
          for c in 0..<p.shape.valueSize {
            let expected = p.outputs[row * p.shape.valueSize + c]
            #expect(
              truth.rounded[c] == expected.0[column],
              "problem \(number), \(format.name), row \(row), \(c): \(truth.rounded[c]), not \(expected.0[column])"
            )
            let distance = relativeDistance(truth, c, expected.1)
            #expect(
              distance <= truth.relativeError + 1e-43, "problem \(number), row \(row): off by \(distance)")
          }
          let expected = p.logSumExps[row]
          if expected.0[column].magnitude <= format.largestFinite {
            #expect(lse.rounded[0] == expected.0[column], "problem \(number), row \(row): lse")
          }
          #expect(relativeDistance(lse, 0, expected.1) <= lse.relativeError + 1e-43)
        }
      }
    }
    #expect(total.undecided == 0)
    #expect(total.exact > (usesFastTiers ? 5 : 100))
    #expect(usesFastTiers ? total.double + total.doubleDouble > 900 : total.double + total.doubleDouble == 0)
  }
}
