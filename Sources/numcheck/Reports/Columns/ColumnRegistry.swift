import Gate
import Reports

/// Every figure that a report can have: what `list figures` shows, and what the schema must know.
enum ColumnRegistry {
  static let groups: [(name: String, columns: [Column])] = [
    ("kernels", ErrorColumns.all + ErrorColumns.errors.map { ErrorColumns.total($0) }),
    ("attention", AttentionColumns.all + ErrorColumns.errors.map { ErrorColumns.logSumExp($0) }),
    ("verify", VerifyColumns.all),
    ("compare", CompareColumns.all),
    ("fingerprint", FingerprintColumns.all),
    ("mutate", MutationColumns.all),
    ("tolerance", ToleranceColumns.all),
    ("sample", SampleColumns.all),
    ("search", SearchColumns.all),
    ("positions", PositionColumns.all),
    ("reach", ReachColumns.all),
    ("routing", RoutingColumns.all),
    ("invariance", CalledColumns.all),
    ("schemes", SchemeColumns.all),
    ("plan", PlanColumns.all),
    ("through", ThroughColumns.all),
    ("activations", ActivationColumns.all),
    ("lists", ListColumns.all),
    ("gate", GateColumns.all),
  ]
}
