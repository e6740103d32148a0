import NumKit

/// Whether adding a number to all logits changes results: it does where logits are scaled, by log2 e or otherwise, before the maximum is
/// subtracted.
struct ShiftProbe {
  let room: RowRoom
  let compute: TraitValue?

  static func ask(_ i: RowInterview) throws {
    guard i.subtracts, i.room.kind != .logSumExp else { return }
    i.traits.append(try ShiftProbe(room: i.room, compute: i.compute).run())
  }

  func run() throws -> Trait {
    let format = room.format
    let shifts = (1...48).map { Double($0) * 1.25 }.filter { format.round($0) == $0 }
    let gaps = [0.5, 1, 3, 5.5]
    var probes: [RowProbe] = []
    for gap in gaps {
      for shift in [0] + shifts where format.round(shift - gap) == shift - gap {
        probes.append(room.row([0: shift, 1: shift - gap], rest: room.none(shift), place: 1))
      }
    }
    let y = try room.box.read(probes)
    // Results are held against that without a shift; of log-sum-exp the shift is part of the answer.
    guard room.kind != .logSumExp else { return .undecided("shift", "a log-sum-exp moves with its logits") }
    var position = 0
    for gap in gaps {
      let count = 1 + shifts.count { format.round($0 - gap) == $0 - gap }
      let own = y[position..<position + count]
      for k in own.indices.dropFirst() where own[k] != own[position] && !own[k].isNaN {
        return Trait(
          "shift", .word("changes results"),
          "\(ProbeText.row(probes[k].values)): \(ProbeText.number(own[k])), not \(ProbeText.number(own[position])) as without the shift"
        )
      }
      position += count
    }
    if case .bits(let bits)? = compute, bits <= format.precision {
      return Trait("shift", .word("invariant"), "two logits at \(probes.count) heights: each gap one result")
    }
    return .undecided(
      "shift",
      "results of \(format.precision) bits hide what a shift may change in \(compute?.text ?? "the computation")"
    )
  }
}
