import Reports
import Shards

extension GateFile {
  /// Numbers of the checks whose name, or command line, one of `patterns` matches; a plain word matches anywhere in the name.
  package func selected(_ patterns: [String], shard: Shard?) -> [Int] {
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
