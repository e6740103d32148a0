/// A matrix of a model, and what each scheme costs it.
public struct PlanTensor: Sendable {
  /// The name in the model.
  public let name: String
  /// The type of its elements in the file, and the bytes that they take there: what is kept costs nothing.
  public let type: String
  public let storedBytes: Int
  /// Whether it can stay as it is, where it goes.
  public var canStay = true
  /// What schemes cost.
  public let costs: SampledCosts

  public init(name: String, type: String, storedBytes: Int, costs: SampledCosts) {
    (self.name, self.type, self.storedBytes, self.costs) = (name, type, storedBytes, costs)
  }

  /// The number of elements.
  public var count: Int { costs.rows * costs.columns }

  /// Schemes that lose no number and no scale, and keeping it as it is, of schemes of one name the last.
  var options: [SampledCost] {
    let schemes = costs.costs.filter { $0.faults == 0 && !$0.noise.isNaN }
    guard canStay else { return schemes }
    return schemes.filter { $0.scheme != type } + [SampledCost(scheme: type, bytes: storedBytes, noise: 0)]
  }

  /// Whether there is nothing to choose for it: no scheme fits, and it cannot stay.
  public var isStranded: Bool { options.isEmpty }
}

/// A tensor that no scheme is for.
public struct PlanKept: Sendable {
  public let name: String
  public let count: Int
  public let bytes: Int
  public let reason: String

  public init(name: String, count: Int, bytes: Int, reason: String) {
    (self.name, self.count, self.bytes, self.reason) = (name, count, bytes, reason)
  }
}

/// How much a tensor's relative error matters beside those of others.
public struct PlanSensitivity: Sendable {
  /// Names that are spoken of, `*` and `?` matching, and what their errors are multiplied with; the last that fits counts.
  public let rules: [(pattern: String, factor: Double)]

  public init(rules: [(pattern: String, factor: Double)] = []) { self.rules = rules }

  /// The factor of a tensor of a model of so many layers. Without a rule 1 within layers and `layers` outside them: what a layer
  /// adds is one of as many summands of what the last norm sees, while all of that goes through embeddings and the head.
  public func factor(_ name: String, layers: Int) -> Double {
    let scalars = Array(name.unicodeScalars)
    if let rule = rules.last(where: { SchemeRegistry.matches(scalars, Array($0.pattern.unicodeScalars)) }) {
      return rule.factor
    }
    return ModelPlace(name).layer == nil ? Double(max(1, layers)) : 1
  }
}

/// Which scheme each matrix of a model is to have, so that the whole keeps a budget at the least cost.
///
/// The cost is Σ α t² over the matrices, t² the relative squared error of one (of itself, or of its products), α its sensitivity:
/// that the loss of a model grows in proportion to such a sum is the linearity theorem of Malinovskii et al. (arXiv 2411.17525).
public struct QuantizationPlan: Sendable {
  /// What one matrix is to have.
  public struct Entry: Sendable {
    public let tensor: PlanTensor
    public let place: ModelPlace
    /// α.
    public let sensitivity: Double
    /// What is taken.
    public let taken: SampledCost
    /// What would be taken next at the same price of a byte; nil where there is nothing else.
    public let runnerUp: SampledCost?
    /// The share of the whole's cost that it has.
    public let share: Double

    public var name: String { tensor.name }
    /// Whether it stays as it is.
    public var isKept: Bool { tensor.canStay && taken.scheme == tensor.type }
    /// Bits an element.
    public var bits: Double { Self.bits(taken, tensor.count) }

    public static func bits(_ cost: SampledCost, _ count: Int) -> Double {
      Double(8 * cost.bytes) / Double(max(1, count))
    }
  }

  /// The matrices, in the order given.
  public let entries: [Entry]
  /// What no scheme is for.
  public let kept: [PlanKept]
  /// The budget in bytes.
  public let budget: Int
  /// How it was found.
  public let allocation: Allocation
  private let items: [[AllocationOption]]
  private let factors: [Double]

  /// The plan of least cost whose tensors, kept ones included, take `budget` bytes at most. Throws `AllocationError` where the smallest
  /// schemes take more.
  public init(
    _ tensors: [PlanTensor], kept: [PlanKept], budget: Int, sensitivity: PlanSensitivity = PlanSensitivity()
  ) throws {
    let layers = Set(tensors.compactMap { ModelPlace($0.name).layer }).count
    let factors = tensors.map { sensitivity.factor($0.name, layers: layers) }
    let options = tensors.map(\.options)
    let items = zip(options, factors).map { list, factor in
      list.map { AllocationOption(bytes: $0.bytes, cost: factor * $0.noise) }
    }
    let keptBytes = kept.reduce(0) { $0 + $1.bytes }
    let allocation: Allocation
    do {
      allocation = try Allocation(items, budget: budget - keptBytes)
    } catch let error as AllocationError {
      throw AllocationError(least: error.least + keptBytes, budget: budget)
    }
    entries = tensors.indices.map { k in
      let taken = allocation.choice[k]
      // Reduced costs at the price of a byte; of equals the smaller.
      let next = items[k].indices.filter { $0 != taken }.min { a, b in
        func reduced(_ i: Int) -> Double { items[k][i].cost + allocation.price * Double(items[k][i].bytes) }
        return (reduced(a), items[k][a].bytes) < (reduced(b), items[k][b].bytes)
      }
      return Entry(
        tensor: tensors[k], place: ModelPlace(tensors[k].name), sensitivity: factors[k],
        taken: options[k][taken], runnerUp: next.map { options[k][$0] },
        share: allocation.cost > 0 ? items[k][taken].cost / allocation.cost : 0)
    }
    (self.kept, self.budget, self.allocation) = (kept, budget, allocation)
    (self.items, self.factors) = (items, factors)
  }

  /// The elements of all matrices.
  public var count: Int { entries.reduce(0) { $0 + $1.tensor.count } }
  /// What all take, kept tensors included.
  public var bytes: Int { allocation.bytes + keptBytes }
  /// Bits an element over the matrices.
  public var bits: Double { Double(8 * allocation.bytes) / Double(max(1, count)) }
  /// Bits an element over all, kept tensors included.
  public var wholeBits: Double {
    Double(8 * bytes) / Double(max(1, count + kept.reduce(0) { $0 + $1.count }))
  }
  /// −10·log10 of the mean α t² over the mean α, in dB: the SQNR of a matrix as all are together.
  public var sqnr: Double { decibels(allocation.cost) }
  /// The matrix with the largest relative error.
  public var worst: Entry? { entries.max { $0.taken.noise < $1.taken.noise } }

  /// What kept tensors take.
  public var keptBytes: Int { kept.reduce(0) { $0 + $1.bytes } }
  private func decibels(_ cost: Double) -> Double {
    SampledCost.decibels(cost / factors.reduce(0, +))
  }

  /// What the whole would be with another budget.
  public struct Point: Sendable {
    /// Bits an element over the matrices.
    public let bits: Double
    /// The whole's SQNR in dB.
    public let sqnr: Double
  }

  /// What so many bits an element more (or fewer) would give: the least cost, and the matrices that would change, those first whose
  /// cost changes most. nil where the smallest schemes take more.
  public func changed(byBits bits: Double) -> (point: Point, changes: [(entry: Entry, to: SampledCost)])? {
    let extra = Int((bits * Double(count) / 8).rounded(.down))
    guard let other = try? Allocation(items, budget: budget + extra - keptBytes) else { return nil }
    let changed = items.indices.filter { other.choice[$0] != allocation.choice[$0] }.sorted {
      func saved(_ k: Int) -> Double {
        (items[k][allocation.choice[k]].cost - items[k][other.choice[k]].cost).magnitude
      }
      return (saved($1), $0) < (saved($0), $1)
    }
    return (
      point(other), changed.map { (entries[$0], entries[$0].tensor.options[other.choice[$0]]) }
    )
  }

  private func point(_ allocation: Allocation) -> Point {
    Point(
      bits: Double(8 * allocation.bytes) / Double(max(1, count)), sqnr: decibels(allocation.cost))
  }

  /// What bits buy: the least cost over budgets from the smallest schemes to keeping everything, at most `count` points, bits
  /// ascending.
  public func curve(_ points: Int = 40) -> [Point] {
    let least = items.reduce(0) { $0 + ($1.map(\.bytes).min() ?? 0) }
    let most = min(items.reduce(0) { $0 + ($1.map(\.bytes).max() ?? 0) }, 2 * allocation.bytes)
    guard points > 1, most > least else { return [point(allocation)] }
    var list: [Point] = []
    for k in 0..<points {
      let budget = least + Int(Double(most - least) * Double(k) / Double(points - 1))
      // A whole solution near the fractional one is enough for a picture.
      guard let found = try? Allocation(items, budget: budget, stateLimit: 64) else { continue }
      let point = point(found)
      if point.bits > list.last?.bits ?? 0 { list.append(point) }
    }
    return list
  }

  /// The same scheme for every matrix, of those that fit all of them.
  public func uniform() -> [(scheme: String, point: Point)] {
    guard let first = entries.first else { return [] }
    return first.tensor.costs.costs.compactMap { candidate in
      var (bytes, cost) = (0, 0.0)
      for entry in entries {
        guard let one = entry.tensor.costs.costs.first(where: { $0.scheme == candidate.scheme }),
          one.faults == 0,
          !one.noise.isNaN
        else { return nil }
        bytes += one.bytes
        cost += entry.sensitivity * one.noise
      }
      return (
        candidate.scheme,
        Point(bits: Double(8 * bytes) / Double(max(1, count)), sqnr: decibels(cost))
      )
    }
  }

  /// Entries together, by something that they have in common.
  public struct Group: Sendable {
    public let name: String
    public let entries: [Entry]
    public var count: Int { entries.reduce(0) { $0 + $1.tensor.count } }
    public var bytes: Int { entries.reduce(0) { $0 + $1.taken.bytes } }
    public var bits: Double { Double(8 * bytes) / Double(max(1, count)) }
    /// The mean relative error of its matrices in dB.
    public var sqnr: Double {
      SampledCost.decibels(entries.reduce(0) { $0 + $1.taken.noise } / Double(max(1, entries.count)))
    }
    /// The share of the whole's cost.
    public var share: Double { entries.reduce(0) { $0 + $1.share } }
    public var worst: Entry? { entries.max { $0.taken.noise < $1.taken.noise } }
    /// How many matrices have each scheme, the most frequent first.
    public var schemes: [(scheme: String, count: Int)] {
      var counts: [String: Int] = [:]
      for entry in entries { counts[entry.taken.scheme, default: 0] += 1 }
      return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
  }

  /// By kind, those with the largest share of the cost first.
  public var byKind: [Group] {
    groups { $0.place.kind }.sorted { ($1.share, $0.name) < ($0.share, $1.name) }
  }

  /// By layer, ascending; what stands outside layers last.
  public var byLayer: [Group] {
    let layers = groups { $0.place.layer.map(String.init) ?? "" }
    return layers.sorted { (Int($0.name) ?? .max) < (Int($1.name) ?? .max) }
  }

  private func groups(_ name: (Entry) -> String) -> [Group] {
    var order: [String] = []
    var members: [String: [Entry]] = [:]
    for entry in entries {
      let name = name(entry)
      if members[name] == nil { order.append(name) }
      members[name, default: []].append(entry)
    }
    return order.map { Group(name: $0, entries: members[$0] ?? []) }
  }
}
