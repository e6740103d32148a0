import NumKitNumbers
import NumKitQuestions

/// One algorithm for one operation, written once and run in any number format.
public protocol Kernel: Sendable {
  /// The question it answers.
  static var operation: RowOperation { get }
  /// Its name on the command line.
  static var name: String { get }
  /// One line on how it works.
  static var summary: String { get }
  /// The orders of summation it can be run with, the default first; empty where nothing is summed.
  static var summations: [Summation] { get }
  /// How it computes, which is what a bound on its errors goes by; nil, the default, for a way that none is derived for.
  static var arithmetic: RowArithmetic? { get }

  /// Answers for the row `x`; `y` has `operation.resultCount(length: x.count)` places.
  ///
  /// `C` is the format of every element-wise operation, `A` that of sums. What is computed from both is
  /// computed in the wider of the two and rounded to `C`.
  static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  )
}

extension Kernel {
  /// No bound.
  public static var arithmetic: RowArithmetic? { nil }
}

/// The order in which terms are added: part of an algorithm, because it changes the answer.
public enum Summation: String, Sendable, CaseIterable {
  /// One after the other: the error grows like n.
  case sequential
  /// Halves of halves down to runs of 8: the error grows like log₂ n.
  case pairwise

  /// The most additions that one term passes through in a sum of `count` terms.
  public func depth(_ count: Int) -> Int {
    guard count > 1 else { return 0 }
    switch self {
    case .sequential: return count - 1
    case .pairwise:
      if count <= 8 { return count - 1 }
      return 1 + depth(count - count / 2)
    }
  }
}

/// What a kernel is run with beside its row.
public struct KernelSetting<C: Scalar> {
  /// How sums are ordered.
  public var summation: Summation
  /// The target index of the cross-entropy.
  public var target: Int
  /// The cotangent of the vector–Jacobian product, as many as the row has elements.
  public var cotangent: UnsafeMutableBufferPointer<C>
  /// As many places as the row has elements, for the kernel's own use.
  public var scratch: UnsafeMutableBufferPointer<C>

  /// All parts.
  public init(
    summation: Summation, target: Int, cotangent: UnsafeMutableBufferPointer<C>,
    scratch: UnsafeMutableBufferPointer<C>
  ) {
    self.summation = summation
    self.target = target
    self.cotangent = cotangent
    self.scratch = scratch
  }
}

/// What happens to a tensor between the stages of a kernel: nothing, observation, or storage on an integer grid.
public protocol Stages {
  /// Called with each tensor a kernel makes, in order; may change it.
  mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage)
  /// Called with each single number a kernel makes, in order; returns it, perhaps changed.
  mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C
  /// The sum of the tensor stored last where the grid adds in its own way; nil to add in the accumulator.
  mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A?
}

/// The stages that numbers pass through, for telling where a NaN or an overflow was born.
public enum Stage: String, Sendable, CaseIterable {
  /// The inputs as the format has them.
  case input
  /// Inputs divided by the temperature or multiplied by a scale.
  case scale
  /// Inputs less their maximum.
  case shift
  /// Exponentials.
  case exponential = "exp"
  /// The running or final sum.
  case sum
  /// The logarithm of the sum.
  case logarithm = "log"
  /// Probabilities, on the way to another result.
  case probabilities
  /// The results.
  case output
  /// Products of queries and keys, before scale and mask.
  case scores
  /// Sums of values weighted by probabilities.
  case weighted
  /// Squares, of elements or of their deviations from the mean.
  case squares
  /// The mean, of elements or of their squares.
  case mean
  /// Inputs less their mean.
  case centered
  /// The variance or mean square, ε added.
  case variance
  /// Its square root and, where it is multiplied by, the reciprocal.
  case root = "rsqrt"
  /// Scores with what a mask adds to them.
  case mask
  /// Positions times frequencies.
  case angle
}

/// No storage between stages and nothing observed: the kernel alone.
public struct Unobserved: Stages {
  /// Without a byte of its own it has no address, and ThreadSanitizer takes what two threads hold for one.
  @usableFromInline let place: UInt8 = 0

  /// The only value.
  @inlinable public init() {}
  @inlinable public mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {}
  @inlinable public mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C { value }
  @inlinable
  public mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? {
    nil
  }
}
