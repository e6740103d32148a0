import NumKit

/// One problem of `fixtures/options/attention.txt`.
public struct GoldenAttentionOptions: Sendable {
  public let shape: AttentionShape
  public fileprivate(set) var parameters: AttentionParameters
  /// What asks the same of `numcheck reference attention`, but for the tensors and the mask.
  public let flags: [String]
  public fileprivate(set) var q: [Double] = []
  public fileprivate(set) var k: [Double] = []
  public fileprivate(set) var v: [Double] = []
  /// Query after query, with its index among the query's outputs.
  public fileprivate(set) var outputs: [GoldenResult] = []
  /// Query after query, as f64 and f32.
  public fileprivate(set) var logSumExps: [GoldenResult] = []

  public static func all() throws -> (formats: [NumberFormat], problems: [GoldenAttentionOptions]) {
    var formats: [NumberFormat] = []
    var problems: [GoldenAttentionOptions] = []
    for line in try fixtureText("options/attention.txt").split(separator: "\n") {
      let words = line.split(separator: " ")
      let last = problems.count - 1
      let numbers = words.dropFirst().compactMap { Double($0) }
      switch words[0] {
      case "formats": formats = words.dropFirst().compactMap { DType(String($0))?.numberFormat }
      case "case": problems.append(try GoldenAttentionOptions(words.dropFirst().map(String.init)))
      case "q": problems[last].q = numbers
      case "k": problems[last].k = numbers
      case "v": problems[last].v = numbers
      case "m": problems[last].parameters.mask.additive = numbers
      case "r":
        guard let result = GoldenResult(words) else { throw UnreadableFixture(line: String(line)) }
        problems[last].outputs.append(result)
      case "s": problems[last].outputs[problems[last].outputs.count - 1].saturated = numbers
      case "l":
        problems[last].logSumExps.append(
          GoldenResult(special: Array(numbers[..<2]), saturated: Array(numbers[2..<4]), String(words[5])))
      default: throw UnreadableFixture(line: String(line))
      }
    }
    return (formats, problems)
  }

  private init(_ words: [String]) throws {
    var given: [String: String] = [:]
    for word in words {
      let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
      given[pair[0]] = pair[1]
    }
    func count(_ key: String, _ usual: Int) -> Int { given[key].flatMap { Int($0) } ?? usual }
    func number(_ key: String) -> Double? { given[key].flatMap { Double($0) } }
    shape = AttentionShape(
      heads: count("heads", 1), keyHeads: count("kv", 1), queries: count("queries", 1),
      keys: count("keys", 3),
      headSize: count("d", 1), valueSize: count("dv", 1))
    var p = AttentionParameters(scale: 1)
    var flags: [String] = []
    p.scale = given["scale"] == "auto" ? nil : number("scale") ?? 1
    flags.append("--scale=" + (given["scale"] ?? "none"))
    if let place = given["place"].flatMap({ AttentionParameters.Placement(rawValue: $0) }) {
      p.placement = place
      flags += ["--scale-at", place.rawValue]
    }
    if let cap = number("cap") {
      p.softcap = cap
      flags += ["--softcap", "\(cap)"]
    }
    if let kind = given["norm"].flatMap({ QueryKeyNorm.Kind(rawValue: $0) }) {
      p.norm = QueryKeyNorm(kind, epsilon: number("eps") ?? 0)
      flags += ["--qk-norm", "\(kind.rawValue):\(number("eps") ?? 0)"]
    }
    if let softmax = given["softmax"] {
      flags += ["--softmax", softmax]
      let numbers = softmax.split { $0 == ":" || $0 == "," }.compactMap { Double($0) }
      switch softmax.prefix(4) {
      case "one": p.softmax = .sink([0])
      case "sink": p.softmax = .sink(numbers)
      default: p.softmax = .clipped(lower: numbers[0], upper: numbers[1])
      }
    }
    if let policy = given["policy"].flatMap({ SpecialValues(rawValue: $0) }) {
      p.specialValues = policy
      flags += ["--policy", policy.rawValue]
    }
    p.mask = AttentionMask(
      causal: given["causal"] == "1", alignment: given["align"] == "top-left" ? .topLeft : .bottomRight,
      left: given["left"].flatMap { Int($0) }, right: given["right"].flatMap { Int($0) },
      sinks: count("sinks", 0), length: given["padding"].flatMap { Int($0) })
    if p.mask.causal { flags.append("--causal") }
    if p.mask.alignment == .topLeft { flags += ["--causal-alignment", "top-left"] }
    if let left = given["left"] { flags += ["--window", left + (given["right"].map { "," + $0 } ?? "")] }
    if let sinks = given["sinks"] { flags += ["--sinks", sinks] }
    if let padding = given["padding"] { flags += ["--padding", padding] }
    parameters = p
    self.flags = flags
  }
}
