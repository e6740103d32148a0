import Foundation
import Quant
import Testing

struct RegistryTests {
  @Test func everyFileOfSchemesIsInTheRegistry() throws {
    let folder = fixtures.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Quant/Schemes")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }
      .map { $0.hasSuffix(".swift") ? String($0.dropLast(6)) : $0 }
    #expect(!files.isEmpty)
    #expect(Set(files) == Set(SchemeRegistry.families.map(\.file)))
  }

  @Test func namesAreUniqueAndFindTheirScheme() throws {
    let names = SchemeRegistry.known.map(\.name)
    #expect(Set(names).count == names.count)
    for family in SchemeRegistry.families {
      for scheme in family.defaults() + family.variants() {
        let found = try SchemeRegistry.scheme(named: scheme.name.uppercased())
        #expect(found.name == scheme.name)
        // By its parts too, not only in the list.
        let name = try #require(SchemeName(scheme.name))
        #expect(family.make(name)?.name == scheme.name)
      }
    }
  }

  @Test(arguments: [
    ("int8", "int8@tensor"), ("int8:127@g64", "int8@g64"), ("INT8@channel:127.5", "int8@channel:127.5"),
    ("int4@g32:away,f16", "int4@g32:away,f16"), ("int4:f16,away@row", "int4@token:away,f16"),
    ("fp8_e4m3", "f8e4m3fn"), ("half", "f16"), ("e2m1@b4x8", "f4e2m1@b4x8"), ("mxfp4:floor", "mxfp4"),
    ("uint8:dynamic", "uint8@tensor"), ("uint3@column:min", "uint3@channel:min"), ("nvfp4:torchao", "nvfp4"),
    ("nvfp4:torchao-0.18", "nvfp4"),
    ("nvfp4:torchao-0.16", "nvfp4:div"), ("nvfp4:torchao-0.14", "nvfp4:div"),
    ("nvfp4:torchao-0.13", "nvfp4:div"), ("nvfp4:torchao-0.15", "nvfp4:div"), ("mxfp4:ct", "mxfp4:even"),
    ("nf4@g64", "nf4"),
    ("llmint8:paper", "llmint8"),
    ("f6e3m2:saturate", "f6e3m2"), ("fp4", "fp4"), ("nvfp4@g16:te", "nvfp4:te"),
    ("nvfp4:4over6,mse", "nvfp4:4over6"), ("nvfp4:4over6,te", "nvfp4:te,4over6"),
    ("dynamic8@g256:cuda", "dynamic8"), ("any4@g128", "any4"), ("IQ3_S", "iq3_s"), ("e8p", "e8p"),
    ("turboquant3@g128:mse", "turboquant3"), ("turboquant5@g32:prod", "turboquant5@g32:prod"),
    ("higgs4@g512:p2", "higgs4"), ("mxint8:away,symmetric", "mxint8:symmetric,away"),
    ("fp8_e4m3@b128x128:ue8m0", "f8e4m3fn@b128x128:ue8m0"), ("int4@g32:bf16,ct", "int4@g32:ct,bf16"),
  ]) func namesAreRead(text: String, name: String) throws {
    #expect(try SchemeRegistry.scheme(named: text).name == name)
  }

  @Test(arguments: [
    "", "@", ":", "int8@", "int8:", "int8@g", "int8@g0", "int8@g-3", "int8@b3", "int8@b3x", "int8@b0x4",
    "int9", "int1",
    "int", "uint", "int8:7", "int8:min", "uint8:127.5", "int8@tensor@token", "int8:even,even", "mxfp4@token",
    "mxfp4:down", "nf4@g33", "nf4@token", "nf4@g128:dq", "fp4:cpu,dq", "mxint8:torchao", "mxfp8e5m2:ct",
    "uint4:mlx,f16", "f16@token", "f8e4m3fn@token:saturate", "e8m0", "f32", "llmint8:6",
    "int8:away:f16", "nvfp4@g32", "nvfp4:ct,4over6", "nvfp4:te,mae", "higgs5", "higgs4@g100", "higgs04",
    "higgs4@token",
    "mxfp4:away,torchao", "mxfp4:symmetric", "dynamic8@g100", "dynamic8:dq", "nvint4:ct", "nvint4@g32",
    "uint4:mlx,bf16",
    "any4:bf16", "any4@token", "any4@g1", "e8p@g8", "turboquant", "turboquant5", "turboquant1:prod",
    "turboquant04",
    "turboquant4@g12", "turboquant4@token", "iq3_s:ref", "iq3_s@g32",
    "f8e4m3fn:deepgemm", "f8e4m3fn@token:ue8m0,deepgemm", "int4:awq",
    "int8@g99999999999999999999", "int٨", "int8@g٣", "*nothing*", "🙂",
  ]) func rubbishIsUnknown(text: String) {
    #expect(throws: SchemeError.unknown(text)) { try SchemeRegistry.schemes(matching: text) }
  }

  @Test func globsFindWhatTheyMatch() throws {
    let names = try SchemeRegistry.schemes(matching: "MXFP?*:r*").map(\.name)
    #expect(
      names == [
        "mxfp8e4m3:rceil", "mxfp8e5m2:rceil", "mxfp6e3m2:rceil", "mxfp6e2m3:rceil", "mxfp4:rceil",
        "mxfp8e4m3:rceil,torchao",
      ])
    #expect(
      try SchemeRegistry.schemes(matching: "Q?_K").map(\.name) == ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k"])
    #expect(try SchemeRegistry.scheme(named: "mxfp4:ggml").name == "mxfp4:ggml")
    #expect(try SchemeRegistry.schemes(matching: "nf4*").map(\.name) == ["nf4", "nf4:dq", "nf4:cpu"])
    #expect(try SchemeRegistry.schemes(matching: "*").count == SchemeRegistry.known.count)
    #expect(try SchemeRegistry.schemes(matching: "n?4").map(\.name) == ["nf4"])
  }
}
