import NumKit
import Testing

@testable import Fingerprints

/// Sums that keep what their roundings lose are not taken for wider ones.
@Suite struct CompensatedSumTests {
  /// Dot products in Float, one term after the other.
  private final class Products: DotBox {
    let format = NumberFormat.f32
    let length = 64
    let factor = 1.0
    let takesPairs = true
    let isCompensated: Bool

    init(isCompensated: Bool) { self.isCompensated = isCompensated }

    func products(_ probes: [DotProbe]) -> [Double] {
      probes.map { probe in
        var (sum, lost) = (Float(0), Float(0))
        for (a, b) in zip(probe.a, probe.b ?? probe.a.map { _ in 1 }) {
          let term = Float(a) * Float(b) - lost
          let next = sum + term
          lost = isCompensated ? (next - sum) - term : 0
          sum = next
        }
        return Double(sum)
      }
    }
  }

  private func accumulator(_ isCompensated: Bool) throws -> (
    trait: Fingerprints.Trait?, claim: PlanClaims.Verdict
  ) {
    let found = try KernelFingerprint(Products(isCompensated: isCompensated))
    let claims = try PlanClaims(parsing: "accumulate=f32")
    return (found["accumulate"], PlanClaims.verdict(claims.list[0], found))
  }

  @Test func plainOnesHaveTheirBits() throws {
    let (trait, claim) = try accumulator(false)
    #expect(trait?.value == .bits(24) && claim == .confirmed)
  }

  @Test func compensatedOnesAreNotDecided() throws {
    let (trait, claim) = try accumulator(true)
    #expect(trait?.value == nil && claim == .undecided)
    #expect(trait?.evidence.contains("what roundings lose is kept") == true, "\(trait?.evidence ?? "")")
  }
}
