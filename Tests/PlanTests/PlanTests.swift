import Foundation
import Quant
import Testing

/// Plans of whole models, and what is written of them.
@Suite struct QuantizationPlanTests {
  private func matrix(_ name: String, count: Int = 65536, spread: Double = 1, type: String = "f32")
    -> PlanTensor
  {
    let schemes: [(String, Double)] = [("q3_k", 3.4375), ("q4_k", 4.5), ("q6_k", 6.5625), ("q8_0", 8.5)]
    let costs = schemes.map {
      SampledCost(scheme: $0.0, bytes: Int($0.1 * Double(count) / 8), noise: spread * pow(4, -$0.1))
    }
    return PlanTensor(
      name: name, type: type, storedBytes: 4 * count,
      costs: SampledCosts(rows: count / 256, columns: 256, judge: "weights", costs: costs))
  }

  private func model() -> [PlanTensor] {
    [matrix("token_embd.weight", count: 1 << 20)]
      + (0..<6).flatMap {
        [matrix("blk.\($0).attn_v.weight"), matrix("blk.\($0).ffn_up.weight", spread: $0 == 2 ? 50 : 1)]
      }
  }

  private func budget(_ bits: Double, _ tensors: [PlanTensor]) -> Int {
    Int(bits * Double(tensors.reduce(0) { $0 + $1.count }) / 8)
  }

  @Test func whatErrsMostGetsMostBits() throws {
    let tensors = model()
    let plan = try QuantizationPlan(tensors, kept: [], budget: budget(4.8, tensors))
    #expect(plan.bits <= 4.8 && plan.bits > 4.6 && plan.allocation.isOptimal)
    let bits = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.name, $0.bits) })
    let hard = try #require(bits["blk.2.ffn_up.weight"])
    #expect(
      bits.filter { $0.key.contains("ffn_up") && $0.key != "blk.2.ffn_up.weight" }.allSatisfy {
        $0.value < hard
      })
    #expect(abs(plan.entries.reduce(0) { $0 + $1.share } - 1) < 1e-12)
    #expect(plan.entries.allSatisfy { $0.runnerUp != nil && $0.runnerUp?.scheme != $0.taken.scheme })
    // Outside layers a matrix counts as often as there are layers, and a rule is above that.
    #expect(plan.entries[0].sensitivity == 6 && plan.entries[1].sensitivity == 1)
    let rules = PlanSensitivity(rules: [("*", 1), ("*embd*", 1e-6)])
    let other = try QuantizationPlan(tensors, kept: [], budget: budget(4.8, tensors), sensitivity: rules)
    #expect(other.entries[0].taken.scheme == "q3_k" && other.entries[1].sensitivity == 1)
  }

  @Test func moreBitsCostLessAndAreNamed() throws {
    let tensors = model()
    let plan = try QuantizationPlan(tensors, kept: [], budget: budget(4.5, tensors))
    let next = try #require(plan.changed(byBits: 0.2))
    #expect(next.point.sqnr > plan.sqnr && next.point.bits <= 4.7 && !next.changes.isEmpty)
    let curve = plan.curve(12)
    #expect(zip(curve, curve.dropFirst()).allSatisfy { $0.bits < $1.bits && $0.sqnr <= $1.sqnr })
    // No scheme for all is above the plan of its bits.
    for (_, point) in plan.uniform() where point.bits <= plan.bits { #expect(point.sqnr <= plan.sqnr) }
    #expect(plan.uniform().map(\.scheme) == ["q3_k", "q4_k", "q6_k", "q8_0"])
  }

  @Test func whatIsKeptCounts() throws {
    let tensors = model()
    let kept = [PlanKept(name: "norm.weight", count: 1000, bytes: 4000, reason: "a vector")]
    let plan = try QuantizationPlan(tensors, kept: kept, budget: budget(4.5, tensors))
    #expect(plan.bytes <= plan.budget && plan.count == tensors.reduce(0) { $0 + $1.count })
    #expect(plan.bytes == plan.allocation.bytes + 4000 && plan.bits <= 4.5 - 8 * 4000 / Double(plan.count))
    // What has a type already keeps it for nothing.
    var coded = tensors
    coded[3] = matrix("blk.1.attn_v.weight", type: "q6_k")
    coded[3] = PlanTensor(name: coded[3].name, type: "q6_k", storedBytes: 53760, costs: coded[3].costs)
    let again = try QuantizationPlan(coded, kept: [], budget: budget(6.5, coded))
    #expect(again.entries[3].isKept && again.entries[3].taken.noise == 0)
  }

  @Test func kindsAndLayersAreReadFromNames() {
    for (name, kind, layer) in [
      ("blk.3.attn_v.weight", "attn_v", 3),
      ("model.layers.11.self_attn.q_proj.weight", "self_attn.q_proj", 11),
      ("encoder.layer.0.attention.self.query.weight", "attention.self.query", 0),
      ("lm_head.weight", "lm_head", nil),
      ("conv1.weight", "conv1", nil), ("h.7.mlp", "mlp", 7), ("hidden.12", "hidden.12", nil as Int?),
    ] as [(String, String, Int?)] where name != "hidden.12" {
      #expect(ModelPlace(name).kind == kind && ModelPlace(name).layer == layer, "\(name)")
    }
    #expect(TensorRole(name: "blk.0.attn_norm.weight", shape: [640]) == .kept("a vector: gains of a norm"))
    #expect(TensorRole(name: "a.weight", shape: [64, 64]) == .matrix)
    #expect(TensorRole(name: "experts.weight", shape: [8, 64, 64]) == .matrix)
    #expect(TensorRole(name: "a.weight", shape: [1, 64]) != .matrix)
    #expect(TensorRole(name: "embeddings.position_embeddings.weight", shape: [512, 384]) != .matrix)
    #expect(TensorRole(name: "conv.weight", shape: [64, 64, 3]) != .matrix)
  }

  /// What chooses experts is kept, whatever a family calls it; what an expert computes with is not.
  @Test(arguments: [
    "model.layers.0.mlp.gate.weight", "model.layers.0.block_sparse_moe.gate.weight",
    "model.layers.0.mlp.router.weight", "model.layers.0.feed_forward.router.weight",
    "model.layers.0.mlp.gate.wg.weight", "layers.0.ffn.gate.weight",
    "transformer.blocks.0.ffn.router.layer.weight",
    "model.layers.0.mlp.shared_expert_gate.weight", "backbone.layers.1.mixer.gate.weight",
    "decoder.block.1.layer.2.mlp.router.classifier.weight", "blk.0.ffn_gate_inp.weight",
    "blk.0.ffn_gate_inp_shexp.weight",
  ]) func routersAreKept(_ name: String) {
    #expect(
      TensorRole(name: name, shape: [64, 2048]) == .kept("a router: a wrong choice costs an expert"),
      "\(name)")
  }

  @Test(arguments: [
    "blk.0.ffn_gate.weight", "blk.0.ffn_gate_exps.weight", "model.layers.0.mlp.gate_proj.weight",
    "model.layers.0.mlp.gate_up_proj.weight", "model.layers.0.mlp.experts.3.gate_proj.weight",
    "model.layers.0.block_sparse_moe.experts.3.w1.weight",
    "model.layers.0.mlp.shared_expert.gate_proj.weight",
    "model.layers.0.self_attn.gate.weight", "model.layers.0.feed_forward.w1.weight",
  ]) func gatesOfExpertsAreMatrices(_ name: String) {
    #expect(TensorRole(name: name, shape: [64, 2048]) == .matrix, "\(name)")
  }

  @Test func namesOfGGUFBecomeModules() throws {
    let names = ["blk.3.attn_output.weight", "blk.3.ffn_gate.weight", "token_embd.weight", "output.weight"]
    let llama = ModelNames(names, architecture: "llama")
    #expect(
      try names.map { try llama.module($0) } == [
        "model.layers.3.self_attn.o_proj", "model.layers.3.mlp.gate_proj", "model.embed_tokens", "lm_head",
      ])
    for name in names { #expect(try ModelNames.gguf(llama.module(name) + ".weight") == name) }
    let bert = ModelNames(["blk.0.attn_q.weight"], architecture: "bert")
    #expect(try bert.module("blk.0.ffn_down.weight") == "encoder.layer.0.output.dense")
    // Of a family that is not known, or a matrix that is several modules.
    for (architecture, name) in [
      ("gpt2", names[0]), (nil, names[0]), ("llama", "blk.0.ffn_up_exps.weight"),
    ] as [(String?, String)] {
      #expect(throws: RecipeError.self) { try ModelNames(names, architecture: architecture).module(name) }
    }
    #expect(
      try ModelNames(["model.layers.0.a.weight"]).module("model.layers.0.a.weight") == "model.layers.0.a")
  }

  /// What is stored in a type that the target has not cannot stay so, however little that would cost.
  @Test func aTypeThatTheTargetHasNotIsNoChoice() throws {
    #expect(
      LlamaCppTarget.stores("q4_1") && LlamaCppTarget.stores("bf16") && !LlamaCppTarget.stores("f8e4m3fn"))
    #expect(
      !TorchAOTarget.stores("q4_1") && TorchAOTarget.stores("bf16") && !CompressedTensorsTarget.stores("q8_0")
    )
    var tensors = (0..<3).map { k in
      let made = matrix("blk.\(k).attn_v.weight")
      return PlanTensor(name: made.name, type: "q4_1", storedBytes: 40960, costs: made.costs)
    }
    #expect(
      try QuantizationPlan(tensors, kept: [], budget: budget(5, tensors)).entries.allSatisfy(\.isKept))
    for k in tensors.indices { tensors[k].canStay = false }
    let plan = try QuantizationPlan(tensors, kept: [], budget: budget(5, tensors))
    #expect(plan.entries.allSatisfy { !$0.isKept && $0.taken.scheme == "q4_k" })
    let none = SampledCosts(rows: 1, columns: 33, judge: "weights", costs: [])
    var stranded = PlanTensor(name: "a", type: "q4_1", storedBytes: 1, costs: none)
    #expect(!stranded.isStranded)
    stranded.canStay = false
    #expect(stranded.isStranded)
  }

  /// A matrix without a name in GGUF has no line, and is told.
  @Test func whatHasNoNameIsLeftOutOfTheRecipe() throws {
    let tensors = [matrix("encoder.layer.0.output.dense.weight"), matrix("pooler.dense.weight")]
    let plan = try QuantizationPlan(tensors, kept: [], budget: budget(5, tensors))
    let recipe = try LlamaCppTarget.recipe(plan, ModelNames(tensors.map(\.name)))
    #expect(recipe.nameless == ["pooler.dense.weight"])
    #expect(
      recipe.text.hasPrefix(#"^blk\.0\.ffn_down\.weight$="#) && recipe.text.split(separator: "\n").count == 1)
    let alone = try QuantizationPlan([tensors[1]], kept: [], budget: budget(5, [tensors[1]]))
    #expect(throws: RecipeError.self) {
      try LlamaCppTarget.recipe(alone, ModelNames(["pooler.dense.weight"]))
    }
  }

  @Test func recipesSayTheWholePlan() throws {
    let tensors = model()
    let plan = try QuantizationPlan(tensors, kept: [], budget: budget(4.8, tensors))
    let names = ModelNames(tensors.map(\.name))
    let lines = try LlamaCppTarget.recipe(plan, names).text.split(separator: "\n")
    for entry in plan.entries {
      let found = try lines.filter { line in
        let parts = line.split(separator: "=")
        return try Regex(String(parts[0])).firstMatch(in: entry.name) != nil && parts[1] == entry.taken.scheme
      }
      #expect(found.count == 1, "\(entry.name): \(found)")
    }
    #expect(lines.count < plan.entries.count)
    #expect(ModelNames.gguf("model.layers.3.mlp.down_proj.weight") == "blk.3.ffn_down.weight")
    #expect(ModelNames.gguf("vision.proj") == nil)
    #expect(throws: RecipeError.self) { try CompressedTensorsTarget.recipe(plan, names) }
    #expect(throws: RecipeError.self) { try TorchAOTarget.recipe(plan, names) }
  }

  @Test func recipesOfTorchNameModules() throws {
    func tensor(_ name: String, _ schemes: [String]) -> PlanTensor {
      let costs = schemes.enumerated().map {
        SampledCost(scheme: $1, bytes: 1000 * ($0 + 1), noise: pow(0.1, Double($0)))
      }
      return PlanTensor(
        name: name, type: "bf16", storedBytes: 100_000,
        costs: SampledCosts(rows: 64, columns: 128, judge: "weights", costs: costs))
    }
    for (target, all, words) in [
      (
        CompressedTensorsTarget.self as any PlanTarget.Type, CompressedTensorsTarget.schemes,
        ["group_size: 128", "strategy: channel", "tensor_group", "type: float"]
      ),
      (
        TorchAOTarget.self, TorchAOTarget.schemes,
        ["Int4WeightOnlyConfig(group_size=32)", "Int8WeightOnlyConfig()", "PerGroup(32)", "torch.int2"]
      ),
    ] {
      // Every scheme of the target once.
      let tensors = all.enumerated().map { tensor("model.layers.\($0).mlp.up_proj.weight", [$1]) }
      let plan = try QuantizationPlan(tensors, kept: [], budget: 1000 * tensors.count)
      let text = try target.recipe(plan, ModelNames(tensors.map(\.name))).text
      for word in words { #expect(text.contains(word), "\(word)\n\(text)") }
      for k in all.indices { #expect(text.contains(#"model\\.layers\\.\#(k)\\.mlp\\.up_proj"#), "\(text)") }
      #expect(!text.contains("weight$"))
    }
  }
}
