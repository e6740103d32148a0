import NumKitNumbers

/// An element of a tensor and where it stands.
public struct TensorPlace: Sendable, Hashable {
  /// Its number, counted row by row.
  public let index: Int
  /// Its row: the token.
  public let row: Int
  /// Its column: the channel.
  public let column: Int
  /// Its value.
  public let value: Float

  /// |value|.
  public var magnitude: Float { value.magnitude }

  init(index: Int, columns: Int, value: Float) {
    self.index = index
    row = index / columns
    column = index % columns
    self.value = value
  }
}

/// The k largest magnitudes; of equal ones those that come first.
struct LargestPlaces: Sendable {
  let limit: Int
  private(set) var entries: [(index: Int, value: Float)] = []

  init(limit: Int) { self.limit = limit }

  /// Bits of the magnitude that an element must at least have to be taken.
  var threshold: Int32 {
    guard limit > 0 else { return .max }
    return entries.count < limit ? 0 : Int32(bitPattern: entries[limit - 1].value.magnitude.bitPattern)
  }

  mutating func add(_ index: Int, _ value: Float) {
    if limit == 0 { return }
    func precedes(_ e: (index: Int, value: Float)) -> Bool {
      value.magnitude > e.value.magnitude || value.magnitude == e.value.magnitude && index < e.index
    }
    if entries.count == limit {
      guard precedes(entries[limit - 1]) else { return }
      entries.removeLast()
    }
    var place = entries.count
    while place > 0 && precedes(entries[place - 1]) { place -= 1 }
    entries.insert((index, value), at: place)
  }

  mutating func merge(_ other: LargestPlaces) {
    for e in other.entries { add(e.index, e.value) }
  }
}

extension LargestPlaces: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&entries, blank: (index: 0, value: 0)) {
      try $0.carry(count: &$1.index)
      try $0.carry(&$1.value)
    }
    guard entries.count <= limit else { throw CarrierError() }
  }
}
