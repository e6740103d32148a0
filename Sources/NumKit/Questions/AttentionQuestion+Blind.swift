extension AttentionParameters {
  /// Queries, of all heads, that see no key and have no sink: they have no answer in the reals, and a policy says what they get.
  public func blindQueries(_ shape: AttentionShape) -> Int {
    if case .sink = softmax { return 0 }
    let m = mask
    let isOpen = !m.causal && m.left == nil && m.right == nil && m.length != 0 && m.additive.isEmpty
    if isOpen { return 0 }
    var count = 0
    for head in 0..<shape.heads {
      for query in 0..<shape.queries {
        let sees = (0..<shape.keys).contains {
          m.bias(head: head, query: query, key: $0, queries: shape.queries, keys: shape.keys) != -.infinity
        }
        if !sees { count += 1 }
      }
    }
    return count
  }
}
