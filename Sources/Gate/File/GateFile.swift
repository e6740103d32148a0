import Reports

/// A gate's file, read: what is to be checked and how.
package struct GateFile: Sendable {
  /// Its path, as it was given.
  package let path: String
  /// Of what stands in it.
  package let fingerprint: String
  package var settings = GateSettings()
  /// Every cell of every matrix is a check of its own.
  package var checks: [GateCheck] = []
}

/// What holds of a whole run. Nil where the file does not say.
package struct GateSettings: Sendable, Equatable {
  package var threads: Int?
  /// Seconds that a check may take.
  package var timeLimit: Double?
  package var failFast: Bool?
  /// The lockfile's path, from the file's own folder.
  package var lock: String?
  /// By which share a pinned figure may be worse.
  package var slack: Double?
  /// The history's path, from the file's own folder.
  package var history: String?

  package init() {}
}

/// A command, its flags, and what its report is held to.
package struct GateCheck: Sendable {
  /// What it is called, and its cell of the matrix: `softmax {dtype=f16, seed=2}`.
  package var name: String
  /// Without the cell.
  package var family: String
  /// Its place in the matrix, axis by axis.
  package var cell: [Axis] = []
  /// The command and its flags, as a command line has them.
  package var arguments: [String]
  package var limits: [GateLimit] = []
  /// Results whose bound may be vacuous, or that may be without a value; `*` and `?` match.
  package var allowVacuous: [String] = []
  /// Figures that a lock pins: nil for those that have a better side, empty for none.
  package var pinned: [String]?
  package var slack: Double?
  package var timeLimit: Double?
  /// Where it is written.
  package var location: Location
  /// Where each of its flags is.
  package var places: [String: Location] = [:]

  package struct Axis: Sendable, Equatable, Codable {
    package let name: String
    package let value: String
  }

  /// Whether anything at all is asked of its report.
  var asksNothing: Bool { limits.isEmpty }
}

/// A limit, and where it is written.
package struct GateLimit: Sendable {
  package enum Kind: Sendable, Equatable {
    case figure(Limit)
    /// The bound that theory allows this computation, times `tolerance`; of results that `selector` names.
    case derived(selector: String, tolerance: Double)
  }

  package let kind: Kind
  package let location: Location
}

extension GateLimit {
  /// As it would be written.
  package var written: String {
    switch kind {
    case .figure(let limit): limit.name
    case .derived(let selector, let tolerance):
      (selector.isEmpty ? "" : selector + ":") + "derived"
        + (tolerance == 1 ? "" : " x \(Figures.number(tolerance))")
    }
  }

  /// A limit as it is written: `ulp.max <= 3`, `derived`, `shifted*: derived`.
  static func parsed(_ text: String, tolerance: Double, at location: Location) throws -> GateLimit {
    let words = text.split(separator: ":", omittingEmptySubsequences: false)
    if trimmed(words.last ?? "") == "derived" {
      let selector = words.dropLast().joined(separator: ":")
      return GateLimit(
        kind: .derived(selector: trimmed(selector[...]), tolerance: tolerance), location: location)
    }
    do {
      return GateLimit(kind: .figure(try Limit(parsing: text)), location: location)
    } catch {
      throw GateError(
        "'\(text)' is no limit: it must be FIGURE <= VALUE (or >=, <, >, ==, !=), like 'ulp.max <= 3', or 'derived'",
        at: location)
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }

  /// The limits that it stands for.
  var limits: [Limit] {
    switch kind {
    case .figure(let limit): return [limit]
    case .derived(let selector, let tolerance):
      let start = selector.isEmpty ? "" : selector + ":"
      // Within the bound itself every result is held to its own; beyond it the largest to the largest.
      let figures =
        tolerance == 1
        ? ["verdict!=bug", "bound.exceeded==0", "bound.share<=1"]
        : ["nanRows==0", "overflow==0", "specialMismatches==0", "bound.share<=\(Figures.number(tolerance))"]
      return figures.compactMap { try? Limit(parsing: start + $0) }
    }
  }
}
