import NumKit

/// Whether a kernel answers alike when it is asked again: where it does not, bits say little of how it computes.
enum Repetition {
  private static let times = 8

  /// What changes where nothing else does; nil where nothing was seen to.
  static func change(_ box: any RowBox) throws -> String? {
    var random = RandomSource(seed: 0x5e7, row: 0)
    let rows = (0..<4).map { k in
      RowProbe((0..<box.length).map { _ in box.format.round(random.normal()) }, place: min(k, box.length - 1))
    }
    return try change(rows, box.read)
  }

  static func change(_ box: any DotBox) throws -> String? {
    var random = RandomSource(seed: 0x5e7, row: 1)
    let rows = (0..<4).map { _ in
      DotProbe((0..<box.length).map { _ in box.format.round(random.normal()) })
    }
    return try change(rows, box.products)
  }

  private static func change<P>(_ probes: [P], _ ask: ([P]) throws -> [Double]) throws -> String? {
    let y = try ask((0..<times).flatMap { _ in probes })
    for k in probes.indices {
      let answers = Set((0..<times).map { y[$0 * probes.count + k].bitPattern })
      guard answers.count > 1 else { continue }
      let shown = answers.sorted().prefix(2).map { ProbeText.number(Double(bitPattern: $0)) }
      return "asked \(times) times about the same numbers it gives \(shown.joined(separator: " and "))"
    }
    return nil
  }

  /// Traits of a kernel whose answers change: none is known but that results are rounded at random.
  static func doubted(_ traits: [Trait], _ words: String) -> [Trait] {
    traits.map { $0.value == .word("stochastic") ? $0 : .undecided($0.name, words) }
  }
}
