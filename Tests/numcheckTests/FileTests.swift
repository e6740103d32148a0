import Foundation
import TensorFiles
import Testing

/// Files in and out, on the real tensors of `fixtures/smollm2`.
@Suite struct FileTests {
  private var logits: String {
    CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-logits.npy").path
  }
  private var attention: String {
    CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-attn.safetensors").path
  }

  private func values(_ path: String) throws -> (shape: [Int], values: [Double]) {
    let tensor = try TensorSpecifier(path).open()
    return (tensor.shape, try tensor.withDoubles { Array($0) })
  }

  @Test func realLogits() throws {
    let report = try CommandRunner.json(["softmax", "--input", logits, "--dtype", "bf16", "--rows", "1"])
    #expect(report["rows"] as? Int == 1 && report["length"] as? Int == 49152)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.allSatisfy { $0["verdict"] as? String != "bug" })
    #expect(results.allSatisfy { $0["top1Flips"] as? Int == 0 })
  }

  @Test func outputIsTheKernelsAndReferenceIsTheTruth() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let kernel = folder.appendingPathComponent("kernel.npy").path
    let truth = folder.appendingPathComponent("truth.npy").path
    let input = attention + ":blk.11.lse"
    let first = try CommandRunner.run(
      ["softmax", "--input", input, "--dtype", "f16", "--algorithm", "shifted", "--output", kernel])
    let second = try CommandRunner.run(
      [
        "reference", "softmax", "--input", input, "--dtype", "f16", "--round-inputs", "f16", "--output",
        truth,
      ])
    #expect(first.status == 0 && second.status == 0, "\(first.errors) \(second.errors)")
    let (shape, y) = try values(kernel)
    let (truthShape, t) = try values(truth)
    #expect(shape == [9, 128] && truthShape == shape)
    let report = try CommandRunner.json([
      "softmax", "--input", input, "--dtype", "f16", "--algorithm", "shifted",
    ])
    let result = try #require((report["results"] as? [[String: Any]])?.first)
    let worst = try #require(result["maxAbsoluteError"] as? Double)
    // The truth in the file is rounded, by half an ulp of at most 1/2.
    let difference = zip(y, t).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(abs(difference - worst) <= 0x1p-12, "\(difference) against \(worst)")
    #expect(difference > 0)
  }

  @Test func anotherAxisComesBackInPlace() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let input = folder.appendingPathComponent("in.npy").path
    let across = folder.appendingPathComponent("across.npy").path
    let x = (0..<24).map { Double(($0 * 7) % 11) }
    try TensorWriter.write(x, as: .f32, shape: [2, 3, 4], to: input)
    let outcome = try CommandRunner.run(
      ["reference", "softmax", "--input", input, "--axis", "1", "--dtype", "f64", "--output", across])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let (shape, y) = try values(across)
    #expect(shape == [2, 3, 4])
    for a in 0..<2 {
      for c in 0..<4 {
        let column = (0..<3).map { y[a * 12 + $0 * 4 + c] }
        #expect(abs(column.reduce(0, +) - 1) < 1e-15)
        let weights = (0..<3).map { exp(x[a * 12 + $0 * 4 + c]) }
        for b in 0..<3 { #expect(abs(column[b] - weights[b] / weights.reduce(0, +)) < 1e-15) }
      }
    }
    let sums = folder.appendingPathComponent("lse.npy").path
    _ = try CommandRunner.run(["reference", "lse", "--input", input, "--axis", "0", "--output", sums])
    #expect(try values(sums).shape == [3, 4])
    let jacobian = folder.appendingPathComponent("jacobian.npy").path
    _ = try CommandRunner.run(["reference", "softmax-jacobian", "--input", input, "--output", jacobian])
    #expect(try values(jacobian).shape == [2, 3, 4, 4])
  }

  @Test func standardInput() throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: logits))
    let outcome = try CommandRunner.run(
      ["softmax", "--input", "-", "--rows", "1", "--format", "csv"], input: data)
    #expect(outcome.status == 0 && outcome.output.contains("shifted"), "\(outcome.errors)")
    let cut = try CommandRunner.run(["softmax", "--input", "-"], input: data.prefix(1000))
    #expect(cut.status == 2 && cut.errors.filter { $0 == "\n" }.count == 1)
  }

  @Test func targetsFromAFile() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let targets = folder.appendingPathComponent("targets.npy").path
    try TensorWriter.write([5, 49151, 0, 17], as: .int64, shape: [4], to: targets)
    let output = folder.appendingPathComponent("loss.npy").path
    let outcome = try CommandRunner.run(
      [
        "reference", "crossentropy", "--input", logits, "--target", targets, "--dtype", "f64", "--output",
        output,
      ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let (shape, losses) = try values(output)
    let (_, x) = try values(logits)
    #expect(shape == [4])
    for (row, target) in [5, 49151, 0, 17].enumerated() {
      let z = x[(row * 49152)..<((row + 1) * 49152)]
      let m = try #require(z.max())
      let lse = m + log(z.reduce(0) { $0 + exp($1 - m) })
      #expect(abs(losses[row] - (lse - x[row * 49152 + target])) < 1e-12)
    }
    try TensorWriter.write([5, 49152, 0, 17], as: .int64, shape: [4], to: targets)
    #expect(try CommandRunner.run(["crossentropy", "--input", logits, "--target", targets]).status == 2)
  }
}
