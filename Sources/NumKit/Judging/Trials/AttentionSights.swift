import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// What was seen of a head's softmax.
struct HeadSight: Portable {
  var mass = ExactSum()
  var entropy = ExactSum()
  var rows = 0
  /// Its weights, where somebody asks for a picture.
  var map: WeightMap?

  mutating func merge(_ other: HeadSight) {
    mass.merge(other.mass)
    entropy.merge(other.entropy)
    rows += other.rows
    if let map = other.map { self.map?.merge(map) }
  }

  /// Of each head of `shape`.
  static func blank(_ shape: AttentionShape, mapped: Bool) -> [HeadSight] {
    var one = HeadSight()
    if mapped { one.map = WeightMap(queries: shape.queries, keys: shape.keys) }
    return Array(repeating: one, count: shape.heads)
  }

  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&mass)
    try c.carry(&entropy)
    try c.carry(count: &rows)
    if var map {
      try c.carry(&map)
      self.map = map
    }
  }
}

/// What attention has beside errors: sinks, entropy and saturation of each row's softmax, in truth.
struct AttentionSights: Observer {
  typealias Q = AttentionForward

  private let sinkTokens: Int
  private let gradientThreshold: Double
  private let format: NumberFormat
  private var heads: [HeadSight]
  /// The largest change of a true output by adding and taking away 0.3 in the output format.
  private(set) var slack = 0.0
  private(set) var regular = 0
  private(set) var saturated = 0

  init(_ experiment: AttentionExperiment, _ format: NumberFormat) {
    sinkTokens = experiment.sinkTokens
    gradientThreshold = experiment.gradientThreshold
    self.format = format
    heads = HeadSight.blank(experiment.tensors.shape, mapped: experiment.mapsWeights)
  }

  var wantsGivenProfiles: Bool { true }

  mutating func see(stored: Answered<AttentionForward>, given: Answered<AttentionForward>) {
    for t in stored.truths[0].rounded where t.isFinite {
      slack = Swift.max(slack, (format.round(format.round(t + 0.3) - 0.3) - t).magnitude)
    }
    // The softmax of the inputs as given.
    let (item, profile) = (given.item, given.profile)
    guard profile.isRegular else { return }
    // One key alone has no gradient whatever its score.
    if profile.keys.count > 1 || profile.sink != nil {
      regular += 1
      if profile.jacobianNorm < gradientThreshold { saturated += 1 }
    }
    var mass = 0.0
    for (place, j) in profile.keys.enumerated() where j < sinkTokens { mass += profile.probabilities[place] }
    heads[item.head].mass.add(mass)
    heads[item.head].entropy.add(profile.entropy)
    heads[item.head].rows += 1
    if heads[item.head].map != nil {
      heads[item.head].map?.note(query: item.query)
      for (place, j) in profile.keys.enumerated() {
        heads[item.head].map?.add(profile.probabilities[place], query: item.query, key: j)
      }
    }
  }

  mutating func merge(_ other: AttentionSights) {
    slack = Swift.max(slack, other.slack)
    regular += other.regular
    saturated += other.saturated
    for h in heads.indices { heads[h].merge(other.heads[h]) }
  }

  /// Each head's figures, in truth and as the baseline computed them.
  func heads(_ baseline: BaselineCandidate?) -> [AttentionMeasurement.Head] {
    heads.enumerated().map { h, head in
      let computed = baseline?.heads[h] ?? .init()
      func mean(_ sum: ExactSum, _ n: Int) -> Double { n == 0 ? .nan : sum.value / Double(n) }
      return AttentionMeasurement.Head(
        sinkMass: mean(head.mass, head.rows), computedSinkMass: mean(computed.mass, computed.rows),
        entropy: mean(head.entropy, head.rows), computedEntropy: mean(computed.entropy, computed.rows),
        weights: head.map, computedWeights: computed.map)
    }
  }
}

/// The baseline, whose probabilities are looked at.
struct BaselineCandidate: Candidate {
  typealias Q = AttentionForward

  private var kernel: AttentionCandidate
  private let queries: Int
  private let sinkTokens: Int
  private(set) var heads: [HeadSight]

  init(_ kernel: AttentionCandidate, _ shape: AttentionShape, sinkTokens: Int, mapsWeights: Bool = false) {
    self.kernel = kernel
    self.sinkTokens = sinkTokens
    queries = shape.queries
    heads = HeadSight.blank(shape, mapped: mapsWeights)
  }

  var name: String { kernel.name }

  func prepared() -> Self {
    var own = self
    own.kernel = kernel.prepared()
    return own
  }

  mutating func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    var heads = self.heads
    let (queries, sinkTokens) = (queries, sinkTokens)
    try kernel.prepare(item, &trace) { row, firstKey, p in
      var mass = 0.0
      var entropy = 0.0
      for (i, x) in p.enumerated() {
        if firstKey + i < sinkTokens { mass += x }
        if x > 0 { entropy -= x * Double.log(x) }
      }
      guard mass.isFinite, entropy.isFinite else { return }
      heads[row / queries].mass.add(mass)
      heads[row / queries].entropy.add(entropy)
      heads[row / queries].rows += 1
      if heads[row / queries].map != nil {
        heads[row / queries].map?.note(query: row % queries)
        for (i, x) in p.enumerated() {
          heads[row / queries].map?.add(x, query: row % queries, key: firstKey + i)
        }
      }
    }
    self.heads = heads
    kernel.copy(item, into: results)
  }

  func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    kernel.unit(of: part, results: results)
  }

  mutating func merge(_ other: BaselineCandidate) {
    kernel.merge(other.kernel)
    for h in heads.indices { heads[h].merge(other.heads[h]) }
  }
}

extension AttentionSights: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(fixed: &heads) { try $0.carry(&$1) }
    try c.carry(&slack)
    try c.carry(count: &regular)
    try c.carry(count: &saturated)
  }
}

extension BaselineCandidate: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&kernel)
    try c.carry(fixed: &heads) { try $0.carry(&$1) }
  }
}
