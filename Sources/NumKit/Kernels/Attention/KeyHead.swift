import CKernels
import NumKitNumbers
import NumKitQuestions

/// A head's keys and values in a kernel's formats, and what was seen of them: made once, then read by all threads.
final class KeyHead<A: Scalar>: @unchecked Sendable {
  /// Which it is.
  let place: Int
  /// In whole panels.
  let keys: UnsafeMutableBufferPointer<A>
  let values: UnsafeMutableBufferPointer<A>
  var inputs = StageTrace()
  /// Which keys and their values are finite, and whose norms overflow.
  var isFinite: [Bool]
  var isAllFinite = true
  var overflowed: [Int] = []

  init(_ place: Int, _ shape: AttentionShape) {
    self.place = place
    let panel = Int(nc_panel)
    keys = .allocate(capacity: (shape.keys + panel - 1) / panel * panel * shape.headSize)
    values = .allocate(capacity: shape.keys * shape.valueSize)
    keys.initialize(repeating: .zero)
    values.initialize(repeating: .zero)
    isFinite = Array(repeating: true, count: shape.keys)
  }

  deinit {
    keys.deallocate()
    values.deallocate()
  }
}

/// What a head's numbers depend on, beside the tensors and what is asked.
struct KeyHeadFormats: Hashable {
  let compute: NumberFormat
  let accumulator: NumberFormat
  let storage: DType
  let overflow: Overflow
}

/// The heads that kernels work on, of the same tensors and parameters: in each formats the last one, which threads and kernels share.
package final class KeyHeads: Sendable {
  private let last = Lock<[KeyHeadFormats: any Sendable]>([:])

  package init() {}

  /// The head at `place`; who asks for it while it is made waits.
  func head<A: Scalar>(_ place: Int, in formats: KeyHeadFormats, make: () -> KeyHead<A>) -> KeyHead<A> {
    last.withLock {
      if let head = $0[formats] as? KeyHead<A>, head.place == place { return head }
      let head = make()
      $0[formats] = head
      return head
    }
  }
}
