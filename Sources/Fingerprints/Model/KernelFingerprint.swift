import NumKit

/// What was found of a kernel, small enough to be kept and compared.
package struct KernelFingerprint: Sendable, Equatable {
  package var operation: String
  /// Of inputs and results.
  package var dtype: String
  /// Terms of a sum.
  package var length: Int
  package var traits: [Trait]
  /// The tree of its sum, where all of it is known.
  package var tree: SumTree?
  /// Codes of results of fixed random inputs: what bits move is counted on them.
  package var sample: [UInt64]
  /// The largest error of those, in ulps of their format, against what Double gives.
  package var sampleUlp: Double
  /// How many of those no right kernel gives; nil where no bound is derived.
  package var sampleWrong: Int?

  package init(
    operation: String, dtype: String, length: Int, traits: [Trait], tree: SumTree?, sample: [UInt64],
    sampleUlp: Double,
    sampleWrong: Int? = nil
  ) {
    (self.operation, self.dtype, self.length, self.traits) = (operation, dtype, length, traits)
    (self.tree, self.sample, self.sampleUlp, self.sampleWrong) = (tree, sample, sampleUlp, sampleWrong)
  }

  package subscript(name: String) -> Trait? { traits.first { $0.name == name } }
}

extension KernelFingerprint {
  /// That of a kernel of rows.
  package init(_ box: any RowBox) throws {
    let interview = RowInterview(box)
    for probe in RowInterview.probes { try probe(interview) }
    if let words = try Repetition.change(box) {
      interview.traits = Repetition.doubted(interview.traits, words)
      interview.tree = nil
    }
    let sample = try Sample(box, interview.traits)
    self.init(
      operation: box.kind.rawValue, dtype: box.format.name, length: box.length, traits: interview.traits,
      tree: interview.tree, sample: sample.codes, sampleUlp: sample.ulp, sampleWrong: sample.wrong)
  }

  /// That of a kernel of dot products.
  package init(_ box: any DotBox) throws {
    let interview = try Self.dots(box)
    let sample = try Sample(box, interview.traits)
    self.init(
      operation: "matmul", dtype: box.format.name, length: box.length, traits: interview.traits,
      tree: interview.tree, sample: sample.codes, sampleUlp: sample.ulp, sampleWrong: sample.wrong)
  }

  /// That of an attention: of its softmax, and of its product with the values.
  package init(_ box: any AttentionBox) throws {
    try self.init(AttentionRows(box))
    let p = try ProbabilityProbe(box: box).run()
    traits.append(p)
    if case .word(let name)? = p.value, DType(name)?.numberFormat != nil {
      // Through a cast results show no more of the exponents than it lets through.
      traits = traits.map { trait in
        guard trait.name == "compute", case .bits(let n)? = trait.value else { return trait }
        return Trait("compute", .atLeastBits(n), "\(trait.evidence); probabilities are cast to \(name)")
      }
    }
    guard box.keys & (box.keys - 1) == 0 else { return }
    let names = [
      "order": "value order", "accumulate": "value accumulate", "sum rounding": "value sum rounding",
    ]
    traits += try Self.dots(AttentionDots(box)).traits.compactMap { trait in
      names[trait.name].map { Trait($0, trait.value, trait.evidence) }
    }
  }

  private static func dots(_ box: any DotBox) throws -> DotInterview {
    let interview = DotInterview(box)
    for probe in DotInterview.probes { try probe(interview) }
    if let words = try Repetition.change(box) {
      interview.traits = Repetition.doubted(interview.traits, words)
      interview.tree = nil
    }
    return interview
  }
}

extension SumTree {
  /// Two leaves that meet first and one that comes later: the deepest two, and one beyond.
  func meeting(_ count: Int) -> (first: Int, second: Int, last: Int)? {
    guard count >= 3 else { return nil }
    var tree = self
    var others: [Int] = []
    while case .node(let parts) = tree {
      let deeper = parts.first { if case .node = $0 { true } else { false } }
      guard let deeper else {
        guard parts.count >= 2, case .leaf(let a) = parts[0], case .leaf(let b) = parts[1],
          let last = others.last
        else {
          return nil
        }
        return (a, b, last)
      }
      others = parts.filter { $0 != deeper }.flatMap(\.leaves).sorted()
      tree = deeper
    }
    return nil
  }
}
