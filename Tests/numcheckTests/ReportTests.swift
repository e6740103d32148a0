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
    #expect(report["schema"] as? String == "numcheck/2")
    #expect(report["command"] as? String == "softmax")
    #expect(report["dtype"] as? String == "f16")
    #expect(report["seed"] as? Int == 1 && report["rows"] as? Int == 8 && report["length"] as? Int == 32)
    #expect(report["version"] as? String == "0.1.0" && report["status"] as? String == "ok")
    #expect(report["findings"] is [Any] && report["checks"] is [Any] && report["conclusion"] is String)
    let input = try #require(report["input"] as? [String: Any])
    for key in ["nan", "inf", "overflowed"] { #expect(input[key] as? Int == 0, "\(key)") }
    #expect(input["origin"] as? String == "generated")
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.count == 9)
    for result in results {
      for key in [
        "algorithm", "verdict", "nanRows", "overflow", "underflow", "ulp", "maxAbsoluteError",
        "maxRelativeError",
        "bound", "certificate", "witness", "headroomBits", "firstOverflow",
      ] {
        #expect(result[key] != nil, "\(key)")
      }
      let ulp = try #require(result["ulp"] as? [String: Any])
      for key in ["max", "p99", "mean", "rms", "atPeak"] { #expect(ulp[key] != nil, "ulp.\(key)") }
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

  /// A figure without a value is null, and says why.
  @Test func whatHasNoValueHasAReason() throws {
    let report = try CommandRunner.json([
      "softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "8", "--algorithm", "naive",
    ])
    let result = try #require((report["results"] as? [[String: Any]])?.first)
    let reasons = try #require(result["withoutValue"] as? [String: String])
    #expect((result["ulp"] as? [String: Any])?["max"] is NSNull)
    #expect(reasons["ulp.max"] == "every row has a NaN")
    // A tensor of one value has no kurtosis, and one of zeros no ratio.
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("zeros.npy")
    try ActivationsTests.npy("<f4", [2, 2], ActivationsTests.bytes([0, 0, 0, 0], "<f4")).write(to: file)
    let text = try CommandRunner.run(["activations", file.path]).output
    #expect(!text.contains("NaN") && text.contains("- in max/median: all elements are 0, or none is finite"))
    let limit = try CommandRunner.run(["attention", "--tokens", "1", "--head-size", "1", "--dtype", "f32"])
    #expect(limit.status == 0 && limit.output.contains("- in of limit: the baseline has no error"))
    let exact = try CommandRunner.json(["quantize", "--input", file.path, "--scheme", "f16"])
    #expect((exact["results"] as? [[String: Any]])?.first?["cosine"] as? Double == 1)
  }

  @Test func markdownAndCSVHaveARowAnAlgorithm() throws {
    let base = ["lse", "--rows", "2", "--length", "4", "--format"]
    let csv = try CSV.rows(CommandRunner.run(base + ["csv"]).output)
    #expect(csv.count == 8 && csv.allSatisfy { $0.count == csv[0].count })
    let markdown = try CommandRunner.run(base + ["markdown"]).output
    #expect(markdown.split(separator: "\n").filter { $0.hasPrefix("|") }.count == 9)
  }

  /// What is asked for is shown, however wide; what is not known is an error with a hint.
  @Test func columnsAreChosen() throws {
    let base = ["softmax", "--dtype", "f16", "--rows", "4", "--length", "8"]
    let usual = try CommandRunner.run(base).output
    #expect(!usual.contains("p99") && !usual.contains("|sum-1|"))
    for flags in [["--wide"], ["--columns", "all"], ["--columns", "ULP.P99,sumError"]] {
      let wide = try CommandRunner.run(base + flags)
      #expect(wide.status == 0 && wide.output.contains("p99") && wide.output.contains("|sum-1|"), "\(flags)")
    }
    let csv = try CSV.rows(CommandRunner.run(base + ["--columns", "p99", "--format", "csv"]).output)
    #expect(csv[0].suffix(2) == ["algorithm", "ulp.p99"])
    let wrong = try CommandRunner.run(base + ["--columns", "ulp.p9"])
    #expect(wrong.status == 2 && wrong.errors.contains("did you mean ulp.p99"), "\(wrong.errors)")
    #expect(try CommandRunner.run(base + ["--columns", "p99", "--wide"]).status == 2)
  }

  /// --report writes the same as --format prints, beside it, and whole or not at all.
  @Test func reportsGoToFilesToo() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let base = ["lse", "--dtype", "f16", "--rows", "2", "--length", "4", "--max-ulp", "0.1"]
    let outcome = try CommandRunner.run(
      base + ["--report", "json=a.json", "--report", "junit=b=c.xml", "--report", "text=a.txt"],
      folder: folder)
    #expect(outcome.status == 1 && outcome.errors.isEmpty)
    for (format, file) in [("json", "a.json"), ("junit", "b=c.xml"), ("text", "a.txt")] {
      let written = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      #expect(try written == CommandRunner.run(base + ["--format", format]).output, "\(format)")
    }
    for wrong in ["json", "json=", "=a", "yaml=a", "json=-", "json=/no/such/folder/a"] {
      let outcome = try CommandRunner.run(base + ["--report", wrong], folder: folder)
      #expect(outcome.status == 2 && outcome.errors.filter { $0 == "\n" }.count == 1, "\(wrong)")
    }
    let over = try CommandRunner.run(
      ["lse", "--input", "a.json", "--report", "json=a.json"], folder: folder)
    #expect(over.status == 2 && over.errors.contains("is an input"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
  }
}
