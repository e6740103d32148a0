/// Attention's backward pass: dQ, dK and dV, a key head at a time.
public struct AttentionBackward: Question {
  /// One key head, with the query heads that use it.
  public struct Item: Sendable {
    /// The tensors it is of.
    public var tensors: AttentionInputs
    /// dO [heads, queries, valueSize].
    public var gradient: [Double]
    /// Which.
    public var keyHead: Int

    /// A key head of these tensors.
    public init(tensors: AttentionInputs, gradient: [Double], keyHead: Int) {
      self.tensors = tensors
      self.gradient = gradient
      self.keyHead = keyHead
    }
  }

  /// What is asked.
  public let parameters: AttentionParameters

  /// The question of these parameters.
  public init(_ parameters: AttentionParameters) { self.parameters = parameters }

  public var name: String { "attention-backward" }
  public var parts: [String] { AttentionGradient.allCases.map(\.rawValue) }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    let s = item.tensors.shape
    for row in s.rows(ofKeyHead: item.keyHead) {
      rows.append(ResultRow(part: 0, row: row, count: s.headSize))
    }
    for (part, width) in [(1, s.headSize), (2, s.valueSize)] {
      for key in 0..<s.keys {
        rows.append(ResultRow(part: part, row: item.keyHead * s.keys + key, count: width))
      }
    }
  }
}

/// Every key head of a set of tensors.
public struct AttentionKeyHeads: ItemSource {
  public typealias Q = AttentionBackward

  private let given: AttentionBackward.Item
  private let stored: AttentionBackward.Item
  private let changed: Bool

  /// The key heads of `given`, as a kernel gets them in `stored`.
  public init(_ given: AttentionBackward.Item, stored: AttentionBackward.Item) {
    self.given = given
    self.stored = stored
    changed =
      !stored.tensors.isSame(as: given.tensors)
      || !AttentionInputs.areSame(stored.gradient, given.gradient)
  }

  public var itemCount: Int { given.tensors.shape.keyHeads }

  public func makeItem() -> AttentionBackward.Item { given }

  public func read(
    _ index: Int, given item: inout AttentionBackward.Item, stored storedItem: inout AttentionBackward.Item
  ) -> InputChange {
    item.keyHead = index
    storedItem = stored
    storedItem.keyHead = index
    return InputChange(changed: changed)
  }
}
