import Reports

/// Columns of reports on errors where a tensor is used.
enum ThroughColumns {
  static let maxDivergence = Column(
    "KL nats", "klDivergence.max", .decides, "the largest divergence KL(p || p') of a row", unit: "nats",
    sense: .lowerIsBetter)
  static let meanDivergence = Column(
    "mean KL", "klDivergence.mean", .decides, "the mean divergence of a row", unit: "nats")
  static let divergenceBound = Column(
    "KL bound", "klDivergence.bound", .decides,
    "what it cannot exceed: D^2/8 for the spread D of a row's errors",
    unit: "nats")
  static let maxChange = Column(
    "max dp", "maxChange", .decides, "the largest change of a probability", sense: .lowerIsBetter)
  static let changeBound = Column(
    "dp bound", "changeBound", .decides, "what it cannot exceed: tanh(D/4) for the spread D of a row's errors"
  )
  static let topFlips = Column(
    "top-1 flips", "top1Flips", .decides, "rows whose most probable entry is another one after",
    sense: .lowerIsBetter)
  static let ties = Column(
    "ties", "topTies", .decides,
    "rows whose most probable entry has an equal after: which is taken is then chance")
  static let lostRows = Column(
    "lost rows", "lostRows", .decides, "rows with NaN or +inf before or after; they are in no other figure",
    sense: .lowerIsBetter)
  static let rows = Column("rows", "rows", .machine, "rows compared")

  /// The figures of an error of which `part` is the cause.
  struct Part {
    let name: String
    /// Whether it is the one that tables show in full.
    let isWhole: Bool

    private func column(
      _ title: String, _ path: String, _ importance: Column.Importance, _ meaning: String, unit: String = "",
      hex: Bool = false, hidesZeros: Bool = false
    ) -> Column {
      Column(
        title, "\(name).\(path)", isWhole || path == "sqnr" ? importance : .machine, meaning, unit: unit,
        hex: hex, hidesZeros: hidesZeros)
    }

    var sqnr: Column {
      column(
        "\(name) dB", "sqnr", .decides, "the energy of the exact results over that of the error", unit: "dB")
    }
    var cosine: Column { column("cosine", "cosine", .useful, "the cosine between exact results and others") }
    var relativeL1: Column { column("rel L1", "relativeL1", .useful, "sum of |error| over sum of |y|") }
    var rmse: Column { column("rmse", "rmse", .useful, "the root mean square error") }
    var maxAbsolute: Column {
      column("max error", "maxAbsoluteError", .decides, "the largest absolute error", hex: true)
    }
    var bound: Column { column("bound", "bound", .useful, "what no error can exceed") }
    var aboveBound: Column { column("above bound", "aboveBound", .detail, "results beyond their own bound") }
    var results: Column { column("results", "results", .detail, "results compared") }
    var lost: Column {
      column(
        "lost", "lost", .decides, "results that are not finite, though the exact ones are", hidesZeros: true)
    }

    var all: [Column] {
      [sqnr, cosine, relativeL1, rmse, maxAbsolute, bound, aboveBound, results, lost]
    }
  }

  static let all =
    [
      maxDivergence, meanDivergence, divergenceBound, maxChange, changeBound, topFlips, ties, lostRows, rows,
    ] + ["q", "k", "v", "weights", "activations"].flatMap { Part(name: $0, isWhole: false).all }
    + ["all", "both"].flatMap { Part(name: $0, isWhole: true).all }
}
