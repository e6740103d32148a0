/// Names that people type.
package enum Names {
  /// Up to five of `names` that `name` may have meant, the nearest first.
  package static func near(_ name: String, in names: [String]) -> [String] {
    let wanted = name.lowercased()
    let ranked = names.enumerated().compactMap {
      (index, other) -> (distance: Int, index: Int, name: String)? in
      let candidate = other.lowercased()
      let distance = edits(Array(wanted.utf8), Array(candidate.utf8))
      func last(_ name: String) -> Substring? { name.split(separator: ".").last }
      // A part of it, or little to change.
      let isPart = wanted.count > 2 && (candidate.contains(wanted) || last(wanted) == last(candidate))
      guard isPart || distance <= 1 + wanted.utf8.count / 4 else { return nil }
      return (distance, index, other)
    }
    return ranked.sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }.prefix(5).map(\.name)
  }

  /// How many letters must be put in, taken out or changed (Levenshtein), of names of up to 64 bytes.
  private static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard a.count <= 64, b.count <= 64 else { return max(a.count, b.count) }
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }

  /// Whether `name` is what `pattern` says: `*` any run, `?` any one scalar.
  package static func matches(_ pattern: String, _ name: String) -> Bool {
    let (p, n) = (Array(pattern.unicodeScalars), Array(name.unicodeScalars))
    var (i, j) = (0, 0)
    // Where the last star stands, and what it has taken so far.
    var star: (pattern: Int, name: Int)?
    while j < n.count {
      if i < p.count, p[i] == "*" {
        star = (i, j)
        i += 1
      } else if i < p.count, p[i] == "?" || p[i] == n[j] {
        (i, j) = (i + 1, j + 1)
      } else if let (at, from) = star {
        star = (at, from + 1)
        (i, j) = (at + 1, from + 1)
      } else {
        return false
      }
    }
    return p[i...].allSatisfy { $0 == "*" }
  }
}
