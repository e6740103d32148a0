import NumKit

/// A trait of a call that must not matter to a kernel.
package enum CallTrait: String, Sendable, CaseIterable {
  /// Rows with gaps between them, or a column-major file.
  case strided = "strides"
  /// A length that is no multiple of anything.
  case oddLength = "odd-length"
  /// A single item.
  case single = "single-item"
  /// A number of items that is no multiple of anything.
  case oddCount = "odd-count"
  /// Numbers of another distribution than those that were asked about.
  case otherNumbers = "other-numbers"
  /// Numbers so large that e^x overflows, where a right kernel subtracts the largest first.
  case large = "large-numbers"
  /// Rows whose first number is that of an earlier call, and no other: whoever keeps answers knows a question by more than that.
  case sameStart = "same-first-element"
  /// Other contents where the call before had its own.
  case inPlace = "changed-in-place"
  /// Memory that no call had before.
  case fresh = "fresh-memory"
  /// One of the calls after the eighth.
  case late = "later-calls"

  /// What it is, as part of a sentence.
  func words(_ call: PlannedCall, gaps: String) -> String {
    switch self {
    case .strided: "with \(gaps)"
    case .oddLength: "of an odd length"
    case .single: "of a single item"
    case .oddCount: "of an odd number of items"
    case .otherNumbers: "with other numbers than those that were asked about"
    case .large: "with numbers so large that e^x overflows"
    case .sameStart: "whose rows begin as those of an earlier call, and go on otherwise"
    case .inPlace: "that find other contents where the call before had its own"
    case .fresh: "with memory that no call had before"
    case .late: "after the eighth"
    }
  }
}

/// A call that is made to see what a kernel does.
package struct PlannedCall: Sendable {
  package var items: [Int]
  package var length: Int?
  package var conditions: CallConditions
  package var traits: Set<CallTrait>

  /// What tells the numbers of two calls apart.
  var contents: [Int] {
    items + ([CallTrait.otherNumbers, .large, .sameStart].map { traits.contains($0) ? 1 : 0 })
  }

  /// The call itself.
  func call(of problem: GuestProblem) -> GuestCall {
    var call = problem.call(items: items, length: length)
    if traits.contains(.otherNumbers), let input = call.inputs.first {
      call.inputs[0] = traits.contains(.sameStart) ? input.squaredBehindStart : input.squared
    }
    if traits.contains(.large), let size = problem.largeSize {
      call.inputs[0] = call.inputs[0].scaled(to: size)
    }
    return call
  }
}

extension GuestArray {
  /// Each number's square with its sign, over the largest: within the same range, of another distribution. As it is where it has no
  /// such numbers.
  fileprivate var squared: GuestArray { changed { $0 * ($0.magnitude / $1) } }

  /// The same, but for the first of each row, along the last axis.
  fileprivate var squaredBehindStart: GuestArray {
    var other = squared
    for start in stride(from: 0, to: bytes.count, by: max(1, shape.last ?? 1) * width) {
      other.bytes.replaceSubrange(start..<start + width, with: bytes[start..<start + width])
    }
    return other
  }

  /// All numbers times the same, so that the largest is `size`, or as near as the elements' type has one.
  fileprivate func scaled(to size: Double) -> GuestArray { changed { $0 * (size / $1) } }

  /// Of each finite number, and of the largest, another.
  private func changed(_ other: (_ x: Double, _ largest: Double) -> Double) -> GuestArray {
    let values = values
    let largest = values.lazy.filter(\.isFinite).map(\.magnitude).max() ?? 0
    guard largest > 0, type.guestNumber != nil,
      let made = try? GuestArray(
        name, type, shape, values: values.map { $0.isFinite ? other($0, largest) : $0 })
    else { return self }
    return made
  }
}

/// The calls by which hygiene is tried: the same and other contents, in the same and in other memory, odd lengths and numbers of items,
/// gaps between rows; in an order drawn from the seed.
struct HygieneCalls {
  let calls: [PlannedCall]

  /// At least twelve calls: a program, which is started for each, gets no more than that.
  init(_ problem: GuestProblem, gaps: Bool, staysLoaded: Bool, seed: UInt64) {
    var random = RandomSource(seed: seed, row: 0x6875)
    let count = problem.itemCount
    let usual = min(count, 8)
    /// Items from anywhere, in order, so that each call has others.
    func draw(_ n: Int) -> [Int] {
      let start = Int(random.next() % UInt64(count))
      return (0..<n).map { (start + $0) % count }
    }
    var kinds: [PlannedCall] = []
    func add(_ items: [Int], length: Int? = nil, gap: Int = 0, fresh: Bool = false, _ traits: Set<CallTrait>)
    {
      kinds.append(
        PlannedCall(
          items: items, length: length, conditions: CallConditions(rowGap: gap, isFresh: fresh),
          traits: traits))
    }
    for _ in 0..<(staysLoaded ? 6 : 3) { add(draw(usual), []) }
    add(draw(usual), fresh: true, [.fresh])
    for _ in 0..<(staysLoaded ? 2 : 1) { add(draw(usual), [.otherNumbers]) }
    if problem.largeSize != nil { add(draw(usual), [.large]) }
    if gaps {
      add(draw(usual), gap: 3, [.strided])
      if staysLoaded { add(draw(usual), gap: 8, [.strided]) }
    }
    if count > 1 {
      add(draw(1), [.single])
      add(draw(min(count, 7)), [.oddCount])
      add(draw(min(count, 5)), fresh: true, [.oddCount, .fresh])
    }
    if let length = problem.length {
      let odd = [(length - 1) | 1, length / 2 | 1, 33, 7, 17].filter { $0 < length && $0 > 0 }
      for n in odd.prefix(staysLoaded ? 4 : 2) { add(draw(usual), length: n, [.oddLength]) }
    }
    while kinds.count < (staysLoaded ? 15 : 11) { add(draw(usual), []) }
    kinds.shuffle(using: &random)
    // The first calls are plain ones: what the first gives is what others give who call once; the second finds other contents in the
    // very place of the first.
    for k in 0..<2 {
      if let plain = kinds[k...].firstIndex(where: { $0.traits.isEmpty }) { kinds.swapAt(k, plain) }
    }
    kinds.insert(
      PlannedCall(
        items: kinds[0].items, conditions: CallConditions(), traits: [.otherNumbers, .sameStart]),
      at: min(3, kinds.count))
    for k in kinds.indices {
      kinds[k].conditions.isAtStart = k % 8 >= 4
      kinds[k].conditions.fillsOtherwise = k % 4 >= 2
      if k > 0 {
        if !kinds[k].conditions.isFresh && kinds[k].contents != kinds[k - 1].contents {
          kinds[k].traits.insert(.inPlace)
        }
        if k > 7 { kinds[k].traits.insert(.late) }
      }
    }
    calls = kinds
  }
}
