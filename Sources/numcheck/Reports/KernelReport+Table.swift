import NumKit

extension KernelReport {
  /// The order to read in: the worst verdict first, then the larger error.
  var readingOrder: [Int] {
    return result.entries.indices.sorted {
      let (a, b) = (result.entries[$0], result.entries[$1])
      if a.verdict != b.verdict { return Self.rank(a.verdict) > Self.rank(b.verdict) }
      if a.kernel.nanRows != b.kernel.nanRows { return a.kernel.nanRows > b.kernel.nanRows }
      if a.kernel.maxUlp != b.kernel.maxUlp { return a.kernel.maxUlp > b.kernel.maxUlp }
      return $0 < $1
    }
  }

  /// One row an algorithm, in reading order.
  var table: Table {
    var columns: [(String, Table.Alignment)] = [
      ("algorithm", .left), ("verdict", .left), ("NaN rows", .right), ("overflow", .right),
      ("underflow", .right), ("max ulp", .right), ("p99", .right), ("mean", .right), ("rms", .right),
      ("at peak", .right), ("bound", .right), ("total ulp", .right), ("max rel", .right),
    ]
    if operation == .softmax {
      columns += [("|sum-1|", .right), ("KL nats", .right), ("top-1 flips", .right)]
    }
    columns.append(("headroom", .right))
    var table = Table(columns: columns.map { (title: $0.0, alignment: $0.1) })
    for i in readingOrder {
      let e = result.entries[i]
      let k = e.kernel
      // With nothing finite to measure there is no error to show.
      let measured = k.finiteCount > 0 && k.nanRows < k.rows
      func figure(_ x: Double) -> String { measured ? Figures.short(x) : "-" }
      var row = [
        e.algorithm.description, e.verdict.rawValue, Figures.count(k.nanRows), Figures.count(k.overflow),
        Figures.count(k.underflow), figure(k.maxUlp), figure(k.quantileUlp(0.99)), figure(k.meanUlp),
        figure(k.rmsUlp), figure(k.maxUlpAtPeak),
        e.bound == .sound ? Figures.short(e.boundUlp) : e.bound.name,
        measured ? Figures.short(e.total.maxUlp) : "-", figure(k.maxRelative),
      ]
      if operation == .softmax {
        let d = e.distribution.flatMap { $0.rows > 0 ? $0 : nil }
        row += [
          d.map { Figures.short($0.maxSumError) } ?? "-", d.map { Figures.short($0.maxDivergence) } ?? "-",
          d.map { Figures.count($0.topFlips) } ?? "-",
        ]
      }
      row.append(result.overflowedInputs > 0 ? "none" : Self.headroom(e.trace))
      table.rows.append(row)
    }
    return table
  }

  private static func headroom(_ trace: StageTrace) -> String {
    if trace.firstOverflow != nil { return "none" }
    return trace.headroom == .infinity ? "-" : "\(Figures.short(trace.headroom)) bits"
  }

  /// What was asked, in one line.
  var heading: String {
    var s = "\(command) in \(configuration.storage)"
    if let storage = configuration.storage.numberFormat {
      if configuration.compute != storage { s += ", computed in \(configuration.compute.name)" }
    } else {
      s += ", stages in \(configuration.compute.name) stored on the \(configuration.storage) grid"
    }
    if configuration.accumulator != configuration.compute {
      s += ", summed in \(configuration.accumulator.name)"
    }
    s +=
      ": \(Figures.count(result.rows)) \(result.rows == 1 ? "row" : "rows") of \(Figures.count(result.length))"
    switch origin {
    case .generated(let distribution, let range, let seed):
      switch distribution {
      case .uniform: s += ", uniform in [\(Figures.number(-range)), \(Figures.number(range))]"
      default: s += ", \(distribution.rawValue), R = \(Figures.number(range))"
      }
      s += ", seed \(seed)"
    case .file(let name, _): s += " from \(name)"
    case .exhaustive: s += ", all there are"
    }
    if parameters.temperature != 1 { s += ", temperature \(Figures.number(parameters.temperature))" }
    return s
  }

  /// How the truth was proven, and what inputs the format cannot hold.
  var preface: [String] {
    [Self.proof(result.certificate)]
      + BoundBasis.statements(result.entries.map { (basis($0), $0.bound) })
      + (result.overflowedInputs == 0
        ? [] : ["inputs: \(overflow): their rows' truth is that of the inputs as stored"])
  }

  /// What an algorithm's bound rests on.
  func basis(_ e: ExperimentResult.Entry) -> BoundBasis { BoundBasis(e.algorithm, configuration) }

  /// What a conclusion begins with where inputs overflow.
  var warning: String { result.overflowedInputs == 0 ? "" : "of the inputs \(overflow); " }

  /// `1,024 of 262,144 overflow f16, in 250 of 256 rows`.
  private var overflow: String {
    "\(Figures.count(result.overflowedInputs)) of \(Figures.count(result.rows * result.length)) overflow "
      + "\(configuration.storage), in \(Figures.count(result.overflowedRows)) of \(Figures.count(result.rows)) rows"
  }

  /// The same of any certificate.
  static func proof(_ c: Certificate) -> String {
    let fast = c.double + c.doubleLow + c.doubleDouble
    var parts: [String] = []
    if fast > 0 { parts.append("\(Figures.count(fast)) by bounded double arithmetic") }
    if c.mpfr > 0 { parts.append("\(Figures.count(c.mpfr)) by MPFR enclosures (to \(c.maxPrecision) bits)") }
    if c.exact > 0 { parts.append("\(Figures.count(c.exact)) known exactly") }
    if c.undecided > 0 { parts.append("\(Figures.count(c.undecided)) UNDECIDED") }
    return "truth: " + (parts.isEmpty ? "nothing to prove" : parts.joined(separator: ", "))
  }

  /// The worst of all results, if any is worth showing.
  var witnessLines: [String] {
    guard let i = readingOrder.first(where: { result.entries[$0].kernel.witness != nil }),
      let w = result.entries[i].kernel.witness
    else { return [] }
    func spelled(_ x: Double, bits: Bool = true) -> String {
      let code = bits ? Figures.bits(x, configuration.storage).map { ", bits \($0)" } ?? "" : ""
      return "\(Figures.number(x)) (\(Figures.hex(x))\(code))"
    }
    let size = w.ulp.isNaN ? "a wrong special value" : "\(Figures.short(w.ulp)) ulp"
    var lines = ["worst result: \(result.entries[i].algorithm), row \(w.row), index \(w.index): \(size)"]
    if let input = witnessInputs[i] {
      var line = "  row maximum \(spelled(input.rowMaximum))"
      if let x = input.input { line = "  input \(spelled(x))," + line.dropFirst() }
      lines.append(line)
    }
    lines.append("  computed \(spelled(w.computed))")
    lines.append("  exact    \(spelled(w.exact, bits: false))")
    if let birth = result.entries[i].trace.firstNaN ?? result.entries[i].trace.firstOverflow {
      let what = result.entries[i].trace.firstNaN != nil ? "NaN" : "infinity"
      lines.append(
        "  first \(what) born in stage '\(birth.stage.rawValue)' of row \(birth.row), index \(birth.index)")
    }
    return lines
  }
}
