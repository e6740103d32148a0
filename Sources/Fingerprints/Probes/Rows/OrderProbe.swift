import NumKit

/// In which order a row's terms are added: the whole tree, by one term of 1 and two small ones.
struct OrderProbe {
  let box: any RowBox
  let sights: [SumSight]

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind != .layerNorm else { return }
    let (trait, tree) = try OrderProbe(box: i.room.box, sights: i.sights).run()
    i.tree = tree
    i.traits.append(trait)
  }

  func run() throws -> (Trait, SumTree?) {
    guard !sights.isEmpty else {
      return (.undecided("order", "no rounding of the sum shows in results: any order would give these"), nil)
    }
    guard box.length <= 256 else {
      return (.undecided("order", "rows of more than 256 take more probes than are tried: --length 256"), nil)
    }
    for sight in sights {
      guard try seesEverywhere(sight), let tree = try tree(sight) else { continue }
      let n = sight.observer.count(box.length)
      let name = OrderName.of(tree, count: n) ?? "other"
      let example =
        "1 beside pairs of \(SumSight.share) x 2^-\(sight.bits): which of them move the sum, for all \(n) places"
      return (Trait("order", .word(name), example + (name == "other" ? ": \(tree.text)" : "")), tree)
    }
    return (.undecided("order", "what meets first is not the order of one tree: no plain sum"), nil)
  }

  /// Whether, wherever the large term stands, one that is kept shows and one that is lost does not.
  private func seesEverywhere(_ sight: SumSight) throws -> Bool {
    let (length, observer) = (box.length, sight.observer)
    let n = observer.count(length)
    var probes: [RowProbe] = []
    for large in 0..<n {
      for x in [observer.none, sight.small, sight.kept] {
        probes.append(observer.probe(length, large: large, [((large + 1) % n, x)]))
      }
    }
    let y = try box.read(probes)
    for k in 0..<n {
      let (none, lost, kept) = (y[3 * k], y[3 * k + 1], y[3 * k + 2])
      guard none == lost, none != kept else { return false }
    }
    return true
  }

  private func tree(_ sight: SumSight) throws -> SumTree? {
    let (length, observer) = (box.length, sight.observer)
    var still: [Int: Double] = [:]
    // What nothing small beside each large term gives; the reporter may stand in several places.
    let finder = TripleTree { (queries: [TripleTree.Query]) throws -> [Bool] in
      var probes: [RowProbe] = []
      var controls: [Int] = []
      var keys: [Int] = []
      for q in queries {
        let probe = observer.probe(length, large: q.large, [(q.first, sight.small), (q.second, sight.small)])
        let key = q.large * length + probe.place
        keys.append(key)
        probes.append(probe)
        if still[key] == nil {
          still[key] = .nan
          // The same row without the small ones.
          var row = probe.values
          row[q.first] = observer.none
          row[q.second] = observer.none
          controls.append(key)
          probes.append(RowProbe(row, place: probe.place))
        }
      }
      // Controls stand among the probes where they were first needed.
      let answers = try box.read(probes)
      var position = 0
      var moved: [Double] = []
      var control = 0
      for key in keys {
        moved.append(answers[position])
        position += 1
        if control < controls.count, controls[control] == key, still[key]?.isNaN == true {
          still[key] = answers[position]
          position += 1
          control += 1
        }
      }
      return zip(keys, moved).map { key, y in y != still[key] }
    }
    return try finder.find(observer.count(length))
  }
}
