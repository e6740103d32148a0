import NumKit
import Quant
import RealModule
import Testing

/// Matrices for transforms and calibrations.
enum Subject {
  static func normal(_ rows: Int, _ columns: Int, seed: UInt64 = 1, scale: Double = 1) -> TensorMatrix {
    var random = RandomSource(seed: seed, row: 0)
    return TensorMatrix(
      rows: rows, columns: columns, values: (0..<rows * columns).map { _ in Float(random.normal() * scale) })
  }

  /// Channels of very different size, as activations have them.
  static func uneven(_ rows: Int, _ columns: Int, seed: UInt64 = 1) -> TensorMatrix {
    var matrix = normal(rows, columns, seed: seed)
    for i in matrix.values.indices where i % columns % 8 == 3 { matrix.values[i] *= 60 }
    return matrix
  }

  static func energy(_ matrix: TensorMatrix) -> Double {
    matrix.values.reduce(0) { $0 + Double($1) * Double($1) }
  }

  /// W·Xᵀ.
  static func product(_ w: TensorMatrix, _ x: TensorMatrix) -> [Double] {
    (0..<w.rows).flatMap { i in
      (0..<x.rows).map { t in
        (0..<w.columns).reduce(0.0) { sum, j in
          sum + Double(w.values[i * w.columns + j]) * Double(x.values[t * x.columns + j])
        }
      }
    }
  }

  static func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }
}

@Suite struct TransformTests {
  private let scheme = try! SchemeRegistry.scheme(named: "int4@token")
  static let names = [
    "channel-scale", "smooth", "smooth:0", "smooth:1", "hadamard", "hadamard:8", "rotation", "rotation:12",
    "split", "split:0.1", "split:1", "awq",
  ]

  @Test func everyKindIsTested() {
    for kind in TransformRegistry.kinds { #expect(Self.names.contains(kind.name)) }
  }

  @Test(arguments: names, [false, true]) func whatIsDoneIsUndone(_ name: String, _ withActivations: Bool)
    throws
  {
    let matrix = Subject.uneven(5, 48)
    let context = CureContext(
      seed: 3, activations: withActivations ? Subject.uneven(9, 48, seed: 2) : nil)
    let prepared = try TransformRegistry.transform(named: name).prepare(
      TensorBands(matrix), scheme: scheme, context: context)
    var changed = matrix
    prepared.apply(&changed, firstRow: 0)
    // W·Xᵀ stays what it was, but for the elements kept aside.
    if let x = context.activations, !name.hasPrefix("split") {
      var other = x
      prepared.applyOpposite(&other)
      let before = Subject.product(matrix, x)
      let size = Subject.distance(before, before.map { _ in 0 })
      #expect(Subject.distance(before, Subject.product(changed, other)) < 1e-5 * size)
    }
    prepared.undo(&changed, given: matrix, firstRow: 0)
    for (a, b) in zip(matrix.values, changed.values) {
      #expect(
        (a - b).magnitude <= 2e-5 * max(a.magnitude, name.contains("ha") || name.contains("ro") ? 60 : 0))
    }
    #expect(prepared.storedBits > 0)
  }

  @Test(arguments: ["hadamard", "rotation"]) func rotationsKeepLengthsAndSpreadPeaks(_ name: String) throws {
    var matrix = TensorMatrix(rows: 1, columns: 256, values: [Float](repeating: 0, count: 256))
    matrix.values[100] = 1000
    let prepared = try TransformRegistry.transform(named: name).prepare(
      TensorBands(matrix), scheme: scheme, context: CureContext())
    prepared.apply(&matrix, firstRow: 0)
    #expect((Subject.energy(matrix) / 1e6 - 1).magnitude < 1e-6)
    let largest = matrix.values.map(\.magnitude).max() ?? 0
    #expect(name == "hadamard" ? (largest - 62.5).magnitude < 1e-3 : largest < 300)
  }

  @Test func randomRotationsAreOrthogonal() {
    for n in [2, 7, 96] {
      let q = OrthogonalBlocks(length: n, seed: 5).matrix
      for i in 0..<n {
        for j in 0..<n {
          let dot = (0..<n).reduce(0) { $0 + q[i * n + $1] * q[j * n + $1] }
          #expect((dot - (i == j ? 1 : 0)).magnitude < 1e-13)
        }
      }
    }
    #expect(OrthogonalBlocks(length: 4, seed: 5).matrix != OrthogonalBlocks(length: 4, seed: 6).matrix)
  }

  /// s = max|X|^α / max|W|^(1 − α), to the 8 bits of bf16.
  @Test(arguments: [0, 0.3, 0.5, 1]) func smoothQuantsFormula(_ alpha: Double) throws {
    let (w, x) = (Subject.uneven(6, 16), Subject.uneven(11, 16, seed: 9))
    let prepared = try TransformRegistry.transform(named: "smooth:\(alpha)").prepare(
      TensorBands(w), scheme: scheme, context: CureContext(activations: x))
    var changed = w
    prepared.apply(&changed, firstRow: 0)
    for j in 0..<16 {
      func largest(_ m: TensorMatrix) -> Double {
        Double((0..<m.rows).map { m.values[$0 * 16 + j].magnitude }.max() ?? 0)
      }
      let s = Double.pow(largest(x), alpha) / Double.pow(largest(w), 1 - alpha)
      let seen = Double(changed.values[j]) / Double(w.values[j])
      #expect((seen / s - 1).magnitude < 0x1p-8)
    }
    #expect(prepared.storedBits == 16 * 16)
  }

  @Test func theSplitKeepsTheLargest() throws {
    var matrix = Subject.normal(10, 100)
    matrix.values[77] = -500
    matrix.values[501] = 400
    let treatment = Treatment(scheme, transforms: [try TransformRegistry.transform(named: "split:0.0015")])
    let (decoded, bits) = try treatment.apply(matrix, context: CureContext())
    #expect(decoded.values[77] == -500 && decoded.values[501] == 400)
    #expect(bits == 8 * (try scheme.byteCount(rows: 10, columns: 100)) + 2 * 64)
    // The rest is coded as if they were zero.
    matrix.values[77] = 0
    matrix.values[501] = 0
    let plain = try Treatment(scheme).apply(matrix, context: CureContext()).decoded
    for i in plain.values.indices where i != 77 && i != 501 { #expect(decoded.values[i] == plain.values[i]) }
  }

  @Test func theScaleSearchIsNeverWorseThanNone() throws {
    for seed: UInt64 in 1...4 {
      let w = Subject.normal(16, 64, seed: seed)
      let x = Subject.uneven(32, 64, seed: seed + 10)
      let context = CureContext(activations: x)
      let exact = Subject.product(w, x)
      func error(_ treatment: Treatment) throws -> Double {
        Subject.distance(exact, Subject.product(try treatment.apply(w, context: context).decoded, x))
      }
      func awq(_ name: String) throws -> Treatment {
        Treatment(scheme, transforms: [try TransformRegistry.transform(named: name)])
      }
      #expect(try error(awq("awq")) < error(Treatment(scheme)))
      #expect(try error(awq("awq:duo")) < error(Treatment(scheme)))
    }
  }

  @Test(arguments: [
    "nonsense", "smooth:2", "smooth:x", "hadamard:12", "rotation:1", "rotation:5000", "split:0", "split:-1",
    "channel-scale:3", "awq:1", "awq:two", "smooth:0.5:1", "", ":",
  ]) func namesThatAreNone(_ name: String) {
    #expect(throws: CureError.self) { try TransformRegistry.transform(named: name) }
  }

  @Test func shapesThatDoNotFitAreSaid() throws {
    for (name, columns) in [("hadamard", 7), ("hadamard:32", 48), ("rotation:5", 12), ("rotation", 1031)] {
      #expect(throws: CureError.self) {
        try TransformRegistry.transform(named: name).prepare(
          TensorBands(Subject.normal(1, columns)), scheme: scheme, context: CureContext())
      }
    }
    let treatment = Treatment(scheme, transforms: [try TransformRegistry.transform(named: "hadamard")])
    var matrix = Subject.normal(2, 8)
    #expect(throws: CureError.activations(columns: 9, needed: 8)) {
      try treatment.apply(matrix, context: CureContext(activations: Subject.normal(2, 9)))
    }
    matrix.values[3] = .nan
    #expect(throws: CureError.notFinite) { try treatment.apply(matrix, context: CureContext()) }
  }
}
