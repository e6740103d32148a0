import Quant

extension ActivationsReport {
  /// What the massive activations cost, in one line or two.
  func costLine(_ e: Entry) -> String {
    guard let tensor = e.costs.first(where: { $0.scheme == "int8@tensor" }) else { return "" }
    var out =
      "int8@tensor leaves the rest of \(e.shownName) \(Figures.short(tensor.bitsWith)) of "
      + "\(Figures.short(tensor.bitsWithout)) bits: \(Figures.percent(tensor.flushedWith, of: tensor.restCount)) "
      + "of it becomes 0 (\(Figures.percent(tensor.flushedWithout, of: tensor.restCount)) without), "
      + "SQNR \(Figures.short(tensor.sqnrWith)) dB (\(Figures.short(tensor.sqnrWithout)) without)\n"
    if let best = e.costs.filter({ $0.scheme.hasPrefix("int8@g") }).first {
      out +=
        "  finer groups confine it: \(best.scheme) loses this in \(Figures.count(best.restCount)) elements alone; "
        + "'numcheck quantize --cure all' tries what else helps\n"
    }
    return out
  }

  func costTable(_ e: Entry) -> String {
    guard !e.costs.isEmpty else { return "" }
    var table = Table(columns: [
      ("what shares a scale", .left), ("elements", .right), ("bits left", .right), ("without", .right),
      ("SQNR dB", .right), ("without", .right), ("to zero", .right), ("without", .right),
    ])
    for c in e.costs {
      table.rows.append([
        c.scheme, Figures.count(c.restCount), Figures.short(c.bitsWith), Figures.short(c.bitsWithout),
        Figures.short(c.sqnrWith), Figures.short(c.sqnrWithout),
        Figures.percent(c.flushedWith, of: c.restCount),
        Figures.percent(c.flushedWithout, of: c.restCount),
      ])
    }
    return "cost for everything else in their groups, beside what it would be without them\n" + table.text()
      + "\n"
  }

  static func json(_ c: OutlierCost) -> JSONValue {
    .object([
      ("scheme", .string(c.scheme)), ("groups", .int(c.groupCount)), ("elements", .int(c.restCount)),
      ("bits", .number(c.bitsWith)), ("bitsWithout", .number(c.bitsWithout)), ("sqnr", .number(c.sqnrWith)),
      ("sqnrWithout", .number(c.sqnrWithout)), ("flushed", .int(c.flushedWith)),
      ("flushedWithout", .int(c.flushedWithout)),
    ])
  }
}
