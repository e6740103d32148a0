import NumKit
import RealModule
import TestSupport
import Testing

/// One row of `fixtures/norms/golden.txt`.
private struct GoldenNorm {
  let operation: Normalization
  var parameters: NormParameters
  var x: [Double] = []
  /// Roundings to each format, and digits.
  var results: [([Double], String)] = []

  static func all() throws -> (formats: [NumberFormat], rows: [GoldenNorm]) {
    var formats: [NumberFormat] = []
    var rows: [GoldenNorm] = []
    for line in try fixtureText("norms/golden.txt").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      func numbers() throws -> [Double] { try words.dropFirst().map { try #require(Double($0)) } }
      let last = rows.count - 1
      switch words[0] {
      case "formats": formats = try words.dropFirst().map { try #require(DType($0)?.numberFormat) }
      case "case":
        rows.append(
          GoldenNorm(
            operation: try #require(Normalization(rawValue: words[1])),
            parameters: NormParameters(epsilon: try #require(Double(words[2])))))
      case "x": rows[last].x = try numbers()
      case "w": rows[last].parameters.weight = try numbers()
      case "b": rows[last].parameters.bias = try numbers()
      default:
        rows[last].results.append(
          (try words[1...formats.count].map { try #require(Double($0)) }, words[formats.count + 1]))
      }
    }
    return (formats, rows)
  }
}

@Suite struct NormReferenceTests {
  private func truth(
    _ operation: Normalization, _ x: [Double], _ parameters: NormParameters, _ format: NumberFormat = .f32,
    usesFastTiers: Bool = true
  ) -> Truth {
    var truth = Truth()
    let reference = NormReference(operation, format: format, usesFastTiers: usesFastTiers)
    x.withUnsafeBufferPointer { reference.answer($0, parameters: parameters, into: &truth) }
    return truth
  }

  private func isNaN(_ y: [Double]) -> Bool { y.allSatisfy(\.isNaN) }

  /// By MPFR alone, and with pairs before it.
  @Test(arguments: [false, true])
  func theTruthAgreesWithAnIndependentComputation(usesFastTiers: Bool) throws {
    let (formats, rows) = try GoldenNorm.all()
    #expect(rows.count >= 90)
    var total = Certificate()
    for (number, row) in rows.enumerated() {
      for (column, format) in formats.enumerated() {
        let truth = truth(row.operation, row.x, row.parameters, format, usesFastTiers: usesFastTiers)
        total.merge(truth.certificate)
        for (i, expected) in row.results.enumerated() {
          let value = expected.0[column]
          let isHeld = value.magnitude <= format.largestFinite
          let rounded = isHeld ? value : value > 0 ? Double.infinity : -Double.infinity
          #expect(
            truth.rounded[i] == rounded,
            "row \(number), \(format.name), \(i): \(truth.rounded[i]), not \(value)")
          let distance = relativeDistance(truth, i, expected.1)
          #expect(distance <= truth.relativeError + 1e-43, "row \(number), \(i): off by \(distance)")
        }
      }
    }
    #expect(total.undecided == 0)
    #expect(usesFastTiers ? total.doubleDouble > 500 : total.doubleDouble == 0)
    #expect(total.exact > (usesFastTiers ? 100 : 300))
  }

  /// Every result of over 10⁶, by pairs and by MPFR: the same rounding, values within both stated errors, none undecided.
  @Test(arguments: Normalization.allCases)
  func pairsAgreeWithEnclosures(operation: Normalization) {
    var random = RandomBits(seed: 5)
    let formats: [NumberFormat] = [.f64, .f32, .f16, .bf16, .f8e4m3fn, .f4e2m1, .tf32]
    var total = Certificate()
    var fast = Truth()
    var slow = Truth()
    var wrong = 0
    for format in formats {
      let quick = NormReference(operation, format: format)
      let slower = NormReference(operation, format: format, usesFastTiers: false)
      for kind in NormRowKind.allCases {
        for n in [1, 2, 3, 5, 16, 31, 97, 300, 1024] {
          for _ in 0..<(n < 200 ? 12 : 4) {
            // As given, numbers have more digits than the format.
            let x = kind.make(n, random.next() % 2 == 0 ? .f64 : format, &random)
            let p = hostileParameters(operation, n, .f64, &random)
            x.withUnsafeBufferPointer {
              quick.answer($0, parameters: p, into: &fast)
              slower.answer($0, parameters: p, into: &slow)
            }
            total.merge(fast.certificate)
            #expect(fast.certificate.undecided == 0 && slow.certificate.undecided == 0)
            let allowed = fast.relativeError + slow.relativeError + 0x1p-104
            for i in x.indices {
              let (a, b) = (fast.rounded[i], slow.rounded[i])
              let same = a == b && a.sign == b.sign || a.isNaN && b.isNaN
              let value = slow.high[i]
              let apart = ((fast.high[i] - value) + (fast.low[i] - slow.low[i])).magnitude
              let near =
                value == 0 || !value.isFinite || fast.exponent[i] != 0 || apart <= allowed * value.magnitude
              if !same || !near || fast.exponent[i] != slow.exponent[i] { wrong += 1 }
            }
          }
        }
      }
    }
    #expect(wrong == 0)
    #expect(total.total > 500_000, "\(total)")
    // Pairs prove most of what is no special case; ties and numbers of the format are the rest.
    #expect(total.doubleDouble > total.total / 2, "\(total)")
  }

  /// Rows whose root is a dyadic number, and weights that make each result a tie, or just not.
  @Test(arguments: [NumberFormat.f16, .bf16, .f8e4m3fn, .f32])
  func tiesAreDecidedExactly(format: NumberFormat) {
    var random = RandomBits(seed: 11)
    for _ in 0..<400 {
      // Half a step of the format beyond one of its numbers.
      let numerator = Double((random.next() % (1 << UInt64(format.significandBits))) * 2 + 1)
      let exponent = Int(random.next() % 5)
      let tie = Double(
        sign: .plus, exponent: exponent, significand: 1 + numerator / Double(1 << format.precision))
      let size = Double(sign: .plus, exponent: Int(random.next() % 40) - 20, significand: 1)
      for (operation, row) in [(Normalization.rmsNorm, [1.0, 7]), (.layerNorm, [-7, -1, 1.0, 7])] {
        let x = row.map { $0 * size }
        let parameters = NormParameters(epsilon: 0, weight: row.map { _ in 5 * tie })
        let t = truth(operation, x, parameters, format)
        for (i, k) in row.enumerated() {
          #expect(t.rounded[i] == format.round(k * tie), "\(k) times \(tie)")
          if k.magnitude == 1 { #expect(t.high[i] == k * tie && t.low[i] == 0) }
        }
        // Seven times a tie is none: pairs tell.
        #expect(t.certificate.exact == row.count / 2 && t.certificate.total == row.count)
        let nudged = truth(
          operation, x, NormParameters(epsilon: 0x1p-100 * size * size, weight: parameters.weight), format)
        // ε makes the root larger: what was a tie is now below it.
        for (i, k) in row.enumerated() {
          let below = Double(signOf: k, magnitudeOf: (k * tie).magnitude.nextDown)
          #expect(nudged.rounded[i] == format.round(below))
        }
        #expect(nudged.certificate.undecided == 0 && nudged.certificate.exact == 0)
      }
    }
  }

  @Test func aBiasMakesTiesOfDoubles() {
    // ±2/√4·2 = ±2, and a bias of half an ulp.
    let p = NormParameters(epsilon: 3, weight: [4, 4], bias: [0x1p-52, 3 * 0x1p-53])
    let t = truth(.layerNorm, [1, -1], p, .f64)
    #expect(t.rounded == [2, -2 + 0x1p-51])
    #expect(t.certificate.exact == 2)
    // A bias that takes away all there is.
    let none = truth(.layerNorm, [1, -1], NormParameters(epsilon: 3, weight: [4, 4], bias: [-2, 2]), .f64)
    #expect(none.rounded == [0, 0] && none.certificate.exact == 2)
  }

  @Test func rowsWithoutVariance() {
    let level = [2.5, 2.5, 2.5]
    func answer(_ epsilon: Double, _ policy: DegenerateRows, _ x: [Double]) -> [Double] {
      truth(.layerNorm, x, NormParameters(epsilon: epsilon, bias: [1, 2, 3], degenerate: policy)).rounded
    }
    #expect(isNaN(answer(0, .ieee, level)))
    #expect(answer(0, .safe, level) == [1, 2, 3])
    #expect(answer(1e-5, .ieee, level) == [1, 2, 3])
    #expect(isNaN(truth(.rmsNorm, [0, 0], NormParameters(epsilon: 0)).rounded))
    #expect(truth(.rmsNorm, [0, 0], NormParameters(epsilon: 0, degenerate: .safe)).rounded == [0, 0])
    #expect(truth(.rmsNorm, [0, -0.0], NormParameters(epsilon: 1e-6)).rounded == [0, 0])
    #expect(truth(.rmsNorm, [], NormParameters(epsilon: 1e-6)).rounded.isEmpty)
  }

  @Test func rowsWithSpecialValues() {
    let plain = NormParameters(epsilon: 1e-5)
    let safe = NormParameters(epsilon: 1e-5, degenerate: .safe)
    for operation in Normalization.allCases {
      for p in [plain, safe] {
        #expect(isNaN(truth(operation, [1, .nan, .infinity], p).rounded))
      }
    }
    let row: [Double] = [.infinity, 1, -.infinity, 2]
    let rms = truth(.rmsNorm, row, plain).rounded
    #expect(rms[0].isNaN && rms[1] == 0 && rms[2].isNaN && rms[3] == 0)
    #expect(isNaN(truth(.layerNorm, row, plain).rounded))
    let root2 = Double(Float(2.0.squareRoot()))
    #expect(truth(.rmsNorm, row, safe).rounded == [root2, 0, -root2, 0])
    #expect(truth(.layerNorm, row, safe).rounded == [root2, 0, -root2, 0])
    let one = truth(.layerNorm, [.infinity, 1, 1, 1], safe).rounded
    #expect(one[0] == Double(Float(3.0.squareRoot())) && one[1] == Double(Float(-1 / 3.0.squareRoot())))
    // All the same infinity: no variance.
    #expect(truth(.layerNorm, [.infinity, .infinity], safe).rounded == [0, 0])
  }

  @Test func weightsAndBiasesThatAreNotFinite() {
    let p = NormParameters(
      epsilon: 0, weight: [.infinity, .infinity, .infinity, 1, .nan, 1], bias: [0, 0, 0, .infinity, 0, .nan])
    let t = truth(.layerNorm, [-3, 0, 3, 1, -1, 0], p).rounded
    #expect(t[0] == -.infinity && t[1].isNaN && t[2] == .infinity && t[3] == .infinity)
    #expect(t[4].isNaN && t[5].isNaN)
  }

  @Test func parametersThatDoNotFit() {
    func check(_ operation: Normalization, _ p: NormParameters) throws { try p.check(operation, length: 3) }
    #expect(throws: UnfitNorm.weight(2, length: 3)) {
      try check(.rmsNorm, NormParameters(epsilon: 0, weight: [1, 2]))
    }
    #expect(throws: UnfitNorm.bias(4, length: 3)) {
      try check(.layerNorm, NormParameters(epsilon: 0, bias: [1, 2, 3, 4]))
    }
    #expect(throws: UnfitNorm.biasOfRMSNorm) {
      try check(.rmsNorm, NormParameters(epsilon: 0, bias: [1, 2, 3]))
    }
    #expect(throws: UnfitNorm.epsilon(-1)) { try check(.rmsNorm, NormParameters(epsilon: -1)) }
    #expect(throws: UnfitNorm.epsilon(.infinity)) { try check(.rmsNorm, NormParameters(epsilon: .infinity)) }
  }
}
