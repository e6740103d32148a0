import Foundation
import Testing

/// What the published JSON Schema promises, held against what the command prints. Knows the keywords that our schema uses and
/// fails on any other.
struct SchemaValidator {
  private let root: [String: Any]

  /// The schema of all reports.
  static let reports: URL = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Documentation/numcheck-2.schema.json")

  init(_ url: URL = Self.reports) throws {
    root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
  }

  func errors(_ value: Any) -> [String] { check(value, root, at: "$") }

  /// The properties that the schema has under one of its definitions, as dotted paths.
  func paths(ofDefinition name: String) -> Set<String> {
    func collect(_ schema: [String: Any], _ prefix: String) -> [String] {
      (schema["properties"] as? [String: Any] ?? [:]).flatMap { key, sub -> [String] in
        let path = prefix.isEmpty ? key : "\(prefix).\(key)"
        return [path] + collect(sub as? [String: Any] ?? [:], path)
      }
    }
    return Set(collect((root["$defs"] as? [String: Any])?[name] as? [String: Any] ?? [:], ""))
  }

  private func check(_ value: Any, _ schema: [String: Any], at path: String) -> [String] {
    var found: [String] = []
    for (keyword, rule) in schema {
      let parts = rule as? [[String: Any]] ?? []
      let object = value as? [String: Any] ?? [:]
      switch keyword {
      case "$schema", "$id", "title", "description", "$defs", "then": break
      case "$ref":
        let name = (rule as? String)?.split(separator: "/").last.map(String.init) ?? ""
        guard let target = (root["$defs"] as? [String: Any])?[name] as? [String: Any] else {
          return ["no \(name)"]
        }
        found += check(value, target, at: path)
      case "type":
        let types = rule as? [String] ?? [rule as? String ?? ""]
        if !types.contains(where: { Self.has(value, $0) }) { found.append("\(path) is no \(rule)") }
      case "const", "enum":
        let allowed = keyword == "const" ? [rule] : rule as? [Any] ?? []
        if !allowed.contains(where: { ($0 as? NSObject)?.isEqual(value) ?? false }) {
          found.append("\(path) is \(value)")
        }
      case "anyOf":
        let all = parts.map { check(value, $0, at: path) }
        if !all.contains(where: \.isEmpty) {
          found.append("\(path) fits none: \(all.min { $0.count < $1.count } ?? [])")
        }
      case "allOf": for part in parts { found += check(value, part, at: path) }
      case "if":
        if check(value, rule as? [String: Any] ?? [:], at: path).isEmpty {
          found += check(value, schema["then"] as? [String: Any] ?? [:], at: path)
        }
      case "required" where value is [String: Any]:
        for key in rule as? [String] ?? [] where object[key] == nil {
          found.append("\(path).\(key) is missing")
        }
      case "properties":
        for (key, sub) in rule as? [String: Any] ?? [:] {
          if let member = object[key], let sub = sub as? [String: Any] {
            found += check(member, sub, at: "\(path).\(key)")
          }
        }
      case "additionalProperties":
        let known = Set((schema["properties"] as? [String: Any] ?? [:]).keys)
        for (key, member) in object where !known.contains(key) {
          if let sub = rule as? [String: Any] {
            found += check(member, sub, at: "\(path).\(key)")
          } else {
            found.append("\(path).\(key) is not in the schema")
          }
        }
      case "items":
        for (i, item) in (value as? [Any] ?? []).enumerated() {
          found += check(item, rule as? [String: Any] ?? [:], at: "\(path)[\(i)]")
        }
      case "required": break
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
