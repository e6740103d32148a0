import NumKit

/// A property that does not hold, with the simplest value found of which it does not.
public struct PropertyFailure: Error, CustomStringConvertible {
  /// The test's name, and the property's.
  public let name: String
  public let property: String
  /// What is wrong with the value.
  public let violation: Violation
  /// What the value is made from.
  public let choices: [Choice]
  let formats: [(from: Int, format: NumberFormat)]
  /// Where it was found: a seed, and which of its values; nil for one that failed before.
  public let seed: UInt64
  public let run: Int?
  /// What it was found as, before it was shrunk.
  public let given: [Choice]
  /// How many steps were taken from there.
  public let shrinkSteps: Int
  /// Where it was kept, or why it was not.
  public internal(set) var savedIn: String?
  public internal(set) var notSaved: String?

  /// How many numbers are shown.
  static let shown = 16

  public var description: String {
    var lines = ["\(name): \(property): \(violation.message)"]
    lines.append("  value   \(listed { Self.decimal($0) } integers: { "\($0)" })")
    lines.append("  hex     \(listed { x in ChoiceText.hex(x) } integers: { "\($0)" })")
    let names = formats.map(\.format.name)
    let unique = names.indices.filter { !names[..<$0].contains(names[$0]) }.map { names[$0] }
    if !unique.isEmpty { lines.append("  bits    \(bits) (\(unique.joined(separator: ", ")))") }
    let before = given.count(where: \.isLeaf)
    let after = choices.count(where: \.isLeaf)
    let found = run.map { "value \($0) of seed \(seed)" } ?? "a failure of before"
    lines.append(
      "  found   \(found), \(before) numbers, shrunk to \(after) in \(shrinkSteps) steps")
    let text = ChoiceText.text(choices)
    // An argument of a command is at most 128 KiB long.
    if text.utf8.count <= 1 << 16 {
      lines.append("  replay  STABILITY_REPLAY='\(text)' swift test --filter \(testName)")
    }
    lines.append("  again   STABILITY_SEED=\(seed) swift test --filter \(testName)")
    if let savedIn { lines.append("  kept in \(savedIn)") }
    if let notSaved { lines.append("  not kept: \(notSaved)") }
    return lines.joined(separator: "\n")
  }

  /// `softmax` of `softmax()`.
  private var testName: String { String(name.prefix { $0 != "(" }) }

  static func decimal(_ x: Double) -> String {
    if x.isNaN { return "nan" }
    return x == x.rounded() && x.magnitude < 1e15 && !(x == 0 && x.sign == .minus) ? "\(Int(x))" : "\(x)"
  }

  private func listed(_ float: (Double) -> String, integers: (Int) -> String) -> String {
    Self.joined(choices) { _, choice in
      switch choice {
      case .float(let x): float(x)
      case .integer(let n): integers(n)
      default: ""
      }
    }
  }

  private var bits: String {
    Self.joined(choices) { place, choice in
      guard case .float(let x) = choice, let format = formats.last(where: { $0.from <= place })?.format else {
        if case .integer(let n) = choice { return "\(n)" }
        return ""
      }
      let digits = String(format.encode(x), radix: 16)
      return "0x" + String(repeating: "0", count: max(0, (format.bitWidth + 3) / 4 - digits.count)) + digits
    }
  }

  /// `[1, 2, …]`, at most `shown` numbers, equal neighbours counted.
  private static func joined(_ choices: [Choice], _ word: (Int, Choice) -> String) -> String {
    var text = ""
    var count = 0
    var needsComma = false
    var k = 0
    while k < choices.count {
      let choice = choices[k]
      if choice == .close {
        text += "]"
        needsComma = true
        k += 1
        continue
      }
      if needsComma { text += ", " }
      needsComma = false
      if choice == .open {
        text += "["
        k += 1
        continue
      }
      var end = k + 1
      while end < choices.count && choices[end] == choice { end += 1 }
      let isRun = end - k > 4
      if !isRun { end = k + 1 }
      count += 1
      if count > shown { return text + "… \(choices.count(where: \.isLeaf)) numbers in all" }
      text += word(k, choice) + (isRun ? " \(end - k) times" : "")
      needsComma = true
      k = end
    }
    return text
  }
}
