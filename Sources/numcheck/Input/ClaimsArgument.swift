import Fingerprints
import NumKit

extension Claims {
  /// What --claims says; nothing where it is not given.
  init(argument: String?) throws {
    do { self = try argument.map { try Claims(parsing: $0) } ?? Claims() } catch let error as ClaimError {
      if case .name(let name) = error, PlanClaims.names.contains(name) {
        throw UsageError("--claims: \(error); 'numcheck fingerprint' tries whether \(name) is as claimed")
      }
      throw UsageError("--claims: \(error)")
    }
  }
}
