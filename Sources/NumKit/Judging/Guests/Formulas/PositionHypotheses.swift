import NumKitKernels
import NumKitQuestions

/// What angles of positions are wrong by, whoever turns by them.
private enum AngleHypotheses {
  static func changes<F: SuspectedFormula>(
    _ frequencies: WritableKeyPath<F, Frequencies> & Sendable,
    _ positions: WritableKeyPath<F, RowPositions> & Sendable, _ asked: Frequencies
  ) -> [FormulaChange<F>] {
    var list: [FormulaChange<F>] = []
    for (name, offset) in [("positions one too high", 1), ("positions one too low", -1)] {
      list.append(
        FormulaChange(name) { formula, _ in
          formula[keyPath: positions] = formula[keyPath: positions].times(1, plus: offset)
        })
    }
    list.append(
      FormulaChange("the angle's sign turned round") { formula, _ in
        formula[keyPath: positions] = formula[keyPath: positions].times(-1)
      })
    list.append(
      FormulaChange("no rotation: every position 0") { formula, _ in
        formula[keyPath: positions] = formula[keyPath: positions].times(0)
      })
    for base in [10000.0, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000] where base != asked.base {
      list.append(
        FormulaChange("a base of \(Int(base))") { formula, _ in formula[keyPath: frequencies].base = base })
    }
    list.append(
      FormulaChange("exponent i/d in place of 2i/d") { formula, _ in
        formula[keyPath: frequencies].base = formula[keyPath: frequencies].base.squareRoot()
      })
    list.append(
      FormulaChange("scaling left out") { formula, _ in formula[keyPath: frequencies].scaling = .none })
    let s = asked.scaling.factor
    for (name, scaling) in [("linear", Frequencies.Scaling.linear(s)), ("NTK", .ntk(s))] where s > 1 {
      list.append(
        FormulaChange("\(name) scaling") { formula, _ in formula[keyPath: frequencies].scaling = scaling })
    }
    return list
  }
}

extension RotaryFormula: SuspectedFormula {
  package static func isUsual(_ method: PositionMethod) -> Bool { method.reduction == .exact }

  package static func changes(_ context: FormulaContext<RotaryFormula>) -> [FormulaChange<RotaryFormula>] {
    let other = context.formula.pairing == .half ? RotaryPairing.interleaved : .half
    return [
      FormulaChange("\(other.rawValue) pairs in place of \(context.formula.pairing.rawValue)") { formula, _ in
        formula.pairing = other
      }
    ] + AngleHypotheses.changes(\.frequencies, \.positions, context.formula.frequencies)
  }

  package func asking(_ row: Int, as other: Int, length: Int) -> RotaryFormula {
    var copy = self
    copy.positions = positions.placing(row: row, at: other)
    return copy
  }
}

extension SinusoidalFormula: SuspectedFormula {
  package static func isUsual(_ method: PositionMethod) -> Bool { method.reduction == .exact }

  package static func changes(_ context: FormulaContext<SinusoidalFormula>) -> [FormulaChange<
    SinusoidalFormula
  >] {
    [
      FormulaChange("sine and cosine exchanged") { i, _ in (i ^ 1, 1) },
      FormulaChange("all sines, then all cosines") { i, n in (i / 2 + i % 2 * (n / 2), 1) },
      FormulaChange("all cosines, then all sines") { i, n in (i / 2 + (1 - i % 2) * (n / 2), 1) },
    ] + AngleHypotheses.changes(\.frequencies, \.positions, context.formula.frequencies)
  }

  package func asking(_ row: Int, as other: Int, length: Int) -> SinusoidalFormula {
    var copy = self
    copy.positions = positions.placing(row: row, at: other)
    return copy
  }
}

extension AlibiFormula: SuspectedFormula {
  package static func changes(_ context: FormulaContext<AlibiFormula>) -> [FormulaChange<AlibiFormula>] {
    guard let n = try? context.read(0).values.count else { return [] }
    var list: [FormulaChange<AlibiFormula>] = []
    func slopes(_ name: String, _ slopes: Slopes) {
      list.append(FormulaChange(name) { formula, _ in formula.slopes = slopes })
    }
    slopes("slopes as published", .published)
    if n & (n - 1) != 0 {
      slopes("slopes 2^(-8h/n) of a number of heads that is no power of two", .ratio)
    }
    let above = 1 << (Int.bitWidth - (n - 1).leadingZeroBitCount)
    for other in Set([above, 2 * above, n + 1]).sorted() where other > n {
      slopes("slopes of \(other) heads", .ofHeads(other))
    }
    for (name, offset) in [("distances one too large", 1), ("distances one too small", -1)] {
      list.append(
        FormulaChange(name) { formula, _ in formula.distances = formula.distances.times(1, plus: offset) })
    }
    return list
  }

  package func asking(_ row: Int, as other: Int, length: Int) -> AlibiFormula {
    var copy = self
    copy.distances = distances.placing(row: row, at: other)
    return copy
  }
}
