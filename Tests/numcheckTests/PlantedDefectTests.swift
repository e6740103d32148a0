import Foundation
import Testing

/// Ten defects, each planted in a copy of right results, in a kernel's choice or in a tensor: the gate is red for each, by the right check,
/// at the right line, in every format.
@Suite struct PlantedDefectTests {
  private struct Defect {
    let name: String
    /// The check that must fail.
    let check: String
    let plant: @Sendable (inout [Float]) -> Void
    /// What of the file is written otherwise.
    var edit: (String, String)?
  }

  private static let rows = 8
  private static let columns = 32

  private static let gate = """
    checks:
      - name: results
        run: verify softmax
        results: results.npy
        input: logits.npy
        limit: verdict != bug
      - name: kernel
        run: softmax
        input: logits.npy
        dtype: f16
        accumulate: f32
        algorithm: shifted
        limit: derived
      - name: scheme
        run: quantize
        input: logits.npy
        scheme: q8_0
        limit: sqnr >= 30
      - name: tensor
        run: activations
        arguments: results.npy
        limit: [nan == 0, infinite == 0]
    """

  private static let defects: [Defect] = [
    .init(name: "one result off", check: "results", plant: { $0[40] *= 1.01 }),
    .init(name: "a row not divided by its sum", check: "results", plant: { for i in 32..<64 { $0[i] *= 3 } }),
    .init(name: "two rows swapped", check: "results", plant: { for i in 0..<32 { $0.swapAt(i, i + 32) } }),
    .init(name: "a last element left out", check: "results", plant: { $0[31] = 0 }),
    .init(
      name: "results in half", check: "results",
      plant: { for i in $0.indices { $0[i] = Float(Float16($0[i])) } }),
    .init(name: "a sign lost", check: "results", plant: { $0[3] = -$0[3] }),
    .init(name: "NaN in a row", check: "tensor", plant: { $0[70] = .nan }),
    .init(name: "an overflow", check: "tensor", plant: { $0[71] = .infinity }),
    .init(
      name: "the maximum not subtracted", check: "kernel", plant: { _ in },
      edit: ("algorithm: shifted", "algorithm: naive")),
    .init(name: "half the bits", check: "scheme", plant: { _ in }, edit: ("scheme: q8_0", "scheme: q4_0")),
  ]

  private static func file(_ values: [Float]) -> Data {
    ActivationsTests.npy("<f4", [rows, columns], ActivationsTests.bytes(values.map(Double.init), "<f4"))
  }

  @Test(arguments: defects.indices) func turnsTheGateRed(_ index: Int) throws {
    let defect = Self.defects[index]
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func place(_ name: String) -> URL { folder.appendingPathComponent(name) }
    // Far enough apart for a kernel that does not subtract the maximum.
    let logits = (0..<Self.rows * Self.columns).map { Float($0 * 37 % 101) / 2 - 10 }
    try Self.file(logits).write(to: place("logits.npy"))
    let truth = try CommandRunner.run(
      ["reference", "softmax", "--input", "logits.npy", "--dtype", "f32", "--output", "results.npy"],
      folder: folder)
    #expect(truth.status == 0, "\(truth.errors)")
    try Self.gate.write(to: place("numcheck.yml"), atomically: true, encoding: .utf8)
    let sound = try CommandRunner.run(["gate"], folder: folder)
    #expect(sound.status == 0, "\(sound.output) \(sound.errors)")
    let bytes = try Data(contentsOf: place("results.npy"))
    var values = bytes.suffix(4 * logits.count).withUnsafeBytes { raw in
      (0..<logits.count).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    defect.plant(&values)
    try Self.file(values).write(to: place("results.npy"))
    if let (old, new) = defect.edit {
      try Self.gate.replacing(old, with: new).write(
        to: place("numcheck.yml"), atomically: true, encoding: .utf8)
    }
    let formats = [
      "text", "json", "markdown", "junit", "html", "sarif", "github", "summary", "gitlab", "tap",
    ]
    var flags = ["gate", "--no-lock"]
    for format in formats { flags += ["--report", "\(format)=r.\(format)"] }
    let outcome = try CommandRunner.run(flags, folder: folder)
    #expect(outcome.status == 1, "\(defect.name): \(outcome.output) \(outcome.errors)")
    let line =
      try #require(Self.gate.split(separator: "\n").firstIndex { $0.hasSuffix("name: \(defect.check)") }) + 1
    for format in formats {
      let text = try String(contentsOf: place("r.\(format)"), encoding: .utf8)
      #expect(text.contains("\(defect.check): "), "\(defect.name) in \(format)")
      // Where services put it: the line of the check's limit.
      if ["github", "summary", "tap", "html"].contains(format) {
        let limit =
          try #require(
            Self.gate.split(separator: "\n")[line...].firstIndex { $0.contains("limit:") }) + 1
        let at = format == "github" ? "line=\(limit)," : "numcheck.yml:\(limit):"
        #expect(text.contains(at), "\(defect.name) in \(format): \(at)")
      }
    }
  }
}
