import CMPFR
import NumKitNumbers
import NumKitQuestions

/// A formula that has proven answers.
package protocol ProvenFormula: Formula {
  associatedtype Enclosures: FormulaEnclosures where Enclosures.F == Self
}

/// Encloses the results of a formula, at any precision. Each type says why refining ends: which results are rational, and that the
/// others are no tie and no number of a format.
package protocol FormulaEnclosures: AnyObject {
  associatedtype F: Formula
  init()
  /// Takes a row; it stays as it is until the next.
  func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: F)
  /// Computes what results share, at `precision` bits.
  func prepare(precision: Int)
  /// Encloses result `i`, or says what it is.
  func enclose(_ i: Int, into result: Enclosure) -> Enclosed
}

/// The truth of a formula: each result of a row rounded correctly, refined until the enclosure decides. One instance serves one
/// thread.
package final class FormulaReference<F: ProvenFormula> {
  /// What results are rounded to.
  package let format: NumberFormat
  /// What results too large are rounded to.
  package let overflow: Overflow
  private let enclosures = F.Enclosures()
  private let storage = EnclosureStorage()
  private var pending: [Int] = []
  /// Large arguments and sums that cancel a little leave 2^−100 of it.
  private static var firstPrecision: Int { 192 }

  package init(format: NumberFormat, overflow: Overflow = .special) {
    self.format = format
    self.overflow = overflow
  }

  /// Answers for `x`, whose numbers are taken exactly as they are.
  ///
  /// - Precondition: the formula fits rows of this length (`Formula.check`).
  package func answer(
    _ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: F, into truth: inout Truth
  ) {
    precondition((try? formula.check(length: x.count)) != nil, "a formula for this row")
    truth.reset(count: formula.resultCount(length: x.count))
    pending.removeAll(keepingCapacity: true)
    pending.append(contentsOf: truth.rounded.indices)
    enclosures.load(row, x, formula)
    var precision = Self.firstPrecision
    while !pending.isEmpty {
      enclosures.prepare(precision: precision)
      storage.reserve(2, precision: precision)
      pending.removeAll { i in
        let kind = enclosures.enclose(i, into: storage[0])
        return truth.settle(
          i, kind, storage[0], scratch: storage[1], format, precision: precision)
      }
      precision *= 2
    }
    if overflow == .saturate { truth.saturate(format) }
  }
}

extension Truth {
  /// Enters result `i` if this enclosure settles it; at the last precision allowed it always is, decided or not.
  mutating func settle(
    _ i: Int, _ kind: Enclosed, _ enclosure: Enclosure, scratch: Enclosure, _ format: NumberFormat,
    precision: Int
  ) -> Bool {
    if case .known(let value) = kind {
      setKnown(value, at: i, format)
      return true
    }
    let rounded = enclosure.rounded(to: format)
    let scaled = enclosure.scaled(scratch: scratch)
    let isLast = precision >= Refinement.precisionLimit
    let isClose = (scaled?.relativeError ?? .infinity) <= Refinement.relativeWidth
    guard isLast || rounded != nil && isClose else { return false }
    set(rounded ?? format.round(enclosure.middle(in: .f64)), scaled ?? enclosure.unscaled, at: i)
    if rounded == nil {
      certificate.undecided += 1
    } else if case .rational = kind {
      certificate.exact += 1
    } else {
      certificate.mpfr += 1
    }
    certificate.maxPrecision = Swift.max(certificate.maxPrecision, precision)
    return true
  }
}

/// The proven answers of a formula.
package struct FormulaProver<F: ProvenFormula>: Prover {
  package typealias Q = FormulaQuestion<F>

  private let reference: FormulaReference<F>

  package init(format: NumberFormat, overflow: Overflow = .special) {
    reference = FormulaReference(format: format, overflow: overflow)
  }

  package func answer(_ item: FormulaQuestion<F>.Item, into truths: inout [Truth]) {
    item.values.withUnsafeBufferPointer {
      reference.answer(item.row, $0, item.formula, into: &truths[0])
    }
  }
}
