import NumKitNumbers

/// Puts together what all parts of a run have found, in place of the work that is shared.
package final class PartMerger: WorkSharing {
  private let parts: [(file: String, part: PartFile)]
  private var place = 0

  /// All parts of one run, each once, in any order. Throws `PartError` where they are not that.
  package init(_ parts: [(file: String, part: PartFile)]) throws {
    guard let first = parts.first else { throw PartError("there is nothing to merge") }
    let count = first.part.shard.count
    var byIndex: [Int: (file: String, part: PartFile)] = [:]
    for (file, part) in parts {
      guard part.arguments == first.part.arguments else {
        throw PartError("\(file): is of another run than \(first.file)")
      }
      guard part.shard.count == count else {
        throw PartError("\(file): is one of \(part.shard.count) parts, \(first.file) one of \(count)")
      }
      if let other = byIndex[part.shard.index] {
        throw PartError("\(file): part \(part.shard.text) is in \(other.file) too")
      }
      byIndex[part.shard.index] = (file, part)
    }
    let missing = (1...count).filter { byIndex[$0] == nil }
    if let lost = missing.first {
      let more = missing.count == 1 ? "" : " and \(missing.count - 1) more"
      throw PartError("part \(lost)/\(count)\(more) is missing")
    }
    self.parts = byIndex.sorted { $0.key < $1.key }.map(\.value)
    try checkInputs(parts.flatMap { file, part in part.inputs.map { (file, $0) } })
  }

  package var isPartial: Bool { false }
  package var shareCount: Int { parts.count }
  /// The command line of the run.
  package var arguments: [String] { parts[0].part.arguments }

  package func share<State: Portable>(
    _ name: String, units: Int, span: WorkSpan?, make: () throws -> State,
    work: (Range<Int>) throws -> State, merge: (inout State, State) throws -> Void
  ) throws -> State {
    let records = try parts.map { file, part in
      guard part.records.indices.contains(place), part.records[place].name == name,
        part.records[place].units == units,
        part.records[place].first..<max(part.records[place].first, part.records[place].end)
          == part.shard.units(units, span)
      else { throw PartError("\(file): is of other work: its inputs are not what is read here") }
      return (file, part.records[place].state)
    }
    place += 1
    // What one part could not do nobody has: it is tried as a run in one piece would.
    guard records.allSatisfy({ $0.1 != nil }) else { return try work(0..<units) }
    var whole: State?
    for (file, state) in records {
      var found = try make()
      do { try found.restore([UInt8](state ?? .init())) } catch let error as CarrierError {
        throw PartError("\(file): \(error)")
      }
      if var all = whole {
        try merge(&all, found)
        whole = all
      } else {
        whole = found
      }
    }
    return try whole ?? make()
  }

  /// Throws where some found more than was asked for here, or `inputs` are not what the parts have read.
  package func finish(inputs: [PartFile.Input]) throws {
    for (file, part) in parts where part.records.count != place {
      throw PartError("\(file): is of other work: it has found more than is asked for here")
    }
    try checkInputs(
      parts.flatMap { file, part in part.inputs.map { (file, $0) } } + inputs.map { ("this run", $0) })
  }

  private func checkInputs(_ inputs: [(file: String, input: PartFile.Input)]) throws {
    var known: [String: (String, PartFile.Input)] = [:]
    for (file, input) in inputs {
      guard let (other, same) = known[input.path] else {
        known[input.path] = (file, input)
        continue
      }
      if same != input {
        throw PartError("\(input.path) is not the same for \(other) and for \(file)")
      }
    }
  }
}
