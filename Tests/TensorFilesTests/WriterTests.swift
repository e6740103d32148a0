import Foundation
import NumKit
import TensorFiles
import Testing

@Suite("Writing")
struct WriterTests {
  static let values: [Double] = [
    0, -0.0, 1, -1, 0.1, 3.14159, 448, 449, 1e5, -1e5, 1e-10, 2.5, 1e300, 0x1p-1074, .infinity, -.infinity,
    .nan,
    65519,
    65520, 240, 1.0625,
  ]
  static let floats = ElementType.numeric.filter { $0.numberFormat.map { $0.bitWidth >= 8 } ?? false }

  @Test(arguments: floats, [Overflow.special, .saturate]) func floatsRound(
    _ type: ElementType, _ overflow: Overflow
  ) throws {
    let scratch = try Scratch()
    let format = try #require(type.numberFormat)
    let want = Self.values.map { bits(format.round($0, overflow: overflow)) }
    let kinds = [.f64, .f32, .f16].contains(type) ? ["x.npy", "x.safetensors"] : ["x.safetensors"]
    for name in kinds {
      let writer = try TensorWriter(scratch(name), [.init("x", type, [3, 7])], overflow: overflow)
      try writer.append(Self.values)
      try writer.finish()
      let tensor = try TensorSpecifier(scratch(name)).open()
      #expect(tensor.shape == [3, 7])
      #expect(tensor.elementType == type)
      #expect(try tensor.doubles.map(bits) == want)
      let single = try TensorWriter(scratch(name), [.init("x", type, [21])], overflow: overflow)
      try Self.values.map { Float($0) }.withUnsafeBufferPointer { try single.append($0) }
      try single.finish()
      let again = Self.values.map { bits(format.round(Double(Float($0)), overflow: overflow)) }
      #expect(try TensorSpecifier(scratch(name)).open().doubles.map(bits) == again)
    }
  }

  @Test func integersAreExact() throws {
    let scratch = try Scratch()
    let extremes: [(ElementType, Double, Double)] = [
      (.int8, -128, 127), (.uint8, 0, 255), (.int16, -32768, 32767), (.uint16, 0, 65535),
      (.int32, -2_147_483_648, 2_147_483_647), (.uint32, 0, 4_294_967_295), (.int64, -0x1p63, 0x1p62),
      (.uint64, 0, 0x1p63), (.bool, 0, 1),
    ]
    for (type, low, high) in extremes {
      for path in [scratch("x.npy"), scratch("x.safetensors")] {
        try TensorWriter.write([low, high, 1], as: type, shape: [3], to: path)
        let tensor = try TensorSpecifier(path).open()
        #expect(tensor.elementType == type)
        #expect(try tensor.doubles == [low, high, 1])
        for bad in [low - 1, 0.5, .nan, .infinity, 0x1p64] where !(type == .int64 && bad == low - 1) {
          let error = #expect(throws: TensorFileError.self) {
            try TensorWriter.write([0, bad], as: type, shape: [2], to: scratch("bad.npy"))
          }
          #expect(error?.reason.contains("element 1, \(bad), is no \(type)") == true)
        }
      }
    }
    #expect(scratch.contents == ["x.npy", "x.safetensors"])
  }

  @Test func everyCodeSurvives() throws {
    let scratch = try Scratch()
    let all = (0..<256).map { UInt8($0) }
    let codes = Dictionary(
      uniqueKeysWithValues: [ElementType.small(.f8e4m3fn), .small(.f8e5m2), .small(.e8m0), .int8, .bf16].map {
        ("\($0)", $0)
      })
    let writer = try TensorWriter(
      scratch("x.safetensors"), codes.map { .init($0.key, $0.value, $0.value == .bf16 ? [128] : [256]) },
      metadata: ["key \"\n": "ü\u{1}"])
    for name in codes.keys { try all.withUnsafeBytes { try writer.appendCodes($0, to: name) } }
    try writer.finish()
    let file = try TensorFile.open(scratch("x.safetensors"))
    #expect(file.metadata == ["key \"\n": "ü\u{1}"])
    #expect(file.tensors.count == codes.count)
    for tensor in file.views { #expect(try tensor.withRawBytes { Array($0) } == all) }
  }

  /// Names in any order, pieces of any size, tensors interleaved; each begins at a multiple of its element size.
  @Test func piecesOfSeveralTensors() throws {
    let scratch = try Scratch()
    let writer = try TensorWriter(
      scratch("x.safetensors"),
      [
        .init("b", .uint8, [3]), .init("o\\", .f32, [100, 777]), .init("lse", .f64, [777]),
        .init("s", .f16, []), .init("e", .f32, [0]),
      ])
    for row in 0..<100 {
      let values = (0..<777).map { Float(row * 777 + $0) }
      try values.withUnsafeBufferPointer { try writer.append($0, to: "o\\") }
      if row < 77 { try writer.append((0..<10).map { Double(row * 10 + $0) }, to: "lse") }
    }
    try writer.append((770..<777).map { Double($0) }, to: "lse")
    try writer.append([1, 2, 3], to: "b")
    try writer.append([0.5], to: "s")
    #expect(scratch.contents.filter { !$0.hasPrefix(".") } == [])
    try writer.finish()
    let file = try TensorFile.open(scratch("x.safetensors"))
    #expect(file.tensors.map(\.name) == ["lse", "o\\", "e", "s", "b"])
    #expect(try file.tensor(named: "o\\").doubles == (0..<77700).map { Double($0) })
    #expect(try file.tensor(named: "lse").doubles == (0..<777).map { Double($0) })
    #expect(try file.tensor(named: "b").doubles == [1, 2, 3])
    #expect(try file.tensor(named: "s").doubles == [0.5])
    for tensor in file.views {
      let address = try tensor.withRawBytes { Int(bitPattern: $0.baseAddress) }
      #expect(tensor.count == 0 || address % (tensor.info.byteCount / tensor.count) == 0)
    }
  }

  /// The bytes that NumPy writes for the same array.
  @Test func npyIsAsNumPyWritesIt() throws {
    let scratch = try Scratch()
    for name in [
      "f4-little", "f2-little", "f8-little", "i2-little", "u8-little", "b1-little", "rank0", "rank1", "rank5",
      "empty",
    ] {
      let tensor = try TensorSpecifier(fixture("files/\(name).npy")).open()
      let writer = try TensorWriter(scratch("x.npy"), [.init("x", tensor.elementType, tensor.shape)])
      try tensor.withRawBytes { try writer.appendCodes($0) }
      try writer.finish()
      #expect(
        FileManager.default.contentsEqual(atPath: scratch("x.npy"), andPath: fixture("files/\(name).npy")),
        "\(name)")
    }
  }

  @Test func nothingIsLeftBehind() throws {
    let scratch = try Scratch()
    try TensorWriter.write([1], as: .f32, shape: [1], to: scratch("x.npy"))
    let old = FileManager.default.contents(atPath: scratch("x.npy"))
    // Too few, too many, dropped.
    #expect(throws: TensorFileError.self) {
      try TensorWriter.write([1], as: .f32, shape: [2], to: scratch("x.npy"))
    }
    #expect(throws: TensorFileError.self) {
      try TensorWriter.write([1, 2], as: .f32, shape: [1], to: scratch("x.npy"))
    }
    do {
      let writer = try TensorWriter(scratch("x.npy"), [.init("x", .f32, [2])])
      try writer.append([1, 2])
      #expect(FileManager.default.contents(atPath: scratch("x.npy")) == old)
    }
    #expect(scratch.contents == ["x.npy"])
    #expect(FileManager.default.contents(atPath: scratch("x.npy")) == old)
  }

  @Test func linksAndPermissionsStay() throws {
    let scratch = try Scratch()
    try TensorWriter.write([1], as: .f32, shape: [1], to: scratch("x.npy"))
    chmod(scratch("x.npy"), 0o600)
    symlink("x.npy", scratch("link.npy"))
    try TensorWriter.write([2], as: .f32, shape: [1], to: scratch("link.npy"))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: scratch("link.npy")) == "x.npy")
    #expect(try TensorSpecifier(scratch("x.npy")).open().doubles == [2])
    let mode = try FileManager.default.attributesOfItem(atPath: scratch("x.npy"))[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func whatCannotBeWritten() throws {
    let scratch = try Scratch()
    mkdir(scratch("folder.npy"), 0o700)
    mkfifo(scratch("pipe.npy"), 0o600)
    let one = [TensorWriter.Declaration("x", .f32, [1])]
    let cases: [(String, [TensorWriter.Declaration], String)] = [
      (scratch("none/x.npy"), one, "No such file"), (scratch("folder.npy"), one, "is a directory"),
      (scratch("pipe.npy"), one, "is a pipe"), ("/dev/null\0.npy", one, "NUL"),
      (scratch("x.gguf"), one, "can only write"), (scratch("x"), one, "can only write"),
      ("", one, "can only write"),
      (scratch("x.npy"), [], "holds 1 tensor, not 0"), (scratch("x.npy"), one + one, "holds 1 tensor, not 2"),
      (scratch("x.npy"), [.init("x", .bf16, [1])], ".npy cannot hold bf16"),
      (scratch("x.npy"), [.init("x", .block(.q8_0), [32])], ".npy cannot hold q8_0"),
      (scratch("x.safetensors"), [.init("x", .block(.q8_0), [32])], ".safetensors cannot hold q8_0"),
      (scratch("x.safetensors"), one + one, "name 'x' is taken"),
      (scratch("x.safetensors"), [.init("__metadata__", .f32, [1])], "is taken"),
      (scratch("x.safetensors"), [.init("a\0", .f32, [1])], "NUL"),
      (scratch("x.npy"), [.init("x", .f32, [-1])], "negative"),
      (scratch("x.npy"), [.init("x", .f32, [.max, 2])], "more elements than fit"),
      (scratch("x.npy"), [.init("x", .f32, [.max / 2])], "more bytes than fit"),
      (scratch("x.npy"), [.init("x", .f32, [Int](repeating: 1, count: 65))], "rank 65"),
      (
        scratch("x.safetensors"),
        [.init("x", .f32, [.max / 4]), .init("y", .f32, [.max / 4]), .init("z", .f32, [9])],
        "more bytes than fit"
      ),
    ]
    for (path, tensors, reason) in cases {
      let error = #expect(throws: TensorFileError.self) { try TensorWriter(path, tensors) }
      #expect(error?.reason.contains(reason) == true, "\(path): \(error?.reason ?? "")")
    }
    #expect(throws: TensorFileError.self) { try TensorWriter(scratch("x.npy"), one, metadata: ["a": "b"]) }
    let several = try TensorWriter(scratch("x.safetensors"), [.init("x", .f32, [1]), .init("y", .f32, [1])])
    #expect(throws: TensorFileError.self) { try several.append([1]) }
    #expect(throws: TensorFileError.self) { try several.append([1], to: "z") }
    if getuid() != 0 {
      chmod(scratch.path, 0o500)
      #expect(throws: TensorFileError.self) { try TensorWriter(scratch("y.npy"), one) }
      chmod(scratch.path, 0o700)
    }
  }
}
