import Foundation
import TensorFiles
import Testing

@Suite("Naming a tensor")
struct SpecifierTests {
  private func parts(_ text: String) -> [String?] {
    let specifier = TensorSpecifier(text)
    #expect(specifier.description == text)
    return [specifier.path.string, specifier.tensorName]
  }

  @Test func pathsThatDoNotExist() {
    #expect(parts("a.npy") == ["a.npy", nil])
    #expect(parts("none.safetensors:blk.0.q") == ["none.safetensors", "blk.0.q"])
    #expect(parts("no:thing/at:all.npz:x") == ["no:thing/at:all.npz", "x"])
    #expect(parts("no:thing/x.npy") == ["no:thing/x.npy", nil])
    #expect(parts("-") == ["-", nil])
    #expect(parts("-:a:b") == ["-", "a:b"])
    #expect(parts(":x") == [":x", nil])
    #expect(parts("") == ["", nil])
    #expect(parts("x.npy:") == ["x.npy", ""])
  }

  @Test func existingFilesWin() throws {
    let scratch = try Scratch()
    let one = try scratch.write(twoFloats, "a:b")
    #expect(parts(one) == [one, nil])
    #expect(parts(one + ":c") == [one, "c"])
    #expect(parts(one + ":c:d/e") == [one, "c:d/e"])
    let two = try scratch.write(twoFloats, "a:b:c")
    #expect(parts(one + ":c") == [two, nil])
    #expect(parts(two + ":d") == [two, "d"])
    // A folder is no file with tensors.
    #expect(parts(scratch.path + ":x") == [scratch.path, "x"])
  }

  @Test func errorsListTheNames() throws {
    let attn = fixture("smollm2/smollm2-attn.safetensors")
    let several = #expect(throws: TensorFileError.self) { try TensorSpecifier(attn).open() }
    #expect(several?.reason.hasPrefix("holds 15 tensors, name one as FILE:TENSOR: 'blk.") == true)
    #expect(several?.reason.hasSuffix("', and 5 more") == true)
    #expect(several?.reason.split(separator: "'").filter { $0.hasPrefix("blk.") }.count == 10)
    let none = #expect(throws: TensorFileError.self) { try TensorSpecifier(attn + ":blk.99.q").open() }
    #expect(none?.reason.hasPrefix("has no tensor 'blk.99.q'; it has 'blk.") == true)
    #expect(try TensorSpecifier(attn + ":blk.23.v").open().shape == [3, 128, 64])
    let empty = #expect(throws: TensorFileError.self) { try TensorFile.of(safetensors("{}")).onlyTensor() }
    #expect(empty?.reason == "holds no tensors")
    #expect(throws: TensorFileError.self) { try TensorFile.of(safetensors("{}")).tensor(named: "a") }
  }

  /// Standard input is any descriptor: a pipe is read to its end, whatever the kind of file.
  @Test func pipesAreRead() throws {
    for name in ["f4-little.npy", "stored.npz", "several.npz", "all.safetensors", "small.gguf"] {
      let path = fixture("files/\(name)")
      let data = try #require(FileManager.default.contents(atPath: path))
      let pipe = Pipe()
      // All fit a pipe's buffer.
      try pipe.fileHandleForWriting.write(contentsOf: data)
      try pipe.fileHandleForWriting.close()
      let file = try TensorFile.read(
        descriptor: pipe.fileHandleForReading.fileDescriptor, path: "standard input", name: "f4-little")
      let direct = try TensorFile.open(path)
      #expect(file.tensors == direct.tensors)
      #expect(file.kind == direct.kind)
      for (a, b) in zip(file.views, direct.views) {
        #expect(try a.withRawBytes { Array($0) } == b.withRawBytes { Array($0) })
      }
    }
    let path = fixture("smollm2/smollm2-logits.npy")
    let handle = try #require(FileHandle(forReadingAtPath: path))
    let file = try TensorFile.read(descriptor: handle.fileDescriptor, path: "standard input", name: "stdin")
    #expect(try file.onlyTensor().floats == TensorSpecifier(path).open().floats)
    // A file is mapped, not read: it is there for the next that asks.
    let again = try TensorFile.read(descriptor: handle.fileDescriptor, path: "standard input", name: "stdin")
    #expect(again.tensors == file.tensors)
    let pipe = Pipe()
    try pipe.fileHandleForWriting.close()
    let empty = #expect(throws: TensorFileError.self) {
      try TensorFile.read(
        descriptor: pipe.fileHandleForReading.fileDescriptor, path: "standard input", name: "stdin")
    }
    #expect(empty?.description == "standard input: is empty")
    let closed = #expect(throws: TensorFileError.self) {
      try TensorFile.read(descriptor: -1, path: "standard input", name: "stdin")
    }
    #expect(closed?.reason.hasPrefix("cannot read: ") == true)
  }
}
