import Foundation
import SystemPackage
import TensorFiles
import Testing

/// Tensors that lie in several files, and the index that says where.
@Suite("Files cut into shards") struct ShardTests {
  private let scratch: Scratch
  private let map = ["h.0": "m-1.safetensors", "h.1": "m-1.safetensors", "h.2": "m-2.safetensors"]

  init() throws {
    scratch = try Scratch()
    for (file, names) in [("m-1.safetensors", ["h.0", "h.1"]), ("m-2.safetensors", ["h.2", "unlisted"])] {
      let writer = try TensorWriter(scratch(file), names.map { .init($0, .f32, [2, 3]) })
      for (k, name) in names.enumerated() { try writer.append((0..<6).map { Double($0 + 10 * k) }, to: name) }
      try writer.finish()
    }
    try index(map)
  }

  private func index(_ map: [String: String]) throws {
    let content: [String: Any] = [
      "metadata": ["total_size": 72, "made": [1.5, NSNull(), ["x": false]] as [Any]], "weight_map": map,
    ]
    try JSONSerialization.data(withJSONObject: content).write(
      to: URL(fileURLWithPath: scratch("m.safetensors.index.json")))
  }

  private func open() throws -> TensorFile { try TensorFile.open(scratch("m.safetensors.index.json")) }

  @Test func allTensorsOfTheIndex() throws {
    let file = try open()
    #expect(file.kind == .index)
    #expect(file.tensors.map(\.name) == ["h.0", "h.1", "h.2"])
    #expect(file.unreadable.isEmpty)
    #expect(try file.tensor(named: "h.1").doubles == [10, 11, 12, 13, 14, 15])
    #expect(
      try TensorSpecifier(scratch("m.safetensors.index.json:h.2")).open().doubles == [0, 1, 2, 3, 4, 5])
  }

  @Test func aMissingFileIsNamedWithItsTensors() throws {
    try FileManager.default.removeItem(atPath: scratch("m-1.safetensors"))
    let file = try open()
    #expect(file.tensors.map(\.name) == ["h.2"])
    #expect(file.unreadable.map(\.name) == ["m-1.safetensors"])
    let reason = try #require(file.unreadable.first?.reason)
    #expect(reason.contains("No such file") && reason.contains("2 tensors: 'h.0', 'h.1'"), "\(reason)")
    #expect(reason.contains("48 of 72 bytes lack in all"), "\(reason)")
    let lack = try #require(file.unreadable.first?.lack)
    #expect(lack.isMissing && lack.tensors == 2 && lack.files == 2 && lack.whole == 1)
    let error = #expect(throws: TensorFileError.self) { try file.tensor(named: "h.1") }
    #expect(error?.reason.contains("its file 'm-1.safetensors'") == true)
  }

  @Test func aShortFileIsNamedWithWhatItLacks() throws {
    let path = scratch("m-1.safetensors")
    let whole = try #require(FileManager.default.contents(atPath: path))
    try whole.dropLast(20).write(to: URL(fileURLWithPath: path))
    let file = try open()
    #expect(file.tensors.map(\.name) == ["h.0", "h.2"])
    let reason = try #require(file.unreadable.first?.reason)
    #expect(reason.contains("truncated: 20 of its \(whole.count) bytes lack") && reason.contains("'h.1'"))
    #expect(reason.contains("24 of 72 bytes lack in all"))
    let lack = try #require(file.unreadable.first?.lack)
    #expect(!lack.isMissing && lack.tensors == 1 && lack.files == 2 && lack.whole == 1)
    #expect(try file.tensor(named: "h.0").doubles == [0, 1, 2, 3, 4, 5])
    // Alone it is refused, with the same.
    let error = #expect(throws: TensorFileError.self) { try TensorFile.open(path) }
    #expect(error?.reason.contains("20 of its \(whole.count) bytes lack, and with them tensor 'h.1'") == true)
  }

  @Test func anIndexThatIsWrongIsTold() throws {
    try index(map.merging(["h.9": "m-2.safetensors"]) { a, _ in a })
    let file = try open()
    #expect(file.tensors.count == 3)
    #expect(file.unreadable.first?.reason.hasPrefix("does not have tensor 'h.9'") == true)
    try index(["a": "m.safetensors.index.json"])
    let circle = #expect(throws: TensorFileError.self) { try open().onlyTensor() }
    #expect(circle?.reason.contains("above the format's") == true)
  }

  /// The packed checkpoint in two files, the scales of all tensors in the second.
  private func splitGPTQ() throws -> [String] {
    let whole = try #require(FileManager.default.contents(atPath: fixture("packed/gptq/model.safetensors")))
    let length = whole.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
    let start = 8 + length
    let header = try #require(
      try JSONSerialization.jsonObject(with: whole[8..<start]) as? [String: [String: Any]])
    return try (0..<2).map { k in
      var (entries, all): ([String: [String: Any]], [UInt8]) = ([:], [])
      for (name, entry) in header where name != "__metadata__" && name.hasSuffix("scales") == (k == 1) {
        let place = try #require(entry["data_offsets"] as? [Int])
        entries[name] = entry
        entries[name]?["data_offsets"] = [all.count, all.count + place[1] - place[0]]
        all += whole[start + place[0]..<start + place[1]]
      }
      let text = String(decoding: try JSONSerialization.data(withJSONObject: entries), as: UTF8.self)
      let path = scratch("g-0000\(k + 1)-of-00002.safetensors")
      try Data(safetensors(text, data: all)).write(to: URL(fileURLWithPath: path))
      return path
    }
  }

  /// Parts of a tensor that lie in several shards are one, without an index too; another model beside them changes nothing.
  @Test func partsInSeveralFilesAreOneTensor() throws {
    let paths = try splitGPTQ().map { FilePath($0) }
    let expected = try TensorFile.open(fixture("packed/gptq/expect.safetensors"))
    for others in [[], [FilePath(scratch("m-1.safetensors"))]] {
      let files = try TensorFile.open(paths + others)
      #expect(files.flatMap(\.unreadable).map(\.description) == [])
      let names = files[0].tensors.map(\.name) + files[1].tensors.map(\.name)
      #expect(Set(names) == Set(expected.tensors.map(\.name)), "\(names)")
      for view in files[0].views where view.elementType.name == "gptq-int4" {
        #expect(try view.floats.map(bits) == expected.tensor(named: view.name).floats.map(bits))
      }
    }
    // Alone the first is half of something, and says what it lacks.
    let alone = try TensorFile.open(paths[0])
    #expect(alone.unreadable.contains { $0.reason.contains("scales' is not in this file") })
    // Two models that call their tensors alike are not put together.
    let copy = scratch("copy.safetensors")
    try FileManager.default.copyItem(atPath: fixture("packed/gptq/model.safetensors"), toPath: copy)
    let apart = try TensorFile.open([FilePath(fixture("packed/gptq/model.safetensors")), FilePath(copy)])
    #expect(apart[0].tensors == apart[1].tensors && !apart[0].tensors.isEmpty)
  }

  /// Shards without an index are opened as one file; two models, or a file twice, are not.
  @Test func shardsAreOneFile() throws {
    let paths = try splitGPTQ().map { FilePath($0) }
    let model = try #require(try TensorFile.open(shards: paths, path: "both"))
    let expected = try TensorFile.open(fixture("packed/gptq/expect.safetensors"))
    #expect(model.path == "both")
    #expect(Set(model.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
    for view in model.views where view.elementType.name == "gptq-int4" {
      #expect(try view.floats.map(bits) == expected.tensor(named: view.name).floats.map(bits))
    }
    let other = FilePath(scratch("m-1.safetensors"))
    #expect(try TensorFile.open(shards: paths + [other], path: "three") == nil)
    #expect(try TensorFile.open(shards: [other, other], path: "twice") == nil)
    let parts = ["m-2.safetensors", "m-1.safetensors"].map { FilePath(scratch($0)) }
    let plain = try #require(try TensorFile.open(shards: parts, path: "m"))
    #expect(plain.tensors.map(\.name) == ["h.2", "unlisted", "h.0", "h.1"])
    #expect(try plain.tensor(named: "h.1").doubles == [10, 11, 12, 13, 14, 15])
    #expect(try plain.tensor(named: "h.2").doubles == [0, 1, 2, 3, 4, 5])
  }

  @Test func aStreamHasNoPlaceBesideIt() throws {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(
      contentsOf: #require(FileManager.default.contents(atPath: scratch("m.safetensors.index.json"))))
    try pipe.fileHandleForWriting.close()
    let error = #expect(throws: TensorFileError.self) {
      try TensorFile.read(
        descriptor: pipe.fileHandleForReading.fileDescriptor, path: "standard input", name: "x")
    }
    #expect(error?.reason == "an index of files needs a place beside them")
  }
}
