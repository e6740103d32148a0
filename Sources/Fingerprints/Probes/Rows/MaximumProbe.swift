import NumKit
import RealModule

/// Whether the maximum is subtracted before exponentials are taken: equal logits far beyond where e^x is a number, and as far below.
struct MaximumProbe {
  let room: RowRoom

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.isExponential else { return }
    let trait = try MaximumProbe(room: i.room).run()
    i.subtracts = trait.value == .word("subtracted")
    i.traits.append(trait)
  }

  func run() throws -> Trait {
    let far = 800.0
    guard room.format.largestFinite > far else {
      return .undecided("maximum", "\(room.format.name) has no number beyond 709")
    }
    let probes = [far, -far].map { room.row([:], rest: room.format.round($0), place: 0) }
    let y = try room.box.read(probes)
    func expected(_ x: Double) -> Double {
      let log = Double.log(Double(room.n))
      switch room.kind {
      case .softmax, .attention: return 1 / Double(room.n)
      case .logSoftmax: return -log
      default: return x + log
      }
    }
    // A kernel of few bits may be far off; one that takes e^800 has no number at all.
    let right = zip(y, [far, -far]).allSatisfy { y, x in
      let ratio = y / expected(x)
      return room.kind.givesProbabilities ? (0.2...5).contains(ratio) : (0.5...1.5).contains(ratio)
    }
    let words = "all 800: \(ProbeText.number(y[0])), all -800: \(ProbeText.number(y[1]))"
    if right { return Trait("maximum", .word("subtracted"), words) }
    let lost = y.contains { !$0.isFinite || $0 == 0 }
    return lost
      ? Trait("maximum", .word("not subtracted"), words)
      : .undecided("maximum", words + ": neither the answers nor what e^800 becomes")
  }
}
