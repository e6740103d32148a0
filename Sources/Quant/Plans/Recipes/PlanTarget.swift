/// A program that quantizes models: the schemes that it has, and how a plan is written for it.
public protocol PlanTarget: Sendable {
  /// `llama.cpp`.
  static var name: String { get }
  /// What is written, in a few words.
  static var summary: String { get }
  /// The schemes to choose from, of those that quantize well enough to be asked for.
  static var schemes: [String] { get }
  /// Whether it quantizes linear layers alone, not tables that rows are looked up in.
  static var keepsEmbeddings: Bool { get }
  /// Whether a matrix that is stored as `type` can stay as it is.
  static func stores(_ type: String) -> Bool
  /// Whether it quantizes a matrix of so many columns by `scheme`.
  static func takes(_ scheme: any Scheme, columns: Int) -> Bool
  /// The recipe for a model whose files have `names`. Throws `RecipeError` for schemes and names that it cannot say.
  static func recipe(_ plan: QuantizationPlan, _ names: ModelNames) throws -> PlanRecipe
}

extension PlanTarget {
  /// Whole groups alone: the last of a row is not to be shorter.
  public static func takes(_ scheme: any Scheme, columns: Int) -> Bool {
    guard case .group(let length) = (scheme as? any BlockedScheme)?.granularity else { return true }
    return columns.isMultiple(of: length)
  }

  /// Plain numbers: those of checkpoints.
  public static func stores(_ type: String) -> Bool {
    ["f64", "f32", "f16", "bf16", "f8e4m3fn", "f8e5m2"].contains(type)
  }
}

/// What is written of a plan for a program.
public struct PlanRecipe: Sendable {
  public let text: String
  /// Matrices that it says nothing of, since the program's files have no name for them.
  public let nameless: [String]

  init(text: String, nameless: [String] = []) { (self.text, self.nameless) = (text, nameless) }
}

/// Every target, by its name.
public enum PlanTargets {
  public static let all: [any PlanTarget.Type] = [
    LlamaCppTarget.self, CompressedTensorsTarget.self, TorchAOTarget.self,
  ]

  public static func named(_ name: String) -> (any PlanTarget.Type)? {
    all.first { $0.name == name.lowercased() }
  }
}

/// Why a plan cannot be written for a target.
public struct RecipeError: Error, Hashable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Matrices of one kind and scheme, told by one regular expression.
struct RecipeLine {
  let scheme: String
  /// Regular expression of whole names.
  let pattern: String

  /// Lines for `entries`, each with the name that the target knows it by; in the order in which they first come.
  static func lines(_ entries: [(name: String, scheme: String)]) -> [RecipeLine] {
    struct Key: Hashable {
      let start: String
      let end: String
      let scheme: String
    }
    var order: [Key] = []
    var layers: [Key: [Int]] = [:]
    for (name, scheme) in entries {
      let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      let number = parts.firstIndex { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
      guard let number, let layer = Int(parts[number]) else {
        order.append(Key(start: name, end: "", scheme: scheme))
        continue
      }
      let key = Key(
        start: parts[..<number].joined(separator: "."), end: parts[(number + 1)...].joined(separator: "."),
        scheme: scheme)
      if layers[key] == nil { order.append(key) }
      layers[key, default: []].append(layer)
    }
    return order.map { key in
      guard let numbers = layers[key]?.sorted().map(String.init) else {
        return RecipeLine(scheme: key.scheme, pattern: escaped(key.start))
      }
      let layer = numbers.count == 1 ? numbers[0] : "(" + numbers.joined(separator: "|") + ")"
      let parts = [
        key.start.isEmpty ? nil : escaped(key.start), layer, key.end.isEmpty ? nil : escaped(key.end),
      ]
      return RecipeLine(scheme: key.scheme, pattern: parts.compactMap { $0 }.joined(separator: #"\."#))
    }
  }

  /// What means something in a regular expression, with a backslash before it.
  private static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      if #".^$|()[]{}*+?\"#.unicodeScalars.contains(scalar) { out += #"\"# }
      out.unicodeScalars.append(scalar)
    }
    return out
  }
}

extension String {
  /// The module whose weight has this name.
  var moduleName: String { hasSuffix(".weight") ? String(dropLast(".weight".count)) : self }

  /// Between double quotes as JSON, YAML and Python read it.
  var inQuotes: String {
    var out = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"", "\\": out += "\\" + String(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
