import CMPFR

/// Owner of a row of enclosures, each a pair of MPFR numbers of one precision.
///
/// The numbers live in one block that only this class initialises and clears; what it hands out are borrowed
/// handles, valid as long as it lives and is not grown. Storage is kept between rows, so a warm one allocates only
/// when it meets a longer row or a higher precision.
package final class EnclosureStorage {
  private var numbers: UnsafeMutablePointer<__mpfr_struct>
  private var open: UnsafeMutablePointer<OpenEnds>
  private var capacity = 0
  private var precision: mpfr_prec_t = 0

  package init() {
    numbers = .allocate(capacity: 0)
    open = .allocate(capacity: 0)
  }

  deinit {
    for i in 0..<2 * capacity { mpfr_clear(numbers + i) }
    numbers.deallocate()
    open.deallocate()
  }

  /// Makes room for `count` enclosures of `precision` bits each; their values are lost.
  package func reserve(_ count: Int, precision: Int) {
    let bits = mpfr_prec_t(precision)
    if count > capacity {
      // MPFR numbers may be moved, not copied: the old block is given up as raw memory.
      let grown = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2 * count)
      grown.moveInitialize(from: numbers, count: 2 * capacity)
      for i in 2 * capacity..<2 * count { mpfr_init2(grown + i, bits) }
      numbers.deallocate()
      numbers = grown
      open.deallocate()
      open = .allocate(capacity: count)
      open.initialize(repeating: [], count: count)
      if bits != self.precision { for i in 0..<2 * capacity { mpfr_set_prec(numbers + i, bits) } }
      capacity = count
    } else if bits != self.precision {
      for i in 0..<2 * capacity { mpfr_set_prec(numbers + i, bits) }
    }
    self.precision = bits
  }

  package subscript(index: Int) -> Enclosure {
    precondition(index < capacity)
    return Enclosure(numbers + 2 * index, numbers + 2 * index + 1, open: open + index)
  }
}
