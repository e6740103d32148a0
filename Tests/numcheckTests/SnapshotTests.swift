import Foundation
import Testing

/// What people see, word for word. `NUMCHECK_RECORD=1 swift test --filter SnapshotTests` writes the files anew; read the
/// difference before you commit it.
@Suite struct SnapshotTests {
  static let cases: [(name: String, arguments: [String])] = [
    ("softmax-f16-1000", ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "16", "--length", "64"]),
    (
      "softmax-f16-1000-markdown",
      [
        "softmax", "--dtype", "f16", "--range", "1000", "--rows", "16", "--length", "64", "--format",
        "markdown",
      ]
    ),
    (
      "softmax-f16-1000-csv",
      ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "16", "--length", "64", "--format", "csv"]
    ),
    (
      "softmax-f16-1000-json",
      ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "16", "--length", "64", "--format", "json"]
    ),
    ("softmax-int8", ["softmax", "--dtype", "int8", "--range", "4", "--rows", "8", "--length", "32"]),
    ("lse-bf16", ["lse", "--dtype", "bf16", "--rows", "16", "--length", "64"]),
    (
      "logsoftmax-e4m3",
      [
        "logsoftmax", "--dtype", "fp8_e4m3", "--accumulate", "f32", "--rows", "8", "--length", "16",
        "--range", "3",
      ]
    ),
    ("sigmoid-f16", ["sigmoid", "--dtype", "half", "--rows", "4", "--length", "64", "--range", "20"]),
    (
      "crossentropy-f16",
      ["crossentropy", "--dtype", "f16", "--rows", "16", "--length", "64", "--target", "3", "--range", "30"]
    ),
    (
      "gradient-f16",
      ["crossentropy-gradient", "--dtype", "f16", "--rows", "4", "--length", "16", "--temperature", "0.5"]
    ),
    ("jacobian-bf16", ["softmax-jacobian", "--dtype", "bf16", "--rows", "4", "--length", "8"]),
    ("vjp-f16", ["softmax-vjp", "--dtype", "f16", "--rows", "4", "--length", "32"]),
    (
      "checks-fail",
      [
        "softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "8", "--no-nan",
        "--max-ulp", "8",
      ]
    ),
    ("exhaustive-e2m1", ["softmax", "--dtype", "f4e2m1", "--length", "2", "--exhaustive"]),
    ("quantize", ["quantize", "--rows", "16", "--length", "256", "--distribution", "normal"]),
    (
      "quantize-ragged",
      [
        "quantize", "--rows", "3", "--length", "100", "--scheme", "*int4*", "--scheme", "q?_0", "--scheme",
        "nf4",
      ]
    ),
    (
      "quantize-json",
      [
        "quantize", "--rows", "4", "--length", "64", "--scheme", "mxfp4", "--scheme", "q4_k", "--format",
        "json",
      ]
    ),
    (
      "quantize-csv",
      ["quantize", "--rows", "4", "--length", "64", "--scheme", "f*", "--format", "csv"]
    ),
    (
      "quantize-markdown",
      ["quantize", "--rows", "4", "--length", "64", "--scheme", "q4_*", "--format", "markdown"]
    ),
    (
      "quantize-recommend",
      ["quantize", "--rows", "4", "--length", "256", "--recommend", "--max-bits", "4.5", "--min-sqnr", "15"]
    ),
    ("dialect", ["dialect", "mxfp4:ggml", "mxfp4:floor", "--rows", "32", "--length", "256", "--range", "8"]),
    (
      "dialect-json",
      [
        "dialect", "q8_0", "q8_0:simd", "--rows", "8", "--length", "64", "--distribution", "normal",
        "--anchor",
        "127", "--format", "json",
      ]
    ),
    ("help-quantize", ["quantize", "--help"]),
    ("help-dialect", ["dialect", "--help"]),
    ("list-schemes", ["list", "schemes"]),
    ("activations-real", ["activations", "fixtures/smollm2/smollm2-hidden-bf16.safetensors"]),
    (
      "activations-details",
      [
        "activations", "fixtures/smollm2/smollm2-hidden-bf16.safetensors:hidden.12", "--median-scope",
        "token",
      ]
    ),
    (
      "activations-csv",
      ["activations", "fixtures/smollm2/smollm2-weights.gguf", "--format", "csv", "--massive-ratio", "20"]
    ),
    (
      "cure-all",
      [
        "quantize", "--input", "fixtures/smollm2/smollm2-hidden-bf16.safetensors:hidden.12", "--cure", "all",
      ]
    ),
    (
      "cure-markdown",
      [
        "quantize", "--input", "fixtures/smollm2/smollm2-weights.gguf:blk.0.attn_k.weight", "--scheme",
        "int4@g32",
        "--cure", "gptq", "--cure", "awq", "--cure", "@g64", "--activations",
        "fixtures/smollm2/smollm2-hidden-bf16.safetensors:hidden.11", "--format", "markdown",
      ]
    ),
    (
      "through-softmax",
      ["quantize", "--input", "fixtures/smollm2/smollm2-logits.npy", "--through", "softmax"]
    ),
    (
      "through-matmul-csv",
      [
        "quantize", "--input", "fixtures/smollm2/smollm2-weights.gguf:blk.0.attn_k.weight", "--through",
        "matmul",
        "--activations", "fixtures/smollm2/smollm2-hidden-bf16.safetensors:hidden.11", "--scheme",
        "int8@token",
        "--scheme", "mxfp4", "--format", "csv",
      ]
    ),
    (
      "through-attention",
      [
        "quantize", "--input", "fixtures/smollm2/smollm2-attn.safetensors:blk.18.q", "--through", "attention",
        "--causal", "--scheme", "int8@token", "--scheme", "nvfp4",
      ]
    ),
    ("list-cures", ["list", "cures"]), ("list-figures", ["list", "figures"]),
    (
      "softmax-wide",
      ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "16", "--length", "64", "--wide"]
    ),
    (
      "limits",
      [
        "softmax", "--dtype", "bf16", "--rows", "8", "--length", "64", "--check",
        "shifted*:ulp.max<=bound.ulp",
        "--check", "naive:bound.share<=0.01", "--check", "conditioning<=100",
      ]
    ),
    (
      "limits-junit",
      [
        "attention", "--dtype", "f16", "--tokens", "8", "--head-size", "16", "--no-nan", "--check",
        "flash:rmse<=1e-9", "--format", "junit",
      ]
    ),
    ("quantize-several", ["quantize", "fixtures/files/small.gguf", "--scheme", "q8_0", "--scheme", "q4_k"]),
    ("kvcache-json", ["kvcache", "--cache", "f16", "--cache", "int4@g32", "--format", "json"]),
    (
      "cure-json",
      [
        "quantize", "--rows", "4", "--length", "32", "--scheme", "int4@token", "--cure", "hadamard", "--cure",
        "mse", "--format", "json",
      ]
    ),
    (
      "through-softmax-json",
      [
        "quantize", "--rows", "2", "--length", "32", "--through", "softmax", "--scheme", "mxfp4", "--format",
        "json",
      ]
    ),
    ("help-activations", ["activations", "--help"]),
    (
      "attention-f16",
      [
        "attention", "--dtype", "f16", "--accumulate", "f32", "--heads", "2", "--kv-heads", "1", "--tokens",
        "24",
        "--head-size", "16", "--causal",
      ]
    ),
    (
      "attention-overflow-markdown",
      [
        "attention", "--dtype", "f16", "--range", "30", "--tokens", "8", "--head-size", "128", "--no-nan",
        "--softmax", "one", "--format", "markdown",
      ]
    ),
    (
      "attention-e4m3-csv",
      [
        "attention", "--dtype", "e4m3", "--compute", "f32", "--probabilities", "e4m3", "--tokens", "16",
        "--window", "4", "--sinks", "1", "--format", "csv",
      ]
    ),
    (
      "attention-json",
      [
        "attention", "--dtype", "bf16", "--algorithm", "flash", "--tokens", "6", "--head-size", "8",
        "--format",
        "json",
      ]
    ),
    (
      "attention-backward-f16",
      [
        "attention", "--backward", "--dtype", "f16", "--accumulate", "f32", "--heads", "2", "--kv-heads", "1",
        "--tokens", "24", "--head-size", "16", "--causal", "--max-relative", "0.01",
      ]
    ),
    (
      "attention-backward-json",
      [
        "attention", "--backward", "--dtype", "bf16", "--algorithm", "flash", "--tokens", "6", "--head-size",
        "8", "--format", "json",
      ]
    ),
    (
      "attention-backward-csv",
      [
        "attention", "--backward", "--dtype", "e4m3", "--compute", "f32", "--tokens", "8", "--softcap", "2",
        "--format", "csv",
      ]
    ),
    ("attention-schemes", ["attention", "--tokens", "64", "--head-size", "16", "--scheme", "all"]),
    ("attention-sweep", ["attention", "--sweep-head-size", "16,256", "--tokens", "16"]),
    (
      "kvcache-measured",
      ["kvcache", "--measure", "--tokens", "40", "--layers", "2", "--recent", "4", "--dtype", "f16"]
    ),
    ("list-formats", ["list", "formats"]),
    ("list-kernels", ["list", "kernels"]),
    ("list-distributions", ["list", "distributions"]),
    ("help", ["--help"]),
    ("help-softmax", ["softmax", "--help"]),
    ("help-reference", ["reference", "--help"]),
    ("help-attention", ["attention", "--help"]),
    ("help-reference-attention", ["reference", "attention", "--help"]),
    ("help-kvcache", ["kvcache", "--help"]),
  ]

  @Test(arguments: cases.map(\.name))
  func snapshot(_ name: String) throws {
    let arguments = try #require(Self.cases.first { $0.name == name }).arguments
    let outcome = try CommandRunner.run(
      arguments + (["help", "list", "dialect"].contains { name.hasPrefix($0) } ? [] : ["--threads", "2"]),
      folder: CommandRunner.fixtures.deletingLastPathComponent())
    let seen =
      "$ numcheck \(arguments.joined(separator: " "))\n\(outcome.output)exit status \(outcome.status)\n"
    let file = CommandRunner.tests.appendingPathComponent("Snapshots/\(name).txt")
    if ProcessInfo.processInfo.environment["NUMCHECK_RECORD"] != nil {
      try seen.write(to: file, atomically: true, encoding: .utf8)
    }
    let expected = try String(contentsOf: file, encoding: .utf8)
    #expect(seen == expected)
  }
}
