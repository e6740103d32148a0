import Foundation
import TensorFiles
import Testing

/// Packed checkpoints hold what their own libraries dequantize them to.
@Suite("Packed checkpoints") struct PackedTests {
  static let folders = [
    "awq", "bitsandbytes", "compressed-tensors", "deepseek", "gpt-oss", "gptq", "gptq_v2", "mlx", "modelopt",
  ]

  /// Every tensor is there under its own name, with its own shape, and each number is the library's to the bit.
  @Test(arguments: folders) func meanWhatTheirLibrariesSay(folder: String) throws {
    let file = try TensorFile.open(fixture("packed/\(folder)/model.safetensors"))
    let expected = try TensorFile.open(fixture("packed/\(folder)/expect.safetensors"))
    #expect(file.unreadable.map(\.description) == [])
    #expect(Set(file.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
    for tensor in expected.views {
      let view = try file.tensor(named: tensor.name)
      #expect(view.shape == tensor.shape, "\(tensor.name)")
      let (ours, theirs) = (try view.floats, try tensor.floats)
      for i in theirs.indices where bits(ours[i]) != bits(theirs[i]) {
        Issue.record("\(tensor.name), element \(i): \(ours[i]), not \(theirs[i])")
        break
      }
    }
  }

  /// By rows along either axis, by bands, by elements, as f32 and as f64: the same numbers.
  @Test(arguments: folders) func everyWayLeadsToTheSame(folder: String) throws {
    let file = try TensorFile.open(fixture("packed/\(folder)/model.safetensors"))
    for view in file.views where view.shape.count == 2 {
      let whole = try view.floats
      let (rows, columns) = (view.shape[0], view.shape[1])
      for axis in 0..<2 {
        let source = try view.rows(axis: axis)
        var place = 0
        try source.forEachBatch(batchBytes: 3000) { range, batch in
          for index in batch.indices {
            let (row, element) = (index / source.length, index % source.length)
            let at = axis == 1 ? (range.lowerBound + row, element) : (element, range.lowerBound + row)
            #expect(batch[index] == Double(whole[at.0 * columns + at.1]))
            place += 1
          }
        }
        #expect(place == rows * columns)
      }
      var part = [Float](repeating: 0, count: 7)
      try part.withUnsafeMutableBufferPointer { try view.copyFloats(columns - 3..<columns + 4, into: $0) }
      #expect(part == Array(whole[columns - 3..<columns + 4]), "\(view.name)")
      #expect(throws: TensorFileError.self) { try view.withRawBytes { _ in } }
    }
  }

  @Test func partsAreNamedWithTheirTensor() throws {
    let file = try TensorFile.open(fixture("packed/gptq/model.safetensors"))
    for part in ["qweight", "qzeros", "scales"] {
      let error = #expect(throws: TensorFileError.self) { try file.tensor(named: "layers.4.plain.\(part)") }
      #expect(error?.reason.contains("is a part of 'layers.4.plain.weight' (gptq-int4)") == true)
    }
    let view = try file.tensor(named: "layers.4.plain.weight")
    #expect(view.elementType.name == "gptq-int4" && view.elementType.numberFormat?.name == "f16")
  }

  /// A .safetensors file of tensors of zeros; `data` for one whose bytes matter.
  private func file(_ tensors: [(name: String, type: String, shape: [Int], data: [UInt8]?)]) throws
    -> TensorFile
  {
    var (entries, all): ([String], [UInt8]) = ([], [])
    let sizes = [
      "I32": 4, "U32": 4, "I64": 8, "F32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1, "F8_E4M3": 1, "I16": 2,
    ]
    for (name, type, shape, data) in tensors {
      let count = shape.reduce(1, *) * sizes[type, default: 1]
      let start = all.count
      all += data ?? [UInt8](repeating: 0, count: count)
      entries.append(
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(all.count)]}")
    }
    return try TensorFile.of(safetensors("{\(entries.joined(separator: ","))}", data: all))
  }

  /// What cannot be read is refused in one line that says why, and no part of it is taken for numbers.
  @Test func whatCannotBeReadIsRefused() throws {
    typealias Part = (name: String, type: String, shape: [Int], data: [UInt8]?)
    let cases: [(parts: [Part], reason: String)] = [
      ([("a.qweight", "I32", [4, 32], nil)], "'a.qzeros' is not in this file"),
      (
        [
          ("a.qweight", "I32", [4, 32], nil), ("a.qzeros", "I32", [1, 4], nil),
          ("a.scales", "F16", [2, 32], nil),
        ],
        "neither GPTQ's nor AWQ's"
      ),
      (
        [
          ("a.qweight", "I32", [4, 32], nil), ("a.qzeros", "I32", [1, 4], nil),
          ("a.scales", "I32", [1, 32], nil),
        ],
        "its scales are int32"
      ),
      (
        [
          ("a.qweight", "I32", [4, 32], nil), ("a.qzeros", "I32", [3, 4], nil),
          ("a.scales", "F16", [3, 32], nil),
        ], "are no 3 whole groups"
      ),
      ([("a.qweight", "I16", [4, 32], nil)], "gemv_fast"),
      ([("a.weight_packed", "I32", [4, 8], nil)], "'a.weight_scale' is not in this file"),
      (
        [
          ("a.weight_packed", "I32", [4, 8], nil), ("a.weight_scale", "F32", [4, 2], nil),
          ("a.weight_shape", "I64", [2], [4, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
        ], "does not fit 'weight_packed'"
      ),
      (
        [
          ("a.weight_packed", "I32", [4, 8], nil), ("a.weight_scale", "F32", [4, 2], nil),
          ("a.weight_shape", "I64", [2], [4, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0]),
        ], "8 words hold no 20 codes"
      ),
      (
        [("a.weight_packed", "U8", [4, 8], nil), ("a.weight_scale", "F8_E4M3", [4, 3], nil)],
        "not one for each 16"
      ),
      (
        [
          ("a.weight", "U8", [8, 1], nil), ("a.weight.quant_state.bitsandbytes__nf4", "U8", [2], [123, 125]),
        ],
        "'a.weight.absmax' is not in this file"
      ),
      (
        [
          ("a.weight", "U8", [8, 1], nil), ("a.weight.absmax", "F32", [1], nil),
          ("a.weight.quant_map", "F32", [16], nil),
          ("a.weight.quant_state.bitsandbytes__nf4", "U8", [3], [123, 34, 125]),
        ], "string"
      ),
      (
        [("a.weight", "F8_E4M3", [8, 6], nil), ("a.weight_scale", "F32", [5, 1], nil)],
        "scales of shape [5, 1] do not fit 8 x 6"
      ),
      (
        [("a.weight", "I8", [8, 6], nil), ("a.SCB", "F32", [8], nil), ("a.weight_format", "U8", [1], [2])],
        "in tiles"
      ),
      (
        [
          ("a.weight", "U32", [8, 8], nil), ("a.scales", "F16", [8, 1], nil),
          ("a.biases", "F16", [8, 1], nil),
        ],
        "may be 8 bits by 32, 4 bits by 64, 2 bits by 128: the config.json"
      ),
      ([("a.W_q", "U8", [8, 8], nil), ("a.scale", "F16", [8, 1], nil)], "HQQ"),
      ([("a.B", "I32", [8, 8], nil), ("a.s", "F16", [8, 1], nil)], "Marlin"),
    ]
    for (parts, reason) in cases {
      let file = try file(parts)
      let said = file.unreadable.map(\.reason).joined(separator: "; ")
      #expect(said.contains(reason), "\(parts.map(\.name)): \(said)")
      #expect(!said.contains("\n"))
      let codes = parts[0].name
      let error = #expect(throws: TensorFileError.self) { try file.tensor(named: codes) }
      #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }
  }

  /// A group that has no scales is found when the numbers are read, not by a trap.
  @Test func aGroupWithoutScalesIsAnError() throws {
    var list = [UInt8](repeating: 0, count: 4 * 32)
    list[4] = 9
    let file = try file([
      ("a.qweight", "I32", [4, 32], nil), ("a.qzeros", "I32", [1, 4], nil),
      ("a.scales", "F16", [1, 32], nil),
      ("a.g_idx", "I32", [32], list),
    ])
    let error = #expect(throws: TensorFileError.self) { try file.tensor(named: "a.weight").floats }
    #expect(error?.reason.contains("group 9 is outside the 1 that have scales") == true)
  }

  /// Ordinary numbers stay what they are, whatever they are called.
  @Test func ordinaryTensorsStay() throws {
    let file = try file([
      ("a.weight", "F32", [2, 2], nil), ("a.weight_scale", "F32", [1], nil), ("b.scales", "F16", [3], nil),
      ("qweight", "F32", [2], nil), ("c.weight", "I8", [2, 2], nil), ("d_blocks", "U8", [2, 2], nil),
    ])
    #expect(
      file.tensors.map(\.name) == [
        "a.weight", "a.weight_scale", "b.scales", "qweight", "c.weight", "d_blocks",
      ])
    #expect(file.unreadable == [])
  }
}
