import NumKitNumbers
import NumKitQuestions

/// Inputs that a kernel cuts to a shorter format before it computes, as matrix units do with f32: numbers are right, of other inputs.
enum NarrowInputs: Sendable {
  /// What they may be cut to where they are numbers of `format`, and how.
  static func cuts(of format: NumberFormat) -> [(name: String, cut: @Sendable (Double) -> Double)] {
    [NumberFormat.tf32, .bf16, .f16].filter { $0.precision < format.precision }.flatMap { short in
      let rounded: (String, @Sendable (Double) -> Double) = (
        "inputs rounded to \(short.name)", { short.round($0) }
      )
      // Half precision has less range too: nobody gets it by dropping bits.
      guard short != .f16 else { return [rounded] }
      let dropped = UInt64(1) << UInt64(53 - short.precision) - 1
      let truncated: (String, @Sendable (Double) -> Double) = (
        "inputs truncated to \(short.name)", { Double(bitPattern: $0.bitPattern & ~dropped) }
      )
      return [rounded, truncated]
    }
  }
}
