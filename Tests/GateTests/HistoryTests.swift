import Foundation
import Testing

import Gate
import Reports

@Suite struct HistoryTests {
  private typealias S = GateSamples

  private static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "numcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private static func results(_ ulp: Double) throws -> [CheckResult] {
    let file = try S.read("checks:\n  - name: c\n    run: softmax\n    limit: ulp.max <= 100")
    return S.run(file) { _ in S.report([.init(ulp: ulp), .init(name: "online", ulp: 1)]) }
  }

  @Test func findsTheCommitWhereAFigureJumped() throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("h.db").path
    for (k, ulp) in [0.5, 0.51, 0.5, 4.0, 4.1, 4.0].enumerated() {
      try History(path, creating: true).add(
        try Self.results(ulp), commit: "commit\(k)", version: "1", status: "ok", at: Double(k))
    }
    let history = try History(path, creating: false)
    let series = try history.series(check: nil, result: "shifted", figure: "ulp.*")
    #expect(series.count == 1 && series[0].points.map(\.value) == [0.5, 0.51, 0.5, 4, 4.1, 4])
    #expect(series[0].unit == "ulp" && series[0].points[3].run.commit == "commit3")
    let all = try history.series(check: "c", result: nil, figure: "ulp.max")
    let report = HistoryReport(
      file: "h.db", version: "1", series: all, runs: try history.runs(), showsRuns: true
    ).report
    #expect(report.conclusion == "c, shifted ulp.max jumped most, at commit commit3")
    #expect(report.findings.map(\.place) == ["c, shifted"])
    #expect(report.tables[1].rows.count == 12)
    #expect(report.sections[0].charts.first?.title == "c, shifted: ulp.max")
  }

  @Test func jumpsAreStepsNotScatter() {
    #expect(Jump([1, 1, 1, 2, 2, 2])?.index == 3)
    #expect(Jump([1, 1, 1, 2, 2, 2])?.factor == 2)
    #expect(Jump([4, 4, 1])?.index == 2)
    #expect(Jump([0, 0, 0, 3])?.index == 3)
    #expect(Jump([0, 0, 0, 3])?.factor == 3)
    for flat in [[], [1], [1, 1, 1], [1, 2, 1, 2, 1, 2, 1], [1, 1.0001, 1], [1, .infinity]] {
      #expect(Jump(flat) == nil, "\(flat)")
    }
  }

  /// What came and went within one run is told, and is no jump.
  @Test func spikesAreTold() throws {
    #expect(Spike([1, 1.01, 3, 1, 1.02])?.index == 2)
    #expect(Spike([0, 0, 5, 0])?.level == 0)
    for none in [[1, 3, 1], [1, 2, 1, 2, 1, 2, 1], [1, 1.001, 1, 1], [1, 1, 1, 3], [1, .nan, 1, 1]] {
      #expect(Spike(none) == nil, "\(none)")
    }
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("h.db").path
    for (k, ulp) in [0.5, 0.5, 7, 0.5, 0.5].enumerated() {
      try History(path, creating: true).add(
        try Self.results(ulp), commit: "commit\(k)", version: "1", status: "ok", at: Double(k))
    }
    let history = try History(path, creating: false)
    let series = try history.series(check: nil, result: "shifted", figure: "ulp.max")
    let report = HistoryReport(
      file: "h.db", version: "1", series: series, runs: try history.runs(), showsRuns: false
    ).report
    #expect(report.findings.map(\.kind) == ["spike"])
    #expect(report.conclusion.contains("in run 3 alone"), "\(report.conclusion)")
  }

  /// Four writers that begin together, four runs each, in new databases: none is lost, none is half there.
  @Test func concurrentWritersLoseNothing() throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let results = try Self.results(1)
    for database in 0..<12 {
      let path = folder.appendingPathComponent("\(database).db").path
      DispatchQueue.concurrentPerform(iterations: 4) { writer in
        for k in 0..<4 {
          do {
            try History(path, creating: true).add(
              results, commit: "\(writer)-\(k)", version: "1", status: "ok", at: 0)
          } catch { Issue.record("\(error)") }
        }
      }
      let history = try History(path, creating: false)
      let runs = try history.runs()
      #expect(runs.count == 16 && Set(runs.map(\.commit)).count == 16)
      for series in try history.series(check: nil, result: nil, figure: nil) {
        #expect(series.points.count == 16)
      }
    }
  }

  @Test func whatIsNoHistoryIsRefused() throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let text = folder.appendingPathComponent("t.db")
    try Data(repeating: 65, count: 8192).write(to: text)
    for (path, says) in [
      (text.path, "t.db"), (folder.path, "numcheck-"), (folder.path + "/none.db", "no such file"),
    ] {
      do {
        _ = try History(path, creating: false)
        Issue.record("\(path) was opened")
      } catch {
        #expect(error is GateError && "\(error)".contains(says) && !"\(error)".contains("\n"), "\(error)")
      }
    }
    #expect(throws: GateError.self) { try History(text.path, creating: true) }
    #expect(throws: GateError.self) { try History(folder.path + "/no/folder/h.db", creating: true) }
  }
}
