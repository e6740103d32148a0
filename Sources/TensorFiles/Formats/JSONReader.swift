/// Reads JSON (RFC 8259) strictly and as a stream: the caller says what it expects next, so nothing is built that
/// it did not ask for. Foundation's reader does not see duplicate keys.
struct JSONReader {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// The error that the header is `reason`.
  func error(_ reason: String) -> TensorFileError { TensorFileError(path, "header \(reason)") }

  private func expected(_ what: String) -> TensorFileError {
    guard position < bytes.count else { return error("ends at byte \(position), where it needs \(what)") }
    return error("is invalid JSON: needs \(what) at byte \(position)")
  }

  /// An object; `member` reads the value of the key it is given. A key that comes twice is an error.
  mutating func object(_ member: (inout JSONReader, String) throws -> Void) throws {
    guard take("{") else { throw expected("'{'") }
    var keys: Set<Spelling> = []
    if take("}") { return }
    repeat {
      let key = try string()
      guard keys.insert(Spelling(key)).inserted else { throw error("has the key \(key.quoted) twice") }
      guard take(":") else { throw expected("':'") }
      try member(&self, key)
    } while take(",")
    guard take("}") else { throw expected("',' or '}'") }
  }

  /// An array of integers from 0 to 2^63 − 1, at most `limit` of them.
  mutating func integers(limit: Int, _ what: String) throws -> [Int] {
    guard take("[") else { throw expected("the array \(what)") }
    var values: [Int] = []
    if take("]") { return values }
    repeat {
      guard values.count < limit else { throw error("has more than \(limit) numbers in \(what)") }
      values.append(try integer(what))
    } while take(",")
    guard take("]") else { throw expected("',' or ']'") }
    return values
  }

  /// Passes over `null`, if that is next.
  mutating func null() -> Bool { takeWord("null") }

  /// Passes over any value.
  mutating func skipValue(depth: Int = 0) throws {
    guard depth < Self.maximumDepth else { throw error("nests deeper than \(Self.maximumDepth)") }
    skipSpace()
    guard position < bytes.count else { throw expected("a value") }
    switch bytes[position] {
    case UInt8(ascii: "{"): try object { reader, _ in try reader.skipValue(depth: depth + 1) }
    case UInt8(ascii: "["):
      position += 1
      if take("]") { return }
      repeat { try skipValue(depth: depth + 1) } while take(",")
      guard take("]") else { throw expected("',' or ']'") }
    case UInt8(ascii: "\""): _ = try string()
    default:
      if takeWord("true") || takeWord("false") || null() { return }
      let start = position
      while position < bytes.count, Self.numberBytes.contains(bytes[position]) { position += 1 }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      guard text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil else {
        position = start
        throw expected("a value")
      }
    }
  }

  /// What `read` makes of what comes next, which stays to be read.
  func peeking<T>(_ read: (inout JSONReader) throws -> T) throws -> T {
    var copy = self
    return try read(&copy)
  }

  /// Nobody nests deeper in what is passed over.
  private static let maximumDepth = 64
  private static let numberBytes = Set("+-.0123456789eE".utf8)

  private mutating func takeWord(_ word: StaticString) -> Bool {
    skipSpace()
    let length = word.utf8CodeUnitCount
    guard bytes.count - position >= length,
      bytes[position..<position + length].elementsEqual(
        UnsafeBufferPointer(start: word.utf8Start, count: length))
    else { return false }
    position += length
    return true
  }

  /// An integer from 0 to 2^63 − 1.
  mutating func integer(_ what: String) throws -> Int {
    skipSpace()
    let start = position
    if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
      throw error("has a negative number in \(what) at byte \(start)")
    }
    var value = 0
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(bytes[position] - 0x30))
      guard !overflow, !carry else { throw error("has a number beyond 64 bits in \(what) at byte \(start)") }
      value = sum
      position += 1
    }
    guard position > start else { throw expected("an integer") }
    if bytes[start] == 0x30, position > start + 1 {
      throw error("is invalid JSON: a number begins with 0 at byte \(start)")
    }
    if position < bytes.count,
      [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[position])
    {
      throw error("has a number in \(what) that is not an integer at byte \(start)")
    }
    return value
  }

  /// A number.
  mutating func number(_ what: String) throws -> Double {
    skipSpace()
    let start = position
    try skipValue()
    guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)) else {
      throw error("has no number in \(what) at byte \(start)")
    }
    return value
  }

  /// A string; NUL in it is an error.
  mutating func string() throws -> String {
    guard take("\"") else { throw expected("a string") }
    let start = position
    var text: [UInt8] = []
    var copied = position
    while true {
      guard position < bytes.count else { throw error("has a string that does not end, from byte \(start)") }
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        text.append(contentsOf: bytes[copied..<position])
        position += 1
        if byte == UInt8(ascii: "\"") { break }
        try escape(into: &text)
        copied = position
      } else if byte < 0x20 {
        throw error("is invalid JSON: a control character in a string at byte \(position)")
      } else {
        position += 1
      }
    }
    guard let string = text.withUnsafeBytes(validatedText) else {
      throw error("has a string that is not valid UTF-8 at byte \(start)")
    }
    guard !string.utf8.contains(0) else { throw error("has a string with NUL at byte \(start)") }
    return string
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard position < bytes.count else { throw expected("an escape") }
    let letter = bytes[position]
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      let start = position - 2
      var value = try fourDigits()
      if value >> 10 == 0x36 {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw error("has half a surrogate pair at byte \(start)") }
        position += 2
        let low = try fourDigits()
        guard low >> 10 == 0x37 else { throw error("has half a surrogate pair at byte \(start)") }
        value = 0x10000 + (value & 0x3ff) << 10 + low & 0x3ff
      }
      guard let scalar = Unicode.Scalar(value) else {
        throw error("has half a surrogate pair at byte \(start)")
      }
      text.append(contentsOf: Character(scalar).utf8)
    default: throw error("is invalid JSON: an unknown escape at byte \(position - 2)")
    }
  }

  private mutating func fourDigits() throws -> UInt32 {
    guard bytes.count - position >= 4 else {
      throw error("is invalid JSON: a cut escape at byte \(position)")
    }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw error("is invalid JSON: not a hexadecimal digit at byte \(position)")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  /// Checks that only spaces are left.
  mutating func end() throws {
    skipSpace()
    guard position == bytes.count else {
      throw error("has \(bytes.count - position) bytes of garbage after its JSON")
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return
      }
    }
  }
}
