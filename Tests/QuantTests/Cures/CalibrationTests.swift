import NumKit
import Quant
import RealModule
import Testing

@Suite struct CalibrationTests {
  private func apply(
    _ name: String, _ matrix: TensorMatrix, scheme: String, context: CureContext = CureContext()
  ) throws -> (decoded: TensorMatrix, bits: Int) {
    try Treatment(
      SchemeRegistry.scheme(named: scheme), calibration: CalibrationRegistry.calibration(named: name)
    ).apply(matrix, context: context)
  }

  private func error(_ a: TensorMatrix, _ b: TensorMatrix, _ range: Range<Int>? = nil) -> Double {
    (range ?? a.values.indices).reduce(0.0) { sum, i in
      let d = Double(a.values[i]) - Double(b.values[i])
      return sum + d * d
    }
  }

  @Test(arguments: ["int8@tensor", "int4@g32", "mxfp4", "q4_0", "f8e4m3fn@token", "nf4"])
  func minmaxIsTheScheme(_ scheme: String) throws {
    let matrix = Subject.uneven(4, 128)
    let plain = try Treatment(SchemeRegistry.scheme(named: scheme)).apply(matrix, context: CureContext())
    let found = try apply("minmax", matrix, scheme: scheme)
    #expect(found.decoded.values == plain.decoded.values && found.bits == plain.bits)
  }

  /// The limit is the element of that rank; what lies beyond decodes to it.
  @Test func percentilesAreRanks() throws {
    let matrix = TensorMatrix(rows: 2, columns: 100, values: (0..<200).map { Float(($0 * 37) % 100 + 1) })
    let (decoded, bits) = try apply("percentile:90", matrix, scheme: "int8@token")
    for i in 0..<200 {
      let x = min(matrix.values[i], 90)
      #expect((decoded.values[i] - x).magnitude <= 90 / 127 * 0.5001, "\(matrix.values[i])")
    }
    #expect(bits == 200 * 8 + 2 * 32)
    let all = try apply("percentile:100", matrix, scheme: "int8@token")
    #expect(all.decoded.values == (try apply("minmax", matrix, scheme: "int8@token")).decoded.values)
  }

  /// Each group's error is the smallest of all shares, tried one by one.
  @Test(arguments: ["int4@g32", "int8@tensor", "mxfp4", "q4_0"]) func mseIsTheBestOfItsShares(
    _ scheme: String
  )
    throws
  {
    var matrix = Subject.normal(2, 64)
    for i in stride(from: 5, to: 128, by: 32) { matrix.values[i] = 8 }
    let found = try apply("mse", matrix, scheme: scheme).decoded
    let width = scheme.contains("tensor") ? 128 : 32
    for start in stride(from: 0, to: 128, by: width) {
      let group = start..<start + width
      let largest = Double(matrix.values[group].map(\.magnitude).max() ?? 0)
      let best = try MSEClip.shares.map { share in
        var clamped = matrix
        let limit = Float(largest * share)
        for i in group { clamped.values[i] = min(max(clamped.values[i], -limit), limit) }
        let decoded = try Treatment(SchemeRegistry.scheme(named: scheme)).apply(
          clamped, context: CureContext()
        )
        .decoded
        return error(matrix, decoded, group)
      }.min()
      #expect(error(matrix, found, group) == best)
    }
    #expect(error(matrix, found) <= error(matrix, try apply("minmax", matrix, scheme: scheme).decoded))
  }

  /// A lone giant is cut off, an even spread is not.
  @Test func entropyCutsWhatCarriesNoInformation() throws {
    func limit(_ values: [Float], levels: Int) throws -> Float {
      try EntropyClip.limit(
        TensorBands(TensorMatrix(rows: values.count, columns: 1, values: values), elements: 999),
        levels: levels)
    }
    var values = Subject.normal(1, 20_000).values
    let plain = try limit(values, levels: 128)
    let largest = values.map(\.magnitude).max() ?? 0
    #expect(plain > 2 && plain <= largest)
    values[7] = 100
    let cut = try limit(values, levels: 128)
    #expect(cut < 12 && cut > 2)
    let even = (0..<20_000).map { Float($0 % 2 == 0 ? $0 : -$0) / 20_000 }
    #expect(try limit(even, levels: 128) > 0.95)
    #expect(try limit([0, 0], levels: 8) == 0)
  }

  /// Over many seeds the mean of each element is the element: no further off than five of its standard errors.
  @Test(arguments: ["int4@token", "int8@g32", "int3@tensor"]) func stochasticRoundingIsUnbiased(
    _ scheme: String
  )
    throws
  {
    let matrix = Subject.normal(2, 32)
    let trials = 4000
    var sums = [Double](repeating: 0, count: 64)
    let top = scheme.hasPrefix("int4") ? 7.0 : scheme.hasPrefix("int8") ? 127 : 3
    for seed in 0..<trials {
      let decoded = try apply(
        "stochastic", matrix, scheme: scheme, context: CureContext(seed: UInt64(seed))
      ).decoded
      for i in 0..<64 { sums[i] += Double(decoded.values[i]) }
    }
    for i in 0..<64 {
      let group = scheme.hasSuffix("tensor") ? 0..<64 : i / 32 * 32..<i / 32 * 32 + 32
      let s = Double(Float(matrix.values[group].map(\.magnitude).max() ?? 0) / Float(top))
      // A coin between two codes has a variance of at most s²/4; rounding to Float is the rest.
      let limit = 5 * s / 2 / Double(trials).squareRoot() + 1e-6
      #expect((sums[i] / Double(trials) - Double(matrix.values[i])).magnitude < limit, "element \(i)")
    }
    let (a, b) = (
      try apply("stochastic", matrix, scheme: scheme), try apply("stochastic", matrix, scheme: scheme)
    )
    #expect(a.decoded.values == b.decoded.values)
    #expect(a.bits == 8 * (try SchemeRegistry.scheme(named: scheme).byteCount(rows: 2, columns: 32)))
    // One of the two neighbours on the grid, never another.
    for i in 0..<64 where !scheme.hasSuffix("tensor") {
      let group = i / 32 * 32..<i / 32 * 32 + 32
      let s = (matrix.values[group].map(\.magnitude).max() ?? 0) / Float(top)
      #expect((a.decoded.values[i] - matrix.values[i]).magnitude < s * 1.0001)
    }
  }

  @Test func hqqFindsAGridThatFitsAndNeverLosesByItsOwnMeasure() throws {
    // On an asymmetric grid of 16 codes nothing is lost.
    var random = RandomSource(seed: 4, row: 0)
    let codes: [UInt64] = (0..<64).map { k in
      if k >= 32 { return UInt64(k % 16) }
      return k == 0 ? 0 : k == 1 ? 15 : random.next() % 16
    }
    let grid = TensorMatrix(rows: 1, columns: 64, values: codes.map { Float($0) * 0.25 - 1 })
    let found = try apply("hqq", grid, scheme: "int4@g32")
    for (a, b) in zip(grid.values, found.decoded.values) { #expect((a - b).magnitude < 1e-6) }
    #expect(found.bits == 64 * 4 + 2 * 64)

    let matrix = Subject.uneven(8, 64)
    func size(_ decoded: [Float]) -> Double {
      zip(matrix.values, decoded).reduce(0) { $0 + Double.pow(Double(($1.0 - $1.1).magnitude), 0.7) }
    }
    let fitted = size(try apply("hqq", matrix, scheme: "int4@g32").decoded.values)
    // The grid it starts from: round-to-nearest over each group's range.
    var start = matrix.values
    for first in stride(from: 0, to: start.count, by: 32) {
      let group = matrix.values[first..<first + 32].map(Double.init)
      let (low, high) = (group.min() ?? 0, group.max() ?? 0)
      let inverse = 15 / (high - low)
      for (k, x) in group.enumerated() {
        let q = (x * inverse - low * inverse).rounded(.toNearestOrEven)
        start[first + k] = Float((q + low * inverse) / inverse)
      }
    }
    #expect(fitted < size(start))
  }

  @Test func gptqIsRoundingWhereInputsAreIndependent() throws {
    // Orthogonal inputs: a diagonal Hessian, so nothing is made up for.
    var x = TensorMatrix(rows: 16, columns: 16, values: [Float](repeating: 0, count: 256))
    for i in 0..<16 { x.values[i * 16 + i] = Float(i + 1) }
    let w = Subject.normal(5, 16)
    for scheme in ["int4@token", "int8@tensor", "int4@g8"] {
      let found = try apply("gptq", w, scheme: scheme, context: CureContext(activations: x))
      let plain = try apply("minmax", w, scheme: scheme)
      for (a, b) in zip(found.decoded.values, plain.decoded.values) { #expect((a - b).magnitude < 1e-6) }
      #expect(found.bits == plain.bits)
    }
  }

  @Test func gptqErrsLessInTheProduct() throws {
    // Inputs that depend on each other: mixtures of a few causes.
    let causes = Subject.normal(200, 6, seed: 8)
    let mix = Subject.normal(32, 6, seed: 9)
    var x = Subject.normal(200, 32, seed: 10, scale: 0.1)
    let product = Subject.product(causes, mix)
    for i in x.values.indices { x.values[i] += Float(product[i]) }
    let w = Subject.normal(24, 32, seed: 11)
    let exact = Subject.product(w, x)
    for scheme in ["int4@token", "int4@g8", "int3@tensor"] {
      let context = CureContext(activations: x)
      let gptq = Subject.product(try apply("gptq", w, scheme: scheme, context: context).decoded, x)
      let plain = Subject.product(try apply("minmax", w, scheme: scheme).decoded, x)
      #expect(Subject.distance(exact, gptq) < 0.5 * Subject.distance(exact, plain), "\(scheme)")
    }
  }

  /// UᵀU·H = 1.
  @Test func theHessiansFactorIsThatOfItsInverse() throws {
    let n = 20
    let x = Subject.uneven(50, n)
    let u = try GPTQ.inverseFactor(x, damping: 0.01)
    var h = [Double](repeating: 0, count: n * n)
    for t in 0..<50 {
      for i in 0..<n {
        for j in 0..<n { h[i * n + j] += Double(x.values[t * n + i]) * Double(x.values[t * n + j]) }
      }
    }
    let mean = (0..<n).reduce(0) { $0 + h[$1 * n + $1] } / Double(n)
    for i in 0..<n { h[i * n + i] += 0.01 * mean }
    // H is 2XᵀX.
    for i in h.indices { h[i] *= 2 }
    for i in 0..<n {
      for j in 0..<n {
        #expect(j >= i || u[i * n + j] == 0)
        let entry = (0..<n).reduce(0.0) { sum, k in
          sum + (0..<n).reduce(0.0) { $0 + u[$1 * n + i] * u[$1 * n + k] } * h[k * n + j]
        }
        #expect((entry - (i == j ? 1 : 0)).magnitude < 1e-8)
      }
    }
  }

  /// Names have their words in one order, whatever order they came in.
  @Test(arguments: [
    ("gptq", "gptq"), ("gptq:0.01", "gptq"), ("GPTQ:Act-Order,0.1,Static", "gptq:0.1,static,act-order"),
    ("gptq:fresh", "gptq:fresh"),
  ]) func wordsAreRead(text: String, name: String) throws {
    #expect(try CalibrationRegistry.calibration(named: text).name == name)
  }

  /// On every kind of grid, what is chosen errs less in the product than rounding to nearest.
  @Test(arguments: [
    "int4@g32:7.5", "uint4@g32", "uint3@token", "int4@g32:ct", "mxfp4", "nvfp4", "nvfp4@b16x16:te", "nf4@g32",
    "f4e2m1@g32", "f8e4m3fn@g128:ue8m0", "uint4@g32:awq", "int4@channel", "nvfp4:4over6", "nvint4",
  ]) func gptqTakesAnyGrid(_ scheme: String) throws {
    let causes = Subject.normal(200, 6, seed: 8)
    let mix = Subject.normal(64, 6, seed: 9)
    var x = Subject.normal(200, 64, seed: 10, scale: 0.1)
    let product = Subject.product(causes, mix)
    for i in x.values.indices { x.values[i] += Float(product[i]) }
    let w = Subject.normal(24, 64, seed: 11)
    let exact = Subject.product(w, x)
    let context = CureContext(activations: x)
    let plain = Subject.distance(exact, Subject.product(try apply("minmax", w, scheme: scheme).decoded, x))
    for words in ["", ":static", ":act-order", ":static,act-order", ":fresh"] {
      let found = try apply("gptq" + words, w, scheme: scheme, context: context)
      #expect(Subject.distance(exact, Subject.product(found.decoded, x)) < 0.7 * plain, "\(words)")
    }
  }

  /// A group's scale in the authors' code does not see what came before in the block of 128; the paper's does.
  @Test func groupsAreMeasuredWhenTheAuthorsMeasureThem() throws {
    let x = Subject.uneven(60, 160)
    let w = Subject.normal(3, 160, seed: 5)
    let context = CureContext(activations: x)
    let released = try apply("gptq", w, scheme: "int4@g32", context: context).decoded.values
    let fixed = try apply("gptq:static", w, scheme: "int4@g32", context: context).decoded.values
    let fresh = try apply("gptq:fresh", w, scheme: "int4@g32", context: context).decoded.values
    for row in 0..<3 {
      let start = row * 160
      #expect(released[start..<start + 128] == fixed[start..<start + 128])
    }
    #expect(released[128..<160] != fixed[128..<160])
    #expect(fresh[..<32] == released[..<32] && fresh[32..<128] != released[32..<128])
  }

  /// Scattered groups cost a number a column.
  @Test func scatteredGroupsCostTheirIndices() throws {
    let context = CureContext(activations: Subject.uneven(60, 64))
    let w = Subject.normal(3, 64, seed: 5)
    let plain = try apply("gptq", w, scheme: "int4@g32", context: context).bits
    #expect(try apply("gptq:act-order", w, scheme: "int4@g32", context: context).bits == plain + 32 * 64)
    #expect(try apply("gptq:static,act-order", w, scheme: "int4@g32", context: context).bits == plain)
  }

  /// What is clipped errs least in the product of all shares tried, and never more than what is not.
  @Test func awqClipsWhereTheProductIsBest() throws {
    let x = Subject.uneven(40, 64)
    var w = Subject.normal(6, 64, seed: 5)
    for row in 0..<6 { w.values[row * 64 + row] = 6 }
    let context = CureContext(activations: x)
    let exact = Subject.product(w, x)
    let found = try apply("awq-clip", w, scheme: "int3@g32", context: context)
    let plain = try apply("minmax", w, scheme: "int3@g32")
    #expect(
      Subject.distance(exact, Subject.product(found.decoded, x))
        < Subject.distance(exact, Subject.product(plain.decoded, x)))
    #expect(found.bits == plain.bits)
  }

  /// A range that is shrunk errs less, by the power that GPTQ's code has for it, and costs nothing.
  @Test func gptqShrinksRanges() throws {
    var w = Subject.normal(6, 64, seed: 5)
    for row in 0..<6 { w.values[row * 64 + row] = 6 }
    // Inputs that know nothing of one another: each column is rounded, and nothing else.
    var x = TensorMatrix(rows: 64, columns: 64, values: [Float](repeating: 0, count: 64 * 64))
    for j in 0..<64 { x.values[j * 65] = 1 }
    let context = CureContext(activations: x)
    func error(_ name: String) throws -> (Double, Int) {
      let (decoded, bits) = try apply(name, w, scheme: "int3@g32", context: context)
      return (
        zip(decoded.values, w.values).reduce(0) { $0 + Double.pow(Double(abs($1.0 - $1.1)), 2.4) }, bits
      )
    }
    let (plain, shrunk) = (try error("gptq:static"), try error("gptq:static,mse"))
    #expect(shrunk.0 < 0.9 * plain.0 && shrunk.1 == plain.1)
    #expect(try CalibrationRegistry.calibration(named: "gptq:mse,act-order").name == "gptq:act-order,mse")
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let matrix = Subject.normal(2, 32)
    for name in ["stochastic", "hqq"] {
      #expect(throws: CureError.self) { try apply(name, matrix, scheme: "mxfp4") }
    }
    #expect(throws: CureError.self) { try apply("stochastic", matrix, scheme: "int8@token:127.5") }
    let context = CureContext(activations: Subject.normal(4, 32, seed: 3))
    for scheme in ["q4_0", "llmint8", "nf4:dq", "f16", "nf4"] {
      #expect(throws: CureError.self) { try apply("gptq", matrix, scheme: scheme, context: context) }
    }
    for (cure, scheme) in [("imatrix", "q4_0"), ("any4", "any4"), ("awq-clip", "int4@token")] {
      #expect(throws: CureError.needsActivations(cure)) { try apply(cure, matrix, scheme: scheme) }
      #expect(throws: CureError.self) { try apply(cure, matrix, scheme: "f16") }
    }
    #expect(throws: CureError.importanceOnly(cure: "imatrix", scheme: "q8_0")) {
      try apply("imatrix", matrix, scheme: "q8_0", context: context)
    }
    #expect(throws: CureError.self) { try apply("any4", matrix, scheme: "nf4", context: context) }
    #expect(throws: CureError.needsActivations("awq:duo")) {
      try Treatment(
        SchemeRegistry.scheme(named: "int4@token"),
        transforms: [TransformRegistry.transform(named: "awq:duo")]
      ).apply(matrix, context: CureContext())
    }
    #expect(throws: CureError.needsActivations("gptq")) { try apply("gptq", matrix, scheme: "int4@token") }
    for name in [
      "percentile:0", "percentile:101", "mse:1", "kl:1", "gptq:0", "hqq:1", "nothing", "gptq:fresh,static",
      "gptq:act", "gptq:0.1,0.2", "gptq:", "gptq:act-order,", "awq-clip:1", "hqq:act-order", "imatrix:1",
      "any4:2",
    ] {
      #expect(throws: CureError.self) { try CalibrationRegistry.calibration(named: name) }
    }
  }

  /// A tensor of zeros, and one element, pass through everything.
  @Test func emptyGroundIsFirm() throws {
    for values in [[Float](repeating: 0, count: 64), [Float](repeating: -3, count: 64)] {
      let matrix = TensorMatrix(rows: 2, columns: 32, values: values)
      let context = CureContext(activations: matrix)
      for treatment in try CureList.treatments(for: SchemeRegistry.scheme(named: "int8@tensor")) {
        let decoded = try treatment.apply(matrix, context: context).decoded
        for (a, b) in zip(values, decoded.values) { #expect((a - b).magnitude < 0.2, "\(treatment.name)") }
      }
    }
  }
}
