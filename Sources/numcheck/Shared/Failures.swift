/// A check that did not hold: exit status 1.
struct CheckFailed: Error {
  /// What to say on standard error.
  let message: String
}

/// A wrong use of the command: exit status 2.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
