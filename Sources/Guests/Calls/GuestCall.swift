import NumKit
import TensorFiles

/// An array that a guest is given or gives: its codes in row-major order without gaps, little-endian, a byte for formats of fewer bits.
package struct GuestArray: Sendable, Equatable {
  /// `input`, `q`, `weight`; of results `results`, `lse`.
  package var name: String
  package var type: ElementType
  /// Outermost first.
  package var shape: [Int]
  /// `count` elements of `width` bytes.
  package var bytes: [UInt8]

  package init(_ name: String, _ type: ElementType, _ shape: [Int], bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// Bytes of an element.
  package var width: Int { type.guestWidth }
  package var count: Int { shape.reduce(1, *) }
  /// Elements of one step along the first axis; 1 of a scalar.
  package var rowCount: Int { shape.dropFirst().reduce(1, *) }

  /// The number that element `index` is.
  package func value(_ index: Int) -> Double { type.guestValue(code(index)) }

  /// The code of element `index`.
  package func code(_ index: Int) -> UInt64 {
    var code: UInt64 = 0
    for k in 0..<width { code |= UInt64(bytes[index * width + k]) << UInt64(8 * k) }
    return code
  }

  /// All numbers.
  package var values: [Double] { (0..<count).map(value) }
}

/// What is asked for: an array's name, type and shape.
package struct GuestResult: Sendable, Equatable {
  package var name: String
  package var type: ElementType
  package var shape: [Int]
  /// Whether the guest may leave it out.
  package var isOptional: Bool

  package init(_ name: String, _ type: ElementType, _ shape: [Int], optional isOptional: Bool = false) {
    self.name = name
    self.type = type
    self.shape = shape
    self.isOptional = isOptional
  }

  package var count: Int { shape.reduce(1, *) }
}

/// A number that the question has beside its arrays.
package struct GuestParameter: Sendable, Equatable {
  package let name: String
  package let value: Double

  package init(_ name: String, _ value: Double) {
    self.name = name
    self.value = value
  }
}

/// One call of a kernel: the arrays it is given, the parameters of the question, and what it is to give.
package struct GuestCall: Sendable, Equatable {
  /// `softmax`, `attention`, `matmul`.
  package var operation: String
  package var inputs: [GuestArray]
  package var results: [GuestResult]
  package var parameters: [GuestParameter]

  package init(
    _ operation: String, inputs: [GuestArray], results: [GuestResult], parameters: [GuestParameter] = []
  ) {
    self.operation = operation
    self.inputs = inputs
    self.results = results
    self.parameters = parameters
  }
}

/// How a call's memory, or its files, are laid: what must not matter to a kernel.
package struct CallConditions: Sendable, Equatable {
  /// Elements that are left between one row and the next; a program finds a column-major file instead.
  package var rowGap = 0
  /// Whether arrays stand elsewhere than in the call before, in another process's eyes as well.
  package var isFresh = false
  /// Whether arrays begin where memory that may be touched does, rather than end where it ends.
  package var isAtStart = false
  /// Whether results are filled with the other pattern before the call; for formats whose NaN has but one code.
  package var fillsOtherwise = false

  package init(
    rowGap: Int = 0, isFresh: Bool = false, isAtStart: Bool = false, fillsOtherwise: Bool = false
  ) {
    self.rowGap = rowGap
    self.isFresh = isFresh
    self.isAtStart = isAtStart
    self.fillsOtherwise = fillsOtherwise
  }
}

/// What a kernel did to memory that it must not do.
package enum Breach: Sendable, Equatable {
  /// Elements of a result that were never written, the first of them.
  case unwritten(String, count: Int, first: [Int])
  /// Bytes that were written before an array, after it, or between its rows: how many, and how far away the farthest is.
  case outside(String, Side, bytes: Int, reach: Int)
  /// An input that is another after the call; the first element that is.
  case input(String, first: [Int])

  package enum Side: String, Sendable { case before, after, between }
}

/// What came of a call that returned.
package struct GuestAnswer: Sendable {
  package var results: [GuestArray]
  package var breaches: [Breach]
  /// For formats whose NaN has but one code: the elements of each result that still are what was there before.
  package var untouched: [[Int]]

  package init(results: [GuestArray], breaches: [Breach] = [], untouched: [[Int]] = []) {
    self.results = results
    self.breaches = breaches
    self.untouched = untouched
  }
}

/// Why a call gave nothing.
package struct GuestFault: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    /// It ended by a signal.
    case crash
    /// It touched memory around an array that nobody may touch.
    case outOfBounds = "out-of-bounds"
    /// It did not end in time.
    case hang = "time-out"
    /// It said that it failed.
    case failure
    /// It said that this is not for it.
    case unsupported
    /// What it wrote is not what was asked for.
    case results = "unreadable-results"
    /// It cannot be started or loaded.
    case start = "cannot-start"

    /// Whether a kernel does wrong that ends so; others were not run as they should be.
    package var isOfTheKernel: Bool {
      switch self {
      case .crash, .outOfBounds, .hang: true
      case .failure, .unsupported, .results, .start: false
      }
    }
  }

  package let kind: Kind
  /// In one line.
  package let message: String
  /// The last lines that it wrote on standard error.
  package let said: [String]

  package init(_ kind: Kind, _ message: String, said: [String] = []) {
    self.kind = kind
    self.message = message
    self.said = said
  }

  package var description: String { message + (said.isEmpty ? "" : ": " + said.joined(separator: " | ")) }
}

/// A kernel from outside that can be called.
package protocol GuestKernel: AnyObject {
  /// What reports call it.
  var name: String { get }
  /// What conditions mean to it, for findings: `rows with gaps between them`, `a column-major file`.
  var gapDescription: String? { get }
  /// Whether it lives from call to call, so that it can remember.
  var staysLoaded: Bool { get }
  /// Calls it.
  func call(_ call: GuestCall, _ conditions: CallConditions) throws(GuestFault) -> GuestAnswer
  /// Ends what is left of it; the next call starts it anew, with these variables in its environment.
  func restart(environment: [String: String])
  /// Ends it for good.
  func close()
}
