import RowKernels
import StabilityTesting
import Testing

private let rows: Generator<[Float]> = .logits(1...100)

@Suite struct SoftmaxTests {
  /// Within what is proven of every right kernel that computes in f32.
  @Test func isAccurate() throws {
    try checkProperty(rows, .accurate(.softmax) { blockedSoftmax($0) }, runs: 300, regressions: .beside())
  }

  @Test func isADistribution() throws {
    try checkProperty(rows, .normalised(within: 64) { blockedSoftmax($0) })
  }

  @Test func isMonotone() throws {
    try checkProperty(rows, .monotone { blockedSoftmax($0) })
  }

  @Test func doesNotMindAShift() throws {
    try checkProperty(rows, .shiftInvariant(within: .ulps(64)) { blockedSoftmax($0) })
  }

  @Test func knowsSpecialValues() throws {
    try checkProperty(rows, .specialValues(.softmax) { blockedSoftmax($0) }, runs: 20)
  }

  /// A condition of one's own, on numbers of a class of one's own.
  @Test func doesNotMindSubnormalNumbers() throws {
    let subnormal = Generator<Float>.floats { $0.subnormal }.vector(1...20)
    try checkProperty(subnormal) { row in blockedSoftmax(row).allSatisfy { $0 == 1 / Float(row.count) } }
  }

  /// The mistake is found, and told with nine numbers: one more than a block, the last the largest.
  @Test func theMistakeIsFound() throws {
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(rows, .accurate(.softmax) { staleSoftmax($0) })
    }
    print(failure)
    #expect(failure.choices.count == 11 && failure.violation.kind == "above-bound")
  }
}
