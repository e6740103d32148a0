/// What can be asked: one type an operation, with what it needs to know. Candidates answer it with numbers and may be wrong,
/// provers answer it with proofs.
public protocol Question: Sendable {
  /// What one answer is about: a row, a query with its keys, a row of a product.
  associatedtype Item
  /// What bounds need to know of an item, in plain Double; a question without bounds needs none.
  associatedtype Profile = Void

  /// Its name on the command line.
  var name: String { get }
  /// What results are of: `o` and `lse`, or `dq`, `dk` and `dv`; one unnamed part where there is nothing to tell apart.
  var parts: [String] { get }
  /// Lists the rows of results that an item has, in the order in which they stand; `rows` comes empty.
  func layout(of item: Item, into rows: inout [ResultRow])
}

extension Question {
  /// One part.
  public var parts: [String] { [""] }
}

/// A row of results: what is normalised together, and measured at the scale of its largest.
public struct ResultRow: Sendable, Hashable {
  /// Which of the question's parts it is of.
  public var part: Int
  /// Its number among that part's rows.
  public var row: Int
  /// How many results it has.
  public var count: Int

  /// Row number `row` of a part, with `count` results.
  public init(part: Int = 0, row: Int, count: Int) {
    self.part = part
    self.row = row
    self.count = count
  }
}

/// Where the items of a question come from: generated, or read.
public protocol ItemSource<Q>: Sendable {
  associatedtype Q: Question
  /// How many items there are.
  var itemCount: Int { get }
  /// An item to read into.
  func makeItem() -> Q.Item
  /// Reads item number `index` as it was given, and as a kernel gets it: rounded for storage. Called from several threads.
  func read(_ index: Int, given: inout Q.Item, stored: inout Q.Item) throws -> InputChange
}

/// What storing an item changed.
public struct InputChange: Sendable, Hashable {
  /// Whether the question is another one now.
  public var changed: Bool
  /// Finite inputs that the storage format cannot hold: as stored they are infinite or NaN.
  public var overflowed: Int

  /// Nothing, unless said.
  public init(changed: Bool = false, overflowed: Int = 0) {
    self.changed = changed
    self.overflowed = overflowed
  }
}
