/// Carries what counted work has gathered from one process to another: every field is named once, in one order, for writing and for
/// reading alike. Whole numbers take as many bytes as they need, floating-point numbers their bits, so that nothing is rounded.
package struct Carrier: Sendable {
  /// What was written, or is read.
  package private(set) var bytes: [UInt8]
  /// Whether fields are read; otherwise written.
  package let isReading: Bool
  private var place = 0

  /// To write into.
  package init() { (bytes, isReading) = ([], false) }

  /// To read from.
  package init(reading bytes: [UInt8]) { (self.bytes, isReading) = (bytes, true) }

  /// Throws where something is left to read: it was written by something else.
  package func finish() throws {
    if isReading && place != bytes.count { throw CarrierError() }
  }

  private mutating func next() throws -> UInt8 {
    guard place < bytes.count else { throw CarrierError() }
    place += 1
    return bytes[place - 1]
  }

  /// Seven bits a byte, the low ones first; the last byte has its top bit clear.
  package mutating func carry(_ x: inout UInt64) throws {
    guard isReading else {
      var rest = x
      while rest > 0x7f {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
      return
    }
    x = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = try next()
      // The tenth byte has one bit left.
      guard shift < 63 || byte <= 1 else { throw CarrierError() }
      x |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return }
    }
    throw CarrierError()
  }

  /// Small numbers of either sign take few bytes.
  package mutating func carry(_ x: inout Int64) throws {
    var folded = UInt64(bitPattern: x << 1 ^ x >> 63)
    try carry(&folded)
    if isReading { x = Int64(bitPattern: folded >> 1) ^ -Int64(bitPattern: folded & 1) }
  }

  package mutating func carry(_ x: inout Int) throws {
    var wide = Int64(x)
    try carry(&wide)
    x = Int(wide)
  }

  /// The most that can be counted: counts of all shards there may be add up to no more than an Int holds.
  private static let most = 1 << 50

  /// A number of something: what is read is 0 or more, and such that counts of many shards can be added.
  package mutating func carry(count x: inout Int) throws {
    try carry(&x)
    guard !isReading || (0...Self.most).contains(x) else { throw CarrierError() }
  }

  package mutating func carry(count x: inout UInt64) throws {
    try carry(&x)
    guard !isReading || x <= UInt64(Self.most) else { throw CarrierError() }
  }

  package mutating func carry(_ x: inout Int32) throws {
    var wide = Int64(x)
    try carry(&wide)
    guard let narrow = Int32(exactly: wide) else { throw CarrierError() }
    x = narrow
  }

  package mutating func carry(count x: inout UInt32) throws {
    var wide = UInt64(x)
    try carry(&wide)
    guard let narrow = UInt32(exactly: wide) else { throw CarrierError() }
    x = narrow
  }

  package mutating func carry(_ x: inout Bool) throws {
    var bit: UInt64 = x ? 1 : 0
    try carry(&bit)
    guard bit <= 1 else { throw CarrierError() }
    x = bit == 1
  }

  package mutating func carry(_ x: inout Double) throws {
    var bits = x.bitPattern
    try carry(&bits, count: 8)
    x = Double(bitPattern: bits)
  }

  package mutating func carry(_ x: inout Float) throws {
    var bits = UInt64(x.bitPattern)
    try carry(&bits, count: 4)
    x = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
  }

  private mutating func carry(_ bits: inout UInt64, count: UInt64) throws {
    var made: UInt64 = 0
    for k in 0..<count {
      if isReading {
        made |= UInt64(try next()) << (8 * k)
      } else {
        bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * k)))
      }
    }
    if isReading { bits = made }
  }

  package mutating func carry(_ text: inout String) throws {
    var count = text.utf8.count
    try carry(length: &count)
    guard isReading else { return bytes += Array(text.utf8) }
    guard let read = String(validating: bytes[place..<place + count], as: UTF8.self) else {
      throw CarrierError()
    }
    text = read
    place += count
  }

  /// How many elements follow, each of a byte or more: more than there are bytes would be an invitation to run out of memory.
  private mutating func carry(length: inout Int) throws {
    try carry(count: &length)
    guard !isReading || length <= bytes.count - place else { throw CarrierError() }
  }

  /// A list; what is read is read into copies of `blank`.
  package mutating func carry<Element>(
    _ list: inout [Element], blank: Element, _ each: (inout Carrier, inout Element) throws -> Void
  ) throws {
    var count = list.count
    try carry(length: &count)
    if isReading { list = Array(repeating: blank, count: count) }
    for k in list.indices { try each(&self, &list[k]) }
  }

  /// A list that has as many elements in every process.
  package mutating func carry<Element>(
    fixed list: inout [Element], _ each: (inout Carrier, inout Element) throws -> Void
  ) throws {
    var count = list.count
    try carry(&count)
    guard count == list.count else { throw CarrierError() }
    for k in list.indices { try each(&self, &list[k]) }
  }

  /// A list of counts most of which are 0, as many in every process.
  package mutating func carry(sparse list: inout [UInt64]) throws {
    var kept = list.indices.filter { list[$0] != 0 }
    try carry(&kept, blank: 0) { try $0.carry(count: &$1) }
    if isReading {
      for k in list.indices { list[k] = 0 }
      guard kept.allSatisfy(list.indices.contains) else { throw CarrierError() }
    }
    for k in kept { try carry(count: &list[k]) }
  }

  /// What may not be there; what is read is read into `blank`.
  package mutating func carry<Wrapped>(
    _ x: inout Wrapped?, blank: Wrapped, _ each: (inout Carrier, inout Wrapped) throws -> Void
  ) throws {
    var isThere = x != nil
    try carry(&isThere)
    guard isThere else { return x = nil }
    var value = x ?? blank
    try each(&self, &value)
    x = value
  }

  /// One of few cases, by its place among them.
  package mutating func carry<Case: Equatable>(_ x: inout Case, of all: [Case]) throws {
    guard var place = all.firstIndex(of: x) else { throw CarrierError() }
    try carry(&place)
    guard all.indices.contains(place) else { throw CarrierError() }
    x = all[place]
  }

  package mutating func carry(_ x: inout some Portable) throws { try x.carry(&self) }
}

/// What was read was not written by the same type.
package struct CarrierError: Error, CustomStringConvertible {
  package init() {}
  package var description: String { "what it holds is not what this command gathers" }
}

/// What counted work gathers, and can be carried to another process. Values are read into an instance that was made there in the same
/// way: what is no result (settings, sizes, buffers) is not carried.
package protocol Portable {
  /// Writes its fields, or reads them.
  mutating func carry(_ c: inout Carrier) throws
}

extension Portable {
  /// Its fields.
  package func carried() throws -> [UInt8] {
    var (c, copy) = (Carrier(), self)
    try copy.carry(&c)
    return c.bytes
  }

  /// Takes fields from what `carried` gave; throws where that was of another type.
  package mutating func restore(_ bytes: [UInt8]) throws {
    var c = Carrier(reading: bytes)
    try carry(&c)
    try c.finish()
  }
}
