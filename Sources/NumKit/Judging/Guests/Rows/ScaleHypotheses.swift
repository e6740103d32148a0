import RealModule

/// Exponents multiplied by something else than 1/τ.
enum ScaleHypotheses: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    let tau = context.parameters.temperature
    guard tau > 0, tau < .infinity else { return [] }
    var scales: [(String, Double)] = [
      ("base 2 instead of e", Double.log(2) / tau), ("base 10 instead of e", Double.log(10) / tau),
      ("log2 e multiplied twice", 1 / (Double.log(2) * tau)),
      ("the negative of the logits", -1 / tau),
    ]
    let length = Double(context.length)
    if length > 1 {
      scales += [
        ("logits divided by the square root of the length", 1 / (tau * length.squareRoot())),
        ("logits divided by the length", 1 / (tau * length)),
      ]
    }
    if tau != 1 {
      scales += [
        ("temperature multiplied", tau), ("temperature ignored", 1),
        ("temperature divided by twice", 1 / (tau * tau)),
      ]
    }
    return scales.map { name, scale in
      var change = RowChange(name)
      change.scale = scale
      return change
    }
  }
}
