/// Makes choices simpler as long as what is asked of them stays so: shorter lists, then zeros, small whole numbers, short significands.
///
/// Every step that is taken makes the list smaller in one order of all lists (`ChoiceSize`), so shrinking ends; it ends where no step of
/// any pass can be taken, so shrinking what was shrunk changes nothing. (Not where `limit` ended it.)
public struct Shrinker {
  /// The most lists that are tried.
  public var limit: Int
  /// How many were tried.
  public private(set) var attempts = 0
  /// How many steps were taken.
  public private(set) var steps = 0
  /// Whether it is time to end, whatever is left to do; never unless said otherwise.
  public var isLate: @Sendable () -> Bool = { false }
  /// Whether there may be more to do.
  public var isCutShort: Bool { attempts >= limit || isLate() }

  private var best: [Choice] = []
  private var size = ChoiceSize([])
  /// What was tried and did not do.
  private var refused: Set<UInt64> = []
  private var replay: ([Choice]) throws -> [Choice]? = { _ in nil }

  /// Tries at most `limit` lists.
  public init(limit: Int = 5000) { self.limit = limit }

  /// The simplest list found of which `isSame` still holds, as it does of `choices`.
  public mutating func shrink(_ choices: [Choice], while isSame: ([Choice]) throws -> Bool) throws -> [Choice]
  {
    try shrink(choices) { try isSame($0) ? $0 : nil }
  }

  /// The same where a list may come down to another: `replay` returns the choices that were asked for, nil where something else, or
  /// nothing, fails.
  public mutating func shrink(
    _ choices: [Choice], replaying replay: ([Choice]) throws -> [Choice]?
  ) throws -> [Choice] {
    try withoutActuallyEscaping(replay) { replay in
      self.replay = replay
      defer { self.replay = { _ in nil } }
      best = choices
      size = ChoiceSize(choices)
      refused = []
      (attempts, steps) = (0, 0)
      try run()
      return best
    }
  }

  private mutating func run() throws {
    while true {
      let before = steps
      // The coarse first: they leave less to the fine ones.
      try delete(coarsely: true)
      try simplify(coarsely: true)
      try delete()
      try keepFew()
      try deleteColumns()
      try simplify()
      try shift()
      try level()
      try minimizeEach()
      if steps == before || isCutShort { return }
    }
  }

  /// Takes a step to `candidate` where that is simpler and does.
  private mutating func take(_ candidate: [Choice]) throws -> Bool {
    guard !isCutShort else { return false }
    let candidateSize = ChoiceSize(candidate)
    guard candidateSize < size else { return false }
    var mark: UInt64 = 0xcbf2_9ce4_8422_2325
    for choice in candidate { mark = (mark ^ choice.mixed) &* 0x100_0000_01b3 &+ mark >> 29 }
    guard !refused.contains(mark) else { return false }
    attempts += 1
    guard let made = try replay(candidate), case let madeSize = ChoiceSize(made), madeSize <= candidateSize
    else {
      refused.insert(mark)
      return false
    }
    (best, size) = (made, madeSize)
    steps += 1
    return true
  }

  /// Pieces are not smaller than that: coarsely, a sixteenth of all.
  private static func smallestPiece(of count: Int, _ coarsely: Bool) -> Int {
    coarsely ? max(8, count / 16) : 1
  }

  // MARK: Shorter

  /// A list in the best: where it begins, where its elements do, and where it ends.
  private struct List {
    let open: Int
    var starts: [Int] = []
    var end = 0

    /// Where element `i` begins; the end behind the last.
    func place(_ i: Int) -> Int { i < starts.count ? starts[i] : end }
  }

  /// The lists in the best, in the order in which they begin.
  private func lists() -> [List] {
    var found: [List] = []
    var open: [Int] = []
    for (k, choice) in best.enumerated() {
      if choice != .close, let list = open.last { found[list].starts.append(k) }
      if choice == .open {
        open.append(found.count)
        found.append(List(open: k))
      } else if choice == .close, let list = open.popLast() {
        found[list].end = k
      }
    }
    return found
  }

  /// Takes elements out of lists: pieces of all of them, of half, of a quarter …, the last first.
  private mutating func delete(coarsely: Bool = false) throws {
    var k = 0
    var all = lists()
    while k < all.count {
      var piece = all[k].starts.count
      let least = Self.smallestPiece(of: piece, coarsely)
      while piece >= least {
        let step = max(piece / 2, 1)
        var start = all[k].starts.count - piece
        while start >= 0 && !isCutShort {
          let list = all[k]
          if !isRun(list, start, piece, step) {
            var candidate = Array(best[..<list.place(start)])
            candidate.append(contentsOf: best[list.place(start + piece)...])
            if try take(candidate) { all = lists() }
          }
          if k >= all.count { return }
          start = min(start - step, all[k].starts.count - piece)
        }
        piece = piece == 1 ? 0 : (piece + 1) / 2
      }
      k += 1
    }
  }

  /// Leaves of short lists one element, two, or three, that need not be neighbours.
  private mutating func keepFew() throws {
    var k = 0
    var all = lists()
    while k < all.count && !isCutShort {
      let list = all[k]
      let n = list.starts.count
      var choices: [[Int]] = n <= 64 ? (0..<n).map { [$0] } : []
      if n <= 12 { choices += (0..<n).flatMap { i in (0..<i).map { [$0, i] } } }
      if n <= 8 { choices += (0..<n).flatMap { i in (0..<i).flatMap { j in (0..<j).map { [$0, j, i] } } } }
      for kept in choices where kept.count < n && !isCutShort {
        let elements = kept.flatMap { best[list.place($0)..<list.place($0 + 1)] }
        if try take(Array(best[...list.open]) + elements + Array(best[list.end...])) {
          all = lists()
          break
        }
      }
      k += 1
    }
  }

  /// Whether taking out this piece comes to the same as taking out the one tried before, `step` elements on.
  private func isRun(_ list: List, _ start: Int, _ piece: Int, _ step: Int) -> Bool {
    guard start + piece + step <= list.starts.count else { return false }
    return (start..<start + step).allSatisfy { i in
      let (a, b) = (list.place(i)..<list.place(i + 1), list.place(i + piece)..<list.place(i + piece + 1))
      return a.count == b.count
        && (0..<a.count).allSatisfy { best[a.lowerBound + $0] == best[b.lowerBound + $0] }
    }
  }

  /// Takes a column out of a list of lists that are all as long.
  private mutating func deleteColumns() throws {
    func opened(_ all: [List]) -> [Int: List] { Dictionary(uniqueKeysWithValues: all.map { ($0.open, $0) }) }
    var all = lists()
    var byPlace = opened(all)
    var k = 0
    while k < all.count {
      var column = Int.max
      while !isCutShort && k < all.count {
        let rows = all[k].starts.compactMap { byPlace[$0] }
        guard rows.count == all[k].starts.count, rows.count > 1, let width = rows.first?.starts.count,
          rows.allSatisfy({ $0.starts.count == width })
        else { break }
        column = min(column, width) - 1
        guard column >= 0 else { break }
        var candidate = best
        for row in rows.reversed() { candidate.removeSubrange(row.place(column)..<row.place(column + 1)) }
        if try take(candidate) {
          all = lists()
          byPlace = opened(all)
        }
      }
      k += 1
    }
  }

  // MARK: Simpler

  private var leaves: [Int] { best.indices.filter { best[$0].isLeaf } }

  private static func simplest(_ choice: Choice) -> Choice {
    if case .integer = choice { return .integer(0) }
    return .float(0)
  }

  /// Makes pieces of all numbers 0.
  private mutating func simplify(coarsely: Bool = false) throws {
    var leaves = leaves
    var piece = leaves.count
    let least = Self.smallestPiece(of: piece, coarsely)
    while piece >= least {
      var start = 0
      while start < leaves.count && !isCutShort {
        var candidate = best
        for k in leaves[start..<min(start + piece, leaves.count)] { candidate[k] = Self.simplest(best[k]) }
        if try take(candidate), best.count != candidate.count { leaves = self.leaves }
        start += piece
      }
      piece /= 2
    }
  }

  /// Takes the same from all finite numbers, or halves them all.
  private mutating func shift() throws {
    func changed(_ change: (Double) -> Double) -> [Choice] {
      best.map { choice in
        guard case .float(let x) = choice, x.isFinite else { return choice }
        return .float(change(x))
      }
    }
    let numbers = Set(best.compactMap { if case .float(let x) = $0, x.isFinite, x != 0 { x } else { nil } })
    // By every number where they are few, else by the ends.
    let sorted = numbers.sorted()
    let shifts = sorted.count <= 16 ? sorted : [sorted[0], sorted[sorted.count - 1]]
    for by in shifts { _ = try take(changed { $0 - by }) }
    while try take(changed { $0 / 2 }) {}
  }

  /// Makes two neighbours among the different numbers one: the simpler.
  private mutating func level() throws {
    var values = Set(best.filter(\.isLeaf)).sorted { ($0.complexity, $0.mixed) > ($1.complexity, $1.mixed) }
    if values.count > 24 { values = Array(values.prefix(24)) }
    for value in values {
      for other in values where other.complexity < value.complexity {
        if try take(best.map { $0 == value ? other : $0 }) { break }
      }
    }
  }

  /// Makes every number as simple as it gets: all that are equal at once, then each by itself where they are few.
  private mutating func minimizeEach() throws {
    var seen: Set<Choice> = []
    for k in leaves where !isCutShort && k < best.count && best[k].isLeaf && seen.insert(best[k]).inserted {
      try minimize(best[k]) { best, old, new in best.map { $0 == old ? new : $0 } }
    }
    let leaves = leaves
    let some = leaves.count <= 256 ? leaves : Array(leaves.prefix(64) + leaves.suffix(64))
    for k in some where !isCutShort && k < best.count && best[k].isLeaf {
      try minimize(best[k]) { best, _, new in
        var changed = best
        if k < changed.count { changed[k] = new }
        return changed
      }
    }
  }

  private mutating func minimize(
    _ choice: Choice, _ replacing: (_ best: [Choice], _ old: Choice, _ new: Choice) -> [Choice]
  ) throws {
    var now = choice
    search: while !isCutShort {
      for candidate in Self.simpler(now) where candidate.complexity < now.complexity {
        if try take(replacing(best, now, candidate)) {
          now = candidate
          continue search
        }
      }
      return
    }
  }

  /// What may do instead of a number, the simplest first.
  static func simpler(_ choice: Choice) -> [Choice] {
    switch choice {
    case .open, .close: return []
    case .integer(let n):
      return [0, n.magnitude == .init(Int.max) + 1 ? n : abs(n), n / 2, n - n.signum()].map { .integer($0) }
    case .float(let x):
      guard x.isFinite else {
        return [0, 1, -1, x.sign == .minus ? -.infinity : .infinity].map { .float($0) }
      }
      var list: [Double] = [0, 1, -1, 2, -2, x.magnitude, x.rounded(.towardZero), x.rounded()]
      if x == x.rounded(), x.magnitude < 1024 {
        list += [(x / 2).rounded(.towardZero), x - (x < 0 ? -1 : 1)]
      }
      // Fewer bits, towards zero and away from it.
      let width = x.significandWidth
      for bits in Set([0, 1, 2, 3, width / 2, width - 1]).sorted() where bits >= 0 && bits < width {
        let step = Double(sign: .plus, exponent: Int(x.exponent) - bits, significand: 1)
        guard step > 0 else { continue }
        list += [(x / step).rounded(.towardZero) * step, (x / step).rounded(.awayFromZero) * step]
      }
      // A smaller exponent.
      let exponent = Int(x.exponent)
      for e in [0, exponent / 2, exponent - exponent.signum()] where e != exponent {
        list.append(Double(sign: x.sign, exponent: e, significand: x.significand))
      }
      return list.filter(\.isFinite).map { .float($0) }
    }
  }
}
