import NumKit

/// How far two results may be apart.
public enum Tolerance: Sendable, Hashable {
  /// Not at all: the same bits, but for NaN, which is as good as another.
  case none
  /// So many ulps of the larger.
  case ulps(Double)

  /// Whether `a` and `b`, numbers of `format`, are as near as that.
  public func holds(_ a: Double, _ b: Double, _ format: NumberFormat) -> Bool {
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
    guard case .ulps(let count) = self, a.isFinite, b.isFinite else {
      return a.bitPattern == b.bitPattern || a == b && self != .none
    }
    return (a - b).magnitude <= count * format.ulp(of: max(a.magnitude, b.magnitude))
  }

  var words: String {
    switch self {
    case .none: "the same bits"
    case .ulps(let count): "\(PropertyFailure.decimal(count)) ulp"
    }
  }
}

/// What a kernel's accuracy is held to.
public enum Accuracy: Sendable, Hashable {
  /// So many ulps of the exact result.
  case ulps(Double)
  /// What is proven of every right kernel with these claims; without any, of one that subtracts the maximum and computes in f32, or in
  /// the format where that is more.
  case bound(Claims)

  /// The bound of a kernel that claims nothing.
  public static var bound: Accuracy { .bound(Claims()) }
}

/// A kernel over rows under test.
public typealias RowKernel<S: Scalar> = ([S]) throws -> [S]

extension Property {
  /// Every result is what the operation's exact one is, to within `accuracy`, and special where that is special.
  ///
  /// A row without an answer in the reals (nothing but −∞, +∞ in it) is held to the policy of `parameters`, IEEE's unless said otherwise.
  public static func accurate<S: Scalar>(
    _ operation: RowOperation, within accuracy: Accuracy = .bound, parameters: OperationParameters = .init(),
    _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("accurate \(operation.rawValue)") {
      var claims = Claims()
      if case .bound(let given) = accuracy { claims = given }
      let judge = try Judge(operation, format: S.format, parameters: parameters, claims: claims)
      return { row in
        let item = RowQuestion.Item(values: row.map(\.exact), parameters: parameters)
        guard !row.isEmpty else { return nil }
        let results = try kernel(row).map(\.exact)
        if let wrong = wrongCount(results.count, judge.resultCount(item)) { return wrong }
        return violation(judge.judge(item, results), accuracy)
      }
    }
  }

  /// A normalisation, likewise.
  public static func accurate<S: Scalar>(
    _ operation: Normalization, within accuracy: Accuracy = .bound, parameters: NormParameters? = nil,
    _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("accurate \(operation.rawValue)") {
      var claims = Claims()
      if case .bound(let given) = accuracy { claims = given }
      let parameters = parameters ?? NormParameters(epsilon: operation.defaultEpsilon)
      let judge = try Judge(operation, format: S.format, parameters: parameters, claims: claims)
      return { row in
        let item = NormQuestion.Item(values: row.map(\.exact), parameters: parameters)
        guard !row.isEmpty else { return nil }
        let results = try kernel(row).map(\.exact)
        if let wrong = wrongCount(results.count, judge.resultCount(item)) { return wrong }
        return violation(judge.judge(item, results), accuracy)
      }
    }
  }

  private static func wrongCount(_ count: Int, _ wanted: Int) -> Violation? {
    .unless(count == wanted, "count", "gives \(count) results, not \(wanted)")
  }

  private static func violation(_ judgement: Judgement, _ accuracy: Accuracy) -> Violation? {
    guard let worst = judgement.worst else { return nil }
    func spelled(_ x: Double) -> String { "\(PropertyFailure.decimal(x)) (\(ChoiceText.hex(x)))" }
    let place = "result \(worst.index) is \(spelled(worst.computed)), exactly \(spelled(worst.exact))"
    if let fault = judgement.fault, fault != .aboveBound && fault != .zero {
      return Violation(fault.rawValue, place)
    }
    switch accuracy {
    case .ulps(let limit):
      return .unless(judgement.maxUlp <= limit, "above-ulps", "\(place): \(worst.ulp) ulp, allowed \(limit)")
    case .bound:
      return judgement.fault.map {
        Violation(
          $0.rawValue,
          "\(place): an error of \((worst.computed - worst.exact).magnitude), no right kernel's exceeds \(worst.allowed)"
        )
      }
    }
  }

  /// The results of a row to which the same is added everywhere are the same: softmax and its gradients. What is added is chosen so that
  /// every sum is exact; where there is nothing such, the row says nothing.
  public static func shiftInvariant<S: Scalar>(
    within tolerance: Tolerance = .none, by shifts: [Double] = [1, -1, 16, -256, 1024],
    _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("shift invariance") { row in
      for shift in shifts {
        let moved = row.map { S(rounding: $0.exact + shift) }
        let isExact = zip(row, moved).allSatisfy {
          $0.exact.isInfinite
            ? $0.exact == $1.exact : $1.exact - shift == $0.exact && $0.exact + shift == $1.exact
        }
        guard isExact else { continue }
        if let violation = try compare(kernel(row), kernel(moved), tolerance, "shift", "with \(shift) added")
        {
          return violation
        }
      }
      return nil
    }
  }

  /// Results are at least 0 and add up to 1, to within `ulps` of 1 for each (half an ulp for rounding it).
  public static func normalised<S: Scalar>(
    within ulps: Double = 1, _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("normalisation") { row in
      guard row.contains(where: { $0.exact.isFinite }) else { return nil }
      let results = try kernel(row).map(\.exact)
      if let i = results.firstIndex(where: { !($0 >= 0) }) {
        return Violation("negative", "result \(i) is \(results[i])")
      }
      var sum = ExactSum()
      results.forEach { sum.add($0) }
      let off = (sum.value - 1).magnitude
      // A result errs by ulps of itself, and all of them together are 1: in sum that is `ulps` of 1, and what underflows.
      let allowed = ulps * S.format.epsilon + Double(row.count) * S.format.smallestPositive
      return .unless(
        off <= allowed, "sum", "results add up to \(sum.value): off by \(off), allowed \(allowed)")
    }
  }

  /// Where an element is at least another, so is its result.
  public static func monotone<S: Scalar>(_ kernel: @escaping RowKernel<S>) -> Property where Value == [S] {
    Property("monotonicity") { row in
      let results = try kernel(row)
      guard results.count == row.count else {
        return Violation("count", "\(results.count) results for \(row.count)")
      }
      let order = row.indices.sorted { (row[$0].exact, $0) < (row[$1].exact, $1) }
      for (i, j) in zip(order, order.dropFirst()) where !(results[i] <= results[j]) {
        return Violation(
          "order",
          "element \(i) is not above element \(j), and its result \(results[i].exact) is not at most \(results[j].exact)"
        )
      }
      return nil
    }
  }

  /// The results of a row in another order are the results in that order: reversed, rotated, halves swapped.
  public static func permutable<S: Scalar>(
    within tolerance: Tolerance, _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("permutation") { row in
      let results = try kernel(row)
      let n = row.count
      for (name, order) in [
        ("reversed", Array((0..<n).reversed())), ("rotated by one", (0..<n).map { ($0 + 1) % n }),
        ("with halves swapped", (0..<n).map { ($0 + n / 2) % n }),
      ] {
        let other = try kernel(order.map { row[$0] })
        let wanted = results.count == n ? order.map { results[$0] } : results
        if let violation = compare(wanted, other, tolerance, "order", name) { return violation }
      }
      return nil
    }
  }

  /// The results of a row times a power of two are the results times that to the `degree`: 0 for norms without ε, 1 for sums. Only where
  /// nothing over- or underflows.
  public static func scalable<S: Scalar>(
    degree: Int, within tolerance: Tolerance = .none, factors: [Double] = [2, 0.5, 1024, 0x1p-20],
    _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("scale") { row in
      let results = try kernel(row)
      for factor in factors {
        let scaled = row.map { S(rounding: $0.exact * factor) }
        let power = (0..<degree).reduce(1.0) { power, _ in power * factor }
        let wanted = results.map { S(rounding: $0.exact * power) }
        func isExact(_ a: [S], _ b: [S], _ factor: Double) -> Bool {
          zip(a, b).allSatisfy {
            $0.exact * factor == $1.exact && ($1.exact == 0 || $1.exact.magnitude >= S.format.smallestNormal)
          }
        }
        guard isExact(row, scaled, factor), isExact(results, wanted, power) else { continue }
        if let violation = try compare(wanted, kernel(scaled), tolerance, "scale", "times \(factor)") {
          return violation
        }
      }
      return nil
    }
  }

  /// Special values are what they must be, whatever else a row holds: NaN, ±∞ and zeros are put at each of its places.
  public static func specialValues<S: Scalar>(
    _ operation: RowOperation, parameters: OperationParameters = .init(), _ kernel: @escaping RowKernel<S>
  ) -> Property where Value == [S] {
    Property("special values of \(operation.rawValue)") {
      let judge = try Judge(operation, format: S.format, parameters: parameters)
      let specials =
        [0, -0.0] + (S.format.hasInfinity ? [-.infinity, .infinity] : []) + (S.format.hasNaN ? [.nan] : [])
      return { row in
        for special in specials {
          for place in Set([0, row.count / 2, row.count - 1]).sorted() where row.indices.contains(place) {
            var changed = row
            changed[place] = S(rounding: special)
            for each in [changed, row.map { _ in S(rounding: special) }] {
              let item = RowQuestion.Item(values: each.map(\.exact), parameters: parameters)
              let judgement = judge.judge(item, try kernel(each).map(\.exact))
              if let fault = judgement.fault, fault != .aboveBound && fault != .zero,
                let worst = judgement.worst
              {
                return Violation(
                  "\(fault.rawValue) for \(special)",
                  "with \(special) at \(place) result \(worst.index) is \(worst.computed), not \(worst.rounded)"
                )
              }
            }
          }
        }
        return nil
      }
    }
  }

  /// A row's results are the same bits alone, among others, and in any place among them. `kernel` answers for many rows at once.
  public static func batchInvariant<S: Scalar>(
    within tolerance: Tolerance = .none, _ kernel: @escaping ([[S]]) throws -> [[S]]
  ) -> Property where Value == [[S]] {
    Property("batch invariance") { rows in
      guard !rows.isEmpty else { return nil }
      let together = try kernel(rows)
      guard together.count == rows.count else {
        return Violation("count", "\(together.count) results for \(rows.count) rows")
      }
      let turned = try kernel(rows.reversed())
      for (k, row) in rows.enumerated() {
        let alone = try kernel([row])
        let others = [("alone", alone.first ?? []), ("in a batch turned around", turned[rows.count - 1 - k])]
        for (name, other) in others {
          if let violation = compare(together[k], other, tolerance, "batch", "of row \(k) \(name)") {
            return violation
          }
        }
      }
      return nil
    }
  }

  private static func compare<S: Scalar>(
    _ a: [S], _ b: [S], _ tolerance: Tolerance, _ kind: String, _ change: String
  ) -> Violation? {
    guard a.count == b.count else { return Violation("count", "\(a.count) results, \(change) \(b.count)") }
    for i in a.indices where !tolerance.holds(a[i].exact, b[i].exact, S.format) {
      return Violation(
        kind,
        "result \(i) is \(a[i].exact) (\(ChoiceText.hex(a[i].exact))), \(change) \(b[i].exact) (\(ChoiceText.hex(b[i].exact))): allowed \(tolerance.words)"
      )
    }
    return nil
  }
}
