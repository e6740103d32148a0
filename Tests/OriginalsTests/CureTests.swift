import Foundation
import Quant
import TensorFiles
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// What chooses codes, held against its authors' code (`fixtures/originals/cures.py`).
@Suite("The originals' cures") struct CureOriginalsTests {
  private func matrix(_ view: TensorView) throws -> TensorMatrix {
    TensorMatrix(
      rows: view.shape[0], columns: view.shape[1], values: try view.withFloats { Array($0) })
  }

  /// Every code is the original's: numbers may differ in the last bits of a scale, never by a step.
  @Test func codesAreTheAuthors() throws {
    let file = try TensorFile.open(root.appending(path: "fixtures/originals/cures.safetensors").path)
    let activations = try matrix(file.tensor(named: "x"))
    var count = 0
    for view in file.views.sorted(by: { $0.name < $1.name }) {
      let parts = view.name.split(separator: "|").map(String.init)
      guard parts.count == 2 else { continue }
      let theirs = try matrix(view)
      let weights = try matrix(file.tensor(named: theirs.rows == 64 ? "w64" : "w"))
      let n = weights.columns
      let inputs = TensorMatrix(
        rows: activations.rows, columns: n,
        values: (0..<activations.rows).flatMap { activations.values[$0 * 256..<$0 * 256 + n] })
      let scheme = try SchemeRegistry.scheme(named: parts[1])
      let treatment =
        try parts[0].hasPrefix("awq") && parts[0] != "awq-clip"
        ? Treatment(scheme, transforms: [TransformRegistry.transform(named: parts[0])])
        : Treatment(scheme, calibration: CalibrationRegistry.calibration(named: parts[0]))
      let ours = try treatment.apply(weights, context: CureContext(activations: inputs)).decoded
      let wrong = ours.values.indices.filter {
        !((ours.values[$0] - theirs.values[$0]).magnitude <= 2e-6 * max(1, theirs.values[$0].magnitude))
      }
      count += 1
      if let first = wrong.first {
        Issue.record(
          "\(view.name): \(wrong.count) differ, \(first): \(ours.values[first]), the original \(theirs.values[first])"
        )
      }
    }
    #expect(count >= 64)
  }

  /// Points of E8P by the original's own code, in the order of codes.
  @Test func pointsOfE8PAreTheAuthors() throws {
    let file = try TensorFile.open(root.appending(path: "fixtures/originals/cures.safetensors").path)
    let points = try file.tensor(named: "e8p-points").withFloats { Array($0) }
    let scheme = try SchemeRegistry.scheme(named: "e8p")
    var bytes: [UInt8] = [0, 0, 0x80, 0x3F]
    for code in stride(from: 0, to: 65536, by: 7) { bytes += [UInt8(code & 255), UInt8(code >> 8)] }
    var ours = [Float](repeating: 0, count: points.count)
    try bytes.withUnsafeBytes { bytes in
      try ours.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: 1, columns: points.count, into: $0)
      }
    }
    #expect(ours == points && points.count == 8 * 9363)
  }
}
