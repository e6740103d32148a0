/// Something of which one option is to be taken, each with a size and a cost.
public struct AllocationOption: Sendable, Hashable {
  /// Bytes.
  public let bytes: Int
  /// What it costs, 0 or more; lower is better.
  public let cost: Double

  public init(bytes: Int, cost: Double) {
    self.bytes = bytes
    self.cost = cost
  }
}

/// One option of each of several items, of least total cost within a budget of bytes: the multiple-choice knapsack problem.
///
/// In two steps. (1) Over the lower convex hulls of the items' options the best fractional solution is found by taking steps in
/// the order of their cost per byte (Sinha and Zoltners 1979): that gives the price λ of a byte, and with it the Lagrangian bound
/// Σ min(cost + λ·bytes) − λ·budget, below which no solution costs. (2) An option whose reduced cost, cost + λ·bytes less the
/// least of its item, exceeds what lies between that bound and a known solution is in no better solution. What remains is solved
/// exactly by dynamic programming over the sums of bytes, states that cannot be better being dropped by the same bound. Where more
/// states remain than `stateLimit`, those of least reduced cost are kept, and the answer is within a proven gap instead.
public struct Allocation: Sendable {
  /// The option taken of each item.
  public let choice: [Int]
  /// The sum of their sizes.
  public let bytes: Int
  /// The sum of their costs.
  public let cost: Double
  /// What no choice within the budget costs less than, up to the rounding of sums; `cost` itself where `isOptimal`.
  public let lowerBound: Double
  /// Whether this is proven to be the least.
  public let isOptimal: Bool
  /// What a byte more would save, at the margin: the price λ. 0 where the budget binds nothing.
  public let price: Double

  /// How far above the least possible `cost` may be, relative to it.
  public var gap: Double {
    isOptimal || cost <= lowerBound ? 0 : lowerBound > 0 ? (cost - lowerBound) / lowerBound : .infinity
  }

  /// Chooses. Every item must have an option; throws `AllocationError` where even the smallest do not fit.
  public init(_ items: [[AllocationOption]], budget: Int, stateLimit: Int = 1 << 17) throws {
    let hulls = items.map(Self.hull)
    let smallest = zip(items, hulls).reduce(0) { $0 + $1.0[$1.1[0]].bytes }
    guard smallest <= budget else { throw AllocationError(least: smallest, budget: budget) }

    let relaxed = Relaxation(items, hulls, budget: budget)
    price = relaxed.price
    var (best, bytes, cost) = (relaxed.choice, relaxed.bytes, relaxed.cost)
    var bound = relaxed.bound
    var isOptimal = relaxed.isWhole
    if !isOptimal {
      var search = StateSearch(items, price: relaxed.price, budget: budget, limit: stateLimit)
      let found = search.run(gap: max(0, cost - bound))
      if let found, found.cost < cost { (best, bytes, cost) = (found.choice, found.bytes, found.cost) }
      isOptimal = !search.isCut
    }
    if isOptimal { bound = cost }
    (choice, self.bytes, self.cost, lowerBound) = (best, bytes, cost, min(bound, cost))
    self.isOptimal = isOptimal
  }

  /// The options on the lower convex hull of cost over bytes, from the smallest on: indices.
  static func hull(_ options: [AllocationOption]) -> [Int] {
    let order = options.indices.sorted {
      (options[$0].bytes, options[$0].cost, $0) < (options[$1].bytes, options[$1].cost, $1)
    }
    var hull: [Int] = []
    for k in order {
      let point = options[k]
      // Larger and no better is never taken.
      if let last = hull.last, point.cost >= options[last].cost { continue }
      while hull.count > 1 {
        let (a, b) = (options[hull[hull.count - 2]], options[hull[hull.count - 1]])
        let isAbove =
          (b.cost - a.cost) * Double(point.bytes - a.bytes) >= (point.cost - a.cost)
          * Double(b.bytes - a.bytes)
        guard isAbove else { break }
        hull.removeLast()
      }
      hull.append(k)
    }
    return hull
  }
}

/// The budget is smaller than the smallest options together.
public struct AllocationError: Error, Hashable, CustomStringConvertible {
  /// What they take.
  public let least: Int
  /// What there was.
  public let budget: Int

  public init(least: Int, budget: Int) { (self.least, self.budget) = (least, budget) }

  public var description: String {
    "the smallest options take \(least) bytes, more than the budget of \(budget)"
  }
}

/// The best fractional solution, a whole one near it, and the bound below both.
private struct Relaxation {
  private(set) var choice: [Int]
  private(set) var bytes: Int
  private(set) var cost: Double
  private(set) var price = 0.0
  private(set) var bound: Double
  /// Whether no item had to be split: then it is the best there is.
  private(set) var isWhole = true

  private struct Step {
    let item: Int
    let place: Int
    let slope: Double
  }

  init(_ items: [[AllocationOption]], _ hulls: [[Int]], budget: Int) {
    choice = hulls.map { $0[0] }
    bytes = zip(items, choice).reduce(0) { $0 + $1.0[$1.1].bytes }
    var steps: [Step] = []
    for (item, hull) in hulls.enumerated() {
      for place in hull.indices.dropFirst() {
        let (a, b) = (items[item][hull[place - 1]], items[item][hull[place]])
        steps.append(Step(item: item, place: place, slope: (a.cost - b.cost) / Double(b.bytes - a.bytes)))
      }
    }
    // The steepest first; of equals the item's own order, then the items'.
    steps.sort { ($1.slope, $0.item, $0.place) < ($0.slope, $1.item, $1.place) }
    var places = [Int](repeating: 0, count: items.count)
    for step in steps where places[step.item] == step.place - 1 {
      let hull = hulls[step.item]
      let (a, b) = (items[step.item][hull[step.place - 1]], items[step.item][hull[step.place]])
      if bytes + b.bytes - a.bytes <= budget {
        bytes += b.bytes - a.bytes
        places[step.item] = step.place
        choice[step.item] = hull[step.place]
      } else if isWhole {
        (isWhole, price) = (false, step.slope)
      }
    }
    cost = zip(items, choice).reduce(0) { $0 + $1.0[$1.1].cost }
    bound = cost
    if !isWhole {
      let (each, price) = (items, price)
      bound =
        each.reduce(0) { $0 + ($1.map { $0.cost + price * Double($0.bytes) }.min() ?? 0) } - price
        * Double(budget)
    }
  }
}

/// Step 2: what remains after the bound, by sums of bytes.
private struct StateSearch {
  private let items: [[AllocationOption]]
  private let price: Double
  private let budget: Int
  private let limit: Int
  private(set) var isCut = false

  private struct State {
    var bytes: Int
    var cost: Double
    var reduced: Double
    var parent: Int32
    var option: Int32
  }

  init(_ items: [[AllocationOption]], price: Double, budget: Int, limit: Int) {
    (self.items, self.price, self.budget, self.limit) = (items, price, budget, limit)
  }

  /// The best choice whose reduced cost is at most `gap`; nil where there is none.
  mutating func run(gap: Double) -> (choice: [Int], bytes: Int, cost: Double)? {
    // Sums of some hundred numbers: their rounding must drop no state that is as good.
    let slack = gap + 1e-12 * items.reduce(0) { $0 + ($1.map(\.cost).max() ?? 0) }
    let rest = items.reversed().reduce(into: [0]) { sums, options in
      sums.append(sums[sums.count - 1] + (options.map(\.bytes).min() ?? 0))
    }
    var levels: [[State]] = []
    var states = [State(bytes: 0, cost: 0, reduced: 0, parent: -1, option: -1)]
    for (item, options) in items.enumerated() {
      let values = options.map { $0.cost + price * Double($0.bytes) }
      let least = values.min() ?? 0
      let kept = options.indices.filter { values[$0] - least <= slack }
      let room = budget - rest[items.count - item - 1]
      var next: [State] = []
      next.reserveCapacity(states.count * kept.count)
      for (parent, state) in states.enumerated() {
        for k in kept {
          let reduced = state.reduced + values[k] - least
          let bytes = state.bytes + options[k].bytes
          guard reduced <= slack, bytes <= room else { continue }
          next.append(
            State(
              bytes: bytes, cost: state.cost + options[k].cost, reduced: reduced, parent: Int32(parent),
              option: Int32(k)))
        }
      }
      // Of as many bytes or more, only what costs less can be part of the best.
      next.sort { ($0.bytes, $0.cost, $0.parent, $0.option) < ($1.bytes, $1.cost, $1.parent, $1.option) }
      var pruned: [State] = []
      for state in next where pruned.isEmpty || state.cost < pruned[pruned.count - 1].cost {
        pruned.append(state)
      }
      if pruned.count > limit {
        isCut = true
        pruned.sort { ($0.reduced, $0.bytes) < ($1.reduced, $1.bytes) }
        pruned.removeLast(pruned.count - limit)
        pruned.sort { ($0.bytes, $0.cost) < ($1.bytes, $1.cost) }
      }
      if pruned.isEmpty { return nil }
      levels.append(pruned)
      states = pruned
    }
    guard let end = states.indices.min(by: { (states[$0].cost, $0) < (states[$1].cost, $1) }) else {
      return nil
    }
    var choice = [Int](repeating: 0, count: items.count)
    var place = end
    for item in items.indices.reversed() {
      choice[item] = Int(levels[item][place].option)
      place = Int(levels[item][place].parent)
    }
    return (choice, states[end].bytes, states[end].cost)
  }
}
