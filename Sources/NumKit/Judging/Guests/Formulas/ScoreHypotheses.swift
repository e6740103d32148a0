import NumKitKernels
import NumKitQuestions
import RealModule

extension ScoreFormula: SuspectedFormula {
  package static func changes(_ context: FormulaContext<ScoreFormula>) -> [FormulaChange<ScoreFormula>] {
    var list: [FormulaChange<ScoreFormula>] = [
      FormulaChange("scores divided by the square root of d") { item in
        let size = 1 / Double(item.values.count).squareRoot()
        switch item.formula.function {
        case .dot, .general: item.values = item.values.map { $0 * size }
        case .additive: item.formula.combination = item.formula.combination.map { $0 * size }
        }
      },
      FormulaChange("weights in place of scores") { formula, _ in formula.isNormalized = true },
      FormulaChange("scores in place of weights") { formula, _ in formula.isNormalized = false },
    ]
    switch context.formula.function {
    case .dot: break
    case .general:
      list += [
        FormulaChange("W transposed") { formula, _ in
          let w = formula.queryWeights
          guard let n = w.first?.count, n == w.count else { return }
          formula.queryWeights = (0..<n).map { i in (0..<n).map { w[$0][i] } }
        },
        FormulaChange("W left out") { formula, _ in
          (formula.function, formula.queryWeights) = (.dot, [])
        },
      ]
    case .additive:
      list += [
        FormulaChange("W and U exchanged") { formula, _ in
          (formula.queryWeights, formula.keyWeights) = (formula.keyWeights, formula.queryWeights)
        },
        FormulaChange("v left out: tanhs added up") { formula, _ in
          formula.combination = formula.combination.map { _ in 1 }
        },
      ]
    }
    return list
  }
}

extension LinearAttentionFormula: SuspectedFormula {
  package static func changes(_ context: FormulaContext<LinearAttentionFormula>) -> [FormulaChange<
    LinearAttentionFormula
  >] {
    var list: [FormulaChange<LinearAttentionFormula>] = [
      FormulaChange("not normalised") { formula, _ in formula.isNormalized = false },
      FormulaChange("every token met, not those so far alone") { formula, _ in formula.reach = .all },
      FormulaChange("its own token not met") { formula, _ in formula.reach = .before },
      FormulaChange("values one token late") { formula, _ in
        formula.values = [formula.values[0]] + formula.values.dropLast()
      },
      FormulaChange("keys one token late") { formula, _ in
        formula.keys = [formula.keys[0]] + formula.keys.dropLast()
      },
      FormulaChange("queries divided by the square root of d") { item in
        let size = 1 / Double(item.values.count).squareRoot()
        item.values = item.values.map { $0 * size }
      },
    ]
    for map in FeatureMap.allCases {
      list.append(FormulaChange("\(map.rawValue) as the feature map") { formula, _ in formula.map = map })
    }
    return list
  }
}

extension SigmoidAttentionFormula: SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { method != .tanh }

  package static func changes(_ context: FormulaContext<SigmoidAttentionFormula>) -> [FormulaChange<
    SigmoidAttentionFormula
  >] {
    guard let d = try? context.read(0).values.count else { return [] }
    let bias = context.formula.bias ?? -Double.log(Double(context.formula.keys.count))
    var list: [FormulaChange<SigmoidAttentionFormula>] = [
      FormulaChange("bias left out") { formula, _ in formula.bias = 0 },
      FormulaChange("bias of the other sign") { formula, _ in formula.bias = -bias },
      FormulaChange("a bias of -log d") { formula, _ in formula.bias = -Double.log(Double(d)) },
      FormulaChange("scores not scaled") { formula, _ in formula.scale = 1 },
      FormulaChange("scores divided by d") { formula, _ in formula.scale = 1 / Double(d) },
      FormulaChange("values one key late") { formula, _ in
        formula.values = [formula.values[0]] + formula.values.dropLast()
      },
    ]
    if context.formula.isCausal {
      list.append(
        FormulaChange("every key met, not those so far alone") { formula, _ in formula.isCausal = false })
    } else if context.formula.keys.count == context.rows {
      list.append(FormulaChange("the keys so far alone") { formula, _ in formula.isCausal = true })
    }
    return list
  }
}
