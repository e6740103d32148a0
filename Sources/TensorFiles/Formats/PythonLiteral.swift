/// Reads the few Python literals of an .npy header: a dictionary of strings, booleans and tuples of integers.
struct PythonLiteral {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// The error that the header is `reason`.
  func error(_ reason: String) -> TensorFileError { TensorFileError(path, "header \(reason)") }

  /// The whole header: `{key: value, …}` and then only white space.
  mutating func dictionary(_ value: (inout PythonLiteral, String) throws -> Void) throws {
    try expect("{")
    while !skip("}") {
      let key = try string()
      try expect(":")
      try value(&self, key)
      if skip(",") { continue }
      try expect("}")
      break
    }
    skipSpace()
    guard position == bytes.count else {
      throw error("has \(bytes.count - position) bytes of garbage after its dictionary")
    }
  }

  /// A type string; a list is a structured dtype, which is refused.
  mutating func descr() throws -> String {
    skipSpace()
    if position < bytes.count, bytes[position] == UInt8(ascii: "[") || bytes[position] == UInt8(ascii: "(") {
      throw error("has a structured dtype, only plain numbers can be read")
    }
    return try string()
  }

  mutating func boolean() throws -> Bool {
    for (word, value) in [("True", true), ("False", false)] where skip(word) { return value }
    throw error("needs True or False at byte \(position)")
  }

  /// `()`, `(3,)`, `(3, 4)`; at most as many dimensions as NumPy allows.
  mutating func tuple() throws -> [Int] {
    try expect("(")
    var dimensions: [Int] = []
    while !skip(")") {
      guard dimensions.count < TensorInfo.maximumRank else {
        throw error("has a shape of more than \(TensorInfo.maximumRank) dimensions")
      }
      dimensions.append(try dimension())
      if skip(",") { continue }
      // Python's (3) is the number 3, no tuple.
      guard dimensions.count > 1 else {
        throw error("needs a comma after the only dimension at byte \(position)")
      }
      try expect(")")
      break
    }
    return dimensions
  }

  private mutating func dimension() throws -> Int {
    skipSpace()
    let start = position
    if skip("-") { throw error("has a negative dimension at byte \(start)") }
    var value = 0
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(bytes[position] - 0x30))
      guard !overflow, !carry else { throw error("has a dimension beyond 64 bits at byte \(start)") }
      value = sum
      position += 1
    }
    guard position > start else { throw error("needs a dimension at byte \(start)") }
    // Python 2 wrote long integers as 3L.
    if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
    return value
  }

  private mutating func string() throws -> String {
    skipSpace()
    let start = position
    guard position < bytes.count,
      bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\"")
    else { throw error("needs a string at byte \(position)") }
    let quote = bytes[position]
    guard let end = bytes[(position + 1)...].firstIndex(of: quote) else {
      throw error("has a string that does not end, from byte \(start)")
    }
    let content = UnsafeRawBufferPointer(rebasing: bytes[(position + 1)..<end])
    // Neither the keys nor the type strings of numbers hold anything else.
    guard content.allSatisfy({ (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }) else {
      throw error("has a string that is not plain ASCII at byte \(start)")
    }
    position = end + 1
    return String(decoding: content, as: UTF8.self)
  }

  private mutating func expect(_ text: StaticString) throws {
    guard skip("\(text)") else {
      let found = position < bytes.count ? "" : ", where it ends"
      throw error("needs '\(text)' at byte \(position)\(found)")
    }
  }

  private mutating func skip(_ text: String) -> Bool {
    skipSpace()
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0d).contains(bytes[position]) {
      position += 1
    }
  }
}
