/// llama.cpp: a file for `llama-quantize --tensor-type-file`, a line for each kind and type, `REGEX=TYPE`.
public enum LlamaCppTarget: PlanTarget {
  public static let name = "llama.cpp"
  public static let summary = "lines for llama-quantize --tensor-type-file"
  public static let schemes = [
    "q2_k", "q3_k", "iq4_xs", "iq4_nl", "q4_0", "q4_1", "q4_k", "q5_0", "q5_1", "q5_k", "q6_k", "q8_0", "f16",
  ]
  public static let keepsEmbeddings = false

  /// ggml's own types, and plain numbers that the conversion to GGUF keeps.
  public static func stores(_ type: String) -> Bool {
    ["f64", "f32", "f16", "bf16"].contains(type) || GGMLSchemes.decoder(ofBlockType: type) != nil
  }

  public static func recipe(_ plan: QuantizationPlan, _ names: ModelNames) throws -> PlanRecipe {
    let known = Set(schemes + ["f32", "bf16", "tq1_0", "tq2_0", "mxfp4"])
    var entries: [(name: String, scheme: String)] = []
    var nameless: [String] = []
    for entry in plan.entries {
      let scheme = entry.taken.scheme.split(separator: ":").first.map(String.init) ?? entry.taken.scheme
      guard known.contains(scheme) || entry.isKept else {
        throw RecipeError("\(entry.name): llama.cpp has no type for \(entry.taken.scheme)")
      }
      if let name = ModelNames.gguf(entry.name) {
        entries.append((name, scheme))
      } else {
        nameless.append(entry.name)
      }
    }
    if entries.isEmpty, let first = nameless.first {
      throw RecipeError("\(first): what GGUF calls it is not known, nor any other matrix")
    }
    return PlanRecipe(
      text: RecipeLine.lines(entries).map { "^\($0.pattern)$=\($0.scheme)\n" }.joined(), nameless: nameless)
  }
}
