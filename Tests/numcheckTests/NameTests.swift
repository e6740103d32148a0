import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Names from files and command lines, wherever they come out.
@Suite struct NameTests {
  private static let names = [
    "\u{1b}[31mRED", "c1\u{9b}31m", "cr\rover", "nl\nline", "tab\tstop", "ls\u{2028}ps\u{2029}",
    "bidi\u{202e}gnp",
    "x,\u{301}y", "=1+1", "+1", "@SUM", "a|b", "<\u{338}b>&\u{301}", "`x`*y*", "q\"\u{301}z", "日本語",
  ]

  /// A file with a tensor of each name.
  private func file(in folder: URL) throws -> URL {
    func escaped(_ name: String) throws -> String {
      let text = try String(decoding: JSONEncoder().encode(name), as: UTF8.self)
      return String(text.dropFirst().dropLast())
    }
    let values = (0..<64).map { $0 == 9 ? 9000 : Double($0 % 7) }
    let file = folder.appendingPathComponent("names.safetensors")
    try ActivationsTests.safetensors(
      Self.names.map { (try escaped($0), "F32", [2, 32], ActivationsTests.bytes(values, "<f4")) }
        + [("none", "F32", [0, 4], Data())]
    ).write(to: file)
    return file
  }

  private func expectSafe(_ text: String, _ what: String) {
    for scalar in text.unicodeScalars where scalar != "\n" {
      let v = scalar.value
      let isControl = v < 0x20 || (0x7f...0x9f).contains(v) || v == 0x2028 || v == 0x2029
      let isBidi = (0x202a...0x202e).contains(v) || (0x2066...0x2069).contains(v)
      #expect(!isControl && !isBidi, "\(what): U+\(String(v, radix: 16))")
    }
  }

  @Test func whatNamesHoldIsWrittenAndDoesNothing() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try file(in: folder).path
    for command in [
      ["activations", path], ["activations", path, "--no-massive", "--details"],
      ["quantize", "--input", path, "--scheme", "q8_0"],
      ["quantize", "--input", path, "--scheme", "q8_0", "--recommend", "--max-bits", "1"],
      ["quantize", "--input", path, "--scheme", "int8@token", "--cure", "hadamard"],
    ] {
      var count: Int?
      for format in ["text", "markdown", "csv", "json", "junit"] {
        let outcome = try CommandRunner.run(command + ["--format", format])
        expectSafe(outcome.output, "\(command) \(format)")
        expectSafe(outcome.errors, "\(command) \(format)")
        switch format {
        case "csv":
          let rows = try CSV.rows(outcome.output)
          #expect(rows.allSatisfy { $0.count == rows[0].count })
          for row in rows.dropFirst() {
            for field in row { #expect(!["=", "+", "@"].contains(field.unicodeScalars.first), "\(field)") }
          }
          count = rows.count - 1
        case "json":
          let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
          let found = (report?["results"] as? [[String: Any]] ?? []).compactMap { $0["tensor"] as? String }
          for name in Self.names {
            #expect(found.contains { Array($0.unicodeScalars) == Array("\(path):\(name)".unicodeScalars) })
          }
          #expect(found.count == count)
        case "junit": #expect(XMLParser(data: Data(outcome.output.utf8)).parse())
        default: break
        }
      }
    }
  }

  /// Typed names, in titles and in error lines.
  @Test(arguments: names) func errorLinesAreOneLineEach(_ name: String) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try file(in: folder).path
    for command in [
      ["softmax", "--input", "\(path):\(name)", "--algorithm", "shifted"],
      ["activations", "\(path):\(name)", "--svg", folder.appendingPathComponent("x.svg").path],
    ] {
      let outcome = try CommandRunner.run(command)
      #expect(outcome.status == 0, "\(outcome.errors)")
      expectSafe(outcome.output, "\(command)")
    }
    let svg = folder.appendingPathComponent("x.svg")
    #expect(try XMLParser(data: Data(contentsOf: svg)).parse())
    expectSafe(try String(contentsOf: svg, encoding: .utf8), "svg")
    for command in [
      ["softmax", "--input", "\(path):no\(name)"], ["softmax", "--input", "\(folder.path)/no\(name)"],
      ["quantize", "--scheme", "no\(name)"], ["softmax", "--algorithm", "no\(name)"],
      ["quantize", "--cure", "no\(name)", "--rows", "2", "--length", "32"],
      ["kvcache", "--cache", "no\(name)"],
      ["dialect", "no\(name)", "mxfp4"], ["softmax", "--dtype", "no\(name)"],
      ["attention", "--q", "no\(name)"],
      ["kvcache", "--check", "no\(name)<=1"], ["kvcache", "--columns", "no\(name)"],
      ["softmax", "--rows", "1", "--length", "2", "--algorithm", "shifted", "--output", "no\(name).txt"],
    ] {
      let outcome = try CommandRunner.run(command, folder: folder)
      #expect(outcome.status == 2, "\(command): \(outcome.errors)")
      #expect(
        outcome.errors.filter { $0 == "\n" }.count == 1 && outcome.errors.hasSuffix("\n"), "\(outcome.errors)"
      )
      expectSafe(outcome.errors, "\(command)")
    }
  }

  /// As wide as the terminal; in colour, unless it is not wanted.
  @Test func tablesFitTheTerminal() throws {
    let command = ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "8"]
    func plain(_ text: String) -> [String] {
      text.replacing(/\u{1b}\[[0-9]+m/, with: "").split(separator: "\n").map(String.init)
    }
    let wide = try CommandRunner.onTerminal(columns: 200, command)
    #expect(wide.contains("\u{1b}[31mbug") && wide.contains("headroom"))
    for columns in [50, 60, 80] {
      let shown = try CommandRunner.onTerminal(columns: columns, command)
      let lines = plain(shown)
      #expect(lines.allSatisfy { $0.count <= columns }, "\(lines)")
      #expect(lines.contains { $0.hasPrefix("no room for: ") } == (columns < 80))
      #expect(lines.contains { $0.hasPrefix("algorithm") && $0.contains("verdict") })
    }
    let named = try CommandRunner.onTerminal(columns: 200, command, environment: ["COLUMNS": "50"])
    #expect(plain(named).allSatisfy { $0.count <= 50 })
    #expect(
      try !CommandRunner.onTerminal(columns: 80, command, environment: ["NO_COLOR": "1"]).contains("\u{1b}"))
    // What is asked for is shown whole.
    let all = plain(try CommandRunner.onTerminal(columns: 50, command + ["--wide"]))
    #expect(all.contains { $0.contains("p99") && $0.contains("top-1 flips") })
  }
}
