/// e^x or 2^x, element by element.
public struct ExponentialFormula: Formula {
  /// Of what.
  public var isBase2: Bool

  /// e^x unless said otherwise.
  public init(isBase2: Bool = false) { self.isBase2 = isBase2 }

  public var name: String { isBase2 ? "exp2" : "exp" }
  public func check(length: Int) throws {}
}
