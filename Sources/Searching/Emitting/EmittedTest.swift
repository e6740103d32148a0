import NumKit
import StabilityTesting

/// A row that a kernel fails on, as a test of its own: the row, the right results, and what a right kernel may err by.
package struct EmittedTest: Sendable {
  /// Equal neighbours: how many, and what they are.
  package struct Run: Sendable, Equatable {
    var count: Int
    /// Of a row: the number. Of results: the right one, special where it must be, and the error that is allowed (infinite without a
    /// bound: only special values are tested then).
    var value: Double
    var allowed = 0.0
  }

  /// `softmax`.
  package let operation: String
  /// What is wrong with the results: `above-bound`.
  package let kind: String
  /// What numbers are of.
  package let inputs: NumberFormat
  package let format: NumberFormat
  /// An array that the kernel is given.
  package struct Input: Sendable {
    let name: String
    let shape: [Int]
    let runs: [Run]

    var count: Int { shape.reduce(1, *) }
  }
  package let arrays: [Input]
  /// An array of results.
  package struct Output: Sendable {
    let name: String
    let count: Int
  }
  /// Results stand one array after the other.
  package let outputs: [Output]
  package let expected: [Run]
  /// Lines that say where it comes from, and what is wrong.
  package let comment: [String]

  /// nil where nothing is proven of the row. Where rows are pairs, `pairs` is their question.
  package init?(
    _ operation: String, kind: String, inputs: NumberFormat, format: NumberFormat, _ shrunk: ShrunkRow,
    of pairs: (any PairedQuestion)? = nil, comment: [String]
  ) {
    guard let proven = shrunk.proven, !proven.exact.isEmpty else { return nil }
    self.operation = operation
    self.kind = kind
    self.inputs = inputs
    self.format = format
    self.comment = comment
    let row = shrunk.evaluation.row
    let given = pairs?.arrays([row]) ?? [SearchedArray(name: "x", shape: [1, row.count], values: row)]
    self.arrays = given.map { array in
      // A word of C and Swift is no name.
      Input(
        name: array.name == "do" ? "dO" : array.name, shape: array.shape,
        runs: Self.runs(array.values.map { Run(count: 1, value: $0) }))
    }
    let names = pairs?.resultNames ?? []
    let shapes = pairs?.resultShapes(rows: 1, length: row.count / 2) ?? []
    outputs =
      names.count > 1
      ? zip(names, shapes).map { Output(name: $0, count: $1.reduce(1, *)) }
      : [Output(name: "y", count: proven.exact.count)]
    expected = Self.runs(
      proven.exact.indices.map { i in
        let (exact, rounded, allowed) = (proven.exact[i], proven.rounded[i], proven.allowed[i])
        guard rounded.isFinite else { return Run(count: 1, value: rounded) }
        // The exact result as a Double is itself off by as much as that, which matters in f64.
        let slack = format.significandBits == 52 ? exact.magnitude * 0x1p-53 : 0
        return Run(count: 1, value: exact, allowed: allowed.isNaN ? .infinity : allowed + slack)
      })
  }

  private static func runs(_ all: [Run]) -> [Run] {
    var runs: [Run] = []
    for one in all {
      if let last = runs.last, last.value.bitPattern == one.value.bitPattern, last.allowed == one.allowed {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(one)
      }
    }
    return runs
  }

  /// The sizes that a kernel in C is told: how many elements there are, and of attention the head size.
  var sizes: [(name: String, value: Int)] {
    guard let k = arrays.first(where: { $0.name == "k" }) else {
      return [("n", arrays[0].count)]
    }
    return [("n", k.shape[1]), ("d", k.shape[2])]
  }
  package var resultCount: Int { expected.reduce(0) { $0 + $1.count } }

  /// `, dq, dk and dv one after the other`; nothing where results are one array.
  var order: String {
    outputs.count == 1 ? "" : ", " + Self.list(outputs.map(\.name)) + " one after the other"
  }

  /// `dq, dk and dv`.
  static func list(_ names: [String]) -> String {
    names.count == 1 ? names[0] : names.dropLast().joined(separator: ", ") + " and " + names[names.count - 1]
  }

  /// `softmax_above_bound`.
  var identifier: String { Self.identifier(operation + "_" + kind) }

  static func identifier(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  /// A float as C and Swift spell it.
  static func literal(_ x: Double, nan: String, infinity: String) -> String {
    x.isNaN ? nan : x.isInfinite ? (x < 0 ? "-" : "") + infinity : ChoiceText.hex(x)
  }
}

/// How elements of a format stand in memory.
enum ElementKind {
  /// A type that C and Swift have: `float`, `Float`.
  case native(c: String, swift: String, numpy: String)
  /// Codes of so many bytes, of which the numbers are known.
  case codes(bytes: Int)

  init(_ format: NumberFormat) {
    switch format {
    case .f64: self = .native(c: "double", swift: "Double", numpy: "float64")
    // Numbers of tf32 stand in 32 bits.
    case .f32, .tf32: self = .native(c: "float", swift: "Float", numpy: "float32")
    case .f16: self = .native(c: "_Float16", swift: "Float16", numpy: "float16")
    default: self = .codes(bytes: format.bitWidth <= 8 ? 1 : 2)
    }
  }
}

/// A kind of test that a row is written as.
package protocol TestEmitter: Sendable {
  /// Its name on the command line.
  static var name: String { get }
  /// The test's text.
  static func text(_ test: EmittedTest) -> String
}

/// Every kind: one line each.
package enum TestEmitterRegistry {
  package static let all: [any TestEmitter.Type] = [
    PytestEmitter.self, GoogleTestEmitter.self, SwiftTestingEmitter.self, CEmitter.self,
  ]

  package static func named(_ name: String) -> (any TestEmitter.Type)? { all.first { $0.name == name } }
}
