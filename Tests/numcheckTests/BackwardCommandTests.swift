import Foundation
import TensorFiles
import Testing

/// `numcheck attention --backward`.
@Suite struct BackwardCommandTests {
  /// A gradient of 1 for each output of a lone key is dV itself; the layouts are told apart.
  @Test func aGradientComesFromAFile() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("numcheck-backward-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func write(_ name: String, _ values: [Double], _ shape: [Int]) throws -> String {
      let path = folder.appendingPathComponent(name).path
      let writer = try TensorWriter(path, [.init("x", .f32, shape)])
      try writer.append(values, to: nil)
      try writer.finish()
      return path
    }
    let q = try write("q.npy", [1, 2, 3, 4], [1, 1, 4])
    let g = try write("g.npy", [1, -2, 3, 0.5], [1, 1, 4])
    let short = try write("s.npy", [1, -2], [1, 1, 2])
    let base = ["attention", "--backward", "--q", q, "--k", q, "--v", q, "--do"]
    let json = try CommandRunner.json(base + [g, "--algorithm", "standard"])
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.map { $0["gradient"] as? String } == ["dq", "dk", "dv"])
    // One key: p = 1, dS = 0, dV = dO, and nothing is rounded; the truth of dV is good to 2^-99.
    let certificate = try #require(json["certificate"] as? [String: Any])
    #expect(certificate["exact"] as? Int == 8 && certificate["doubleDouble"] as? Int == 4)
    #expect(results.allSatisfy { ($0["maxAbsoluteError"] as? Double ?? 1) < 0x1p-97 })
    #expect(try CommandRunner.run(base + [short]).status == 2)
  }

  @Test(arguments: [
    ["--algorithm", "naive"], ["--algorithm", "split-kv,flash"], ["--qk-norm", "l2"],
    ["--softmax", "clipped:-0.1,1.1"], ["--fa3"], ["--output", "o.npy"], ["--within-baseline"],
    ["--sweep-head-size", "4"], ["--do", "nothing.npy"], ["--do", ""], ["--dtype", "f16", "--range", "1e9"],
  ])
  func rubbishIsRefused(_ flags: [String]) throws {
    let outcome = try CommandRunner.run(
      ["attention", "--backward", "--tokens", "4", "--head-size", "4"] + flags)
    #expect(outcome.status == 2, "\(flags): \(outcome.output)")
    #expect(try CommandRunner.run(["attention", "--do", "x.npy"]).status == 2)
  }

  @Test func checksDecideTheStatus() throws {
    let base = [
      "attention", "--backward", "--tokens", "16", "--head-size", "8", "--dtype", "f16", "--causal",
    ]
    #expect(try CommandRunner.run(base + ["--no-nan", "--no-bug"]).status == 0)
    #expect(try CommandRunner.run(base + ["--max-ulp", "0.5"]).status == 1)
    // The first query sees nothing: under policy ieee every gradient of its key head is NaN, and nothing is left to check.
    let unseen = base + ["--padding", "0", "--no-nan"]
    #expect(try CommandRunner.run(unseen).status == 2)
    #expect(try CommandRunner.run(unseen + ["--policy", "safe"]).status == 0)
  }
}
