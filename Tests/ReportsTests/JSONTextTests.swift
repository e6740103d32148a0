import Foundation
import Testing

import Reports

@Suite struct JSONTextTests {
  private static let value: JSONValue = .object([
    "a": .integer(1), "list": .list((0..<40).map { .integer($0) }), "empty": .list([]), "none": .members([]),
    "names": .list(Samples.hostile.map { .text($0) }),
    "short": .object(["x": .number(0.5), "y": .list([.flag(true), .none])]),
  ])

  /// What stands on one line is what stood on several.
  @Test(arguments: [0, 1, 20, 60, 110, 100_000]) func widthChangesNothing(_ width: Int) throws {
    func object(_ text: String) throws -> NSDictionary {
      try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
    }
    let text = JSONText.of(Self.value, width: width)
    #expect(try object(text) == object(JSONText.of(Self.value)))
    if width == 100_000 { #expect(text.count(where: { $0 == "\n" }) == 1) }
  }

  @Test func shortOnesStandOnOneLineOfTheWidth() {
    let lines = JSONText.of(Self.value, width: 60).split(separator: "\n")
    #expect(lines.contains(#"  "short": { "x": 0.5, "y": [true, null] }"#))
    #expect(lines.filter { $0.hasSuffix("],") || $0.hasSuffix("},") }.allSatisfy { $0.utf8.count <= 60 })
  }
}
