import NumKit
import TestSupport
import Testing

/// One problem of `fixtures/attention-backward`.
struct GoldenBackward {
  let shape: AttentionShape
  var parameters = AttentionParameters(specialValues: .safe)
  var inputs: [String: [Double]] = [:]
  /// Roundings to each format, and digits where the file has them, by gradient.
  var answers: [AttentionGradient: [([Double], String)]] = [:]

  static func all(_ file: String = "golden") throws -> (formats: [NumberFormat], problems: [GoldenBackward]) {
    var formats: [NumberFormat] = []
    var problems: [GoldenBackward] = []
    for line in try fixtureText("attention-backward/\(file).txt").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      let last = problems.count - 1
      if let gradient = AttentionGradient(rawValue: words[0]) {
        let rounded = try words[1...formats.count].map { try #require(Double($0)) }
        problems[last].answers[gradient, default: []].append(
          (rounded, words.count > formats.count + 1 ? words[formats.count + 1] : ""))
      } else if words[0] == "formats" {
        formats = try words.dropFirst().map { try #require(DType($0)?.numberFormat) }
      } else if words[0] == "case" {
        problems.append(try GoldenBackward(words))
      } else {
        let numbers = try words.dropFirst().map { try #require(Double($0)) }
        if words[0] == "m" { problems[last].parameters.mask.additive = numbers }
        problems[last].inputs[words[0]] = numbers
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
    if let logit = Double(words[12]) { parameters.softmax = .sink([logit]) }
  }

  var tensors: AttentionInputs? {
    AttentionInputs(q: inputs["q"] ?? [], k: inputs["k"] ?? [], v: inputs["v"] ?? [], shape: shape)
  }
}

@Suite struct BackwardGoldenTests {
  /// Gradients rounded correctly, their values within what is stated; by MPFR alone and with pairs before it.
  @Test(arguments: [false, true])
  func theTruthAgreesWithAnIndependentComputation(usesFastTiers: Bool) throws {
    let (formats, problems) = try GoldenBackward.all()
    #expect(problems.count >= 20)
    var truth = BackwardTruth()
    var total = Certificate()
    for (number, p) in problems.enumerated() {
      let tensors = try #require(p.tensors)
      for (column, format) in formats.enumerated() {
        let reference = try BackwardReference(
          tensors, gradient: p.inputs["g"] ?? [], p.parameters, format: format, usesFastTiers: usesFastTiers)
        for kv in 0..<p.shape.keyHeads {
          reference.answer(keyHead: kv, into: &truth)
          total.merge(truth.certificate)
          for gradient in AttentionGradient.allCases {
            let rows = truth[gradient]
            let width = gradient == .dv ? p.shape.valueSize : p.shape.headSize
            let first = kv * rows.count
            let answers = try #require(p.answers[gradient])
            for (i, row) in rows.enumerated() {
              for c in 0..<width {
                let expected = answers[(first + i) * width + c]
                let what = "problem \(number), \(format.name), \(gradient.rawValue) \(i), \(c)"
                #expect(
                  row.rounded[c] == expected.0[column],
                  "\(what): \(row.rounded[c]), not \(expected.0[column])")
                let distance = relativeDistance(row, c, expected.1)
                #expect(distance <= row.relativeError + 1e-43, "\(what): off by \(distance)")
              }
            }
          }
        }
      }
    }
    #expect(total.undecided == 0)
    #expect(usesFastTiers ? total.doubleDouble > 1000 : total.doubleDouble == 0)
    #expect(total.exact > 100)
  }

  /// Both tiers again where results cancel or saturate, in every format.
  @Test(arguments: [NumberFormat.f64, .f32, .f16, .f8e4m3fn], [1.0, 6, 60])
  func bothTiersAgree(_ format: NumberFormat, _ size: Double) throws {
    var random = RandomSource(seed: 5, row: format.bitWidth)
    let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 3, keys: 7, headSize: 5, valueSize: 4)
    func draw(_ count: Int, _ size: Double) -> [Double] { (0..<count).map { _ in size * random.normal() } }
    let tensors = try #require(
      AttentionInputs(
        q: draw(4 * 3 * 5, size), k: draw(2 * 7 * 5, size), v: draw(2 * 7 * 4, 1), shape: shape))
    let g = draw(4 * 3 * 4, 1)
    for cap in [nil, 5.0] {
      let parameters = AttentionParameters(
        softcap: cap, softmax: cap == nil ? .plain : .sink([0.5]),
        mask: AttentionMask(causal: true, left: 4))
      func answers(_ fast: Bool) throws -> ([[Double]], Certificate) {
        let reference = try BackwardReference(
          tensors, gradient: g, parameters, format: format, usesFastTiers: fast)
        var truth = BackwardTruth()
        var (rounded, certificate): ([[Double]], Certificate) = ([], Certificate())
        for kv in 0..<2 {
          reference.answer(keyHead: kv, into: &truth)
          for gradient in AttentionGradient.allCases { rounded += truth[gradient].map(\.rounded) }
          certificate.merge(truth.certificate)
        }
        return (rounded, certificate)
      }
      let (a, b) = (try answers(true), try answers(false))
      #expect(a.0 == b.0)
      #expect(a.1.doubleDouble > 0 && b.1.mpfr > 0)
      #expect(a.1.undecided == 0)
      #expect(b.1.undecided == 0)
    }
  }
}
