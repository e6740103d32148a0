/// Attention's forward pass: `o` and the log-sum-exp of every query.
public struct AttentionForward: Question {
  /// One query of one head.
  public struct Item: Sendable {
    /// The tensors it is of.
    public var tensors: AttentionInputs
    /// head·queries + query.
    public var row: Int
    /// The rows asked about together, which a candidate may answer at once.
    public var block: Range<Int>

    /// Its head.
    public var head: Int { row / tensors.shape.queries }
    /// Its number in the head.
    public var query: Int { row % tensors.shape.queries }
  }
  public typealias Profile = AttentionProfile

  /// What is asked.
  public let parameters: AttentionParameters
  /// Whether the log-sum-exp is asked for too.
  public let asksLogSumExp: Bool

  /// The question of these parameters.
  public init(_ parameters: AttentionParameters, logSumExp: Bool = true) {
    self.parameters = parameters
    asksLogSumExp = logSumExp
  }

  public var name: String { "attention" }
  public var parts: [String] { asksLogSumExp ? ["o", "lse"] : ["o"] }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    rows.append(ResultRow(part: 0, row: item.row, count: item.tensors.shape.valueSize))
    if asksLogSumExp { rows.append(ResultRow(part: 1, row: item.row, count: 1)) }
  }
}

/// Every query of a set of tensors, in an order that keeps together what candidates answer together.
public struct AttentionQueries: ItemSource {
  public typealias Q = AttentionForward

  private let given: AttentionInputs
  private let stored: AttentionInputs
  private let changed: Bool
  private let overflowed: Int
  private let block: Int
  private let byStep: Bool

  /// The queries of `given`, as a kernel gets them in `stored`, `block` at a time; `byStep`, a step's heads stand together, as decoding
  /// asks them.
  public init(
    _ given: AttentionInputs, stored: AttentionInputs? = nil, block: Int, byStep: Bool = false
  ) {
    self.given = given
    self.stored = stored ?? given
    self.block = block
    self.byStep = byStep
    changed = stored.map { !$0.isSame(as: given) } ?? false
    overflowed = stored?.overflowed(from: given) ?? 0
  }

  public var itemCount: Int { given.shape.heads * given.shape.queries }

  public func makeItem() -> AttentionForward.Item {
    AttentionForward.Item(tensors: given, row: 0, block: 0..<0)
  }

  public func read(
    _ index: Int, given item: inout AttentionForward.Item, stored storedItem: inout AttentionForward.Item
  ) -> InputChange {
    let heads = given.shape.heads
    item.row = byStep ? index % heads * given.shape.queries + index / heads : index
    let start = index / block * block
    item.block = start..<Swift.min(start + block, itemCount)
    storedItem = item
    storedItem.tensors = stored
    // Of all tensors at once, so of the first item.
    return InputChange(changed: changed, overflowed: index == 0 ? overflowed : 0)
  }
}
