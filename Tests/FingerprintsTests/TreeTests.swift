import Testing

@testable import Fingerprints

/// Trees from what meets first, and their names.
@Suite struct TreeTests {
  /// The leaves below the meeting of two, in a tree.
  static func meeting(_ tree: SumTree, _ i: Int, _ j: Int) -> Int {
    var here = tree
    while case .node(let parts) = here {
      guard let next = parts.first(where: { Set($0.leaves).isSuperset(of: [i, j]) }) else { break }
      here = next
    }
    return here.leaves.count
  }

  /// Whether `first` and `second` meet before `large` does.
  static func areTogether(_ tree: SumTree, _ q: TripleTree.Query) -> Bool {
    meeting(tree, q.first, q.second) < meeting(tree, q.first, q.large)
      && meeting(tree, q.first, q.second) < meeting(tree, q.second, q.large)
  }

  static let trees: [(String, SumTree)] = [
    ("sequential", .sequential(24)), ("reversed", .chain((0..<24).reversed().map { .leaf($0) })),
    ("pairwise", .pairwise(0..<24, leaf: 8)), ("pairwise:1", .pairwise(0..<24, leaf: 1)),
    ("blocked:5", .blocked(24, 5)), ("folded", .folded(24)),
    ("lanes:4, then sequential", .lanes(24, 4, combine: .sequential(4))),
    ("lanes:8, then folded", .lanes(24, 8, combine: .folded(8))),
    ("lanes:8, then pairwise:1", .lanes(24, 8, combine: .pairwise(0..<8, leaf: 1))),
    ("lanes:12, then lanes:4, then folded", .lanes(24, 12, combine: .lanes(12, 4, combine: .folded(4)))),
  ]

  @Test(arguments: trees.map(\.0)) func foundWhole(_ name: String) throws {
    let tree = try #require(Self.trees.first { $0.0 == name }?.1)
    let cancelling = try CancellingTree { pairs in pairs.map { Self.meeting(tree, $0, $1) } }.find(24)
    #expect(cancelling == tree)
    let triples = try TripleTree { queries in queries.map { Self.areTogether(tree, $0) } }.find(24)
    #expect(triples == tree)
    #expect(OrderName.of(tree, count: 24) == name)
    #expect(SumTree(parsing: tree.text) == tree)
  }

  /// Several terms that are added at once, as matrix units do.
  @Test func manyAtOnce() throws {
    let tree = SumTree.chain(
      (0..<3).map { part in SumTree.node((0..<4).map { .leaf(4 * part + $0) }) })
    #expect(try CancellingTree { pairs in pairs.map { Self.meeting(tree, $0, $1) } }.find(12) == tree)
    #expect(try TripleTree { queries in queries.map { Self.areTogether(tree, $0) } }.find(12) == tree)
    #expect(OrderName.of(tree, count: 12) == "blocked:4 of all at once")
  }

  /// Answers that no tree gives are no tree.
  @Test func whatIsNone() throws {
    #expect(try CancellingTree { pairs in pairs.map { 2 + ($0.0 + $0.1) % 3 } }.find(8) == nil)
    #expect(try CancellingTree { pairs in pairs.map { _ in nil } }.find(8) == nil)
    #expect(
      try TripleTree { queries in queries.map { ($0.first + $0.second) % 3 == 0 } }.find(8) == nil)
  }

  @Test func claimedOrders() {
    func holds(_ name: String, _ tree: SumTree, _ count: Int) -> Bool {
      OrderName.holds(name, of: OrderName.of(tree, count: count) ?? "other", tree: tree, count: count)
    }
    #expect(holds("split-k:4", .blocked(24, 6), 24))
    #expect(!holds("split-k:3", .blocked(24, 6), 24))
    #expect(holds("lanes:8", .lanes(24, 8, combine: .folded(8)), 24))
    #expect(!holds("lanes:4", .lanes(24, 8, combine: .folded(8)), 24))
    #expect(holds("pairwise:16", .blocked(32, 16), 32))
    #expect(!OrderName.isKnown("lanes:1") && !OrderName.isKnown("sideways") && !OrderName.isKnown("blocked"))
  }

  @Test func brokenTexts() {
    for text in ["", "(", "()", "(0 1", "0 1", "(0..", "(3..1)", "(0 1) x", "(0..999999999)"] {
      #expect(SumTree(parsing: text) == nil, "\(text)")
    }
  }
}
