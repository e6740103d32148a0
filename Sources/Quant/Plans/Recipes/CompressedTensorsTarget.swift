/// compressed-tensors: a recipe for llm-compressor (YAML), a group of modules for each scheme; what is kept is ignored.
public enum CompressedTensorsTarget: PlanTarget {
  public static let name = "compressed-tensors"
  public static let summary = "a recipe for llm-compressor, in YAML"
  public static let schemes = [
    "int4@token:f16", "int4@g128:f16", "int4@g64:f16", "int4@g32:f16", "nvfp4", "int8@token:f16",
    "int8@g128:f16",
    "f8e4m3fn@token",
  ]
  public static let keepsEmbeddings = true

  public static func recipe(_ plan: QuantizationPlan, _ names: ModelNames) throws -> PlanRecipe {
    let kept = try plan.entries.filter(\.isKept).map { (name: try names.module($0.name), scheme: "") }
    let taken = try plan.entries.filter { !$0.isKept }.map {
      (name: try names.module($0.name), scheme: $0.taken.scheme)
    }
    var schemes: [String] = []
    for (_, scheme) in taken where !schemes.contains(scheme) { schemes.append(scheme) }
    var out = "quant_stage:\n  quant_modifiers:\n    QuantizationModifier:\n"
    out += "      ignore: [\(patterns(kept))]\n      config_groups:\n"
    if schemes.isEmpty { throw RecipeError("every matrix is kept: there is nothing to quantize") }
    for (k, scheme) in schemes.enumerated() {
      out += "        group_\(k):\n"
      out += "          targets: [\(patterns(taken.filter { $0.scheme == scheme }))]\n"
      out += "          weights: {\(try weights(scheme))}\n"
    }
    return PlanRecipe(text: out)
  }

  private static func patterns(_ entries: [(name: String, scheme: String)]) -> String {
    RecipeLine.lines(entries).map { "re:^\($0.pattern)$".inQuotes }.joined(separator: ", ")
  }

  /// The weights' arguments.
  private static func weights(_ scheme: String) throws -> String {
    guard let name = SchemeName(scheme) else { throw RecipeError("\(scheme): unknown scheme") }
    let strategy: String
    switch (name.base, name.granularity) {
    case ("nvfp4", _):
      return "num_bits: 4, type: float, symmetric: true, strategy: tensor_group, group_size: 16"
    case (_, .token): strategy = "strategy: channel"
    case (_, .tensor), (_, nil): strategy = "strategy: tensor"
    case (_, .group(let n)): strategy = "strategy: group, group_size: \(n)"
    case (_, .block(let r, let c)): strategy = "strategy: block, block_structure: [\(r), \(c)]"
    case (_, .channel):
      throw RecipeError("compressed-tensors has no scales for the columns of a weight (\(scheme))")
    }
    switch name.base {
    case "f8e4m3fn": return "num_bits: 8, type: float, symmetric: true, \(strategy)"
    case "int4", "int8": return "num_bits: \(name.base.dropFirst(3)), type: int, symmetric: true, \(strategy)"
    case "uint4", "uint8":
      return "num_bits: \(name.base.dropFirst(4)), type: int, symmetric: false, \(strategy)"
    default: throw RecipeError("compressed-tensors has no scheme like \(scheme)")
    }
  }
}
