import Foundation
import Testing

/// `verify sample`: kept sets in every form that files have.
@Suite struct SamplingCommandTests {
  private static let rows = 12
  private static let length = 9

  /// Quarters, some of them alike.
  private static let logits: [[Double]] = (0..<rows).map { r in
    (0..<length).map { i in
      let k: Int = r * 31 + i * i * 17 + i * r * 5
      return Double(k % 23) / 4
    }
  }

  /// Top-k 5, then top-p 0.75 of what is left, and `more` tokens.
  private static func kept(_ x: [Double], more: Int) -> [Int] {
    let order = x.indices.sorted { (x[$0], $1) > (x[$1], $0) }.prefix(5)
    let e = order.map { exp(x[$0]) }
    var (before, count) = (0.0, 0)
    while count < 5, before < 0.75 * e.reduce(0, +) {
      before += e[count]
      count += 1
    }
    return Array(order.prefix(min(5, count + more)))
  }

  /// Files of the sets: of which form, what numpy calls their elements, their shape, and numbers.
  private static func sets(more: Int) -> [(form: String, type: String, shape: [Int], values: [Double])] {
    let sets = logits.map { kept($0, more: more) }
    func each(_ number: (_ row: Int, _ token: Int, _ isKept: Bool) -> Double) -> [Double] {
      (0..<rows).flatMap { r in (0..<length).map { number(r, $0, sets[r].contains($0)) } }
    }
    func share(_ r: Int, _ i: Int) -> Double {
      exp(logits[r][i]) / sets[r].reduce(0) { $0 + exp(logits[r][$1]) }
    }
    return [
      ("probabilities", "<f4", [rows, length], each { $2 ? share($0, $1) : 0 }),
      ("logits", "<f4", [rows, length], each { $2 ? logits[$0][$1] : -.infinity }),
      ("mask", "<f4", [rows, length], each { $2 ? 1 : 0 }),
      ("ids", "<f8", [rows, 6], sets.flatMap { s in (0..<6).map { $0 < s.count ? Double(s[$0]) : -1 } }),
    ]
  }

  private static func write(_ type: String, _ shape: [Int], _ values: [Double], _ name: String, _ folder: URL)
    throws
  {
    try ActivationsTests.npy(type, shape, ActivationsTests.bytes(values, type)).write(
      to: folder.appendingPathComponent(name))
  }

  private static func inFolder(_ body: (URL) throws -> Void) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try write("<f4", [rows, length], logits.flatMap { $0 }, "x.npy", folder)
    try body(folder)
  }

  private static let question = ["verify", "sample", "--input", "x.npy", "--top-k", "5", "--top-p", "0.75"]

  @Test func everyFormIsJudged() throws {
    try Self.inFolder { folder in
      for (more, status) in [(0, Int32(0)), (1, 1)] {
        for set in Self.sets(more: more) {
          try Self.write(set.type, set.shape, set.values, "y.npy", folder)
          let outcome = try CommandRunner.run(
            Self.question + ["--results", "y.npy", "--as", set.form, "--format", "json"], folder: folder)
          #expect(outcome.status == status, "\(set.form): \(outcome.errors)\(outcome.output)")
          let read = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
          let report = try #require(read)
          #expect(try SchemaValidator().errors(report) == [])
          let sets = try #require(report["sets"] as? [String: Int])
          let others = Self.logits.count { Self.kept($0, more: 0) != Self.kept($0, more: more) }
          #expect(sets["other"] == others && sets["wrong"] == others, "\(set.form): \(sets)")
          let result = try #require((report["results"] as? [[String: Any]])?.first)
          let names = (result["hypotheses"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
          #expect(names == (more == 0 ? [] : ["top-p keeps one too many"]), "\(set.form): \(names)")
        }
      }
    }
  }

  @Test func setsAreNamed() throws {
    try Self.inFolder { folder in
      let set = Self.sets(more: 1)[2]
      try Self.write(set.type, set.shape, set.values, "y.npy", folder)
      let text = try CommandRunner.run(
        Self.question + ["--results", "y.npy", "--as", "mask"], folder: folder
      ).output
      #expect(
        text.hasPrefix("sample as mask: 12 rows of 9 logits from x.npy")
          || text.hasPrefix("sample as mask: 12 rows of 9"))
      #expect(
        text.contains("rows keep other tokens than exact arithmetic, of which rounding explains 0: row "))
      // Two that are alike, and half of a probability: in f32 nothing is rounded, and the first is enough.
      try Self.write("<f4", [1, 2], [3, 3], "x.npy", folder)
      try Self.write("<f4", [1, 2], [1, 0], "y.npy", folder)
      let half = ["verify", "sample", "--input", "x.npy", "--results", "y.npy", "--as", "mask", "--top-p"]
      #expect(try CommandRunner.run(half + ["0.5"], folder: folder).status == 0)
      // Within 2^-30 of it the other may be kept too, and the row is named.
      let near = try CommandRunner.run(half + ["0.50000000093"], folder: folder)
      #expect(near.status == 0 && near.output.contains("undecided sets: in 1 of 1 rows"), "\(near.output)")
    }
  }

  @Test func rubbishIsRefused() throws {
    try Self.inFolder { folder in
      let all = Self.rows * Self.length
      try Self.write("<f4", [Self.rows, Self.length], Array(repeating: 0.5, count: all), "half.npy", folder)
      try Self.write("<f4", [Self.rows, 2], Array(repeating: 9, count: 2 * Self.rows), "far.npy", folder)
      try Self.write("<f4", [Self.rows, 2], Array(repeating: 3, count: 2 * Self.rows), "twice.npy", folder)
      for (words, message) in [
        (["--results", "half.npy", "--as", "mask"], "half.npy: row 0 has 0.5 at 0: a mask is 0 or 1"),
        (["--results", "far.npy", "--as", "ids"], "far.npy: row 0 has 9.0, which is no token of 9"),
        (["--results", "twice.npy", "--as", "ids"], "twice.npy: row 0 has token 3 twice"),
        (
          ["--results", "far.npy", "--as", "mask"],
          "far.npy: its shape is [12, 2], but mask of these rows have [12, 9]"
        ),
        (["--results", "half.npy", "--as", "tokens"], "'tokens'"),
        (["--results", "half.npy", "--min-p", "2"], "min-p must be above 0 and at most 1, not 2.0"),
      ] {
        let outcome = try CommandRunner.run(Self.question + words, folder: folder)
        #expect(
          outcome.status == 2 && outcome.output.isEmpty && outcome.errors.contains(message),
          "\(outcome.errors)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
      }
    }
  }
}
