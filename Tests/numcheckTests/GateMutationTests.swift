import Foundation
import Testing

/// A gate is tried with planted defects.
@Suite struct GateMutationTests {
  private static func gate(_ limit: String) throws -> URL {
    let folder = try CommandRunner.temporaryFolder()
    try """
    checks:
      - name: one
        run: softmax
        algorithm: shifted
        rows: 16
        length: 64
        range: 3
        limit: \(limit)
      - name: schemes
        run: quantize
        arguments: none.npy
        limit: sqnr >= 1
    """.write(to: folder.appendingPathComponent("numcheck.yml"), atomically: true, encoding: .utf8)
    return folder
  }

  private static func mutated(_ limit: String, _ more: [String] = []) throws -> [String: Any] {
    let folder = try gate(limit)
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(
      ["mutate", "--gate", "numcheck.yml", "--format", "json"] + more, folder: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  /// The derived bound sees all that does harm; an absolute limit on small results sees half of it.
  @Test func limitsAreTried() throws {
    let derived = try Self.mutated("derived")
    let harmful = try #require(derived["harmful"] as? Int)
    #expect(harmful >= 15 && derived["missed"] as? Int == 0)
    let loose = try Self.mutated("\"maxAbsoluteError <= 0.01\"")
    #expect(loose["harmful"] as? Int == harmful)
    #expect((loose["missed"] as? Int ?? 0) >= 5)
    let results = try #require(loose["results"] as? [[String: Any]])
    let zeros = try #require(results.first { $0["defect"] as? String == "zeros" })
    #expect(zeros["caughtBy"] as? [String] == ["one"] && zeros["plantedIn"] as? Int == 1)
  }

  @Test func threadsChangeNothing() throws {
    let one = try Self.mutated("derived", ["--threads", "1"])
    let two = try Self.mutated("derived", ["--threads", "2"])
    #expect(one as NSDictionary == two as NSDictionary)
  }

  @Test func whatCannotBeTriedIsSaid() throws {
    let folder = try Self.gate("\"ulp.max <= 1e-9\"")
    defer { try? FileManager.default.removeItem(at: folder) }
    let failing = try CommandRunner.run(["mutate", "--gate", "numcheck.yml"], folder: folder)
    #expect(failing.status == 2 && failing.errors.contains("'one' does not hold as it is"))
    let flags = try CommandRunner.run(
      ["mutate", "--gate", "numcheck.yml", "--rule", "torch"], folder: folder)
    #expect(flags.status == 2 && flags.errors.contains("of its own"))
    let missing = try CommandRunner.run(["mutate", "--gate", "none.yml"], folder: folder)
    #expect(missing.status == 2)
  }
}
