/// torchao: a Python module with an `FqnToConfig`, for `quantize_(model, config, filter_fn=None)`.
public enum TorchAOTarget: PlanTarget {
  public static let name = "torchao"
  public static let summary = "a Python module with a config for torchao's quantize_"
  public static let schemes = [
    "int2@g32:f16", "int3@g32:f16", "int4@token:f16", "uint4@g128:f16", "uint4@g64:f16", "uint4@g32:f16",
    "int8@token:f16", "f8e4m3fn@token",
  ]
  public static let keepsEmbeddings = true

  public static func recipe(_ plan: QuantizationPlan, _ names: ModelNames) throws -> PlanRecipe {
    let taken = try plan.entries.filter { !$0.isKept }.map {
      (name: try names.module($0.name), scheme: $0.taken.scheme)
    }
    if taken.isEmpty { throw RecipeError("every matrix is kept: there is nothing to quantize") }
    var names: Set<String> = ["FqnToConfig"]
    var lines = ""
    for line in RecipeLine.lines(taken) {
      let config = try config(line.scheme)
      names.insert(String(config.prefix { $0 != "(" }))
      lines += "    (\("re:\(line.pattern)".inQuotes), \(config)),\n"
    }
    var out = "from collections import OrderedDict\n\n"
    if lines.contains("torch.") { out += "import torch\n" }
    if lines.contains("PerGroup(") || lines.contains("PerAxis(") {
      out += "from torchao.quantization.granularity import PerAxis, PerGroup\n"
    }
    out += "from torchao.quantization import \(names.sorted().joined(separator: ", ")), quantize_\n\n"
    out += "config = FqnToConfig(OrderedDict([\n\(lines)]))\n\n\n"
    out += "def quantize(model):\n    quantize_(model, config, filter_fn=None)\n"
    return PlanRecipe(text: out)
  }

  private static func config(_ scheme: String) throws -> String {
    guard let name = SchemeName(scheme) else { throw RecipeError("\(scheme): unknown scheme") }
    switch (name.base, name.granularity) {
    case ("uint4", .group(let n)): return "Int4WeightOnlyConfig(group_size=\(n))"
    case ("int8", .token): return "Int8WeightOnlyConfig()"
    case ("f8e4m3fn", .token): return "Float8WeightOnlyConfig()"
    case ("int2", .some(let g)), ("int3", .some(let g)), ("int4", .some(let g)), ("int8", .some(let g)):
      let granularity: String
      switch g {
      case .group(let n): granularity = "PerGroup(\(n))"
      case .token: granularity = "PerAxis(0)"
      default: throw RecipeError("torchao has no config like \(scheme)")
      }
      return "IntxWeightOnlyConfig(weight_dtype=torch.\(name.base), granularity=\(granularity))"
    default: throw RecipeError("torchao has no config like \(scheme)")
    }
  }
}
