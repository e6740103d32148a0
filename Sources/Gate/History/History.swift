import Foundation
import GRDB
import Reports

/// What runs found, kept in SQLite: a run is one transaction, so that one that is killed leaves nothing of itself, and of runs that write
/// at once each waits for the others.
package struct History {
  private let queue: DatabaseQueue
  private let path: String

  package struct Run: Sendable, Equatable {
    package let id: Int64
    /// Seconds since 1970.
    package let time: Double
    package let commit: String
    package let status: String
  }

  package struct Point: Sendable, Equatable {
    package let run: Run
    package let value: Double
  }

  package struct Series: Sendable, Equatable {
    package let check: String
    package let result: String
    package let figure: String
    package let unit: String
    package let points: [Point]
  }

  /// Opens the database at `path`, which must exist unless `creating`.
  package init(_ path: String, creating: Bool) throws {
    self.path = path
    if !creating && !FileManager.default.fileExists(atPath: path) {
      throw GateError("\(path): no such file; 'numcheck gate --history FILE' writes one", at: nil)
    }
    var configuration = Configuration()
    configuration.busyMode = .timeout(30)
    configuration.readonly = !creating
    do {
      queue = try DatabaseQueue(path: path, configuration: configuration)
      if creating {
        try queue.writeWithoutTransaction { db in
          // Full: when the call returns the run is on the disk.
          try db.execute(sql: "PRAGMA synchronous = FULL")
          try db.inTransaction(.immediate) {
            try Self.create(db)
            return .commit
          }
        }
      }
      let isOurs = try queue.read { try $0.tableExists("run") && $0.tableExists("figure") }
      guard isOurs else { throw GateError("\(path): no history of a gate", at: nil) }
    } catch let error as DatabaseError {
      throw Self.failure(error, path)
    }
  }

  private static func failure(_ error: DatabaseError, _ path: String) -> GateError {
    GateError("\(path): \(error.message ?? "cannot be used as a database")", at: nil)
  }

  /// Makes what is not there. A migrator would look before it takes the lock: of two runs that begin together one would fail.
  private static func create(_ db: Database) throws {
    try db.create(table: "run", options: .ifNotExists) { table in
      table.autoIncrementedPrimaryKey("id")
      table.column("time", .double).notNull()
      table.column("commit", .text).notNull()
      table.column("version", .text).notNull()
      table.column("status", .text).notNull()
    }
    try db.create(table: "figure", options: .ifNotExists) { table in
      table.column("run", .integer).notNull().references("run", onDelete: .cascade)
      table.column("check", .text).notNull()
      table.column("result", .text).notNull()
      table.column("figure", .text).notNull()
      table.column("unit", .text).notNull()
      // Infinities have no place in SQLite's numbers as text, but do in its doubles.
      table.column("value", .double).notNull()
      table.primaryKey(["run", "check", "result", "figure"])
    }
  }

  /// Adds a run: all of it or nothing.
  package func add(_ results: [CheckResult], commit: String, version: String, status: String, at time: Double)
    throws
  {
    do {
      try queue.write { db in
        try db.execute(
          sql: "INSERT INTO run (time, \"commit\", version, status) VALUES (?, ?, ?, ?)",
          arguments: [time, commit, version, status])
        let run = db.lastInsertedRowID
        let statement = try db.makeStatement(
          sql:
            "INSERT OR REPLACE INTO figure (run, \"check\", result, figure, unit, value) VALUES (?, ?, ?, ?, ?, ?)"
        )
        for result in results {
          for figure in result.figures where !figure.value.isNaN {
            try statement.execute(arguments: [
              run, result.name, figure.label, figure.path, figure.unit, figure.value,
            ])
          }
        }
      }
    } catch let error as DatabaseError {
      throw Self.failure(error, path)
    }
  }

  /// Figures over runs, oldest first: those that the patterns name (`*` and `?`), all where there is none.
  package func series(check: String?, result: String?, figure: String?) throws -> [Series] {
    struct Key: Hashable { let check: String, result: String, figure: String }
    do {
      return try queue.read { db in
        var order: [Key] = []
        var points: [Key: [Point]] = [:]
        var units: [Key: String] = [:]
        let rows = try Row.fetchCursor(
          db,
          sql: """
            SELECT run.id, run.time, run."commit", run.status, f."check", f.result, f.figure, f.unit, f.value
            FROM figure f JOIN run ON run.id = f.run ORDER BY run.id, f.rowid
            """)
        while let row = try rows.next() {
          let key = Key(check: row[4], result: row[5], figure: row[6])
          func fits(_ pattern: String?, _ name: String) -> Bool {
            pattern.map { Names.matches($0, name) } ?? true
          }
          guard fits(check, key.check), fits(result, key.result), fits(figure, key.figure) else { continue }
          if points[key] == nil { order.append(key) }
          units[key] = row[7]
          points[key, default: []].append(
            Point(run: Run(id: row[0], time: row[1], commit: row[2], status: row[3]), value: row[8]))
        }
        return order.map {
          Series(
            check: $0.check, result: $0.result, figure: $0.figure, unit: units[$0] ?? "",
            points: points[$0] ?? [])
        }
      }
    } catch let error as DatabaseError {
      throw Self.failure(error, path)
    }
  }

  /// Every run, oldest first.
  package func runs() throws -> [Run] {
    do {
      return try queue.read { db in
        try Row.fetchAll(db, sql: "SELECT id, time, \"commit\", status FROM run ORDER BY id").map {
          Run(id: $0[0], time: $0[1], commit: $0[2], status: $0[3])
        }
      }
    } catch let error as DatabaseError {
      throw Self.failure(error, path)
    }
  }
}
