import NumKitKernels
import NumKitNumbers
import NumKitQuestions

/// Whoever has results of a question's items: a file, a program, a library. Who judges them knows nothing else of where they come from.
public protocol ResultSource<Q>: Sendable {
  associatedtype Q: Question
  /// Writes all results of an item, which says its own number, in the order of the question's layout. Called from several threads, for
  /// any item, any number of times; always the same results.
  func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) throws
}

/// A candidate from outside: its results, and what they may err by if it does as it promises.
public struct Guest<Q: Question>: Candidate {
  public let name: String
  private let source: any ResultSource<Q>
  private let plans: [GuestPlan<Q>]

  /// Results of `source`, which may err by as much as one of `plans` may.
  public init(_ name: String, _ source: any ResultSource<Q>, plans: [GuestPlan<Q>]) {
    self.name = name
    self.source = source
    self.plans = plans
  }

  public func answer(
    _ item: Q.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    try source.results(of: item, into: results)
  }

  public func errorModel() -> (any ErrorModel<Q>)? { WidestErrors(plans) }
}

/// A way of computing that a kernel may have taken: what it is called, and what it may err by.
public struct GuestPlan<Q: Question>: Sendable {
  /// `shifted, computed and summed in f32`.
  public let name: String
  /// What a kernel claims that computes so, in the words of `Claims`; empty where there are none.
  public let claims: String
  /// Its bounds, for one thread; nil where none are derived.
  public let errors: @Sendable () -> (any ErrorModel<Q>)?

  /// All parts.
  public init(_ name: String, claims: String = "", errors: @escaping @Sendable () -> (any ErrorModel<Q>)?) {
    self.name = name
    self.claims = claims
    self.errors = errors
  }
}

/// The errors of a candidate that keeps one of several plans, nobody knows which: of each result the largest that any of them allows.
package struct WidestErrors<Q: Question>: ErrorModel {
  private var models: [any ErrorModel<Q>] = []
  private var others: [Double] = []

  /// nil where there is no plan, or one without bounds.
  package init?(_ plans: [GuestPlan<Q>]) {
    for plan in plans {
      guard let model = plan.errors() else { return nil }
      models.append(model)
    }
    if models.isEmpty { return nil }
  }

  package mutating func bound(
    _ row: ResultRow, of item: Q.Item, _ profile: Q.Profile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    // Plans that give NaN here give no number a bound, unless all do.
    let first = models.firstIndex { !$0.overflows(profile) } ?? 0
    guard var kind = models[first].bound(row, of: item, profile, exact: exact, into: bounds) else {
      return nil
    }
    if others.count != bounds.count { others = Array(repeating: 0, count: bounds.count) }
    for k in models.indices.dropFirst(first + 1) where !models[k].overflows(profile) {
      let next = others.withUnsafeMutableBufferPointer {
        models[k].bound(row, of: item, profile, exact: exact, into: $0)
      }
      guard let next else { return nil }
      kind = kind.worse(next)
      if kind == .none { return kind }
      for i in bounds.indices { bounds[i] = Swift.max(bounds[i], others[i]) }
    }
    return kind
  }
}
