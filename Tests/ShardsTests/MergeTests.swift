import Foundation
import Testing

/// A run in parts, put together, is the run in one piece: the same bytes on both streams and the same status, whatever the parts.
@Suite struct MergeTests {
  private static func inputs() throws -> Command {
    let command = try Command()
    try command.write(
      "rows.npy", rows: 41, columns: 50, seed: 7,
      special: [150: .infinity, 800: .nan, 1203: -.infinity, 1204: -.infinity])
    try command.write("large.npy", rows: 150, columns: 1000, seed: 3, special: [70_000: 5000, 140_001: .nan])
    try command.write("a.npy", rows: 90, columns: 700, seed: 1, special: [9: .nan, 41_000: .infinity])
    try command.write("b.npy", rows: 90, columns: 700, seed: 2)
    let sizes = [(3, 64), (40, 64), (1, 64), (200, 64), (7, 64), (30, 64)]
    try command.write(
      "model.safetensors", tensors: sizes.enumerated().map { ("layer.\($0).w", $1.0, $1.1) })
    try command.write("more.safetensors", tensors: [("x", 20, 48), ("y", 5, 32)])
    return command
  }

  private static let lines: [[String]] = [
    ["softmax", "--dtype", "f16", "--rows", "33", "--length", "40", "--range", "30"],
    ["softmax", "rows.npy", "--dtype", "bf16", "--policy", "safe", "--max-ulp", "2"],
    ["softmax", "--dtype", "int8", "--rows", "9", "--length", "12"],
    ["crossentropy", "--dtype", "f8e4m3fn", "--rows", "20", "--length", "30", "--target", "3"],
    ["softmax", "--dtype", "f4e2m1", "--exhaustive", "--length", "2"],
    [
      "attention", "--dtype", "f16", "--distribution", "outlier", "--tokens", "37", "--heads", "3",
      "--head-size", "16", "--causal",
    ],
    ["matmul", "--dtype", "bf16", "--rows", "19", "--inner", "40", "--b-columns", "17"],
    ["matmul", "--dtype", "int8", "--rows", "5", "--inner", "40", "--b-columns", "17", "--scales", "row"],
    ["rmsnorm", "rows.npy", "--dtype", "f16"],
    ["layernorm", "--dtype", "bf16", "--rows", "23", "--length", "33", "--epsilon", "0"],
    ["activations", "model.safetensors", "more.safetensors", "--no-massive"],
    ["activations", "large.npy"],
    ["activations", "large.npy", "--median-scope", "token", "--top", "3"],
    ["quantize", "model.safetensors", "--scheme", "int*", "--scheme", "mxfp4", "--scheme", "q4_0"],
    ["quantize", "large.npy", "--scheme", "f8*", "--scheme", "int4@channel", "--scheme", "nf4"],
    ["quantize", "--rows", "8", "--length", "64", "--recommend", "--max-bits", "5"],
    ["compare", "a.npy", "b.npy", "--budget", "cosine>=0.5"],
    ["compare", "model.safetensors", "model.safetensors", "--sort", "ulp.max"],
  ]

  @Test(arguments: lines.indices)
  func isTheRunInOnePiece(_ k: Int) throws {
    let (run, line) = (try Self.inputs(), Self.lines[k])
    let formats = ["text", "json", "csv"]
    let whole = try formats.map { try run(line + ["--format", $0]) }
    #expect(whole.allSatisfy { $0.status < 2 && !$0.output.isEmpty }, "\(line): \(whole[0].errors)")
    // Every number of parts of one command of each kind; of others some.
    for count in line.count == 2 || k == 0 ? [1, 2, 3, 4, 5, 6, 7] : [2, 7] {
      let parts = try run.parts(line, count)
      for (format, one) in zip(formats, whole) where count == 7 || format == "json" {
        #expect(try run(["merge", "--format", format] + parts) == one, "\(line) in \(count), \(format)")
      }
    }
  }

  /// What the parts' own line says of the report holds, and files appear.
  @Test func keepsTheLinesOwnReport() throws {
    let run = try Self.inputs()
    let line = [
      "softmax", "--rows", "10", "--length", "8", "--format", "markdown", "--check", "ulp.max<=0.1",
    ]
    let whole = try run(line)
    #expect(whole.status == 1)
    let parts = try run.parts(line, 3)
    #expect(try run(["merge"] + parts) == whole)
    #expect(try run(["merge"] + parts.reversed()) == whole)
    _ = try run(["merge", "--report", "json=merged.json"] + parts)
    let one = try run(line + ["--format", "json"])
    let merged = try String(contentsOf: run.folder.appendingPathComponent("merged.json"), encoding: .utf8)
    #expect(merged == one.output)
  }

  /// More parts than there is work: some do nothing.
  @Test func takesMorePartsThanRows() throws {
    let run = try Self.inputs()
    let line = ["softmax", "--rows", "3", "--length", "8"]
    #expect(try run(["merge"] + run.parts(line, 12)) == run(line))
  }

  /// A part on standard output is the part in the file.
  @Test func writesToStandardOutput() throws {
    let run = try Self.inputs()
    let line = ["rmsnorm", "--rows", "20", "--length", "8"]
    let shown = try run(line + ["--shard", "1/2"])
    _ = try run.parts(line, 2)
    let saved = try String(contentsOf: run.folder.appendingPathComponent("1.part"), encoding: .utf8)
    #expect(shown == Command.Outcome(status: 0, output: saved, errors: ""))
  }

  /// A tensor that cannot be read is left out where it would be in one piece, whoever has a part of it.
  @Test(arguments: ["activations", "quantize"])
  func leavesOutTheSame(_ name: String) throws {
    let run = try Command()
    var header = "", data = Data()
    for (k, count) in [4000, 200_000, 600].enumerated() {
      let range = "[\(data.count),\(data.count + 8 * count)]"
      header +=
        (k == 0 ? "{" : ",")
        + "\"t\(k)\":{\"dtype\":\"F64\",\"shape\":[\(count / 100),100],\"data_offsets\":\(range)}"
      for i in 0..<count {
        let x = k == 1 && i == 150_000 ? 1e300 : Double(i % 977) / 31
        withUnsafeBytes(of: x.bitPattern.littleEndian) { data.append(contentsOf: $0) }
      }
    }
    header += "}"
    var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    file.append(Data(header.utf8) + data)
    try file.write(to: run.folder.appendingPathComponent("wide.safetensors"))
    let line = [name, "wide.safetensors"] + (name == "quantize" ? ["--scheme", "int8*"] : [])
    let whole = try run(line)
    #expect(whole.errors.contains("beyond f32") || whole.output.contains("beyond f32"))
    for count in [1, 2, 5] { #expect(try run(["merge"] + run.parts(line, count)) == whole, "in \(count)") }
  }
}
