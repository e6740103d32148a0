import Foundation
import NumKit
import TensorFiles
import Testing

@Suite("Files as their own libraries write them")
struct GoldenTests {
  struct Expectation: CustomTestStringConvertible, Sendable {
    let file, tensor, type: String
    let shape: [Int]
    let values: String
    var testDescription: String { "\(file):\(tensor)" }
  }

  static let expectations: [Expectation] = {
    let text = (try? String(contentsOfFile: fixture("files/expect.tsv"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { line in
      let field = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      return Expectation(
        file: field[0], tensor: field[1], type: field[2],
        shape: field[3].split(separator: ",").compactMap { Int($0) },
        values: field[4])
    }
  }()

  @Test func allAreThere() { #expect(Self.expectations.count == 82) }

  @Test(arguments: expectations) func opensAndReads(_ expected: Expectation) throws {
    let file = try TensorFile.open(fixture("files/\(expected.file)"))
    let tensor = try file.tensor(named: expected.tensor)
    #expect(tensor.shape == expected.shape)
    #expect(tensor.elementType.name == expected.type)
    if case .block(let type) = tensor.elementType {
      let hex = try tensor.withRawBytes { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
      #expect(hex == expected.values)
      #expect(tensor.info.byteCount == tensor.count / type.elementCount * type.byteCount)
      #expect(throws: TensorFileError.self) { try tensor.doubles }
      return
    }
    let want = expected.values.split(separator: " ").map {
      $0 == "nan" ? Double.nan.bitPattern : UInt64($0, radix: 16) ?? 0
    }
    if is64BitInteger(tensor) {
      // From these Float is rounded once, not by way of Double; and no Double is made up for them.
      let error = #expect(throws: TensorFileError.self) { try tensor.doubles }
      #expect(error?.reason.contains("which no f64 holds") == true)
      #expect(try tensor.floats.count == want.count)
      return
    }
    #expect(try tensor.doubles.map(bits) == want)
    #expect(try tensor.floats.map(bits) == want.map { bits(Float(Double(bitPattern: $0))) })
  }

  private func is64BitInteger(_ tensor: TensorView) -> Bool {
    tensor.elementType == .int64 || tensor.elementType == .uint64
  }

  @Test func everyTensorIsExpected() throws {
    for name in Set(Self.expectations.map(\.file)) {
      let names = try TensorFile.open(fixture("files/\(name)")).tensors.map(\.name)
      #expect(Set(names) == Set(Self.expectations.filter { $0.file == name }.map(\.tensor)))
    }
  }

  @Test func kindsAndMetadata() throws {
    #expect(try TensorFile.open(fixture("files/rank0.npy")).kind == .npy)
    #expect(try TensorFile.open(fixture("files/stored.npz")).kind == .npz)
    #expect(try TensorFile.open(fixture("files/small.gguf")).kind == .gguf)
    let file = try TensorFile.open(fixture("files/all.safetensors"))
    #expect(file.kind == .safetensors)
    #expect(file.metadata == ["made by": "a \"script\"\n"])
  }

  /// One entry of raw bytes takes nothing from the others.
  @Test func anEntryThatCannotBeReadIsNamed() throws {
    let file = try TensorFile.open(fixture("files/several.npz"))
    #expect(file.tensors.map(\.name) == ["weights", "ramp", "turned"])
    #expect(file.unreadable.map(\.name) == ["raw"])
    #expect(file.unreadable[0].reason.contains("dtype '|V2'"))
    #expect(file.unreadable[0].reason.contains("bfloat16"))
    let error = #expect(throws: TensorFileError.self) { try file.tensor(named: "raw") }
    #expect(error?.reason.hasPrefix("tensor 'raw': dtype") == true)
  }

  @Test func orders() throws {
    let file = try TensorFile.open(fixture("files/fortran3.npy"))
    #expect(file.tensors[0].order == .columnMajor)
    #expect(try TensorFile.open(fixture("files/rank5.npy")).tensors[0].order == .rowMajor)
  }

  @Test func elementTypesAndDTypes() {
    for type in ElementType.numeric {
      if let dtype = type.dtype { #expect(ElementType(dtype) == type) }
    }
    #expect(ElementType.numeric.compactMap(\.dtype).count == 15)
    #expect(DType("tf32").flatMap(ElementType.init) == nil)
    #expect(DType("bf16").flatMap(ElementType.init) == .bf16)
    #expect(ElementType.int16.dtype == nil)
  }
}

@Suite("Real tensors")
struct RealTensorTests {
  @Test func massiveActivation() throws {
    let tensor = try TensorSpecifier(fixture("smollm2/smollm2-hidden-bf16.safetensors:hidden.12")).open()
    #expect(tensor.shape == [128, 576])
    #expect(tensor.elementType == .bf16)
    let values = try tensor.doubles
    #expect(values[507] == 24960)
    #expect(NumberFormat.bf16.round(24926.217) == values[507])
    #expect(values.map(\.magnitude).max() == 24960)
    #expect(try tensor.rows(axis: 0).withRow(507) { $0[0] } == 24960)
    let before = try TensorSpecifier(fixture("smollm2/smollm2-hidden-bf16.safetensors:hidden.11")).open()
    #expect(try before.doubles.map(\.magnitude).max() == 101)
  }

  @Test func logits() throws {
    let single = try TensorSpecifier(fixture("smollm2/smollm2-logits.npy")).open()
    let half = try TensorSpecifier(fixture("smollm2/smollm2-logits-f16.npy")).open()
    #expect(single.shape == [4, 49152])
    #expect(half.shape == [4, 49152])
    #expect(half.elementType == .f16)
    var best: [Int] = []
    try single.rows().forEachFloatBatch(batchBytes: 1) { _, row in
      best.append(row.indices.max { row[$0] < row[$1] } ?? -1)
    }
    #expect(best == [335, 260, 30, 339])
    let sums = try (0..<4).map { row in try single.rows().withRow(row) { $0.reduce(0, +) } }
    for (sum, want) in zip(sums, [218299.85550873, -62210.92043171, 336685.67804275, -182019.88266552]) {
      #expect(abs(sum - want) < 1e-5)
    }
    let pairs = try zip(single.doubles, half.doubles)
    #expect(pairs.allSatisfy { abs($0 - $1) <= 0.00049 * max(abs($0), 1) })
  }

  @Test func attention() throws {
    let file = try TensorFile.open(fixture("smollm2/smollm2-attn.safetensors"))
    #expect(file.tensors.count == 15)
    #expect(try file.tensor(named: "blk.11.q").shape == [9, 128, 64])
    #expect(try file.tensor(named: "blk.11.k").shape == [3, 128, 64])
    #expect(try file.tensor(named: "blk.11.q").floats.last == 0.89747506)
    #expect(try file.tensor(named: "blk.18.lse").floats[7 * 128 + 127] == 5.3186946)
  }

  @Test func weights() throws {
    let file = try TensorFile.open(fixture("smollm2/smollm2-weights.gguf"))
    #expect(file.metadata == ["general.architecture": "llama"])
    let text = try Data(contentsOf: URL(fileURLWithPath: fixture("smollm2/smollm2-weights-expect.json")))
    let expected = try #require(try JSONSerialization.jsonObject(with: text) as? [String: [String: Any]])
    #expect(Set(file.tensors.map(\.name)) == Set(expected.keys))
    for tensor in file.views {
      let want = try #require(expected[tensor.name])
      #expect(tensor.shape == want["shape_rows_cols"] as? [Int])
      #expect(tensor.elementType.name == (want["type"] as? String)?.lowercased())
      #expect(tensor.info.byteCount == want["raw_bytes"] as? Int)
      if tensor.elementType == .f32 {
        #expect(try Array(tensor.doubles.prefix(8)) == want["f32_first8"] as? [Double])
        #expect(try Array(tensor.doubles.suffix(4)) == want["f32_last4"] as? [Double])
      } else {
        // The first value of a Q8_0 block: its scale, an f16, times its first code.
        guard tensor.elementType == .block(.q8_0) else { continue }
        let first = try tensor.withRawBytes {
          Double($0.loadUnaligned(as: Float16.self)) * Double(Int8(bitPattern: $0[2]))
        }
        // Foundation does not read every decimal to the last bit; Float takes its error away.
        #expect((want["f32_first8"] as? [Double]).map { Float($0[0]) } == Float(first))
      }
    }
  }
}

extension TensorSource {
  /// Calls `body` with one row.
  func withRow<R>(_ row: Int, _ body: (UnsafeMutableBufferPointer<Double>) throws -> R) throws -> R {
    let buffer = UnsafeMutableBufferPointer<Double>.allocate(capacity: length)
    defer { buffer.deallocate() }
    try copyDoubles(row..<row + 1, into: buffer)
    return try body(buffer)
  }
}
