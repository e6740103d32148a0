import NumKitKernels
import NumKitQuestions
import RealModule

extension ExponentialFormula: SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { method == .library || method == .base2 }

  package static func changes(_ context: FormulaContext<ExponentialFormula>) -> [FormulaChange<
    ExponentialFormula
  >] {
    [
      FormulaChange("2^x in place of e^x") { formula, _ in formula.isBase2 = true },
      FormulaChange("e^x in place of 2^x") { formula, _ in formula.isBase2 = false },
      FormulaChange("of -x") { item in item.values = item.values.map { -$0 } },
    ]
  }
}

extension Double {
  fileprivate var sigmoid: Double { 1 / (1 + Double.exp(-self)) }
}

extension BinaryCrossEntropyFormula: SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { method == .stable }

  package static func changes(_ context: FormulaContext<BinaryCrossEntropyFormula>) -> [FormulaChange<
    BinaryCrossEntropyFormula
  >] {
    var list: [FormulaChange<BinaryCrossEntropyFormula>] = [
      FormulaChange("1 - y in place of y") { formula, _ in
        formula.targets = formula.targets.map { 1 - $0 }
      },
      FormulaChange("targets left out") { formula, _ in
        formula.targets = formula.targets.map { _ in 0 }
      },
      FormulaChange("targets rounded to 0 or 1") { formula, _ in
        formula.targets = formula.targets.map { $0.rounded() }
      },
      FormulaChange("targets one place too far right") { formula, _ in
        formula.targets = [formula.targets[formula.targets.count - 1]] + formula.targets.dropLast()
      },
    ]
    if context.formula.isOnProbabilities {
      list.append(
        FormulaChange("probabilities taken for logits") { formula, _ in formula.isOnProbabilities = false })
    } else {
      list.append(FormulaChange("the sigmoid taken twice") { $0.values = $0.values.map(\.sigmoid) })
    }
    return list
  }

  package func asking(_ row: Int, as other: Int, length: Int) -> BinaryCrossEntropyFormula {
    guard targets.count > length else { return self }
    var copy = self
    for i in 0..<length { copy.targets[row * length + i] = targets[other * length + i] }
    return copy
  }
}

extension SigmoidGradientFormula: SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { method != .difference }

  package static func changes(_ context: FormulaContext<SigmoidGradientFormula>) -> [FormulaChange<
    SigmoidGradientFormula
  >] {
    [FormulaChange("the sigmoid taken twice") { $0.values = $0.values.map(\.sigmoid) }]
  }
}

extension SmoothedCrossEntropyFormula: SuspectedFormula {
  package static func changes(_ context: FormulaContext<SmoothedCrossEntropyFormula>) -> [FormulaChange<
    SmoothedCrossEntropyFormula
  >] {
    let ignored = context.formula.ignored
    return [
      FormulaChange("smoothing left out") { formula, _ in formula.smoothing = 0 },
      FormulaChange("1 - eps in place of eps") { formula, _ in formula.smoothing = 1 - formula.smoothing },
      FormulaChange("eps shared by the other classes alone") { formula, n in
        formula.smoothing *= Double(n) / Double(n - 1)
      },
      FormulaChange("targets one too high") { formula, n in
        formula.targets = formula.targets.map { $0 == ignored ? $0 : ($0 + 1) % n }
      },
      FormulaChange("targets one too low") { formula, n in
        formula.targets = formula.targets.map { $0 == ignored ? $0 : ($0 + n - 1) % n }
      },
      FormulaChange("ignored rows counted, for class 0") { formula, _ in
        formula.targets = formula.targets.map { $0 == ignored ? 0 : $0 }
      },
    ]
  }

  package func asking(_ row: Int, as other: Int, length: Int) -> SmoothedCrossEntropyFormula {
    guard targets.count > 1 else { return self }
    var copy = self
    copy.targets[row] = targets[other]
    return copy
  }
}

extension ZLossFormula: SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { method == .shifted }

  package static func changes(_ context: FormulaContext<ZLossFormula>) -> [FormulaChange<ZLossFormula>] {
    let w = context.formula.weight
    return [
      ("weight left out", 1), ("weight halved", w / 2), ("weight doubled", 2 * w), ("weight squared", w * w),
      ("a weight of 0.0001", 1e-4), ("a weight of 0.001", 1e-3),
    ].map { name, weight in FormulaChange(name) { formula, _ in formula.weight = weight } }
  }
}
