import Reports

/// What is wrong with a file that people write, and where.
package struct GateError: Error, CustomStringConvertible, Equatable {
  /// Nil where it is wrong as a whole.
  package let location: Location?
  package let message: String

  package init(_ message: String, at location: Location?) {
    self.message = message
    self.location = location
  }

  package var description: String { location.map { "\($0.text): \(message)" } ?? message }
}

/// What there is instead of what was written.
func didYouMean(_ name: String, in names: [String]) -> String {
  let near = Names.near(name, in: names)
  if near.isEmpty { return "; there are: " + names.joined(separator: ", ") }
  return "; did you mean \(Figures.list(near).replacing(" and ", with: " or "))?"
}
