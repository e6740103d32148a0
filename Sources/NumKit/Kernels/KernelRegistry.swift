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
    ComplementSoftmaxJacobian.self,
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
    switch algorithm.type {
    case is NaiveSoftmax.Type: return visitor.visit(NaiveSoftmax.self)
    case is ShiftedSoftmax.Type: return visitor.visit(ShiftedSoftmax.self)
    case is OnlineSoftmax.Type: return visitor.visit(OnlineSoftmax.self)
    case is TwoPassLogSoftmax.Type: return visitor.visit(TwoPassLogSoftmax.self)
    case is Base2Softmax.Type: return visitor.visit(Base2Softmax.self)
    case nil: return nil
    case let kernel?:
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
  /// The kernel over `Scalar`; nil for one in integers alone.
  package let type: (any Kernel.Type)?
  /// Whether it works in integers alone.
  public var isInteger: Bool { type == nil }
  /// The error model that the kernel says it follows.
  public var arithmetic: RowArithmetic? { type?.arithmetic }

  /// A kernel over `Scalar`, ours or a client's; the kernel's default order of summation unless given.
  public init(_ kernel: any Kernel.Type, _ summation: Summation? = nil) {
    operation = kernel.operation
    self.kernel = kernel.name
    variant = summation == kernel.summations.first ? nil : summation?.rawValue
    summary = kernel.summary
    type = kernel
  }

  /// A kernel in integers, whose probabilities have the denominator `scale`.
  init(_ kernel: any IntegerKernel.Type, scale: Int) {
    operation = kernel.operation
    self.kernel = kernel.name
    variant = "\(scale)"
    summary = kernel.summary
    type = nil
  }

  public static func == (a: Algorithm, b: Algorithm) -> Bool {
    a.operation == b.operation && a.kernel == b.kernel && a.variant == b.variant
      && a.type.map(ObjectIdentifier.init) == b.type.map(ObjectIdentifier.init)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(operation)
    hasher.combine(kernel)
    hasher.combine(variant)
  }

  /// `kernel` or `kernel:variant`.
  public var description: String { variant.map { "\(kernel):\($0)" } ?? kernel }

  /// The order of summation.
  public var summation: Summation { variant.flatMap(Summation.init(rawValue:)) ?? .sequential }

  /// Every algorithm for `operation` in `dtype`, naive ones first.
  public static func all(for operation: RowOperation, dtype: DType) -> [Algorithm] {
    var list = KernelRegistry.all.filter { $0.operation == operation }.flatMap { kernel in
      kernel.summations.isEmpty ? [Algorithm(kernel)] : kernel.summations.map { Algorithm(kernel, $0) }
    }
    if case .integer = dtype {
      list += KernelRegistry.integer.filter { $0.operation == operation }.flatMap { kernel in
        kernel.probabilityScales.map { Algorithm(kernel, scale: $0) }
      }
    }
    return list
  }
}
