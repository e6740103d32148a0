import NumKit
import Reports

/// What stands against the figures of a candidate: why its errors have no size, and why no limit on them can hold.
struct Standing {
  /// Why there is no size to speak of; nil where there is one.
  private let missing: String?
  /// Wrong special values: they have no size, so no limit on size holds.
  private let special: String?
  /// Inputs that are infinite or NaN as stored make what follows so by right: nobody is to blame, but no result is of use.
  private let inputs: String?

  /// - Parameters:
  ///   - statistics: what was measured.
  ///   - overflowedInputs: finite inputs that `dtype` cannot hold.
  ///   - othersHaveTruths: whether other results of the run have finite truths: without any the whole run says so.
  init(
    _ statistics: ErrorStatistics, overflowedInputs: Int, dtype: DType, othersHaveTruths: Bool = false
  ) {
    let s = statistics
    var parts: [String] = []
    if s.nanRows > 0 { parts.append("NaN in \(Figures.count(s.nanRows)) of \(Figures.count(s.rows)) rows") }
    if s.overflow > 0 {
      parts.append("\(Figures.count(s.overflow)) finite results came out infinite")
    }
    if s.specialMismatches > 0 {
      parts.append("\(Figures.count(s.specialMismatches)) results should be NaN or infinite and are not")
    }
    special = parts.isEmpty ? nil : parts.joined(separator: ", ")
    inputs =
      overflowedInputs == 0
      ? nil
      : "\(Figures.count(overflowedInputs)) \(overflowedInputs == 1 ? "input overflows" : "inputs overflow") \(dtype)"
    hasTruth = s.rows == 0 || s.finiteTruths > 0 || !othersHaveTruths
    if s.rows > 0 && s.nanRows == s.rows {
      missing = "every row has a NaN"
    } else if s.finiteCount == 0 {
      missing = special ?? "no row has a finite truth"
    } else {
      missing = nil
    }
  }

  /// Whether some truth is finite: where none is, nothing was held against anything, and a count of 0 is no pass.
  private let hasTruth: Bool

  /// Whether errors have a size.
  var isMeasured: Bool { missing == nil }

  /// The size of an error.
  func size(_ x: Double, unless reason: String = "it is not defined here") -> Cell {
    if let missing {
      var cell = Cell.none(missing)
      cell.isSpoiled = special != nil || inputs != nil
      return cell
    }
    return .number(x, unless: reason, caveat: special ?? inputs)
  }

  /// A count of rows or results that are wrong.
  func count(_ n: Int) -> Cell {
    .count(n, caveat: n > 0 ? nil : inputs ?? (hasTruth ? nil : "no row has a finite truth"))
  }
}

extension Table {
  /// The errors of each row's candidate; `column` may make another column of each.
  mutating func addErrors(
    _ statistics: (Int) -> (ErrorStatistics, Standing), _ column: (Column) -> Column = { $0 }
  ) {
    typealias C = ErrorColumns
    let counts: [(Column, KeyPath<ErrorStatistics, Int>)] = [
      (C.nanRows, \.nanRows), (C.overflow, \.overflow), (C.underflow, \.underflow),
      (C.specialMismatches, \.specialMismatches),
    ]
    for (c, path) in counts {
      add(column(c)) { i in
        let (s, standing) = statistics(i)
        return standing.count(s[keyPath: path])
      }
    }
    // Of the largest errors only digits that are proven.
    let sizes: [(Column, (ErrorStatistics) -> Double)] = [
      (C.maxUlp, { $0.proven.maxUlp }), (C.p99, { $0.quantileUlp(0.99) }), (C.mean, { $0.meanUlp }),
      (C.rms, { $0.rmsUlp }), (C.atPeak, { $0.maxUlpAtPeak }), (C.maxAbsolute, { $0.proven.maxAbsolute }),
      (C.maxRelative, { $0.proven.maxRelative }),
    ]
    for (c, figure) in sizes {
      add(column(c)) { i in
        let (s, standing) = statistics(i)
        return standing.size(figure(s))
      }
    }
  }

  /// What bounds each row's candidate, how many results exceed it, and how much of it the others use.
  mutating func addBounds(_ of: (Int) -> BoundFigures) {
    addBound(of, exceeded: true)
  }

  /// The same; whether it says how many results exceed it, is `exceeded`.
  mutating func addBound(_ of: (Int) -> BoundFigures, exceeded: Bool = false) {
    add(ErrorColumns.bound) { i in
      let b = of(i)
      switch b.bound {
      case .sound: return .number(b.ulp)
      case .vacuous: return Cell(text: "vacuous", value: .number(b.ulp), caveat: "the bound is vacuous")
      case .none: return .none("no bound was derived, or an overflow is possible", text: "none")
      }
    }
    add(ErrorColumns.boundKind) { .text(of($0).kind) }
    if exceeded { add(ErrorColumns.boundExceeded) { .count(of($0).statistics.aboveBound) } }
    add(ErrorColumns.boundShare) { i in
      let b = of(i)
      switch b.bound {
      case .sound: return b.standing.size(b.statistics.maxUlp / b.ulp, unless: "the bound is 0")
      case .vacuous: return .spoiled("the bound is vacuous")
      case .none: return .none("no bound was derived, or an overflow is possible")
      }
    }
  }
}

/// What bounds a candidate's errors, and the errors.
struct BoundFigures {
  let bound: RowBound
  /// As reports spell it, and what it rests on.
  let kind: String
  let ulp: Double
  let statistics: ErrorStatistics
  let standing: Standing
}

extension Cell {
  static func verdict(_ verdict: Verdict) -> Cell {
    .text(verdict.rawValue, tone: verdict == .ok ? .good : verdict == .bug ? .bad : .doubtful)
  }

  /// Bits of headroom; none where an overflow was born, or inputs overflow already.
  static func headroom(_ trace: StageTrace, overflowedInputs: Int) -> Cell {
    if trace.firstOverflow != nil || overflowedInputs > 0 {
      return Cell(text: "none", value: .number(overflowedInputs > 0 ? 0 : trace.headroom))
    }
    // All was zero: nothing came near anything.
    return trace.headroom == .infinity
      ? Cell(text: "all", value: .number(.infinity)) : .number(trace.headroom)
  }
}
