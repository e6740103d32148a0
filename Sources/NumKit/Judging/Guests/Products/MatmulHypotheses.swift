import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A family of wrong questions about products of matrices.
public protocol MatmulHypotheses: Sendable {
  /// Those that differ from what was asked; of large matrices they are only made when they are needed.
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>]
}

/// What kernels of products get wrong: one line a family.
public enum MatmulHypothesisRegistry {
  /// Other questions.
  public static let families: [any MatmulHypotheses.Type] = [
    TransposeHypotheses.self,
    InnerTailHypotheses.self,
    NarrowInputs.self,
    NarrowSumHypotheses.self,
    ScaledProductHypotheses.self,
    ProductOrderHypotheses.self,
  ]

  /// Elements of matrices that copies of are made.
  private static let largest = 1 << 22

  /// All that may be wrong where this was asked.
  static func suspects(_ context: MatmulContext) -> Suspects<MatmulQuestion> {
    var suspects = Suspects<MatmulQuestion>()
    let format = context.verification.format
    suspects.signs = { [NarrowResultSign<MatmulQuestion>(format)] }
    guard context.a.values.count + context.b.values.count <= largest else { return suspects }
    suspects.alternatives = families.map { family in { @Sendable in family.alternatives(context) } }
    return suspects
  }
}

/// A or B the other way round; the product, too.
enum TransposeHypotheses: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let (a, b) = (context.a, context.b)
    func transposed(_ x: MatmulOperand) -> [Double]? {
      guard x.count == x.inner else { return nil }
      return (0..<x.count).flatMap { i in (0..<x.inner).map { x.values[$0 * x.inner + i] } }
    }
    func product(_ name: String, _ rows: [Double]?, _ columns: [Double]?) -> Alternative<MatmulQuestion>? {
      guard let rows, let columns else { return nil }
      return context.product(name, MatmulInputs(rows: rows, columns: columns, inner: a.inner))
    }
    var list = [
      product("B transposed", a.values, transposed(b)), product("A transposed", transposed(a), b.values),
      product("A and B transposed", transposed(a), transposed(b)),
    ]
    if a.count == b.count { list.append(product("the product transposed", b.values, a.values)) }
    return list.compactMap { $0 }
  }
}

/// The last products of each sum left out.
enum InnerTailHypotheses: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let (a, b) = (context.a, context.b)
    return SumHypotheses.tails(a.inner).compactMap { k in
      func without(_ x: MatmulOperand) -> [Double] {
        var values = x.values
        for v in 0..<x.count {
          for i in (v + 1) * x.inner - k..<(v + 1) * x.inner { values[i] = 0 }
        }
        return values
      }
      let name = k == 1 ? "last of the inner dimension left out" : "last \(k) of the inner dimension left out"
      return context.product(name, MatmulInputs(rows: without(a), columns: without(b), inner: a.inner))
    }
  }
}

/// Sums kept in a format shorter than promised: the same question, with that plan's bound.
enum NarrowSumHypotheses: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let v = context.verification
    var formats: [NumberFormat] = [.f32, .f16, .bf16]
    if !formats.contains(v.format) { formats.append(v.format) }
    return formats.filter { $0.precision < v.accumulator.precision && $0.hasZero }.compactMap { format in
      guard let plans = try? v.plans(v.inputs, format) else { return nil }
      let (inputs, results) = (v.inputs, v.format)
      var narrow = Alternative<MatmulQuestion>("accumulator \(format.name)", plans: plans) { _ in
        MatmulProver(inputs, format: results)
      }
      narrow.isSameQuestion = true
      narrow.example = try? SummedProduct(v, format)
      return narrow
    }
  }
}

/// A kernel of ours with a short accumulator, one product after the other.
private struct SummedProduct: ResultSource {
  typealias Q = MatmulQuestion
  private let configuration: MatmulConfiguration
  private let inputs: MatmulInputs

  init(_ v: MatmulVerification, _ accumulator: NumberFormat) throws {
    configuration = try MatmulConfiguration(
      storage: .float(v.storage), accumulator: .float(accumulator), result: v.format)
    inputs = v.inputs
  }

  func results(of item: MatmulQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    var trace = StageTrace()
    trace.startRow(item.row)
    try MatmulRunner(.sequential, configuration, inputs).run(item.row, into: results, trace: &trace)
  }
}

/// The product times another number.
enum ScaledProductHypotheses: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let (a, b) = (context.a, context.b)
    let factors = [("zeros", 0.0), ("the product doubled", 2), ("the negative of the product", -1)]
    return factors.compactMap { name, factor in
      context.product(
        name, MatmulInputs(rows: a.values.map { factor * $0 }, columns: b.values, inner: a.inner))
    }
  }
}

/// Right rows or columns in the wrong place.
enum ProductOrderHypotheses: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let (a, b) = (context.a, context.b)
    func reordered(_ x: MatmulOperand, _ other: (Int) -> Int) -> [Double] {
      (0..<x.count).flatMap { v in
        let from = other(v)
        let vector = (0..<x.count).contains(from) ? from : v
        return x.values[vector * x.inner..<(vector + 1) * x.inner]
      }
    }
    var list: [Alternative<MatmulQuestion>?] = []
    func rows(_ name: String, _ other: (Int) -> Int) {
      guard a.count > 1 else { return }
      list.append(
        context.product(name, MatmulInputs(rows: reordered(a, other), columns: b.values, inner: a.inner)))
    }
    func columns(_ name: String, _ other: (Int) -> Int) {
      guard b.count > 1 else { return }
      list.append(
        context.product(name, MatmulInputs(rows: a.values, columns: reordered(b, other), inner: a.inner)))
    }
    rows("stale: the answer of the row before") { $0 - 1 }
    rows("rows swapped in pairs") { $0 ^ 1 }
    columns("columns swapped in pairs") { $0 ^ 1 }
    columns("columns one place too far right") { ($0 + b.count - 1) % b.count }
    return list.compactMap { $0 }
  }
}
