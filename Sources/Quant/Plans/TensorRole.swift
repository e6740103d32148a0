/// Where a tensor of a model stands, by its name: `blk.3.attn_v.weight` is the kind `attn_v` of layer 3.
public struct ModelPlace: Sendable, Hashable {
  /// What tensors of different layers have in common: the name behind the layer's number, `weight` left out; of tensors
  /// outside layers the name.
  public let kind: String
  /// The layer, from 0; nil outside layers.
  public let layer: Int?

  /// Reads a name: the first of its parts between dots that is a number is the layer.
  public init(_ name: String) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let number = parts.firstIndex { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    layer = number.flatMap { Int(parts[$0]) }
    if let number, layer != nil, number + 1 < parts.count { parts.removeFirst(number + 1) }
    if parts.count > 1, parts.last == "weight" { parts.removeLast() }
    kind = parts.joined(separator: ".")
  }
}

/// What a tensor of a model is for, as far as its name and shape tell.
public enum TensorRole: Sendable, Hashable {
  /// What activations are multiplied with, or rows are looked up in: outputs × inputs, the last axis the inputs.
  case matrix
  /// What no scheme is for, and why.
  case kept(String)

  /// Parts of names of what models keep: small beside matrices, and sensitive. llama.cpp leaves the same alone.
  private static let keptParts: [(part: String, reason: String)] = [
    ("position_embd", "a table of positions"), ("position_embedding", "a table of positions"),
    ("embed_positions", "a table of positions"), ("positional_embedding", "a table of positions"),
    ("pos_emb", "a table of positions"), ("token_types", "a table of token types"),
    ("token_type_embeddings", "a table of token types"), ("relative_attention_bias", "a table of positions"),
    ("attn_rel_b", "a table of positions"), ("ssm_conv1d", "a convolution"), ("conv1d", "a convolution"),
    ("rotary", "a table of positions"), ("rope_freqs", "a table of positions"),
  ]

  /// Whether a name is that of what chooses experts: of a module called so (`mlp.router`, `router.layer`), or of a `gate` right
  /// within a block of experts. `gate_proj` and GGUF's `ffn_gate` are matrices of an expert itself.
  private static func isRouter(_ name: String) -> Bool {
    var parts = name.split(separator: ".")
    if parts.last == "weight" { parts.removeLast() }
    let words: Set<Substring> = [
      "router", "shared_expert_gate", "ffn_gate_inp", "ffn_gate_inp_shexp", "gate_inp", "moe_gate",
    ]
    if parts.contains(where: words.contains) { return true }
    if parts.last == "wg" { parts.removeLast() }
    guard parts.count > 1, parts.last == "gate" else { return false }
    let blocks = ["mlp", "moe", "ffn", "feed_forward", "mixer"]
    return blocks.contains { parts[parts.count - 2].hasSuffix($0) }
  }

  /// The shortest row that is worth scales of its own.
  public static let leastColumns = 32

  /// The role of a tensor of that name and shape (outermost dimension first).
  public init(name: String, shape: [Int]) {
    let name = name.lowercased()
    let long = shape.filter { $0 > 1 }
    if long.count < 2 {
      self = .kept(name.contains("norm") ? "a vector: gains of a norm" : "a vector")
    } else if name.hasSuffix("bias") {
      self = .kept("a bias")
    } else if let found = Self.keptParts.first(where: { name.contains($0.part) }) {
      self = .kept(found.reason)
    } else if Self.isRouter(name) {
      self = .kept("a router: a wrong choice costs an expert")
    } else if let columns = shape.last, columns < Self.leastColumns {
      self = .kept("rows of \(columns) elements are too short for a scheme")
    } else {
      self = .matrix
    }
  }

  /// Whether rows of a matrix of that name are looked up rather than multiplied.
  public static func isEmbedding(_ name: String) -> Bool {
    let name = name.lowercased()
    return ["embd", "embed", "wte", "shared.weight"].contains { name.contains($0) }
  }

  /// Whether a name is that of a weight of a model, not of what flows through it.
  public static func isWeight(_ name: String) -> Bool {
    let name = name.lowercased()
    return [".weight", ".bias", "_weight", ".gamma", ".beta"].contains { name.hasSuffix($0) }
      || name == "weight"
  }
}
