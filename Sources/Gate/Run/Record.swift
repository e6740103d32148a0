import Foundation
import Reports
import Shards

/// What a shard found, as a file: merged with the others' it makes the report of the whole.
package struct GateRecord: Sendable {
  package let path: String
  /// The program's version, and what stood in the gate's file: parts of one run have the same.
  package let version: String
  package let fingerprint: String
  /// How many checks the whole run has.
  package let total: Int
  package let results: [CheckResult]

  package init(path: String, version: String, fingerprint: String, total: Int, results: [CheckResult]) {
    (self.path, self.version, self.fingerprint) = (path, version, fingerprint)
    (self.total, self.results) = (total, results)
  }

  private static let schema = "numcheck-gate/2"

  private struct File: Codable {
    let schema: String
    let version: String
    let path: String
    let fingerprint: String
    let total: Int
    let results: [Encoded]
    var checksum: String?

    /// Of all that stands in it.
    func ownChecksum() throws -> String {
      var plain = self
      plain.checksum = nil
      var sum = Checksum()
      sum.add(try plain.encoded())
      return sum.text
    }

    func encoded() throws -> Data {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      return try encoder.encode(self)
    }
  }

  /// What stands in the file. Throws what JSON cannot say.
  package func text() throws -> String {
    var file = File(
      schema: Self.schema, version: version, path: path, fingerprint: fingerprint, total: total,
      results: results.map(\.encoded))
    file.checksum = try file.ownChecksum()
    return String(decoding: try file.encoded(), as: UTF8.self) + "\n"
  }

  package init(parsing data: Data, file: String) throws {
    struct Head: Decodable { let schema: String }
    guard let head = try? JSONDecoder().decode(Head.self, from: data), head.schema.hasPrefix("numcheck-gate/")
    else { throw GateError("\(file): no record of a gate: 'numcheck gate --save FILE' writes one", at: nil) }
    guard head.schema == Self.schema else {
      throw GateError("\(file): is of the format '\(head.schema)', this is '\(Self.schema)'", at: nil)
    }
    guard let read = try? JSONDecoder().decode(File.self, from: data),
      let checksum = try? read.ownChecksum(), read.checksum == checksum,
      read.total >= 0, let results = try? read.results.map({ try $0.result() })
    else { throw GateError("\(file): is damaged, or was changed by hand", at: nil) }
    (path, version, fingerprint) = (read.path, read.version, read.fingerprint)
    (total, self.results) = (read.total, results)
  }

  /// All shards' results in the file's order; throws where they are not of one run.
  package static func merged(_ records: [(file: String, record: GateRecord)]) throws -> GateRecord {
    guard let first = records.first?.record else { throw GateError("there is nothing to merge", at: nil) }
    var results: [Int: (CheckResult, String)] = [:]
    for (file, record) in records {
      guard record.path == first.path, record.total == first.total else {
        throw GateError("\(file): of another run: \(record.path) with \(record.total) checks", at: nil)
      }
      guard record.version == first.version else {
        throw GateError("\(file): of version \(record.version), others of \(first.version)", at: nil)
      }
      guard record.fingerprint == first.fingerprint else {
        throw GateError("\(file): of another \(record.path): not what others ran", at: nil)
      }
      for result in record.results {
        if let other = results[result.index] {
          throw GateError("\(file): '\(result.name)' is in \(other.1) too", at: nil)
        }
        results[result.index] = (result, file)
      }
    }
    return GateRecord(
      path: first.path, version: first.version, fingerprint: first.fingerprint, total: first.total,
      results: results.sorted { $0.key < $1.key }.map(\.value.0))
  }
}

/// A result as JSON can say it; numbers that are not finite as text.
struct Encoded: Codable, Equatable {
  struct Place: Codable, Equatable { let file: String, line: Int, column: Int }
  struct One: Codable, Equatable {
    let name: String, place: String, outcome: String, value: Scalar, limit: Scalar, message: String
    let location: Place?
  }
  struct Note: Codable, Equatable {
    let kind: String, place: String, message: String, leads: Bool, warns: Bool
  }
  struct Number: Codable, Equatable {
    let label: String, path: String, unit: String, sense: Column.Sense, value: Scalar, witness: String
  }

  /// A single value and its kind.
  struct Scalar: Codable, Equatable {
    let kind: String
    let text: String

    init(_ value: JSONValue) {
      switch value {
      case .flag(let b): (kind, text) = ("flag", b ? "true" : "false")
      case .integer(let n): (kind, text) = ("integer", "\(n)")
      case .unsigned(let n): (kind, text) = ("unsigned", "\(n)")
      case .number(let x): (kind, text) = ("number", Figures.hex(x))
      case .text(let s): (kind, text) = ("text", s)
      case .none, .list, .members: (kind, text) = ("none", "")
      }
    }

    func value() throws -> JSONValue {
      switch kind {
      case "flag": return .flag(text == "true")
      case "integer": return try .integer(Self.read(Int(text)))
      case "unsigned": return try .unsigned(Self.read(UInt64(text)))
      case "number": return try .number(Self.read(Double(text)))
      case "text": return .text(text)
      case "none": return .none
      default: throw GateError(kind, at: nil)
      }
    }

    private static func read<N>(_ number: N?) throws -> N {
      guard let number else { throw GateError("no number", at: nil) }
      return number
    }
  }

  let index: Int, name: String, family: String, cell: [GateCheck.Axis], commandLine: String, location: Place
  let outcome: CheckResult.Outcome, reason: String, conclusion: String
  let checks: [One], figures: [Number], findings: [Note]
  let words: [PinnedWord]?, answers: Answers?
}

extension CheckResult {
  var encoded: Encoded {
    func place(_ l: Location) -> Encoded.Place { .init(file: l.file, line: l.line, column: l.column) }
    func name(_ outcome: Check.Outcome) -> String {
      switch outcome {
      case .passed: "passed"
      case .failed: "failed"
      case .withoutValue: "withoutValue"
      }
    }
    return Encoded(
      index: index, name: self.name, family: family, cell: cell, commandLine: commandLine,
      location: place(location), outcome: outcome, reason: reason, conclusion: conclusion,
      checks: checks.map {
        .init(
          name: $0.name, place: $0.place, outcome: name($0.outcome), value: .init($0.value),
          limit: .init($0.limit), message: $0.message, location: $0.location.map(place))
      },
      figures: figures.map {
        .init(
          label: $0.label, path: $0.path, unit: $0.unit, sense: $0.sense, value: .init(.number($0.value)),
          witness: $0.witness)
      },
      findings: findings.map {
        .init(kind: $0.kind, place: $0.place, message: $0.message, leads: $0.leads, warns: $0.isWarning)
      },
      words: words.isEmpty ? nil : words, answers: answers)
  }
}

extension Encoded {
  func result() throws -> CheckResult {
    func at(_ place: Place) -> Location { Location(file: place.file, line: place.line, column: place.column) }
    var check = GateCheck(name: name, family: family, arguments: [], location: at(location))
    check.cell = cell
    var result = CheckResult(check, index: index, commandLine: commandLine, outcome)
    result.reason = reason
    result.conclusion = conclusion
    let outcomes: [String: Check.Outcome] = [
      "passed": .passed, "failed": .failed, "withoutValue": .withoutValue,
    ]
    result.checks = try checks.map { one in
      guard let outcome = outcomes[one.outcome] else { throw GateError(one.outcome, at: nil) }
      var check = Check(
        one.name, one.place, outcome, value: try one.value.value(), limit: try one.limit.value(),
        message: one.message)
      check.location = one.location.map(at)
      return check
    }
    result.figures = try figures.map { figure in
      guard let value = try figure.value.value().double else { throw GateError(figure.path, at: nil) }
      return PinnedFigure(
        label: figure.label, path: figure.path, unit: figure.unit, sense: figure.sense, value: value,
        witness: figure.witness)
    }
    result.findings = findings.map {
      Finding($0.kind, $0.place, $0.message, leads: $0.leads, warns: $0.warns)
    }
    result.words = words ?? []
    result.answers = answers
    return result
  }
}
