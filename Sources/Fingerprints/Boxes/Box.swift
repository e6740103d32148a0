import NumKit

/// A row that a kernel is asked about, and the result that is looked at.
package struct RowProbe: Sendable {
  package var values: [Double]
  /// Which of the row's results; 0 where a row has one.
  package var place: Int

  package init(_ values: [Double], place: Int) { (self.values, self.place) = (values, place) }
}

/// What a kernel of rows makes of its elements before it adds them up.
package enum RowKind: String, Sendable, CaseIterable {
  case softmax, logSoftmax = "logsoftmax", logSumExp = "lse", attention, rmsNorm = "rmsnorm", layerNorm =
    "layernorm"

  /// Whether the sum is of exponentials.
  package var isExponential: Bool { self != .rmsNorm && self != .layerNorm }
  /// Whether results are probabilities.
  package var givesProbabilities: Bool { self == .softmax || self == .attention }
}

/// A kernel of rows as a black box: numbers of its format in, numbers of its format out.
package protocol RowBox: AnyObject {
  var kind: RowKind { get }
  /// Of inputs and results.
  var format: NumberFormat { get }
  /// Elements of a row.
  var length: Int { get }
  /// A result of each probe; whose row has `length` numbers of `format`.
  func read(_ probes: [RowProbe]) throws -> [Double]
}

/// A pair of vectors, whose product is asked for.
package struct DotProbe: Sendable {
  package var a: [Double]
  /// Nil for ones.
  package var b: [Double]?

  package init(_ a: [Double], _ b: [Double]? = nil) { (self.a, self.b) = (a, b) }
}

/// A kernel of dot products as a black box.
package protocol DotBox: AnyObject {
  /// Of inputs and results.
  var format: NumberFormat { get }
  var length: Int { get }
  /// What a term is multiplied by before it reaches the result: 1, or of attention a power of two.
  var factor: Double { get }
  /// Whether the second vector is ours to choose.
  var takesPairs: Bool { get }
  func products(_ probes: [DotProbe]) throws -> [Double]
}

/// Why a kernel gives no fingerprint.
package struct FingerprintError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
