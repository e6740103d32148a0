import NumKitNumbers
import NumKitQuestions

/// The proven answers of one operation on rows.
public struct RowProver: Prover {
  public typealias Q = RowQuestion

  private let reference: Reference

  /// Results of `operation` rounded to `format`.
  public init(_ operation: RowOperation, format: NumberFormat) {
    reference = Reference(operation, format: format)
  }

  public func answer(_ item: RowQuestion.Item, into truths: inout [Truth]) {
    item.values.withUnsafeBufferPointer {
      reference.answer($0, parameters: item.parameters, into: &truths[0])
    }
  }

  public func profile(of item: RowQuestion.Item, into profile: inout RowProfile) {
    item.values.withUnsafeBufferPointer { profile.update($0, temperature: item.parameters.temperature) }
  }

  public func makeProfile() -> RowProfile { RowProfile() }
}
