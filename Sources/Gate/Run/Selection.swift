import Reports

/// A part of the checks: the I-th of N.
package struct GateShard: Sendable, Equatable {
  package let index: Int
  package let count: Int

  /// From `2/5`; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), count >= 1,
      (1...count).contains(index)
    else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// Every N-th check: neighbours in a matrix are alike, and so each shard gets its part of the slow ones.
  func holds(_ check: Int) -> Bool { check % count == index - 1 }
}

extension GateFile {
  /// Numbers of the checks whose name, or command line, one of `patterns` matches; a plain word matches anywhere in the name.
  package func selected(_ patterns: [String], shard: GateShard?) -> [Int] {
    let found = checks.indices.filter { k in
      patterns.isEmpty
        || patterns.contains { pattern in
          let isPattern = pattern.contains("*") || pattern.contains("?")
          return Names.matches(isPattern ? pattern : "*\(pattern)*", checks[k].name)
        }
    }
    return shard.map { shard in found.enumerated().filter { shard.holds($0.offset) }.map(\.element) } ?? found
  }
}
