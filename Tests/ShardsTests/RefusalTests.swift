import Foundation
import Testing

/// Parts that are not all parts of one run are refused, in one line, with status 2 and without a report.
@Suite struct RefusalTests {
  private static let line = ["softmax", "a.npy", "--dtype", "f16"]

  private static func made(_ count: Int = 3) throws -> (run: Command, parts: [String]) {
    let run = try Command()
    try run.write("a.npy", rows: 30, columns: 20, seed: 5)
    return (run, try run.parts(line, count))
  }

  private func edit(_ run: Command, _ part: String, _ change: (inout String) -> Void) throws {
    let url = run.folder.appendingPathComponent(part)
    var text = try String(contentsOf: url, encoding: .utf8)
    let before = text
    change(&text)
    #expect(text != before)
    try text.write(to: url, atomically: true, encoding: .utf8)
  }

  @Test func aPartIsMissing() throws {
    let (run, parts) = try Self.made()
    #expect(try run(["merge", parts[0], parts[2]]).isRefusal("part 2/3 is missing"))
    #expect(try run(["merge", parts[1]]).isRefusal("part 1/3 and 1 more is missing"))
    #expect(try run(["merge"] + parts + [parts[0]]).isRefusal("part 1/3", "too"))
    #expect(try run(["merge"] + parts + ["nowhere.part"]).isRefusal("nowhere.part"))
  }

  @Test func aPartIsOfAnotherVersion() throws {
    let (run, parts) = try Self.made()
    try edit(run, parts[1]) { $0 = $0.replacing(/"version" : "[^"]*"/, with: "\"version\" : \"0.0.9\"") }
    #expect(try run(["merge"] + parts).isRefusal("2.part", "version 0.0.9"))
    try edit(run, parts[0]) { $0 = $0.replacing("numcheck-part/1", with: "numcheck-part/2") }
    #expect(try run(["merge"] + parts).isRefusal("1.part", "numcheck-part/2"))
  }

  @Test func aPartIsOfAnotherRun() throws {
    let (run, parts) = try Self.made()
    let one = try run(["softmax", "a.npy", "--dtype", "bf16", "--shard", "2/3", "--save", "2.part"])
    #expect(one.status == 0)
    #expect(try run(["merge"] + parts).isRefusal("2.part", "another run"))
    _ = try run(Self.line + ["--shard", "2/4", "--save", "2.part"])
    #expect(try run(["merge"] + parts).isRefusal("2.part", "one of 4 parts"))
  }

  /// Whatever byte is changed, and wherever it is cut short.
  @Test func aPartIsDamaged() throws {
    let (run, parts) = try Self.made()
    let url = run.folder.appendingPathComponent(parts[1])
    let good = try Data(contentsOf: url)
    for k in stride(from: 3, to: good.count, by: good.count / 12) {
      var bad = good
      bad[k] = bad[k] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
      // White space between the fields says nothing.
      let isSpace = [UInt8(ascii: " "), UInt8(ascii: "\n")].contains(good[k])
      try bad.write(to: url)
      let outcome = try run(["merge"] + parts)
      #expect(outcome.isRefusal("2.part") || isSpace && outcome.status == 2, "byte \(k): \(outcome.errors)")
      try good[..<k].write(to: url)
      #expect(try run(["merge"] + parts).isRefusal("2.part"), "first \(k) bytes")
    }
  }

  @Test func anInputHasChanged() throws {
    let (run, parts) = try Self.made()
    try run.write("a.npy", rows: 30, columns: 20, seed: 6)
    #expect(try run(["merge"] + parts).isRefusal("a.npy is not the same"))
    _ = try run(Self.line + ["--shard", "2/3", "--save", "2.part"])
    #expect(try run(["merge"] + parts).isRefusal("a.npy is not the same for 1.part and for 2.part"))
    try run.write("a.npy", rows: 31, columns: 20, seed: 5)
    #expect(try run(["merge", parts[0], parts[2]] + ["2.part"]).status == 2)
    try FileManager.default.removeItem(at: run.folder.appendingPathComponent("a.npy"))
    #expect(try run(["merge"] + Self.made().parts).status == 2)
  }

  @Test(arguments: [
    ["softmax", "--shard", "0/2"], ["softmax", "--shard", "3/2"], ["softmax", "--shard", "x"],
    ["softmax", "--shard", "1/5000"], ["softmax", "--save", "x.part"],
    ["softmax", "-", "--shard", "1/2"], ["softmax", "--input=-", "--shard", "1/2"],
    ["softmax", "--algorithm", "naive", "--output", "o.npy", "--shard", "1/2"],
    ["softmax", "--dtype", "f16", "--exhaustive", "--length", "2", "--shard", "1/2"],
    ["attention", "--backward", "--shard", "1/2"], ["attention", "--fa3", "--shard", "1/2"],
    ["quantize", "--through", "softmax", "--shard", "1/2"], ["quantize", "--cure", "all", "--shard", "1/2"],
    ["quantize", "--scheme", "int8@tensor", "--raw", "r.bin", "--shard", "1/2"],
    ["kvcache", "--shard", "1/2"], ["verify", "softmax", "--shard", "1/2"],
    ["dialect", "a", "b", "--shard", "1/2"],
    ["list", "kernels", "--shard", "1/2"],
    ["merge"], ["merge", "a.npy"], ["merge", "."], ["softmax", "nowhere.npy", "--shard", "1/2"],
    ["softmax", "--shard", "1/2", "--save", "/no/such/folder/x"],
  ])
  func refusesInOneLine(_ line: [String]) throws {
    let run = try Command()
    try run.write("a.npy", rows: 3, columns: 4, seed: 5)
    let outcome = try run(line)
    #expect(outcome.isRefusal(), "\(line): \(outcome)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: run.folder.path) == ["a.npy"])
  }

  /// A gate's parts are put together by the same command; a check of a gate is none itself.
  @Test func takesTheGatesParts() throws {
    let run = try Command()
    func gate(_ more: String) throws {
      try """
      checks:
        - {name: a, run: softmax, rows: 4, length: 16, limit: derived, matrix: {seed: [1, 2, 3]}\(more)}
      """.write(to: run.folder.appendingPathComponent("numcheck.yml"), atomically: true, encoding: .utf8)
    }
    try gate("")
    for k in 1...2 { _ = try run(["gate", "--shard", "\(k)/2", "--save", "g\(k).json"]) }
    #expect(
      try run(["merge", "g1.json", "g2.json"]) == run(["gate", "--merge", "g1.json", "--merge", "g2.json"]))
    #expect(try run(["merge", "g1.json", "g2.json"]).output == run(["gate"]).output)
    try gate(", shard: 1/2")
    #expect(try run(["gate"]).isRefusal("shard"))
  }
}
