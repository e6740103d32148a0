import NumKit
import Testing

@testable import Fingerprints

/// Fingerprints that are kept, compared, and held against claims; kernels that are planted.
@Suite struct KeptTests {
  /// A softmax in f32 that sums in `lanes`, each exponential cut to so many bits, results cut or rounded.
  final class Planted: RowBox {
    let kind = RowKind.softmax
    let format: NumberFormat
    let length: Int
    var tree: SumTree
    var cuts = false
    var spoils = false
    var calls = 0

    init(_ tree: SumTree, length: Int, format: NumberFormat = .f32) {
      (self.tree, self.length, self.format) = (tree, length, format)
    }

    func read(_ probes: [RowProbe]) throws -> [Double] {
      calls += 1
      return probes.map { probe in
        let m = Float(probe.values.max() ?? 0)
        let e = probe.values.map { Float(Double.exp(Double(Float($0) - m))) }
        func sum(_ tree: SumTree) -> Float {
          switch tree {
          case .leaf(let k): e[k]
          case .node(let parts): parts.dropFirst().reduce(sum(parts[0])) { $0 + sum($1) }
          }
        }
        let y = Double(e[probe.place]) / Double(sum(tree)) * (spoils ? 1.001 : 1)
        guard cuts, y.isFinite, y > 0 else { return format.round(y) }
        let ulp = format.ulp(of: y)
        return (y / ulp).rounded(.down) * ulp
      }
    }
  }

  @Test func laneChangesAreTold() throws {
    let before = try KernelFingerprint(Planted(.lanes(64, 16, combine: .folded(16)), length: 64))
    let after = try KernelFingerprint(
      Planted(.lanes(64, 32, combine: .pairwise(0..<32, leaf: 1)), length: 64))
    #expect(before["order"]?.value == .word("lanes:16, then folded"))
    #expect(before["accumulate"]?.value == .bits(24) && before["compute"]?.value == .bits(24))
    #expect(before["exp"]?.value == .word("within 1 ulp"))
    let kept = try KernelFingerprint(json: Array(before.json.utf8), file: "kept")
    #expect(kept == before)
    let comparison = try FingerprintComparison(kept, after)
    #expect(comparison.changes.map(\.name) == ["order"])
    #expect(
      comparison.line.hasPrefix("order changed from lanes:16, then folded to lanes:32, then pairwise:1, "))
    #expect(comparison.line.hasSuffix("bound kept") && comparison.bitsMoved > 0)
    #expect(try FingerprintComparison(before, before).line == "no bit moved, bound kept")
  }

  @Test func brokenBoundsAreTold() throws {
    let box = Planted(.sequential(32), length: 32)
    let before = try KernelFingerprint(box)
    box.spoils = true
    let after = try KernelFingerprint(box)
    #expect(try FingerprintComparison(before, after).keepsBound == false)
  }

  @Test func cutResultsAreTold() throws {
    let box = Planted(.sequential(32), length: 32, format: .bf16)
    #expect(try KernelFingerprint(box)["rounding"]?.value == .word("nearest"))
    box.cuts = true
    #expect(try KernelFingerprint(box)["rounding"]?.value == .word("truncated"))
  }

  @Test func claimsAreDecided() throws {
    let found = try KernelFingerprint(Planted(.blocked(32, 8), length: 32))
    func verdict(_ text: String) throws -> PlanClaims.Verdict {
      PlanClaims.verdict(try #require(try PlanClaims(parsing: text).list.first), found)
    }
    for (text, expected) in [
      ("accumulate=f32", PlanClaims.Verdict.confirmed), ("accumulate=bf16", .refuted),
      ("accumulate=f64", .refuted),
      ("order=blocked:8", .confirmed), ("order=split-k:4", .confirmed), ("order=sequential", .refuted),
      ("maximum=subtracted", .confirmed), ("fma=fused", .undecided), ("p=bf16", .undecided),
      ("exp=within-1-ulp", .confirmed),
    ] {
      #expect(try verdict(text) == expected, "\(text)")
    }
    for text in [
      "", "accumulate", "accumulate=", "=f32", "speed=1", "accumulate=f32,accumulate=f32", "accumulate=e8m0",
      "order=up", "p=x",
    ] {
      #expect(throws: FingerprintError.self, "\(text)") { try PlanClaims(parsing: text) }
    }
  }

  @Test func strangeFilesAreNone() throws {
    let sound = try KernelFingerprint(Planted(.sequential(16), length: 16)).json
    for text in [
      "", "{}", "[1]", "\"x\"", String(sound.dropLast(20)),
      sound.replacing("\"fingerprint\" : 1", with: "\"fingerprint\" : 2"),
    ] {
      #expect(throws: FingerprintError.self) { try KernelFingerprint(json: Array(text.utf8), file: "kept") }
    }
    let other = try KernelFingerprint(Planted(.sequential(24), length: 24))
    let own = try KernelFingerprint(json: Array(sound.utf8), file: "kept")
    #expect(throws: FingerprintError.self) { try FingerprintComparison(other, own) }
  }
}
