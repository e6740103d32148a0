import NumKitNumbers
import NumKitQuestions

/// A formula that kernels answer.
public protocol ComputedFormula: Formula {
  /// What its kernels differ in, which is what a bound on their errors goes by.
  associatedtype Method: Sendable, Hashable
  /// Every kernel: one line each.
  static var algorithms: [FormulaAlgorithm<Self>] { get }
}

/// One kernel of a formula.
public struct FormulaAlgorithm<F: ComputedFormula>: Sendable, Equatable, CustomStringConvertible {
  /// Its name on the command line.
  public let name: String
  /// One line on how it works.
  public let summary: String
  /// How it computes.
  public let method: F.Method
  /// Makes it ready; nil where a format cannot be computed in.
  let make: @Sendable (F, KernelConfiguration) -> FormulaBody?

  /// A kernel; `make` makes it ready for one thread.
  package init(
    _ name: String, _ summary: String, _ method: F.Method,
    make: @escaping @Sendable (F, KernelConfiguration) -> FormulaBody?
  ) {
    (self.name, self.summary, self.method, self.make) = (name, summary, method, make)
  }

  public var description: String { name }
  public static func == (a: Self, b: Self) -> Bool { a.name == b.name && a.method == b.method }
}

/// Answers for a row of numbers of the storage format; results are numbers of that format too.
package typealias FormulaBody = (
  _ row: Int, _ x: UnsafeBufferPointer<Double>, _ results: UnsafeMutableBufferPointer<Double>,
  _ trace: inout StageTrace
) -> Void

/// One kernel of a formula, ready to answer for row after row in one configuration. One instance serves one thread.
public struct FormulaRunner<F: ComputedFormula> {
  private let body: FormulaBody

  /// Prepares `algorithm`; nil where a format cannot be computed in. `formula` has its numbers as stored.
  public init?(_ algorithm: FormulaAlgorithm<F>, _ configuration: KernelConfiguration, formula: F) {
    guard configuration.storage.numberFormat != nil, let body = algorithm.make(formula, configuration) else {
      return nil
    }
    self.body = body
  }

  /// Answers for row number `row`; `results` has as many places as the formula says. Call `trace.startRow` before.
  public func run(
    _ row: Int, _ x: UnsafeBufferPointer<Double>, into results: UnsafeMutableBufferPointer<Double>,
    trace: inout StageTrace
  ) {
    body(row, x, results, &trace)
  }
}

extension Formula {
  /// As a kernel of this configuration is given it: its numbers stored as rows are.
  public func rounded(to configuration: KernelConfiguration) -> Self {
    let format = configuration.storage.numberFormat ?? configuration.compute
    return stored { format.round($0, overflow: configuration.overflow) }
  }
}

/// A kernel over `Scalar` made ready: `make` gets the formats as types.
struct FormulaVisitor<F>: FormatPairVisitor {
  let formula: F
  let configuration: KernelConfiguration
  let make: any FormulaMaker<F>

  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> FormulaBody? {
    make.body(formula, configuration, C.self, A.self)
  }
}

/// Makes the body of a kernel once its formats are types: C of element-wise operations, A of sums or of what a family says.
protocol FormulaMaker<F>: Sendable {
  associatedtype F
  func body<C: Scalar, A: Scalar>(_ formula: F, _ configuration: KernelConfiguration, _: C.Type, _: A.Type)
    -> FormulaBody
}

extension FormulaMaker where F: ComputedFormula {
  /// The kernel that this makes, in the formats of a configuration.
  func algorithm(_ name: String, _ summary: String, _ method: F.Method) -> FormulaAlgorithm<F> {
    FormulaAlgorithm(name, summary, method) { formula, configuration in
      ScalarDispatch.visit(
        configuration, FormulaVisitor(formula: formula, configuration: configuration, make: self))
    }
  }
}

extension KernelConfiguration {
  /// A result of a kernel as it is stored.
  func store(_ x: Double) -> Double { storage.numberFormat.map { $0.round(x, overflow: overflow) } ?? x }
}
