import Quant

/// Treatments that do not fit, as reports name them.
extension [SkippedTreatment] {
  var text: String { map { "not tried: \($0.name): \($0.reason)\n" }.joined() }

  var json: JSONValue {
    .array(map { .object([("treatment", .string($0.name)), ("reason", .string($0.reason))]) })
  }
}
