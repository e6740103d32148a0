import NumKit
import TestSupport
import Testing

/// The tables of `fixtures/formats`, on which gfloat, ml_dtypes and a plain comparison of fractions agree.
@Suite struct FormatGoldenTests {
  static let names = [
    "f8e3m4",
    "f8e4m3fn", "f8e5m2", "f8e4m3fnuz", "f8e5m2fnuz", "f6e3m2", "f6e2m3", "f4e2m1", "e8m0", "bf16", "f16",
    "tf32",
  ]

  /// The sections of a table: `values N` and `rounding N`, with N lines each.
  static func sections(_ name: String) throws -> [String: [Substring]] {
    let lines = try fixtureText("formats/\(name).txt").split(separator: "\n")
    var result: [String: [Substring]] = [:]
    var i = 0
    while i < lines.count {
      let head = lines[i].split(separator: " ")
      let count = try #require(head.count == 2 ? Int(head[1]) : nil)
      try #require(i + 1 + count <= lines.count)
      result[String(head[0])] = Array(lines[(i + 1)..<(i + 1 + count)])
      i += 1 + count
    }
    return result
  }

  @Test(arguments: names)
  func everyCodeHasItsValue(name: String) throws {
    let format = try #require(FormatRegistry.format(name))
    guard let values = try Self.sections(name)["values"] else {
      try #require(format.bitWidth > 8)
      return
    }
    try #require(values.count == format.codes.count)
    for (code, text) in zip(format.codes, values) {
      let value = try #require(Double(text))
      #expect(same(format.decode(code), value), "code \(code)")
      if !value.isNaN {
        #expect(format.encode(value) == code)
        #expect(format.encode(value, overflow: .saturate) == (value.isInfinite ? code - 1 : code))
        #expect(same(format.round(value), value))
      }
    }
    let finite = try values.map { try #require(Double($0)) }.filter(\.isFinite)
    #expect(finite.max() == format.largestFinite)
    #expect(finite.filter { $0 > 0 }.min() == format.smallestPositive)
  }

  @Test(arguments: names)
  func everyBoundaryRoundsAsItShould(name: String) throws {
    let format = try #require(FormatRegistry.format(name))
    let cases = try #require(try Self.sections(name)["rounding"])
    for line in cases {
      let fields = line.split(separator: " ")
      try #require(fields.count == 3)
      let x = try #require(Double(fields[0]))
      for (overflow, text) in zip([Overflow.special, .saturate], fields[1...]) {
        let code = try #require(UInt64(text, radix: 16))
        #expect(format.encode(x, overflow: overflow) == code, "\(line), \(overflow)")
        #expect(same(format.round(x, overflow: overflow), format.decode(code)), "\(line), \(overflow)")
      }
    }
  }

  @Test func noFormatOfUpTo19BitsLacksATable() {
    #expect(Set(FormatRegistry.floats.filter { $0.bitWidth < 32 }.map(\.name)) == Set(Self.names))
  }
}
