/// Choices as text: numbers as hexadecimal floats, so that they are the same numbers on every machine, whole ones as such, lists in
/// brackets. `0x1p+0*12` stands for twelve of them.
public enum ChoiceText {
  /// The most choices that a text may stand for.
  public static let limit = 1 << 22

  /// `[ 0x1.8p+1 -inf 0x0p+0*4 ]`.
  public static func text(_ choices: [Choice]) -> String {
    var words: [String] = []
    var k = 0
    while k < choices.count {
      let choice = choices[k]
      var end = k + 1
      if choice.isLeaf { while end < choices.count && choices[end] == choice { end += 1 } }
      let word = word(choice)
      if end - k > 2 {
        words.append("\(word)*\(end - k)")
      } else {
        words += repeatElement(word, count: end - k)
      }
      k = end
    }
    return words.joined(separator: " ")
  }

  private static func word(_ choice: Choice) -> String {
    switch choice {
    case .integer(let n): "\(n)"
    case .float(let x): hex(x)
    case .open: "["
    case .close: "]"
    }
  }

  /// C's hexadecimal notation, exact: `-0x1.8p-3`, `inf`, `nan`.
  public static func hex(_ x: Double) -> String {
    if x.isNaN { return "nan" }
    let sign = x.sign == .minus ? "-" : ""
    if x.isInfinite { return sign + "inf" }
    if x == 0 { return sign + "0x0p+0" }
    var digits = String(x.significand.significandBitPattern, radix: 16)
    digits = String(repeating: "0", count: 13 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(sign)0x1\(digits.isEmpty ? "" : ".")\(digits)p\(x.exponent < 0 ? "" : "+")\(x.exponent)"
  }

  /// The choices of a text.
  ///
  /// - Throws: `ChoiceTextError` for what is none.
  public static func choices(_ text: some StringProtocol) throws(ChoiceTextError) -> [Choice] {
    var choices: [Choice] = []
    var depth = 0
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
      let parts = word.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
      guard let choice = Self.choice(parts[0]) else { throw .word(String(word.prefix(40))) }
      var count = 1
      if parts.count == 2 {
        guard choice.isLeaf, let n = Int(parts[1]), n > 0 else { throw .word(String(word.prefix(40))) }
        count = n
      }
      if choice == .open { depth += 1 }
      if choice == .close { depth -= 1 }
      guard depth >= 0 else { throw .brackets }
      guard count <= limit - choices.count else { throw .length }
      choices += repeatElement(choice, count: count)
    }
    guard depth == 0 else { throw .brackets }
    return choices
  }

  private static func choice(_ word: Substring) -> Choice? { choice(String(word)) }

  private static func choice(_ word: some StringProtocol) -> Choice? {
    switch word {
    case "[": return .open
    case "]": return .close
    case "inf": return .float(.infinity)
    case "-inf": return .float(-.infinity)
    case "nan": return .float(.nan)
    default: break
    }
    let digits = word.drop { $0 == "-" }
    if digits.hasPrefix("0x") {
      // An exponent beyond a Double's would read as infinity, or as 0.
      guard word.count - digits.count <= 1, let x = Double(String(word)), x.isFinite else { return nil }
      guard
        x != 0
          || !digits.dropFirst(2).prefix(while: { $0 != "p" }).contains(where: { $0 != "0" && $0 != "." })
      else { return nil }
      return .float(x)
    }
    return Int(String(word)).map { .integer($0) }
  }
}

/// Why a text is no list of choices.
public enum ChoiceTextError: Error, Hashable, CustomStringConvertible {
  /// A word that is no number and no bracket.
  case word(String)
  /// Brackets that do not match.
  case brackets
  /// More than there may be.
  case length

  public var description: String {
    switch self {
    case .word(let word): "'\(word)' is no hexadecimal float, whole number or bracket"
    case .brackets: "brackets that do not match"
    case .length: "more than \(ChoiceText.limit) numbers"
    }
  }
}
