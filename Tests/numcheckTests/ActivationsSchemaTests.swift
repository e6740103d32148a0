import Foundation
import Testing

@Suite struct ActivationsSchemaTests {
  private static let schema = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Documentation/numcheck-1-activations.schema.json")

  private static let folder = CommandRunner.fixtures.appendingPathComponent("smollm2").path
  private static let hidden = folder + "/smollm2-hidden-bf16.safetensors"
  private static let weight = folder + "/smollm2-weights.gguf:blk.0.attn_k.weight"

  static let reports: [[String]] = [
    ["activations", hidden], ["activations", hidden + ":hidden.12", "--no-massive"],
    ["activations", folder + "/smollm2-attn.safetensors", "--median-scope", "token"],
    ["quantize", "--input", hidden + ":hidden.12", "--cure", "all"],
    [
      "quantize", "--input", weight, "--scheme", "int4@token", "--calibration", "gptq", "--activations",
      hidden + ":hidden.3",
    ],
    ["quantize", "--input", folder + "/smollm2-logits.npy", "--through", "softmax", "--scheme", "mxfp4"],
    [
      "quantize", "--input", weight, "--through", "matmul", "--activations", hidden + ":hidden.3", "--scheme",
      "int8@token",
    ],
    [
      "quantize", "--input", folder + "/smollm2-attn.safetensors:blk.11.q", "--through", "attention",
      "--scheme",
      "f8e4m3fn@token",
    ],
  ]

  @Test(arguments: reports) func reportsKeepTheSchema(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments + ["--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect(try SchemaValidator(Self.schema).errors(value) == [], "\(arguments)")
  }

  @Test func aBrokenReportIsSeen() throws {
    let outcome = try CommandRunner.run(["activations", Self.hidden + ":hidden.11", "--format", "json"])
    var value = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    value["series"] = "none"
    #expect(try !SchemaValidator(Self.schema).errors(value).isEmpty)
  }
}
