import Foundation
import SystemPackage
import TensorFiles
import Testing

/// `é` in one scalar and in two: Swift's strings are equal, the names are two.
@Suite("Names are bytes") struct NameTests {
  private static let composed = "\u{e9}"
  private static let decomposed = "e\u{301}"

  private func check(_ file: TensorFile, _ first: [Double], _ second: [Double]) throws {
    #expect(file.tensors.count == 2)
    #expect(file.tensors[0] != file.tensors[1])
    #expect(try file.tensor(named: Self.composed).doubles == first)
    #expect(try file.tensor(named: Self.decomposed).doubles == second)
  }

  @Test func bothAreInOneFile() throws {
    #expect(Self.composed == Self.decomposed)
    func one(_ start: Int) -> String {
      "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\(start),\(start + 1)]}"
    }
    try check(
      TensorFile.of(
        safetensors("{\"\(Self.composed)\":\(one(0)),\"\(Self.decomposed)\":\(one(1))}", data: [5, 6])), [5],
      [6])
    try check(
      TensorFile.of(
        GGUFBytes.file(
          tensors: [
            GGUFBytes.tensor(Self.composed, [1], 24, 0), GGUFBytes.tensor(Self.decomposed, [1], 24, 32),
          ], data: 64)), [0], [32])
    let other = npy("{'descr': '<u1', 'fortran_order': False, 'shape': (1,), }\n", data: [9])
    try check(
      TensorFile.of(
        ZipBytes.file([
          ZipBytes(name: Self.composed + ".npy", content: twoFloats),
          ZipBytes(name: Self.decomposed + ".npy", content: other),
        ])), [1, -2], [9])
  }

  @Test func bothAreWritten() throws {
    let scratch = try Scratch()
    let writer = try TensorWriter(
      scratch("x.safetensors"), [.init(Self.composed, .f32, [1]), .init(Self.decomposed, .f32, [1])])
    try writer.append([2], to: Self.decomposed)
    try writer.append([1], to: Self.composed)
    try writer.finish()
    try check(TensorFile.open(scratch("x.safetensors")), [1], [2])
  }

  /// A path need not be text: it is written, read, and told in a message.
  @Test func pathsNeedNotBeUTF8() throws {
    let scratch = try Scratch()
    let path = FilePath(bytes: Array(scratch("").utf8) + [0x61, 0xff, 0xc3] + Array(".npy".utf8))
    let writer = try TensorWriter(path, [.init("x", .f32, [1])])
    try writer.append([7])
    try writer.finish()
    #expect(path.label == scratch("a\\xff\\xc3.npy"))
    let tensor = try TensorSpecifier(bytes: path.bytes).open()
    #expect(try tensor.doubles == [7])
    #expect(scratch.bytes == [[0x61, 0xff, 0xc3] + Array(".npy".utf8)])
    let gone = FilePath(bytes: path.bytes + [0xfe])
    let error = #expect(throws: TensorFileError.self) { try TensorFile.open(gone) }
    #expect(error?.description.hasPrefix(scratch("a\\xff\\xc3.npy\\xfe: cannot open")) == true)
  }
}

extension Scratch {
  /// The names in the folder, byte by byte.
  var bytes: [[UInt8]] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [[UInt8]] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
          Array(
            UnsafeBufferPointer(
              start: $0, count: strlen(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))))
        }
      }
      if name != [0x2e] && name != [0x2e, 0x2e] { names.append(name) }
    }
    return names
  }
}
