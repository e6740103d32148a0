import CMPFR
import NumKitNumbers
import NumKitQuestions

extension ExponentialFormula: ProvenFormula {
  package typealias Enclosures = ExponentialEnclosures
}

/// e^x is transcendental for x ≠ 0. 2^x is a power of two for whole x and else irrational, no tie: a tie is rational.
package final class ExponentialEnclosures: FormulaEnclosures {
  package typealias F = ExponentialFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = ExponentialFormula()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: ExponentialFormula) {
    (self.x, self.formula) = (x, formula)
  }

  package func prepare(precision: Int) { work.reserve(2, precision: precision) }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let x = x[i]
    if x.isNaN { return .known(.nan) }
    if x.isInfinite { return .known(x > 0 ? .infinity : 0) }
    if x == 0 { return .known(1) }
    guard formula.isBase2 else {
      work[0].set(x)
      result.setExponential(work[0])
      return .irrational
    }
    if x == x.rounded() && x.magnitude < 0x1p28 {
      work[0].set(1)
      result.setScaled(work[0], bits: Int(x))
      return .rational
    }
    work[0].setLogOfTwo()
    work[0].multiply(bySigned: x)
    result.setExponential(work[0])
    return .irrational
  }
}
