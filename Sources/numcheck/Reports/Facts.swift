import NumKit
import Reports

/// What several commands say of a run.
extension JSONValue {
  /// What proved the truth.
  static func certificate(_ c: Certificate) -> JSONValue {
    .object([
      "fast": .integer(c.double + c.doubleLow + c.doubleDouble), "double": .integer(c.double),
      "doubleLow": .integer(c.doubleLow), "doubleDouble": .integer(c.doubleDouble),
      "mpfr": .integer(c.mpfr), "exact": .integer(c.exact), "undecided": .integer(c.undecided),
      "maxPrecision": .integer(c.maxPrecision),
    ])
  }

  /// Where a NaN or an infinity was born.
  static func birth(_ birth: StageTrace.Birth?) -> JSONValue {
    guard let birth else { return .none }
    return .object([
      "row": .integer(birth.row), "stage": .text(birth.stage.rawValue), "index": .integer(birth.index),
    ])
  }

  /// A number in decimal, exactly, and by its code in `dtype`.
  static func spelled(_ x: Double, _ dtype: DType?) -> JSONValue {
    var members = [Member("decimal", .number(x)), Member("hex", .text(Figures.hex(x)))]
    if let bits = dtype.flatMap({ Figures.bits(x, $0) }) { members.append(Member("bits", .text(bits))) }
    return .members(members)
  }

  /// The worst result; `dtype` is that of the results.
  static func witness(
    _ witness: ErrorStatistics.Witness?, _ dtype: DType, and more: [Member] = []
  ) -> JSONValue {
    guard let w = witness else { return .none }
    return .members(
      [
        Member("row", .integer(w.row)), Member("index", .integer(w.index)), Member("ulp", .number(w.ulp)),
        Member("computed", spelled(w.computed, dtype)), Member("exact", spelled(w.exact, nil)),
      ] + more)
  }
}

extension Certificate {
  /// How the truth was proven, in a line.
  var line: String {
    let fast = double + doubleLow + doubleDouble
    var parts: [String] = []
    if fast > 0 { parts.append("\(Figures.count(fast)) by bounded double arithmetic") }
    if mpfr > 0 { parts.append("\(Figures.count(mpfr)) by MPFR enclosures (to \(maxPrecision) bits)") }
    if exact > 0 { parts.append("\(Figures.count(exact)) known exactly") }
    if undecided > 0 { parts.append("\(Figures.count(undecided)) UNDECIDED") }
    return "truth: " + (parts.isEmpty ? "nothing to prove" : parts.joined(separator: ", "))
  }
}

extension ErrorStatistics.Witness {
  /// For the message of a check that fails.
  var line: String {
    "row \(row), index \(index): computed \(Figures.number(computed)) (\(Figures.hex(computed))), "
      + "exact \(Figures.number(exact)) (\(Figures.hex(exact)))"
  }

  /// `45.45 ulp`.
  var size: String { ulp.isNaN ? "a wrong special value" : "\(Figures.short(ulp)) ulp" }

  /// What was computed, and what is exact.
  func lines(_ dtype: DType) -> [String] {
    ["  computed \(computed.spelled(dtype))", "  exact    \(exact.spelled(nil))"]
  }
}

extension Double {
  /// `-15.625 (-0x1.f4p+3, bits 0xc17a)`; the bits where `dtype` has codes.
  func spelled(_ dtype: DType?) -> String {
    let code = dtype.flatMap { Figures.bits(self, $0) }.map { ", bits \($0)" } ?? ""
    return "\(Figures.number(self)) (\(Figures.hex(self))\(code))"
  }
}

extension Fault {
  /// What is wrong, of `rows` rows, under a policy for special values.
  func sentence(rows: Int, policy: SpecialValues) -> String {
    func after(_ birth: StageTrace.Birth?) -> String {
      guard let birth else { return "" }
      if birth.isLogarithmOfZero { return ", after the logarithm of a 0" }
      return ", after an overflow\(birth.isNegative ? " to -inf" : "") in '\(birth.stage.rawValue)'"
    }
    switch self {
    case .nan(let n, let birth):
      return "NaN in \(Figures.count(n)) of \(Figures.count(rows)) rows" + after(birth)
    case .overflow(let n, let birth):
      return "\(Figures.count(n)) finite results came out infinite" + after(birth)
    case .special(let n):
      return
        "\(Figures.count(n)) results should be NaN or infinite under policy '\(policy.rawValue)' and are not"
    case .spoiled(let stage, let lost):
      let loss = lost > 0 ? "loses \(Figures.count(lost)) results to zero" : "spoils results"
      return "an overflow in '\(stage.rawValue)' \(loss)"
    case .aboveBound(let n):
      return "\(Figures.count(n)) results err by more than a sound bound allows"
    }
  }
}

extension StageTrace {
  /// Where what went wrong was born, a line each; `row` spells a row, `place` is what an index is one of.
  func lines(place: String = "index", _ row: (Int) -> String) -> [String] {
    let births: [(String, Birth?)] = [
      ("NaN", firstNaN), ("infinity", firstOverflow), ("logarithm of a 0", firstLogarithmOfZero),
    ]
    return births.compactMap { what, birth in
      birth.map {
        "  first \(what) born in stage '\($0.stage.rawValue)' of \(row($0.row)), \(place) \($0.index)"
          + ($0.isNegative && !$0.isLogarithmOfZero ? " (-inf)" : "")
      }
    }
  }
}

/// A share as percent, or as a factor where it is large.
func percentOrFactor(_ x: Double) -> String {
  x > 10 ? "a factor of \(Figures.short(1 + x))" : "\(Figures.short(100 * x)) %"
}

extension InputChoice {
  /// Where rows come from, for machines.
  var facts: [Fact] {
    if let input {
      return [
        Fact("seed", .none), Fact("input.origin", .text("file")),
        Fact("input.name", .text(ArgumentText.shown(input))),
      ]
    }
    return [
      Fact("seed", .unsigned(seed)), Fact("input.origin", .text("generated")),
      Fact("input.distribution", .text(distribution.rawValue)), Fact("input.range", .number(range)),
    ]
  }
}
