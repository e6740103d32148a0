import CGuests
import TensorFiles

/// A piece of memory that holds one array of a call, with what lies around its elements: filled before the call, looked at after it.
struct ArrayRegion {
  let name: String
  let type: ElementType
  let shape: [Int]
  let strides: [Int]
  /// Of the whole piece, and of its first element in it, in bytes.
  let length: Int
  let start: Int
  /// Behind its last element, likewise.
  let end: Int
  let isResult: Bool

  /// Room for an array whose rows are `rowGap` elements apart, in whole pages, its end (or start) as near to a page's as an
  /// alignment of 64 bytes lets it be.
  init(
    _ name: String, _ type: ElementType, _ shape: [Int], isResult: Bool, rowGap: Int, atStart: Bool, page: Int
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.isResult = isResult
    var strides = [Int](repeating: 1, count: shape.count)
    var next = 1
    for axis in shape.indices.reversed() {
      strides[axis] = next
      next *= max(shape[axis], 1)
      // Between neighbours along the last axis there is no gap, between all others one.
      if axis == shape.count - 1 && shape.count > 1 { next += rowGap }
    }
    self.strides = strides
    let extent = zip(shape, strides).reduce(1) { $0 + max($1.0 - 1, 0) * $1.1 }
    let bytes = (extent * type.guestWidth + 63) / 64 * 64
    length = max((bytes + page - 1) / page, 1) * page
    start = atStart ? 0 : length - bytes
    end = start + extent * type.guestWidth
  }

  var width: Int { type.guestWidth }
  var count: Int { shape.reduce(1, *) }

  /// Calls `body` with the place of each run of elements without gaps: its first byte, its first element, how many elements.
  func forEachRun(_ body: (_ byte: Int, _ element: Int, _ count: Int) throws -> Void) rethrows {
    guard count > 0 else { return }
    let row = shape.last ?? 1
    for first in stride(from: 0, to: count, by: row) {
      let place = zip(multiIndex(first, in: shape), strides).reduce(0) { $0 + $1.0 * $1.1 }
      try body(start + place * width, first, row)
    }
  }

  /// Fills all of it with the pattern.
  func fill(_ memory: UnsafeMutableRawBufferPointer, otherwise: Bool) {
    let code = type.fillCode(otherwise: otherwise)
    // The pattern is counted from the first element, as elements are.
    nc_fill(memory.baseAddress, Int64(length), Int64(start), Int64(width), code)
  }

  /// Puts the elements of an array in their places.
  func place(_ bytes: [UInt8], in memory: UnsafeMutableRawBufferPointer) {
    bytes.withUnsafeBytes { from in
      forEachRun { byte, element, count in
        memory[byte..<byte + count * width].copyBytes(
          from: from[element * width..<(element + count) * width])
      }
    }
  }

  /// The elements, row by row.
  func elements(of memory: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * width)
    forEachRun { byte, _, count in bytes += memory[byte..<byte + count * width] }
    return bytes
  }

  /// What is not as it must be after a call, where memory was `before` then.
  func breaches(before: UnsafeRawBufferPointer, after: UnsafeRawBufferPointer, otherwise: Bool) -> [Breach] {
    var breaches: [Breach] = []
    var seenTo = 0
    var changed: [Breach.Side: (bytes: Int, reach: Int)] = [:]
    func look(_ range: Range<Int>, _ side: Breach.Side) {
      var k = Self.firstDifference(before, after, range)
      while k < range.upperBound {
        var seen = changed[side] ?? (0, 0)
        seen.bytes += 1
        seen.reach =
          side == .before
          ? max(seen.reach, range.upperBound - k) : max(seen.reach, k - range.lowerBound + 1)
        changed[side] = seen
        k = Self.firstDifference(before, after, k + 1..<range.upperBound)
      }
    }
    var firstChanged: Int?
    forEachRun { byte, element, count in
      look(seenTo..<byte, seenTo == 0 ? .before : .between)
      seenTo = byte + count * width
      if !isResult, firstChanged == nil {
        let place = Self.firstDifference(before, after, byte..<seenTo)
        if place < seenTo { firstChanged = element + (place - byte) / width }
      }
    }
    look(seenTo..<length, .after)
    for side in [Breach.Side.before, .after, .between] {
      if let seen = changed[side] {
        breaches.append(.outside(name, side, bytes: seen.bytes, reach: seen.reach))
      }
    }
    if let firstChanged { breaches.append(.input(name, first: multiIndex(firstChanged, in: shape))) }
    if isResult, type.fillIsUnique {
      let left = untouched(after, otherwise: otherwise)
      if let first = left.first {
        breaches.append(.unwritten(name, count: left.count, first: multiIndex(first, in: shape)))
      }
    }
    return breaches
  }

  /// The elements that still are what they were filled with.
  func untouched(_ memory: UnsafeRawBufferPointer, otherwise: Bool) -> [Int] {
    let code = type.fillCode(otherwise: otherwise)
    let pattern = (0..<width).map { UInt8(truncatingIfNeeded: code >> UInt64(8 * $0)) }
    var left: [Int] = []
    forEachRun { byte, element, count in
      for i in 0..<count where memory[byte + i * width] == pattern[0] {
        if (1..<width).allSatisfy({ memory[byte + i * width + $0] == pattern[$0] }) {
          left.append(element + i)
        }
      }
    }
    return left
  }

  private static func firstDifference(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> Int {
    Int(nc_first_difference(a.baseAddress, b.baseAddress, Int64(range.lowerBound), Int64(range.upperBound)))
  }
}
