/// What `--algorithm` names: repeatable, several with commas between them, 'all' for all.
enum AlgorithmNames {
  /// The algorithms of `names` among `all`, in the order named, each once; `what` is what they are for, as errors say it. `more` are
  /// there where they are named, and no part of 'all'.
  ///
  /// - Throws: `UsageError` for a name that none has, and where there is none.
  static func chosen<A: Equatable & CustomStringConvertible>(
    _ names: [String], from all: [A], or more: [A] = [], for what: String
  ) throws -> [A] {
    var chosen: [A] = []
    for name in names.flatMap({ $0.split(separator: ",").map(String.init) }) {
      let matches = name == "all" ? all : (all + more).filter { $0.description == name }
      if matches.isEmpty {
        throw UsageError(
          "no algorithm '\(name)' for \(what); there are: \((all + more).map(\.description).joined(separator: ", "))"
        )
      }
      for match in matches where !chosen.contains(match) { chosen.append(match) }
    }
    if chosen.isEmpty { throw UsageError("--algorithm names none") }
    return chosen
  }
}
