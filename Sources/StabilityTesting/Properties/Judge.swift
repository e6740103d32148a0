import NumKit

/// What became of one item's results, held against the proven ones.
public struct Judgement: Sendable {
  /// The result to show: one with a wrong special value, else the farthest above its bound, else the largest error in ulps.
  public struct Worst: Sendable, Hashable {
    /// Its place among the item's results.
    public var index: Int
    /// What was computed, the exact result in Double, and the exact result rounded to the format.
    public var computed: Double
    public var exact: Double
    public var rounded: Double
    /// The error in ulps; NaN for a wrong special value.
    public var ulp: Double
    /// What a right kernel may err by, absolutely; NaN without a bound.
    public var allowed: Double
  }

  /// What kind of wrong there is, the gravest first.
  public enum Fault: String, Sendable, CaseIterable {
    /// A NaN, or an infinity, where the truth is none.
    case nan, infinite
    /// A number where the truth is none.
    case finite
    /// A zero where the truth is not, above the bound.
    case zero
    /// Above the bound.
    case aboveBound = "above-bound"
  }

  /// The largest error in ulps over finite results; infinite where a special value is wrong.
  public var maxUlp = 0.0
  /// The largest error as a share of its bound; NaN without bounds, infinite where a special value is wrong.
  public var share = Double.nan
  /// What the bound is worth.
  public var bound = RowBound.none
  /// Results that no right kernel gives.
  public var wrong = 0
  /// NaN among them.
  public var nan = 0
  /// The gravest fault.
  public var fault: Fault?
  /// The result to show.
  public var worst: Worst?

  /// Of nothing.
  public init() {}
}

/// Holds results of one item at a time against the proven answer, and against what a right kernel may err by. One instance serves one
/// thread.
public final class Judge<Q: Question> {
  /// The question.
  public let question: Q
  /// The format of each part's results.
  public let formats: [NumberFormat]
  /// Of the item judged last: the exact results in Double, these rounded to the format, and the errors that are allowed (NaN where there
  /// is no bound).
  public private(set) var exact: [Double] = []
  public private(set) var rounded: [Double] = []
  public private(set) var allowed: [Double] = []

  private var prover: any Prover<Q>
  private var model: (any ErrorModel<Q>)?
  private let overflow: Overflow
  private let statistics: ErrorStatistics
  private var profile: Q.Profile
  private var truths: [Truth] = []
  private var flat = FlatTruth()
  private var layout: [ResultRow] = []
  private var bounds: [Double] = []
  /// How bad the worst result so far is: right or wrong, and by how much.
  private var worstGrade = (0, 0.0)

  /// All parts; without a model nothing is above a bound.
  public init(
    _ question: Q, formats: [NumberFormat], prover: any Prover<Q>, model: (any ErrorModel<Q>)?,
    overflow: Overflow = .special
  ) {
    self.question = question
    self.formats = formats
    self.prover = prover
    self.model = model
    self.overflow = overflow
    statistics = ErrorStatistics(overflow: overflow)
    profile = prover.makeProfile()
  }

  /// How many results an item has.
  public func resultCount(_ item: Q.Item) -> Int {
    layout.removeAll(keepingCapacity: true)
    question.layout(of: item, into: &layout)
    return layout.reduce(0) { $0 + $1.count }
  }

  /// Judges `results`, as many as the item has.
  public func judge(_ item: Q.Item, _ results: [Double]) -> Judgement {
    let count = resultCount(item)
    precondition(results.count == count, "as many results as the item has")
    while truths.count < layout.count { truths.append(Truth()) }
    truths.removeLast(truths.count - layout.count)
    prover.answer(item, into: &truths)
    prover.profile(of: item, into: &profile)
    exact.removeAll(keepingCapacity: true)
    rounded.removeAll(keepingCapacity: true)
    allowed.removeAll(keepingCapacity: true)
    var judgement = Judgement()
    judgement.bound = .sound
    var start = 0
    for (r, row) in layout.enumerated() {
      judge(item, row, truths[r], results[start..<start + row.count], start, &judgement)
      start += row.count
    }
    return judgement
  }

  private func judge(
    _ item: Q.Item, _ row: ResultRow, _ truth: Truth, _ results: ArraySlice<Double>, _ start: Int,
    _ judgement: inout Judgement
  ) {
    flat.update(truth)
    if bounds.count != row.count { bounds = Array(repeating: 0, count: row.count) }
    let kind = bounds.withUnsafeMutableBufferPointer { bounds in
      flat.value.withUnsafeBufferPointer {
        model?.bound(row, of: item, profile, exact: $0, into: bounds) ?? RowBound.none
      }
    }
    judgement.bound = judgement.bound.worse(kind)
    let hasBounds = kind == .sound || kind == .vacuous
    let unit = ErrorUnit.ulp(formats[row.part])
    for i in 0..<row.count {
      let y = results[start + i]
      let bound = hasBounds ? bounds[i] : .nan
      exact.append(flat.value[i])
      rounded.append(truth.rounded[i])
      allowed.append(bound)
      look(i, start + i, y, truth, unit, hasBounds ? bound : nil, &judgement)
    }
  }

  private func look(
    _ i: Int, _ place: Int, _ y: Double, _ truth: Truth, _ unit: ErrorUnit, _ bound: Double?,
    _ judgement: inout Judgement
  ) {
    let (exact, t) = (flat.value[i], truth.rounded[i])
    let isWrong = statistics.isWrong(i, y, truth, flat, unit, bound)
    if !isWrong && (y == t || y.isNaN && t.isNaN) && judgement.worst != nil { return }
    let size = unit.size(at: exact)
    var ulp = Double.nan
    var share = Double.nan
    if y.isFinite && exact.isFinite {
      let error = flat.error(of: y, at: i)
      ulp = truth.exponent[i] == 0 ? error / size : truth.error(of: y, at: i, inUnitsOf: size)
      if let bound { share = error == 0 ? 0 : y == t ? min(error / bound, 1) : error / bound }
    } else if y == t || y.isNaN && t.isNaN {
      (ulp, share) = (0, bound == nil ? .nan : 0)
    }
    let isSpecial = isWrong && !(y.isFinite && t.isFinite)
    if isSpecial { (ulp, share) = (.infinity, .infinity) }
    if isWrong {
      judgement.wrong += 1
      if y.isNaN { judgement.nan += 1 }
      let fault: Judgement.Fault =
        isSpecial ? y.isNaN ? .nan : y.isInfinite ? .infinite : .finite : y == 0 ? .zero : .aboveBound
      let all = Judgement.Fault.allCases
      judgement.fault = all.first { $0 == fault || $0 == judgement.fault }
    }
    if !share.isNaN && !(share <= judgement.share) { judgement.share = share }
    if !ulp.isNaN && ulp > judgement.maxUlp { judgement.maxUlp = ulp }
    let grade = (isWrong ? 1 : 0, isWrong && !share.isNaN ? share : ulp.isNaN ? 0 : ulp)
    if judgement.worst == nil || grade > worstGrade {
      worstGrade = grade
      judgement.worst = Judgement.Worst(
        index: place, computed: y, exact: exact, rounded: t, ulp: isSpecial ? .nan : ulp,
        allowed: bound ?? .nan)
    }
  }
}

extension Judge where Q == RowQuestion {
  /// Of an operation on rows whose results are numbers of `format`: a kernel with these claims may err by what the widest plan they fit
  /// allows; one that claims nothing subtracts the maximum and computes in f32, or the format where that is more.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel.
  public convenience init(
    _ operation: RowOperation, format: NumberFormat, inputs: NumberFormat? = nil,
    parameters: OperationParameters = .init(), claims: Claims = Claims()
  ) throws(ClaimError) {
    let plans = try RowPlans(
      operation, format: format, inputs: inputs ?? format, parameters: parameters
    ).promised(claims)
    self.init(
      RowQuestion(operation), formats: [format], prover: RowProver(operation, format: format),
      model: WidestErrors(plans))
  }
}

extension Judge where Q == NormQuestion {
  /// Of a normalisation of rows, likewise.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel.
  public convenience init(
    _ operation: Normalization, format: NumberFormat, parameters: NormParameters, claims: Claims = Claims()
  ) throws(ClaimError) {
    let plans = try NormContext.promised(operation, format, parameters, claims)
    self.init(
      NormQuestion(operation), formats: [format], prover: NormProver(operation, format: format),
      model: WidestErrors(plans))
  }
}
