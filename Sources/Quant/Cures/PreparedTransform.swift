/// A transform with its parameters chosen.
public protocol PreparedTransform: Sendable {
  /// Bits stored beside the tensor to undo it.
  var storedBits: Int { get }
  /// Changes a band of the tensor, whose first row has that number.
  func apply(_ band: inout TensorMatrix, firstRow: Int)
  /// Changes it back, up to rounding in Float; `given` is the band as it was.
  func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int)
  /// Changes the other factor of a product along columns, so that the product stays what it was.
  func applyOpposite(_ activations: inout TensorMatrix)
  /// Changes that back.
  func undoOpposite(_ activations: inout TensorMatrix)
}

extension PreparedTransform {
  /// A rotation is its own opposite.
  public func applyOpposite(_ activations: inout TensorMatrix) { apply(&activations, firstRow: 0) }
  public func undoOpposite(_ activations: inout TensorMatrix) {
    let given = activations
    undo(&activations, given: given, firstRow: 0)
  }
}
