import Foundation
import NumKit
import TensorFiles
import TestSupport
import Testing

/// `numcheck reference` under its special options, as a person runs it, against an independent computation.
@Suite struct ReferenceOptionTests {
  private struct Failure: Error, CustomStringConvertible { let description: String }

  /// Runs and reads the tensors of what was written.
  private func results(_ arguments: [String], _ output: String, _ names: [String]) throws -> [[Double]] {
    let outcome = try CommandRunner.run(arguments + ["--as", "f64", "--output", output, "--threads", "1"])
    guard outcome.status == 0 else { throw Failure(description: "\(arguments): \(outcome.errors)") }
    return try names.map { try TensorSpecifier("\(output):\($0)").open().withDoubles { Array($0) } }
  }

  private func text(_ x: Double) -> String { "\(x)" }

  /// Rows of one question and one length go together.
  @Test(arguments: 0..<4)
  func rowsAreThoseOfAnIndependentComputation(part: Int) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    let (formats, rows) = try GoldenRowOptions.all()
    var batches: [String: [GoldenRowOptions]] = [:]
    for row in rows {
      let key = "\(row.operation.rawValue) \(row.parameters) \(row.logits.count)"
      batches[key, default: []].append(row)
    }
    var compared = 0
    for (number, key) in batches.keys.sorted().enumerated() where number % 4 == part {
      let batch = try #require(batches[key])
      let (first, length) = (batch[0], batch[0].logits.count)
      let column = (number / 4 * 5) % formats.count
      let overflow = Overflow.allCases[number / 4 % 2]
      try TensorWriter.write(
        batch.flatMap(\.logits), as: .f64, shape: [batch.count, length], to: path("x.npy"))
      var arguments = [
        "reference", first.operation.rawValue, "--input", path("x.npy"), "--dtype", formats[column].name,
        "--overflow", overflow.rawValue, "--temperature", text(first.parameters.temperature), "--policy",
        first.parameters.specialValues.rawValue,
      ]
      if first.operation == .crossEntropy || first.operation == .crossEntropyGradient {
        arguments += ["--target", "\(first.parameters.target)"]
      }
      if first.operation == .softmaxVJP {
        try TensorWriter.write(first.parameters.cotangent, as: .f64, shape: [length], to: path("v.npy"))
        arguments += ["--cotangent", path("v.npy")]
      }
      let y = try results(arguments, path("y.safetensors"), [first.operation.rawValue])[0]
      let perRow = first.operation.resultCount(length: length)
      try #require(y.count == batch.count * perRow)
      for (row, golden) in batch.enumerated() {
        for result in golden.results {
          let (found, expected) = (y[row * perRow + result.index], result.expected(column, overflow))
          #expect(areSame(found, expected), "\(arguments), \(golden.logits): \(found), not \(expected)")
          compared += 1
        }
      }
    }
    #expect(compared > 100)
  }

  @Test(arguments: 0..<4)
  func attentionIsThatOfAnIndependentComputation(part: Int) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    let (formats, problems) = try GoldenAttentionOptions.all()
    for (number, p) in problems.enumerated() where number % 4 == part {
      let s = p.shape
      let column = (number / 4 * 5) % formats.count
      let overflow = Overflow.allCases[number / 4 % 2]
      let tensors: [(String, [Double], [Int])] = [
        ("q", p.q, [s.heads, s.queries, s.headSize]), ("k", p.k, [s.keyHeads, s.keys, s.headSize]),
        ("v", p.v, [s.keyHeads, s.keys, s.valueSize]),
        ("mask", p.parameters.mask.additive, [s.queries, s.keys]),
      ]
      var arguments = [
        "reference", "attention", "--dtype", formats[column].name, "--overflow", overflow.rawValue,
      ]
      for (name, values, shape) in tensors where !values.isEmpty {
        try TensorWriter.write(values, as: .f64, shape: shape, to: path("\(name).npy"))
        arguments += ["--\(name)", path("\(name).npy")]
      }
      let y = try results(arguments + p.flags, path("y.safetensors"), ["o", "lse"])
      try #require(y[0].count == p.outputs.count && y[1].count == p.logSumExps.count)
      for (found, golden) in zip(y[0], p.outputs) {
        let expected = golden.expected(column, overflow)
        #expect(areSame(found, expected), "\(number) \(arguments + p.flags): \(found), not \(expected)")
      }
      for (found, golden) in zip(y[1], p.logSumExps) {
        let expected = golden.expected(formats[column] == .f64 ? 0 : 1, overflow)
        #expect(areSame(found, expected), "\(number) \(arguments + p.flags): lse \(found), not \(expected)")
      }
    }
  }

  /// A file cannot be of a type that lacks some of the numbers.
  @Test func aTypeThatCannotHoldTheResultsIsRefused() throws {
    for (dtype, type) in [
      ("f8e4m3fnuz", "f8e4m3fn"), ("f8e5m2", "f8e4m3fn"), ("bf16", "f16"), ("f16", "bf16"),
    ] {
      let outcome = try CommandRunner.run([
        "reference", "attention", "--tokens", "2", "--dtype", dtype, "--as", type, "--output",
        "/tmp/never.npy",
      ])
      #expect(
        outcome.status == 2 && outcome.errors.contains("cannot hold every value of \(dtype)"), "\(outcome)")
      #expect(!FileManager.default.fileExists(atPath: "/tmp/never.npy"))
    }
  }

  /// 64-bit integers that are no f64 are refused by every command that takes numbers as they are, in one line.
  @Test func integersThatNoDoubleHoldsAreRefused() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    func write(_ values: [Int64], _ shape: String, _ descr: String, _ name: String) throws {
      var header = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(shape)), }"
      header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
      var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8))
      for x in values { withUnsafeBytes(of: x.littleEndian) { data.append(contentsOf: $0) } }
      try data.write(to: URL(fileURLWithPath: path(name)))
    }
    try write([7, 3 << 53 | 1, -5, 2], "2, 2", "<i8", "ids.npy")
    try write([4, -1], "1, 2", "<u8", "big.npy")
    try write([1, 2, 3, 4], "2, 2", "<i8", "small.npy")
    let (ids, big, small) = (path("ids.npy"), path("big.npy"), path("small.npy"))
    let bad = "element [0, 1] is 27021597764222977, which no f64 holds"
    let output = ["--output", path("out.npy")]
    let runs: [([String], String)] = [
      (["reference", "softmax", "--input", ids] + output, bad), (["softmax", "--input", ids], bad),
      (["lse", "--input", ids, "--axis", "0"], bad),
      (
        ["reference", "softmax", "--input", big] + output,
        "element [0, 1] is 18446744073709551615, which no f64 holds"
      ),
      (["crossentropy", "--input", small, "--target", big], "18446744073709551615"),
      (["reference", "attention", "--q", ids, "--k", small, "--v", small] + output, bad),
      (["reference", "attention", "--q", small, "--k", small, "--v", small, "--mask", ids] + output, bad),
      (["attention", "--q", small, "--k", small, "--v", ids], bad),
    ]
    for (arguments, wanted) in runs {
      let outcome = try CommandRunner.run(arguments)
      #expect(outcome.status == 2, "\(arguments): \(outcome)")
      #expect(
        outcome.errors.contains(wanted) && outcome.errors.filter { $0 == "\n" }.count == 1,
        "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: path("out.npy")))
    }
    // Floats of 16 bytes are no numbers here, and what a Double holds is read.
    try write([0, 0, 0, 0], "2,", "<f16", "quad.npy")
    let quad = try CommandRunner.run(["reference", "softmax", "--input", path("quad.npy")] + output)
    #expect(
      quad.status == 2 && quad.errors.contains("'<f16' is not a float of 2, 4, 8 bytes"), "\(quad.errors)")
    let fine = try CommandRunner.run(["reference", "softmax", "--input", small] + output)
    #expect(fine.status == 0)
  }
}
