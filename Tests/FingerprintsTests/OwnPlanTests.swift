import Foundation
import NumKit
import Testing

@testable import Fingerprints

/// Kernels of ours, of which everything is known: what their fingerprints say must be so.
///
/// A sample of all plans; all of them with NUMCHECK_ALL_PLANS=1, in two minutes.
@Suite struct OwnPlanTests {
  static let isWhole = ProcessInfo.processInfo.environment["NUMCHECK_ALL_PLANS"] != nil

  /// Claims of plans: how many were decided, and what was wrong.
  struct Tally {
    var claims = 0
    var undecided: [String: Int] = [:]
    var asked: [String: Int] = [:]
    var wrong: [String] = []
    var examples: [String: String] = [:]

    mutating func hold(_ found: KernelFingerprint, _ name: String, _ expected: TraitValue, _ plan: String) {
      claims += 1
      asked[name, default: 0] += 1
      let trait = found[name]
      switch trait?.value {
      case nil:
        undecided[name, default: 0] += 1
        examples[name, default: ""] += "\(plan): \(trait?.evidence.prefix(120) ?? "not asked") | "
      case expected?: break
      case .atLeastBits(let n)?:
        if case .bits(let bits) = expected, bits >= n {
          undecided[name, default: 0] += 1
          examples[name, default: ""] += "\(plan): at least \(n) of \(bits) bits | "
        } else {
          wrong.append(
            "\(plan): \(name) is at least \(n) bits, not \(expected.text): \(trait?.evidence ?? "")")
        }
      case let value?:
        wrong.append("\(plan): \(name) is \(value.text), not \(expected.text): \(trait?.evidence ?? "")")
      }
    }

    var share: Double { Double(undecided.values.reduce(0, +)) / Double(max(claims, 1)) }
    var words: String {
      let parts = asked.keys.sorted().map { "\($0) \(undecided[$0] ?? 0)/\(asked[$0] ?? 0)" }
      return "\(claims) claims, \(wrong.count) wrong, not decidable \(parts.joined(separator: ", ")); "
        + examples.map { "[\($0.key)] \($0.value)" }.sorted().joined(separator: "\n")
    }
  }

  struct RowPlan: CustomStringConvertible, Sendable {
    let algorithm: Algorithm
    let configuration: KernelConfiguration
    var description: String {
      "\(algorithm.operation.rawValue) \(algorithm) \(configuration.storage) \(configuration.compute.name) \(configuration.accumulator.name)"
    }
  }

  static func rowPlans(_ operation: RowOperation) -> [RowPlan] {
    var plans: [RowPlan] = []
    for storage in [NumberFormat.f32, .bf16, .f16] {
      for compute in Set([storage, .f32]).sorted(by: { $0.precision < $1.precision }) {
        for accumulator in Set([compute, .f32, .f16, .bf16]).sorted(by: { $0.name < $1.name }) {
          for algorithm in Algorithm.all(for: operation, dtype: .float(storage)) {
            plans.append(
              RowPlan(
                algorithm: algorithm,
                configuration: KernelConfiguration(
                  storage: .float(storage), compute: compute, accumulator: accumulator)))
          }
        }
      }
    }
    return isWhole ? plans : plans.enumerated().filter { $0.offset % 7 == 0 }.map(\.element)
  }

  @Test(arguments: [RowOperation.softmax, .logSoftmax, .logSumExp])
  func rowsAreWhatTheyAre(_ operation: RowOperation) throws {
    // Of results of 24 bits, and of those of 8 and 11, which hide more.
    var tally = Tally()
    var narrow = Tally()
    // Shorter rows have too few places for terms beside those that are asked about.
    let length = 32
    for plan in Self.rowPlans(operation) {
      let box = try #require(OwnRowBox(plan.algorithm, plan.configuration, length: length))
      let found = try KernelFingerprint(box)
      let isNarrow = box.format.precision < 24
      var own = isNarrow ? narrow : tally
      defer { if isNarrow { narrow = own } else { tally = own } }
      let kernel = plan.algorithm.kernel
      let isNaive = plan.algorithm.arithmetic?.shift == RowArithmetic.Shift.none
      let text = "\(plan)"
      own.hold(found, "maximum", .word(isNaive ? "not subtracted" : "subtracted"), text)
      own.hold(found, "accumulate", .bits(plan.configuration.accumulator.precision), text)
      let count = kernel == "shifted-log1p" ? length - 1 : length
      let tree: SumTree =
        plan.algorithm.summation == .pairwise ? .pairwise(0..<count, leaf: 8) : .sequential(count)
      own.hold(found, "order", .word(OrderName.of(tree, count: count) ?? ""), text)
      // Nothing may be said of a sum that is not rescaled but that, and where few rows tell nothing is.
      // Quotients are made in the wider of both formats.
      let widest = max(plan.configuration.compute.precision, plan.configuration.accumulator.precision)
      let isTwice = plan.algorithm.arithmetic?.ending == .quotient && widest == NumberFormat.f16.precision
      if found["double rounding"] != nil {
        own.hold(found, "double rounding", .word(isTwice ? "yes" : "no"), text)
      }
      if let trait = found["rescale"], let value = trait.value {
        own.claims += 1
        let isRight =
          kernel == "online"
          ? value == .word("blocks:1") || value.text.hasPrefix("blocks of 1 to ") : value == .word("never")
        if !isRight { own.wrong.append("\(text): rescale is \(value.text): \(trait.evidence)") }
      }
      // Of the exponential's argument: there must be one that is rounded, and a result that shows it.
      if operation == .softmax && !isNaive {
        own.hold(found, "compute", .bits(plan.configuration.compute.precision), text)
      }
      // Of results there is one where they are numbers of fewer bits than what they are computed in.
      let bits = plan.configuration
      if box.format.precision < min(bits.compute.precision, bits.accumulator.precision) {
        own.hold(found, "rounding", .word("nearest"), text)
      } else if let value = found["rounding"]?.value {
        #expect(value == .word("nearest"), "\(text)")
      }
      if found["order"]?.value != nil { #expect(found.tree == tree, "\(text)") }
    }
    print("FINGERPRINTS \(operation.rawValue), f32: \(tally.words)")
    print("FINGERPRINTS \(operation.rawValue), bf16 and f16: \(narrow.words)")
    for one in [tally, narrow] {
      #expect(one.wrong.isEmpty, "\(one.wrong.prefix(12).joined(separator: "\n"))")
    }
    #expect(tally.share <= 0.05, "\(tally.words)")
    // A sample may hit what online kernels of few bits hide.
    #expect(narrow.share <= (Self.isWhole ? 0.05 : 0.1), "\(narrow.words)")
  }

  @Test func productsAreWhatTheyAre() throws {
    var tally = Tally()
    let orders: [MatmulOrder] = [.sequential, .pairwise, .blocked(8), .blocked(16), .splitK(4), .splitK(3)]
    var number = 0
    for storage in [NumberFormat.f32, .bf16, .f16] {
      // What f16 holds is not far enough apart for sums of 53 bits to lose any of it.
      for accumulator in [NumberFormat.f32, .bf16, .f16, .f64] where storage != .f16 || accumulator != .f64 {
        for order in orders {
          number += 1
          if !Self.isWhole && number % 3 != 0 { continue }
          let configuration = try MatmulConfiguration(
            storage: .float(storage), accumulator: .float(accumulator), result: storage)
          let length = Self.isWhole ? 128 : 48
          let found = try KernelFingerprint(OwnDotBox(order, configuration, length: length))
          let text = "matmul \(order) \(storage.name) \(accumulator.name)"
          let tree = try #require(
            OrderName.tree(order.description == "pairwise" ? "pairwise" : order.description, count: length))
          tally.hold(found, "order", .word(OrderName.of(tree, count: length) ?? ""), text)
          tally.hold(found, "accumulate", .bits(accumulator.precision), text)
          tally.hold(found, "sum rounding", .word("nearest"), text)
          if found["order"]?.value != nil { #expect(found.tree == tree, "\(text)") }
          let isExact = 2 * storage.precision - 1 <= accumulator.precision
          tally.hold(found, "fma", .word(isExact ? "products are exact" : "fused"), text)
          if accumulator.precision >= storage.precision + 3 {
            tally.hold(found, "rounding", .word("nearest"), text)
          }
        }
      }
    }
    print("FINGERPRINTS matmul: \(tally.words)")
    #expect(tally.wrong.isEmpty, "\(tally.wrong.prefix(12).joined(separator: "\n"))")
    #expect(tally.share <= 0.05, "\(tally.words)")
  }

  @Test func attentionsAreWhatTheyAre() throws {
    var tally = Tally()
    var number = 0
    for storage in [NumberFormat.f32, .bf16, .f16] {
      for p in [NumberFormat.f32, .bf16, .f16] {
        for algorithm in [AttentionAlgorithm.standard, .flash, .naive] {
          for block in algorithm == .flash ? [4, 6] : [64] {
            number += 1
            if !Self.isWhole && number % 5 != 0 { continue }
            let runner = AttentionRunner(
              algorithm, KernelConfiguration(storage: .float(storage), compute: .f32, accumulator: .f32),
              probabilities: p,
              blockKeys: block)
            let keys = Self.isWhole ? 32 : 16
            let box = try #require(OwnAttentionBox(runner, keys: keys))
            let found = try KernelFingerprint(box)
            let text = "attention \(algorithm.rawValue) \(block) \(storage.name), P in \(p.name)"
            tally.hold(found, "maximum", .word(algorithm == .naive ? "not subtracted" : "subtracted"), text)
            tally.hold(found, "p", .word(p == .f32 ? "more than f16" : p.name), text)
            tally.hold(found, "value order", .word("sequential"), text)
            tally.hold(found, "value accumulate", .bits(24), text)
            if p == .f32 {
              tally.hold(
                found, "order",
                .word(
                  algorithm == .flash ? OrderName.of(.blocked(keys, block), count: keys) ?? "" : "sequential"),
                text)
              tally.hold(found, "accumulate", .bits(24), text)
            }
          }
        }
      }
    }
    print("FINGERPRINTS attention: \(tally.words)")
    #expect(tally.wrong.isEmpty, "\(tally.wrong.prefix(12).joined(separator: "\n"))")
    #expect(tally.share <= 0.05, "\(tally.words)")
  }

  /// A softmax in Double whose results go through other formats on their way.
  private final class Stored: RowBox {
    let kind = RowKind.softmax
    let format = NumberFormat.bf16
    let length = 64
    private let through: [NumberFormat]

    init(through: [NumberFormat]) { self.through = through }

    func read(_ probes: [RowProbe]) -> [Double] {
      probes.map { probe in
        let top = probe.values.max() ?? 0
        let e = probe.values.map { Double.exp($0 - top) }
        let share = e[probe.place] / e.reduce(0, +)
        return format.round(through.reduce(share) { $1.round($0) })
      }
    }
  }

  @Test func resultsThatAreRoundedTwiceAreTold() throws {
    for (through, word) in [([], "no"), ([NumberFormat.f32], "no"), ([.f16], "yes"), ([.f32, .tf32], "yes")] {
      let found = try KernelFingerprint(Stored(through: through))
      #expect(found["double rounding"]?.value == .word(word), "\(through.map(\.name))")
      #expect(
        try PlanClaims(parsing: "double-rounding=no").list.map { PlanClaims.verdict($0, found) } == [
          word == "no" ? .confirmed : .refuted
        ])
    }
  }

  /// Whether a sum is rescaled shows in f32, whatever it is summed in, and after how many keys.
  @Test func rescaledSumsAreTold() throws {
    for accumulator in [NumberFormat.f32, .f16] {
      for name in ["shifted", "online"] {
        let algorithm = try #require(
          Algorithm.all(for: .softmax, dtype: .float(.f32)).first { $0.description == name })
        let configuration = KernelConfiguration(
          storage: .float(.f32), compute: .f32, accumulator: accumulator)
        let found = try KernelFingerprint(
          try #require(OwnRowBox(algorithm, configuration, length: 64)))
        let value = try #require(found["rescale"]?.value, "\(name) \(accumulator.name)")
        let isRight = name == "shifted" ? value == .word("never") : value.text.hasPrefix("blocks of 1 to ")
        #expect(isRight, "\(name) \(accumulator.name): \(value.text)")
      }
    }
    let runner = AttentionRunner(
      .standard, KernelConfiguration(storage: .float(.f32), compute: .f32, accumulator: .f32),
      probabilities: .f32, blockKeys: 64)
    let found = try KernelFingerprint(try #require(OwnAttentionBox(runner, keys: 64)))
    #expect(found["rescale"]?.value == .word("never"))
  }

  @Test func normsAreWhatTheyAre() throws {
    var tally = Tally()
    var number = 0
    for accumulator in [NumberFormat.f32, .f16, .bf16] {
      for algorithm in NormAlgorithm.all(for: .rmsNorm) where algorithm.kernel == "naive" {
        number += 1
        if !Self.isWhole && number % 2 != 0 { continue }
        let configuration = KernelConfiguration(
          storage: .float(.f32), compute: .f32, accumulator: accumulator)
        let box = try #require(OwnNormBox(algorithm, configuration, length: 32, epsilon: 1e-5))
        let found = try KernelFingerprint(box)
        let text = "rmsnorm \(algorithm) \(accumulator.name)"
        let name = algorithm.summation == .pairwise ? "pairwise" : "sequential"
        tally.hold(found, "accumulate", .bits(accumulator.precision), text)
        tally.hold(found, "order", .word(name), text)
      }
    }
    for algorithm in NormAlgorithm.all(for: .layerNorm) where algorithm.finish != .folded {
      let box = try #require(
        OwnNormBox(algorithm, KernelConfiguration(storage: .float(.f32)), length: 32, epsilon: 1e-5))
      let found = try KernelFingerprint(box)
      tally.hold(
        found, "variance", .word(algorithm.kernel == "naive" ? "loses far rows" : "of deviations"),
        "layernorm \(algorithm)")
    }
    print("FINGERPRINTS norms: \(tally.words)")
    #expect(tally.wrong.isEmpty, "\(tally.wrong.prefix(12).joined(separator: "\n"))")
    #expect(tally.share <= 0.05, "\(tally.words)")
  }
}
