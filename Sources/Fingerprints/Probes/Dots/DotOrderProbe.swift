import NumKit

/// The whole tree of a dot product's additions: M at i, −M at j and units elsewhere, which are lost beside M.
struct DotOrderProbe {
  let room: DotRoom

  static func ask(_ i: DotInterview) throws {
    let (trait, tree) = try DotOrderProbe(room: i.room).run()
    i.tree = tree
    i.places = tree?.meeting(i.room.n)
    i.traits.append(trait)
  }

  func run() throws -> (Trait, SumTree?) {
    let format = room.format
    // Units whose sums are exact in the accumulator and whose counts are numbers of the results' format; small ones for accumulators
    // of little range.
    var scales: [(mask: Double, unit: Double)] = []
    if format.minExponent < -100 { scales.append((0x1p90, 1)) }
    scales.append((0x1p15, max(0x1p-17, format.smallestPositive / room.box.factor)))
    var last: Trait?
    for (mask, unit) in scales {
      guard room.n <= 1 << format.precision, format.round(mask) == mask,
        mask / (unit * Double(room.n)) >= 0x1p25
      else {
        continue
      }
      // Units that are lost by themselves say nothing.
      let alone = try room.sums([room.terms([0: unit]), room.terms([room.n - 1: unit])])
      guard alone == [unit, unit] else {
        let words = "a unit of \(ProbeText.hex(unit)) alone gives \(ProbeText.number(alone[0]))"
        last = last ?? .undecided("order", words)
        continue
      }
      let (trait, tree) = try run(mask, unit)
      if trait.value != nil { return (trait, tree) }
      last = last ?? trait
    }
    return (
      last ?? .undecided("order", "\(format.name) cannot count \(room.n) units beside what they are lost in"),
      nil
    )
  }

  private func run(_ mask: Double, _ unit: Double) throws -> (Trait, SumTree?) {
    let (n, format) = (room.n, room.format)
    var isWrong = ""
    var isLost = false
    var example = ""
    let tree = try CancellingTree { pairs in
      var answers: [Int?] = []
      let most = max(1, (1 << 20) / n)
      for start in stride(from: 0, to: pairs.count, by: most) {
        let part = pairs[start..<min(start + most, pairs.count)]
        let terms = part.map { i, j -> [Double] in
          var row = [Double](repeating: unit, count: n)
          row[i] = mask
          row[j] = -mask
          return row
        }
        for ((i, j), y) in zip(part, try room.sums(terms)) {
          let left = y / unit
          if left == left.rounded(), left >= 0, left <= Double(n - 2) {
            answers.append(n - Int(left))
            isLost = isLost || Int(left) < n - 2
            if example.isEmpty {
              example =
                "M at \(i), -M at \(j), units elsewhere: \(Int(left)) of \(n - 2) units are left (M = \(ProbeText.hex(mask)), unit \(ProbeText.hex(unit)))"
            }
          } else {
            isWrong = "M at \(i), -M at \(j): \(ProbeText.number(y)) is no count of units"
            answers.append(nil)
          }
        }
      }
      return answers
    }.find(n)
    guard let tree, isLost || n < 4 else {
      if isWrong.isEmpty {
        isWrong =
          isLost
          ? "what is left is not what one tree leaves: no plain sum"
          : "units beside M are never lost: the accumulator is wider than \(format.name) can show"
      }
      return (.undecided("order", isWrong), nil)
    }
    let name = OrderName.of(tree, count: n) ?? "other"
    return (Trait("order", .word(name), example + (name == "other" ? ": \(tree.text)" : "")), tree)
  }
}
