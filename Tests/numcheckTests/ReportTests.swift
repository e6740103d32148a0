import Foundation
import Testing

@Suite struct ReportTests {
  @Test func sameSeedSameBytesWhateverTheThreads() throws {
    let base = [
      "softmax", "--dtype", "f16", "--range", "50", "--rows", "40", "--length", "33", "--format", "json",
    ]
    let one = try CommandRunner.run(base + ["--threads", "1"]).output
    for threads in ["2", "3", "7"] {
      #expect(try CommandRunner.run(base + ["--threads", threads]).output == one)
    }
    #expect(try CommandRunner.run(base + ["--seed", "2"]).output != one)
  }

  @Test func theFieldsThatScriptsHoldOnTo() throws {
    let report = try CommandRunner.json([
      "softmax", "--dtype", "f16", "--range", "1000", "--rows", "8", "--length", "32",
    ])
    #expect(report["schema"] as? String == "numcheck/1")
    #expect(report["command"] as? String == "softmax")
    #expect(report["dtype"] as? String == "f16")
    #expect(report["seed"] as? Int == 1 && report["rows"] as? Int == 8 && report["length"] as? Int == 32)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.count == 9)
    for result in results {
      for key in [
        "algorithm", "verdict", "nanRows", "overflow", "underflow", "ulp", "maxAbsoluteError",
        "maxRelativeError",
        "bound", "certificate", "witness",
      ] {
        #expect(result[key] != nil, "\(key)")
      }
      let ulp = try #require(result["ulp"] as? [String: Any])
      for key in ["max", "p99", "mean", "rms"] { #expect(ulp[key] != nil, "ulp.\(key)") }
      let certificate = try #require(result["certificate"] as? [String: Any])
      for key in ["fast", "mpfr", "undecided"] { #expect(certificate[key] is Int, "certificate.\(key)") }
      #expect(certificate["undecided"] as? Int == 0)
      let bound = try #require(result["bound"] as? [String: Any])
      #expect(["sound", "vacuous", "none"].contains(bound["kind"] as? String ?? ""))
    }
    let naive = try #require(results.first { $0["algorithm"] as? String == "naive" })
    #expect(naive["nanRows"] as? Int == 8 && naive["verdict"] as? String == "bug")
    let shifted = try #require(results.first { $0["algorithm"] as? String == "shifted" })
    #expect(shifted["nanRows"] as? Int == 0 && shifted["overflow"] as? Int == 0)
  }

  @Test func nonFiniteNumbersAreStrings() throws {
    let report = try CommandRunner.json(["softmax", "--temperature", "inf", "--rows", "1", "--length", "2"])
    #expect(report["temperature"] as? String == "inf")
  }

  @Test func hexFloatsAreTheNumbers() throws {
    struct Report: Decodable {
      struct Result: Decodable {
        struct Ulp: Decodable { let max: Double, maxHex: String }
        let ulp: Ulp
      }
      let results: [Result]
    }
    let outcome = try CommandRunner.run([
      "lse", "--dtype", "bf16", "--rows", "5", "--length", "9", "--format", "json",
    ])
    // JSONSerialization is an ulp off here; JSONDecoder reads what is written.
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    for result in report.results { #expect(Double(result.ulp.maxHex) == result.ulp.max) }
    #expect(report.results.contains { $0.ulp.max > 0 })
  }

  @Test func markdownAndCSVHaveARowAnAlgorithm() throws {
    let base = ["lse", "--rows", "2", "--length", "4", "--format"]
    let csv = try CommandRunner.run(base + ["csv"]).output.split(separator: "\n")
    #expect(
      csv.count == 8
        && csv.allSatisfy {
          $0.split(separator: ",", omittingEmptySubsequences: false).count
            == csv[0].split(separator: ",").count
        })
    let markdown = try CommandRunner.run(base + ["markdown"]).output
    #expect(markdown.split(separator: "\n").filter { $0.hasPrefix("|") }.count == 9)
  }
}
