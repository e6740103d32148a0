/// llama.cpp: a file for `llama-quantize --tensor-type-file`, a line for each kind and type, `REGEX=TYPE`.
public enum LlamaCppTarget: PlanTarget {
  public static let name = "llama.cpp"
  public static let summary = "lines for llama-quantize --tensor-type-file"
  public static let schemes = [
    "q2_k", "q3_k", "iq4_xs", "iq4_nl", "q4_0", "q4_1", "q4_k", "q5_0", "q5_1", "q5_k", "q6_k", "q8_0", "f16",
  ]
  public static let keepsEmbeddings = false

  public static func recipe(_ plan: QuantizationPlan) throws -> String {
    let known = Set(schemes + ["f32", "bf16", "tq1_0", "tq2_0", "mxfp4"])
    let entries = try plan.entries.map { entry -> (name: String, scheme: String) in
      let scheme = entry.taken.scheme.split(separator: ":").first.map(String.init) ?? entry.taken.scheme
      guard known.contains(scheme) || entry.isKept else {
        throw RecipeError("\(entry.name): llama.cpp has no type for \(entry.taken.scheme)")
      }
      return (try ggufName(entry.name), scheme)
    }
    return RecipeLine.lines(entries).map { "^\($0.pattern)$=\($0.scheme)\n" }.joined()
  }

  /// What names of other files are called in GGUF: behind the layer's number, then outside layers.
  private static let inLayers = [
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "attention.self.query": "attn_q", "attention.self.key": "attn_k",
    "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
  ]
  private static let outside = [
    "model.embed_tokens": "token_embd", "embeddings.word_embeddings": "token_embd", "wte": "token_embd",
    "transformer.wte": "token_embd", "lm_head": "output",
  ]

  /// The name in a GGUF file of what may be called otherwise in a checkpoint of transformers.
  public static func ggufName(_ name: String) throws -> String {
    let place = ModelPlace(name)
    if name.hasPrefix("blk.") || ["token_embd", "output"].contains(place.kind) { return name }
    if let layer = place.layer, let kind = inLayers[place.kind] { return "blk.\(layer).\(kind).weight" }
    if place.layer == nil, let kind = outside[place.kind.replacing("bert.", with: "", maxReplacements: 1)] {
      return "\(kind).weight"
    }
    throw RecipeError("\(name): what GGUF calls it is not known")
  }
}
