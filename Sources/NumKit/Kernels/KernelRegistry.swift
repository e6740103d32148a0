import NumKitNumbers
import NumKitQuestions

/// Every kernel: one line each.
public enum KernelRegistry {
  /// Those over `Scalar`, in the order that `list kernels` shows.
  public static let all: [any Kernel.Type] = [
    NaiveSoftmax.self,
    ShiftedSoftmax.self,
    OnlineSoftmax.self,
    TwoPassLogSoftmax.self,
    Base2Softmax.self,
    NaiveLogSoftmax.self,
    ShiftedLogSoftmax.self,
    NaiveLogSumExp.self,
    ShiftedLogSumExp.self,
    ShiftedLog1pLogSumExp.self,
    OnlineLogSumExp.self,
    NaiveSigmoid.self,
    StableSigmoid.self,
    TanhSigmoid.self,
    NaiveCrossEntropy.self,
    ShiftedCrossEntropy.self,
    ShiftedCrossEntropyGradient.self,
    ShiftedSoftmaxJacobian.self,
    DotSoftmaxVJP.self,
    ProductSoftmaxVJP.self,
  ]

  /// Those in integers alone, for integer dtypes.
  public static let integer: [any IntegerKernel.Type] = [
    PolynomialIntegerSoftmax.self,
    TableIntegerSoftmax.self,
  ]
}

/// Something to be done for a kernel, once it is a type.
protocol KernelVisitor {
  associatedtype Result
  func visit<K: Kernel>(_: K.Type) -> Result
}

extension KernelRegistry {
  /// From a kernel known at run time to code compiled for it. Those of softmax stand here by name, so that each is
  /// specialised for each pair of formats; the others open an existential: generic code, slower, the same answer.
  @inline(__always)
  static func visit<V: KernelVisitor>(_ algorithm: Algorithm, _ visitor: V) -> V.Result? {
    switch (algorithm.operation, algorithm.kernel) {
    case (.softmax, NaiveSoftmax.name): return visitor.visit(NaiveSoftmax.self)
    case (.softmax, ShiftedSoftmax.name): return visitor.visit(ShiftedSoftmax.self)
    case (.softmax, OnlineSoftmax.name): return visitor.visit(OnlineSoftmax.self)
    case (.softmax, TwoPassLogSoftmax.name): return visitor.visit(TwoPassLogSoftmax.self)
    case (.softmax, Base2Softmax.name): return visitor.visit(Base2Softmax.self)
    default:
      guard
        let kernel = all.first(where: { $0.operation == algorithm.operation && $0.name == algorithm.kernel })
      else { return nil }
      func open<K: Kernel>(_ kernel: K.Type) -> V.Result { visitor.visit(kernel) }
      return open(kernel)
    }
  }
}

/// A kernel with the choices that its name spells: `shifted`, `shifted:pairwise`, `i-exp:256`.
public struct Algorithm: Sendable, Hashable, CustomStringConvertible {
  /// The question it answers.
  public let operation: RowOperation
  /// The kernel's own name.
  public let kernel: String
  /// The order of summation, or the scale of integer probabilities; nil where there is no choice or it is the default.
  public let variant: String?
  /// One line on how it works.
  public let summary: String
  /// Whether it works in integers alone.
  public let isInteger: Bool

  /// `kernel` or `kernel:variant`.
  public var description: String { variant.map { "\(kernel):\($0)" } ?? kernel }

  /// The order of summation.
  public var summation: Summation { variant.flatMap(Summation.init(rawValue:)) ?? .sequential }

  /// Every algorithm for `operation` in `dtype`, naive ones first.
  public static func all(for operation: RowOperation, dtype: DType) -> [Algorithm] {
    var list: [Algorithm] = []
    for kernel in KernelRegistry.all where kernel.operation == operation {
      let variants: [String?] = [nil] + kernel.summations.dropFirst().map(\.rawValue)
      for variant in variants {
        list.append(
          Algorithm(
            operation: operation, kernel: kernel.name, variant: variant, summary: kernel.summary,
            isInteger: false))
      }
    }
    if case .integer = dtype {
      for kernel in KernelRegistry.integer where kernel.operation == operation {
        for scale in kernel.probabilityScales {
          list.append(
            Algorithm(
              operation: operation, kernel: kernel.name, variant: "\(scale)", summary: kernel.summary,
              isInteger: true))
        }
      }
    }
    return list
  }
}
