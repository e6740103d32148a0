import NumKit
import Testing

/// Planted masks of wrong places, and what they are called.
@Suite struct WrongPlacesTests {
  private let rows = 48
  private let length = 96

  private func wrong(_ isWrong: (Int, Int) -> Bool, reversed: Bool = false) -> WrongResults {
    var first = WrongResults()
    var second = WrongResults()
    for row in reversed ? Array((0..<rows).reversed()) : Array(0..<rows) {
      let results = (0..<length).filter { isWrong(row, $0) }.map {
        WrongResult(row: row, index: $0, computed: 1, exact: 0, ulp: Double(row * length + $0), bound: 0)
      }
      if row % 3 == 0 {
        first.add(row: row, length: length, wrong: results)
      } else {
        second.add(row: row, length: length, wrong: results)
      }
    }
    first.merge(second)
    return first
  }

  private func text(shape: [Int] = [48], _ isWrong: (Int, Int) -> Bool) -> String? {
    WrongPlaces(rows: rows, rowShape: shape, length: length).pattern(of: wrong(isWrong))?.text
  }

  @Test func patternsAreNamed() {
    #expect(text { _, _ in false } == nil)
    #expect(text { _, _ in true } == "everything")
    #expect(text { row, _ in row == 7 } == "row 7")
    #expect(text { row, _ in row > 0 } == "every row but the first")
    #expect(text { row, _ in row >= 4 } == "every row but the first 4")
    #expect(text { row, _ in row >= 44 } == "the last 4 rows")
    #expect(text { _, i in i >= 80 } == "the last 16 results of every row")
    #expect(text { _, i in i == 95 } == "result 95 of every row")
    #expect(text { _, i in i < 5 } == "the first 5 results of every row")
    #expect(text { _, i in i % 3 == 1 } == "every 3rd result from 1 on of every row")
    #expect(text { _, i in i % 16 == 15 } == "every 16th result from 15 on of every row")
    #expect(text { _, i in i % 32 >= 28 } == "the last 4 of every 32 results of every row")
    #expect(text { _, i in i % 32 == 5 || i % 32 == 6 } == "results 5 to 6 of every 32 of every row")
    #expect(text { row, _ in row % 4 == 2 } == "every 4th row from 2 on")
    #expect(
      text { row, i in (16..<32).contains(row) && (32..<64).contains(i) }
        == "one tile: rows 16 to 31, results 32 to 63")
    #expect(text(shape: [2, 4, 6]) { row, _ in row / 6 % 4 == 3 } == "index 3 of 4 along axis 1")
    #expect(text { row, i in row == 3 && i >= 90 } == "the last 6 results of row 3")
    // Where there is none, none is made up.
    #expect(text { row, i in (row * 31 + i * 17) % 23 == 0 } == "results here and there of every row")
    #expect(text { row, i in row * row % 7 == 3 && (row + i * i) % 11 == 0 } == nil)
  }

  /// Some wrong results may be right by chance.
  @Test func patternsMayHaveHoles() {
    #expect(text { row, i in i >= 80 && (row + i) % 9 != 0 } == "the last 16 results of every row")
    #expect(text { row, i in i >= 80 || row == 4 && i == 2 } == "the last 16 results of every row")
  }

  @Test func orderDoesNotMatter() {
    let a = wrong { row, i in i >= 90 || row == 2 }
    let b = wrong({ row, i in i >= 90 || row == 2 }, reversed: true)
    #expect(a.worst == b.worst)
    #expect(a.worst.first?.index == 95 && a.worst.first?.row == 47)
    #expect((a.count, a.rowCount, a.span) == (b.count, b.rowCount, b.span))
    #expect(a.count == 48 * 6 + 90)
    #expect(a.isWrong(row: 2, 0) && !a.isWrong(row: 3, 0) && a.isWrong(row: 3, 90))
  }
}
