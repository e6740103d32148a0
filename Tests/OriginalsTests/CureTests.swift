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
      let ours = try Treatment(
        SchemeRegistry.scheme(named: parts[1]),
        calibration: CalibrationRegistry.calibration(named: parts[0])
      ).apply(weights, context: CureContext(activations: inputs)).decoded
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
    #expect(count >= 34)
  }
}
