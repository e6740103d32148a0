import NumKit
import RealModule

/// Whether results below the smallest normal number are kept.
struct SubnormalResultProbe {
  let room: RowRoom

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.givesProbabilities || i.room.kind == .logSumExp else { return }
    i.traits.append(try SubnormalResultProbe(room: i.room).run())
  }

  func run() throws -> Trait {
    let format = room.format
    let target = format.smallestNormal * 0x1p-3
    let x: Double
    var probes: [RowProbe]
    switch room.kind {
    case .softmax, .attention:
      x = format.round(Double.log(target))
      probes = [room.row([0: 0, 1: x], rest: room.none(), place: 1)]
    case .logSumExp:
      x = target
      probes = [room.row([0: x], rest: room.none(), place: 0)]
    default: return .undecided("subnormals", "no input has a result below the smallest normal number")
    }
    let y = try room.box.read(probes)[0]
    let exact = room.kind == .logSumExp ? x : Double.exp(x)
    let words =
      "\(ProbeText.row(probes[0].values, else: room.none())): \(ProbeText.number(y)), exact \(ProbeText.hex(exact))"
    probes.removeAll()
    if y == 0 { return Trait("subnormals", .word("zero"), words) }
    if (y - exact).magnitude <= exact * 0.3 { return Trait("subnormals", .word("kept"), words) }
    return .undecided("subnormals", words)
  }
}
