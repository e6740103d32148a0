import Foundation
import Testing

/// What the published JSON Schema promises, held against what the command prints. Knows the keywords that our schema uses and
/// fails on any other.
struct SchemaValidator {
  private let root: [String: Any]

  init(_ url: URL) throws {
    root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
  }

  func errors(_ value: Any) -> [String] { check(value, root, at: "$") }

  private func check(_ value: Any, _ schema: [String: Any], at path: String) -> [String] {
    var found: [String] = []
    for (keyword, rule) in schema {
      switch keyword {
      case "$schema", "title", "$defs": break
      case "$ref":
        let name = (rule as? String)?.split(separator: "/").last.map(String.init) ?? ""
        guard let target = (root["$defs"] as? [String: Any])?[name] as? [String: Any] else {
          return ["no \(name)"]
        }
        found += check(value, target, at: path)
      case "type":
        if !Self.has(value, rule as? String ?? "") { found.append("\(path) is no \(rule)") }
      case "const", "enum":
        let allowed = keyword == "const" ? [rule] : rule as? [Any] ?? []
        if !allowed.contains(where: { ($0 as? NSObject)?.isEqual(value) ?? false }) {
          found.append("\(path) is \(value)")
        }
      case "oneOf":
        let choices = rule as? [[String: Any]] ?? []
        if choices.filter({ check(value, $0, at: path).isEmpty }).count != 1 {
          found.append("\(path) fits not one")
        }
      case "required":
        let object = value as? [String: Any] ?? [:]
        for key in rule as? [String] ?? [] where object[key] == nil {
          found.append("\(path).\(key) is missing")
        }
      case "properties":
        let object = value as? [String: Any] ?? [:]
        for (key, sub) in rule as? [String: Any] ?? [:] {
          if let member = object[key], let sub = sub as? [String: Any] {
            found += check(member, sub, at: "\(path).\(key)")
          }
        }
      case "additionalProperties":
        let known = Set((schema["properties"] as? [String: Any] ?? [:]).keys)
        for key in (value as? [String: Any] ?? [:]).keys where !known.contains(key) {
          found.append("\(path).\(key) is not in the schema")
        }
      case "items":
        for (i, item) in (value as? [Any] ?? []).enumerated() {
          found += check(item, rule as? [String: Any] ?? [:], at: "\(path)[\(i)]")
        }
      default: found.append("unknown keyword \(keyword)")
      }
    }
    return found
  }

  private static func has(_ value: Any, _ type: String) -> Bool {
    let number = value as? NSNumber
    // JSONSerialization makes booleans NSNumbers of the C type of Bool.
    let isBool = number.map { String(cString: $0.objCType) == "c" } ?? false
    switch type {
    case "null": return value is NSNull
    case "boolean": return isBool
    case "string": return value is String
    case "array": return value is [Any]
    case "object": return value is [String: Any]
    case "number": return number != nil && !isBool
    case "integer": return number.map { !isBool && $0.doubleValue == $0.doubleValue.rounded() } ?? false
    default: return false
    }
  }
}

@Suite struct SchemaTests {
  private let schema = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Documentation/numcheck-1.schema.json")

  @Test(arguments: [
    ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "8", "--no-nan"],
    ["lse", "--dtype", "int8", "--rows", "3", "--length", "5"],
    ["sigmoid", "--dtype", "f8e4m3fn", "--rows", "2", "--length", "40"],
    ["crossentropy", "--dtype", "f4e2m1", "--rows", "2", "--length", "4", "--temperature", "inf"],
    ["softmax-vjp", "--rows", "2", "--length", "4"],
  ])
  func reportsKeepTheSchema(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments + ["--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect(try SchemaValidator(schema).errors(value) == [])
  }

  private let schemes = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Documentation/numcheck-1-schemes.schema.json")

  @Test(arguments: [
    ["quantize", "--rows", "4", "--length", "64"],
    ["quantize", "--rows", "1", "--length", "1", "--range", "0"],
    ["quantize", "--rows", "2", "--length", "256", "--recommend", "--max-bits", "5", "--scheme", "*"],
    ["dialect", "mxfp4:ggml", "mxfp4:floor", "--rows", "8", "--length", "64"],
    ["dialect", "f8e5m2", "f8e5m2", "--rows", "1", "--length", "32"],
  ])
  func schemeReportsKeepTheirSchema(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments + ["--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect(try SchemaValidator(schemes).errors(value) == [], "\(outcome.errors)")
  }

  private let tables = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Documentation/numcheck-1-tables.schema.json")

  @Test(arguments: [
    ["list", "formats"], ["list", "kernels"], ["list", "schemes"], ["list", "cures"],
    ["list", "distributions"], ["kvcache"], ["kvcache", "--measure", "--tokens", "8", "--dtype", "f16"],
    ["attention", "--sweep-head-size", "4,16"],
    ["attention", "--fa3", "--tokens", "8", "--head-size", "8"],
  ])
  func tablesKeepTheirSchema(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments + ["--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect(try SchemaValidator(tables).errors(value) == [], "\(outcome.errors)")
    // The same names and numbers in CSV.
    let csv = try CommandRunner.run(arguments + ["--format", "csv"]).output.split(separator: "\n")
    let rows = try #require((value as? [String: Any])?["results"] as? [[String: Any]])
    #expect(csv.count == rows.count + 1)
    let keys = Set((csv.first ?? "").split(separator: ",").map { $0.filter { $0 != "_" } })
    #expect(keys == Set(rows[0].keys.map { $0.lowercased() }))
  }

  @Test func severalTensorsKeepTheirSchema() throws {
    let file = CommandRunner.fixtures.appendingPathComponent("files/small.gguf").path
    let outcome = try CommandRunner.run(["quantize", "--input", file, "--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect((value as? [String: Any])?["tensors"] != nil, "\(outcome.errors)")
    #expect(try SchemaValidator(schemes).errors(value) == [])
  }

  @Test func aBrokenReportIsSeen() throws {
    let outcome = try CommandRunner.run(["lse", "--rows", "1", "--length", "2", "--format", "json"])
    var value = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    value["rows"] = "one"
    value["extra"] = 1
    value["schema"] = nil
    #expect(try SchemaValidator(schema).errors(value).count == 3)
  }
}
