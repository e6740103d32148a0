import ArgumentParser
import NumKit
import NumKitNumbers
import Reports
import SystemPackage
import TensorFiles

/// Where two matrices come from.
struct MatmulInputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A, shaped [..., rows, inner]; axes before the last two count as more rows.", valueName: "FILE[:TENSOR]"
    ), completion: .file())
  var a: String?

  @Option(help: ArgumentHelp("B, shaped [inner, columns].", valueName: "FILE[:TENSOR]"), completion: .file())
  var b: String?

  @Flag(help: "B is shaped [columns, inner], as weights often are.")
  var transposeB = false

  @Option(help: "Rows of A to generate (default: 256).", transform: Whole.number)
  var rows: Int?

  @Option(help: "Inner dimension to generate: products in a sum (default: 512).", transform: Whole.number)
  var inner: Int?

  @Option(help: "Columns of B to generate (default: 256).", transform: Whole.number)
  var bColumns: Int?

  @Option(
    help: ArgumentHelp(
      "Generate from: \(Distribution.allCases.map(\.rawValue).joined(separator: ", ")) (default: normal)."))
  var distribution: Distribution?

  @Option(help: "Range R of the generated numbers (default: 1; 10 for outlier).")
  var range: NumberArgument?

  @Option(help: "Seed of everything random.", transform: Whole.seed)
  var seed: UInt64 = 1

  func validate() throws {
    for (flag, n) in [("--rows", rows), ("--inner", inner), ("--b-columns", bColumns)] {
      if let n, !(1..<1 << 26).contains(n) { throw ValidationError("\(flag) must be 1 to \((1 << 26) - 1)") }
      if n != nil && a != nil { throw ValidationError("\(flag) is for generated matrices, not for --a") }
    }
    if (a == nil) != (b == nil) { throw ValidationError("--a and --b go together") }
    if a != nil && (distribution != nil || range != nil) {
      throw ValidationError("--distribution and --range are for generated matrices, not for --a")
    }
    if transposeB && b == nil { throw ValidationError("--transpose-b is for --b") }
    if let range, !range.value.isFinite { throw ValidationError("--range must be finite") }
  }
}

/// Two matrices, and where they came from.
struct MatmulSource {
  let inputs: MatmulInputs
  /// The shape of C: A's, its last axis that of B's columns.
  let shape: [Int]
  private let origin: Origin

  private enum Origin {
    case files(a: String, b: String)
    case generated(Distribution, range: Double, seed: UInt64)
  }

  init(_ options: MatmulInputOptions) throws {
    if let a = options.a, let b = options.b {
      (inputs, shape) = try Self.read(a, b, transposed: options.transposeB)
      origin = .files(a: a, b: b)
      return
    }
    let (rows, inner, columns) = (options.rows ?? 256, options.inner ?? 512, options.bColumns ?? 256)
    try Self.check(rows, inner, columns)
    let distribution = options.distribution ?? .normal
    let range = options.range?.value ?? (distribution == .outlier ? 10 : 1)
    func fill(_ count: Int, _ stream: Int) -> [Double] {
      var x = [Double](repeating: 0, count: count * inner)
      x.withUnsafeMutableBufferPointer { x in
        for row in 0..<count {
          var random = RandomSource(seed: options.seed, row: row &+ stream << 40)
          distribution.fill(
            UnsafeMutableBufferPointer(rebasing: x[row * inner..<(row + 1) * inner]), range: range, &random)
        }
      }
      return x
    }
    guard let made = MatmulInputs(rows: fill(rows, 0), columns: fill(columns, 1), inner: inner) else {
      throw UsageError("no matrices of this shape")
    }
    inputs = made
    shape = [rows, columns]
    origin = .generated(distribution, range: range, seed: options.seed)
  }

  private static func read(_ a: String, _ b: String, transposed: Bool) throws -> (MatmulInputs, [Int]) {
    let (first, second) = (try AttentionFile(a), try AttentionFile(b))
    guard let inner = first.shape.last, inner > 0, !first.values.isEmpty else {
      throw UsageError("--a \(first.name): shape \(first.shape) has no rows of numbers")
    }
    let matrix = Array(second.shape.drop { $0 == 1 }.suffix(2))
    let sides = Array(second.shape.suffix(2))
    guard second.shape.count >= 2, matrix.count == second.shape.drop(while: { $0 == 1 }).count,
      !second.values.isEmpty
    else { throw UsageError("--b \(second.name): shape \(second.shape) is no matrix") }
    let columns = transposed ? sides[0] : sides[1]
    guard sides[transposed ? 1 : 0] == inner else {
      throw UsageError(
        "--b \(second.name): its inner dimension is \(sides[transposed ? 1 : 0]), that of --a is \(inner)"
          + (sides[transposed ? 0 : 1] == inner ? "; --transpose-b is the other way round" : ""))
    }
    let rows = first.values.count / inner
    try check(rows, inner, columns)
    var vectors = second.values
    if !transposed {
      for k in 0..<inner {
        for j in 0..<columns { vectors[j * inner + k] = second.values[k * columns + j] }
      }
    }
    guard let made = MatmulInputs(rows: first.values, columns: vectors, inner: inner) else {
      throw UsageError("--a and --b: no matrices")
    }
    return (made, first.shape.dropLast() + [columns])
  }

  private static func check(_ rows: Int, _ inner: Int, _ columns: Int) throws {
    let limit = 1 << 28
    guard rows <= limit / inner, columns <= limit / inner, rows <= limit / columns else {
      throw UsageError("matrices of more than 2^28 numbers: \(rows) x \(inner) times \(inner) x \(columns)")
    }
  }

  /// `256 x 512 times 512 x 256`.
  var size: String {
    let (m, k, n) = (inputs.a.count, inputs.a.inner, inputs.b.count)
    return "\(Figures.count(m)) x \(Figures.count(k)) times \(Figures.count(k)) x \(Figures.count(n))"
  }

  /// Where the matrices came from, behind their size.
  var phrase: String {
    switch origin {
    case .files(let a, let b): " from \(ArgumentText.shown(a)) and \(ArgumentText.shown(b))"
    case .generated(let d, let range, let seed):
      ", \(d.rawValue), R = \(Figures.number(range)), seed \(seed)"
    }
  }

  var facts: [Fact] {
    let from: [Fact]
    switch origin {
    case .files(let a, let b):
      from = [
        Fact("seed", .none), Fact("input.origin", .text("file")),
        Fact("input.a", .text(ArgumentText.shown(a))),
        Fact("input.b", .text(ArgumentText.shown(b))),
      ]
    case .generated(let d, let range, let seed):
      from = [
        Fact("seed", .unsigned(seed)), Fact("input.origin", .text("generated")),
        Fact("input.distribution", .text(d.rawValue)), Fact("input.range", .number(range)),
      ]
    }
    return from + [
      Fact("rows", .integer(inputs.a.count), inRows: true),
      Fact("length", .integer(inputs.a.inner), inRows: true),
      Fact("columns", .integer(inputs.b.count), inRows: true),
    ]
  }
}

/// Writes a product.
struct MatmulWriter {
  private let writer: TensorWriter

  /// Prepares the file; `type` is its element type, the dtype of the results unless asked otherwise.
  init(_ path: String, _ shape: [Int], dtype: DType, as type: DType?) throws {
    let element = try OutputType.element(dtype, as: type)
    writer = try TensorWriter(FilePath(argument: path), [TensorWriter.Declaration("c", element, shape)])
  }

  /// The file of all rows, complete but for its name.
  func finished(_ rows: Rows) throws -> any UnfinishedFile {
    for row in rows.kept.keys.sorted() { try writer.append(rows.kept[row] ?? []) }
    return writer
  }

  /// The rows of a trial: of its truth, or of its one candidate.
  struct Rows: Observer, Portable {
    typealias Q = MatmulQuestion

    let ofTruth: Bool
    let isKept: Bool
    private(set) var kept: [Int: [Double]] = [:]

    var wantsProfiles: Bool { false }

    init(ofTruth: Bool, isKept: Bool) { (self.ofTruth, self.isKept) = (ofTruth, isKept) }

    mutating func see(stored: Answered<MatmulQuestion>, given: Answered<MatmulQuestion>) {
      if isKept && ofTruth { kept[stored.item.row] = stored.truths[0].rounded }
    }

    mutating func see(
      candidate: Int, _ item: MatmulQuestion.Item, results: UnsafeBufferPointer<Double>, truths: [Truth],
      flat: [FlatTruth]
    ) {
      if isKept && !ofTruth { kept[item.row] = Array(results) }
    }

    /// Rows are not kept where work is shared.
    mutating func carry(_ c: inout Carrier) throws {}

    mutating func merge(_ other: Rows) { kept.merge(other.kept) { mine, _ in mine } }
  }
}
