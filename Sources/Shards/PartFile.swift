import Foundation

/// What one part of a run has found, as a file: all parts together make the report of the whole.
package struct PartFile: Codable, Sendable, Equatable {
  /// What was gathered of one piece of work.
  package struct Record: Codable, Sendable, Equatable {
    /// What it is, for messages.
    package let name: String
    /// How many units all parts have, and which of them this one did.
    package let units: Int
    package let first: Int
    package let end: Int
    /// What was found of them, as `Carrier` wrote it, in Base64; nil where they could not be worked on.
    package let state: Data?

    package init(name: String, units: Int, range: Range<Int>, state: [UInt8]?) {
      (self.name, self.units, first, end) = (name, units, range.lowerBound, range.upperBound)
      self.state = state.map { Data($0) }
    }
  }

  /// A file that was read.
  package struct Input: Codable, Sendable, Equatable, Hashable {
    package let path: String
    package let bytes: Int
    /// Of its size and of pages all over it.
    package let fingerprint: String

    package init(path: String, bytes: Int, fingerprint: String) {
      (self.path, self.bytes, self.fingerprint) = (path, bytes, fingerprint)
    }
  }

  package static let schema = "numcheck-part/1"

  package let schema: String
  /// Of the program that wrote it.
  package let version: String
  /// The command line without what only says which part this is.
  package let arguments: [String]
  package let shard: Shard
  package let inputs: [Input]
  package let records: [Record]
  /// Of all the rest.
  package private(set) var checksum = ""

  package init(
    version: String, arguments: [String], shard: Shard, inputs: [Input], records: [Record]
  ) {
    schema = Self.schema
    (self.version, self.arguments, self.shard) = (version, arguments, shard)
    self.inputs = inputs.sorted { ($0.path, $0.fingerprint) < ($1.path, $1.fingerprint) }
    self.records = records
    checksum = ownChecksum
  }

  /// As text, a field a line.
  package var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    // All of it is text and whole numbers, which JSON can say.
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) + "\n" } ?? ""
  }

  /// Reads what `text` wrote; `file` is what messages call it. Throws `PartError` for anything else.
  package init(parsing data: Data, file: String, version: String) throws {
    struct Head: Decodable { let schema: String, version: String }
    guard let head = try? JSONDecoder().decode(Head.self, from: data) else {
      throw PartError("\(file): is no part of a run: 'numcheck ... --shard I/N --save FILE' writes one")
    }
    guard head.schema == Self.schema else {
      throw PartError("\(file): is of the format '\(head.schema)', this is '\(Self.schema)'")
    }
    guard head.version == version else {
      throw PartError("\(file): is of version \(head.version), this is \(version)")
    }
    guard let part = try? JSONDecoder().decode(PartFile.self, from: data), part.checksum == part.ownChecksum,
      1...Shard.limit ~= part.shard.count, 1...part.shard.count ~= part.shard.index
    else { throw PartError("\(file): is damaged") }
    self = part
  }

  private var ownChecksum: String {
    var sum = Checksum()
    func add(_ text: String) { sum.add(Array(text.utf8)) }
    func add(_ number: Int) { add("\(number)") }
    for text in [schema, version] + arguments { add(text) }
    add(shard.text)
    for input in inputs {
      add(input.path)
      add(input.bytes)
      add(input.fingerprint)
    }
    for record in records {
      add(record.name)
      for number in [record.units, record.first, record.end] { add(number) }
      if let state = record.state { sum.add([UInt8](state)) } else { add("none") }
    }
    return sum.text
  }
}

/// A checksum of pieces of bytes: FNV-1a of 64 bits, each piece with its length.
package struct Checksum: Sendable {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func add(_ bytes: some Collection<UInt8>) {
    add(UInt64(bytes.count))
    for byte in bytes { add(byte) }
  }

  package mutating func add(_ number: UInt64) {
    for k in 0..<8 { add(UInt8(truncatingIfNeeded: number >> UInt64(8 * k))) }
  }

  private mutating func add(_ byte: UInt8) {
    state = (state ^ UInt64(byte)) &* 0x100_0000_01b3
  }

  package var text: String {
    let digits = String(state, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// Why parts cannot be put together.
package struct PartError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
