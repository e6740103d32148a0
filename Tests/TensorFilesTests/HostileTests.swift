import Foundation
import TensorFiles
import Testing

/// A file that must be refused, and a part of the reason.
struct Hostile: CustomTestStringConvertible, Sendable {
  let name: String
  let content: [UInt8]
  let reason: String
  var path = "hostile"
  /// Whether the file opens and only its one tensor is refused.
  var opens = false

  init(_ name: String, _ content: [UInt8], _ reason: String, path: String = "hostile") {
    (self.name, self.content, self.reason, self.path) = (name, content, reason, path)
  }

  /// The same where the file opens.
  var one: Hostile {
    var copy = self
    copy.opens = true
    return copy
  }

  var testDescription: String { name }
}

@Suite("Malformed files are refused in one line")
struct HostileTests {
  @Test func thereAreMany() {
    #expect(Hostile.all.count >= 100)
    #expect(Set(Hostile.all.map(\.content)).count == Hostile.all.count)
  }

  @Test(arguments: Hostile.all) func refused(_ hostile: Hostile) {
    let error = #expect(throws: TensorFileError.self) {
      let file = try TensorFile.of(hostile.content, hostile.path)
      #expect(hostile.opens)
      #expect(file.tensors.count + file.unreadable.count == 1)
      _ = try file.onlyTensor().doubles
    }
    guard let error else { return }
    #expect(error.reason.contains(hostile.reason), "\(error.reason)")
    #expect(error.description.hasPrefix(hostile.path))
    #expect(!error.description.contains { $0.isNewline })
    #expect(error.description.utf8.count < 400)
  }

  /// The helpers make valid files where nothing is wrong, else the refusals above would prove nothing.
  @Test func theSameFilesWithoutTheFlawOpen() throws {
    #expect(try TensorFile.of(twoFloats).onlyTensor().doubles == [1, -2])
    let two = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
    #expect(try TensorFile.of(safetensors(two, data: [1, 2])).onlyTensor().doubles == [1, 2])
    #expect(try TensorFile.of(safetensors(two + "  ", data: [1, 2])).onlyTensor().doubles == [1, 2])
    let gguf = GGUFBytes.file(
      pairs: [
        GGUFBytes.pair("general.alignment", 4, bytes(UInt32(64))),
        GGUFBytes.pair(
          "nested", 9,
          bytes(UInt32(9)) + bytes(UInt64(1)) + bytes(UInt32(8)) + bytes(UInt64(1)) + GGUFBytes.text("x")),
      ],
      tensors: [GGUFBytes.tensor("a", [2, 3], 24, 0), GGUFBytes.tensor("b", [32], 8, 64)], data: 98,
      alignment: 64)
    let file = try TensorFile.of(gguf)
    #expect(file.tensors.map(\.shape) == [[3, 2], [32]])
    #expect(try file.tensor(named: "a").doubles == [0, 1, 2, 3, 4, 5])
    #expect(try file.tensor(named: "b").withRawBytes { $0.count } == 34)
    let zip = ZipBytes.file([
      ZipBytes(name: "a.npy", content: twoFloats), ZipBytes(name: "note.txt", content: [1]),
    ])
    #expect(try TensorFile.of(zip).onlyTensor().doubles == [1, -2])
    // As of NumPy before Python 3.
    #expect(
      try TensorFile.of(npy("{\"descr\": \"<u1\", 'fortran_order':False,'shape':(1L,)}", data: [7]))
        .onlyTensor().doubles == [7])
  }

  @Test func emptyTensorsOpenButHaveNoRows() throws {
    let tensor = try TensorSpecifier(fixture("files/empty.npy")).open()
    #expect(try tensor.doubles == [])
    let error = #expect(throws: TensorFileError.self) { try tensor.rows() }
    #expect(error?.reason == "tensor 'empty': shape [0, 3] has no elements")
  }

  @Test func messagesStayOneShortLine() {
    let name = String(repeating: "x", count: 100_000) + "\\n"
    let file = safetensors("{\"a\\nb\":{\"\(name)\":1}}")
    let error = #expect(throws: TensorFileError.self) { try TensorFile.of(file, "a\nb") }
    #expect(error?.path == "a\\u{a}b")
    #expect(error.map { $0.description.utf8.count < 300 && !$0.description.contains("\n") } == true)
  }

  @Test func whatIsNoRegularFile() throws {
    let scratch = try Scratch()
    let empty = try scratch.write([], "empty")
    let secret = try scratch.write(twoFloats, "secret.npy")
    mkfifo(scratch("pipe"), 0o600)
    let cases = [
      (scratch("none.npy"), "No such file"), (scratch.path, "is a directory"), (empty, "is empty"),
      (scratch("pipe"), "is a pipe"), ("/dev/null", "is a device"), ("", "names no file"),
      (secret + "\0", "NUL"), (secret + "/x", "Not a directory"),
    ]
    for (path, reason) in cases {
      let error = #expect(throws: TensorFileError.self) { try TensorFile.open(path) }
      #expect(error?.reason.contains(reason) == true, "\(path): \(error?.reason ?? "")")
    }
    guard getuid() != 0 else { return }
    chmod(secret, 0)
    let error = #expect(throws: TensorFileError.self) { try TensorFile.open(secret) }
    #expect(error?.reason.contains("ermission") == true)
  }
}
