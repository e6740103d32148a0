/// Rows as plain as they get. Small steps from a row that fails may end where none is left and yet a plainer row fails alike: so these are
/// tried before, the shortest first.
enum PlainRows {
  /// Numbers that are tried beside others of 0, and pairs beside equal ones.
  private static let numbers: [Double] = [1, -1, 10, -10, 30, -30, 100, -100, 1000]
  private static let pairs: [(usual: [Double], other: [Double])] = [
    ([0, 0], [1, 1]), ([0, 1], [10, 0]), ([0, 1], [10, -1]), ([0, 1], [30, 0]), ([0, 1], [-30, -1]),
    ([1, 1], [-1, 1]),
  ]
  /// About how many elements are tried in all.
  private static let most = 1 << 19

  /// Those of at most `count` elements or pairs, each length by itself.
  static func all(upTo count: Int, width: Int) -> [[[Double]]] {
    var lengths = [1, 2, 3]
    for n in (2..<20).map({ 1 << $0 }) { lengths += [n, n + 1] }
    lengths = Set(lengths + [count]).filter { $0 <= count }.sorted()
    var left = most
    return lengths.compactMap { n in
      let rows = rows(n, width)
      left -= rows.count * n * width
      return left >= 0 ? rows : nil
    }
  }

  private static func rows(_ n: Int, _ width: Int) -> [[Double]] {
    func row(_ usual: [Double], _ other: [Double], at place: Int) -> [Double] {
      var row = Array(repeating: usual, count: n)
      row[place] = other
      return row.flatMap(\.self)
    }
    let singles = numbers.map { (usual: [0.0], other: [$0]) }
    let cases = width == 1 ? singles : width == 2 ? pairs : []
    return Set([n - 1, 0]).sorted(by: >).flatMap { place in
      cases.map { row($0.usual, $0.other, at: place) }
    }
  }
}
