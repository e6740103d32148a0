import Guests
import NumKit
import StabilityTesting

/// What a search makes as large as it can.
package enum SearchAim: String, Sendable, CaseIterable {
  /// The error in ulps.
  case ulp
  /// The error as a share of what a right kernel may err by.
  case bound
  /// NaN where there must be none.
  case nan
  /// The steps between a row's results alone and beside others.
  case batch
}

/// What became of one row.
package struct Evaluation: Sendable {
  /// The row, numbers of the inputs' format.
  package let row: [Double]
  /// What was computed; empty where nothing was.
  package var results: [Double] = []
  /// How it stands beside the truth.
  package var judgement = Judgement()
  /// What the kernel did instead of answering.
  package var fault: GuestFault?
  /// Whether the kernel says that the row is none for it.
  package var isDeclined = false
  /// How many steps of the format results are apart, alone and beside others; nil where that was not looked at.
  package var batchSteps: Double?
  /// How bad it is, of which larger is worse.
  package var score = -Double.infinity

  /// Which failure it is: `nan`, `above-bound`, `batch`, `crash`; nil where nothing is wrong.
  package var kind: String? {
    if let fault { return fault.kind.rawValue }
    if let batchSteps, batchSteps > 0 { return "batch" }
    return judgement.fault?.rawValue
  }

  init(_ row: [Double]) { self.row = row }

  mutating func rate(_ aim: SearchAim) {
    if isDeclined { return }
    if fault != nil {
      score = .infinity
      return
    }
    // Of a row without a bound nothing is known but its error: that counts where no row has one.
    let share = judgement.share.isNaN ? judgement.maxUlp * 1e-12 : judgement.share
    switch aim {
    case .ulp: score = judgement.maxUlp
    case .bound: score = share
    case .nan: score = judgement.nan > 0 ? .infinity : share
    // What changes nothing yet is judged by its errors: they show where the kernel does something.
    case .batch: score = batchSteps.map { $0 > 0 ? 1e9 + $0 : share } ?? share
    }
  }
}

extension SearchWorker {
  /// Rows that are all as long, asked about in one call and judged; for `aim` batch each alone as well.
  func evaluate(_ rows: [[Double]], _ aim: SearchAim, _ format: NumberFormat) -> [Evaluation] {
    var evaluations = zip(rows, answer(rows)).map { row, answer in
      var evaluation = Evaluation(row)
      switch answer {
      case .declined: evaluation.isDeclined = true
      case .fault(let fault): evaluation.fault = fault
      case .results(let results):
        evaluation.results = results
        do { evaluation.judgement = try judge(row, results) } catch {
          evaluation.fault = error as? GuestFault ?? GuestFault(.failure, "\(error)")
        }
      }
      return evaluation
    }
    if aim == .batch && rows.count > 1 {
      for k in evaluations.indices where !evaluations[k].results.isEmpty {
        if case .results(let alone)? = answer([rows[k]]).first {
          evaluations[k].batchSteps = Self.steps(evaluations[k].results, alone, format)
        }
      }
    }
    for k in evaluations.indices { evaluations[k].rate(aim) }
    return evaluations
  }

  /// The same of a row by itself; for `aim` batch between two others.
  func evaluate(_ row: [Double], _ aim: SearchAim, _ format: NumberFormat) -> Evaluation {
    guard aim == .batch else { return evaluate([row], aim, format)[0] }
    return evaluate([row.map { -$0 }, row, row.map { $0 / 2 }, row], aim, format)[1]
  }

  /// The most steps of the format between two results at one place; infinite where one alone is NaN.
  static func steps(_ a: [Double], _ b: [Double], _ format: NumberFormat) -> Double {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { most, pair in
      let (x, y) = pair
      if x.bitPattern == y.bitPattern || x.isNaN && y.isNaN { return most }
      guard x.isFinite, y.isFinite else { return .infinity }
      return max(most, (x - y).magnitude / format.ulp(of: max(x.magnitude, y.magnitude)), 1)
    }
  }
}
