/// What the matrices of a model are called: in GGUF, and in checkpoints of transformers.
public struct ModelNames: Sendable {
  /// Whether the names at hand are GGUF's.
  private let isGGUF: Bool
  /// `general.architecture` of the file, where it says one.
  private let architecture: String?

  /// Of a model with matrices of these names.
  public init(_ names: some Sequence<String>, architecture: String? = nil) {
    isGGUF = names.contains { $0.hasPrefix("blk.") }
    self.architecture = architecture
  }

  /// A family of models that transformers names alike.
  private struct Naming {
    /// The architectures, as GGUF calls them, that have these names and no others.
    let architectures: Set<String>
    /// What layers are called.
    let layers: String
    /// The kinds of matrices: the module behind the layer's number, and GGUF's.
    let inLayers: [(module: String, gguf: String)]
    /// The same outside layers.
    let outside: [(module: String, gguf: String)]
  }

  private static let styles = [
    Naming(
      architectures: [
        "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "olmo", "olmo2", "stablelm", "smollm3",
        "granite",
        "command-r", "cohere2", "minicpm", "exaone4",
      ],
      layers: "model.layers",
      inLayers: [
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
      ], outside: [("model.embed_tokens", "token_embd"), ("lm_head", "output")]),
    Naming(
      architectures: ["bert"], layers: "encoder.layer",
      inLayers: [
        ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"),
        ("attention.self.value", "attn_v"), ("attention.output.dense", "attn_output"),
        ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"),
      ], outside: [("embeddings.word_embeddings", "token_embd")]),
    // Its modules are convolutions of size 1, not linear layers: there is no way back.
    Naming(
      architectures: [], layers: "h",
      inLayers: [
        ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("mlp.c_fc", "ffn_up"),
        ("mlp.c_proj", "ffn_down"),
      ], outside: [("wte", "token_embd"), ("transformer.wte", "token_embd")]),
  ]

  /// The name in a GGUF file of what may be called otherwise in a checkpoint of transformers; nil where GGUF has none for it.
  public static func gguf(_ name: String) -> String? {
    let place = ModelPlace(name)
    if name.hasPrefix("blk.") || ["token_embd", "output"].contains(place.kind) { return name }
    if let layer = place.layer {
      let kind = styles.lazy.flatMap(\.inLayers).first { $0.module == place.kind }?.gguf
      return kind.map { "blk.\(layer).\($0).weight" }
    }
    let module = place.kind.replacing("bert.", with: "", maxReplacements: 1)
    return styles.lazy.flatMap(\.outside).first { $0.module == module }.map { "\($0.gguf).weight" }
  }

  /// The module of transformers whose weight has this name. Throws `RecipeError` for a name of GGUF that stands for none that is
  /// known.
  public func module(_ name: String) throws -> String {
    guard isGGUF else { return name.moduleName }
    let place = ModelPlace(name)
    let style = Self.styles.first { architecture.map($0.architectures.contains) ?? false }
    if let style, let layer = place.layer,
      let found = style.inLayers.first(where: { $0.gguf == place.kind })
    {
      return "\(style.layers).\(layer).\(found.module)"
    }
    if let style, place.layer == nil, let found = style.outside.first(where: { $0.gguf == place.kind }) {
      return found.module
    }
    let whose = architecture.map { "architecture '\($0)'" } ?? "no architecture"
    throw RecipeError(
      "\(name): a name of GGUF (\(whose)), and what Hugging Face calls it is not known; plan the model's .safetensors"
    )
  }
}
