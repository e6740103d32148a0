import Foundation
import SystemPackage
import TensorFiles
import Testing

/// Files that appear together or not at all, and what is where they would go.
@Suite("Putting files in their places") struct GroupTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func raw(_ name: String, _ text: String) throws -> RawWriter {
    let writer = try RawWriter(scratch(name))
    try Array(text.utf8).withUnsafeBytes { try writer.write($0, at: 0) }
    return writer
  }

  private func text(_ name: String) -> String? {
    FileManager.default.contents(atPath: scratch(name)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func bothOrNone() throws {
    try UnfinishedFiles.finish([raw("a", "new a"), raw("b", "new b")])
    #expect(scratch.contents == ["a", "b"] && text("a") == "new a" && text("b") == "new b")
    // A folder has come where the last of three would go.
    let files = [try raw("a", "newer"), try raw("fresh", "newer"), try raw("c", "newer")]
    mkdir(scratch("c"), 0o700)
    let error = #expect(throws: TensorFileError.self) { try UnfinishedFiles.finish(files) }
    #expect(error?.reason.contains("cannot write") == true)
    #expect(scratch.contents == ["a", "b", "c"])
    #expect(text("a") == "new a" && text("b") == "new b")
    // What was there keeps its permissions through it all.
    chmod(scratch("a"), 0o640)
    rmdir(scratch("c"))
    try UnfinishedFiles.finish([raw("a", "last"), raw("c", "last")])
    #expect(scratch.contents == ["a", "b", "c"] && text("a") == "last" && text("c") == "last")
    let mode = try FileManager.default.attributesOfItem(atPath: scratch("a"))[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func anUnfilledTensorTakesTheOthersWithIt() throws {
    let tensor = try TensorWriter(scratch("x.npy"), [.init("x", .f32, [2])])
    try tensor.append([1])
    #expect(throws: TensorFileError.self) { try UnfinishedFiles.finish([raw("a", "new"), tensor]) }
    #expect(scratch.contents == [])
  }

  /// A link stays: what it leads to is written, be it there or not.
  @Test func linksAreFollowed() throws {
    mkdir(scratch("folder"), 0o700)
    symlink("folder/b", scratch("a"))
    symlink(scratch("folder/c"), scratch("folder/b"))
    try raw("a", "through two").finish()
    #expect(text("folder/c") == "through two")
    try raw("a", "again").finish()
    #expect(text("folder/c") == "again")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: scratch("a")) == "folder/b")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: scratch("folder/b")) == scratch("folder/c"))
    symlink("there", scratch("here"))
    symlink("here", scratch("there"))
    let loop = #expect(throws: TensorFileError.self) { try raw("here", "x") }
    #expect(loop?.reason.contains("symbolic links") == true, "\(loop?.reason ?? "")")
    symlink("nowhere/x", scratch("far"))
    let far = #expect(throws: TensorFileError.self) { try raw("far", "x") }
    #expect(far?.reason.contains("No such file") == true)
    #expect(scratch.contents == ["a", "far", "folder", "here", "there"])
  }

  @Test func placesThatCannotBeWritten() throws {
    try raw("kept", "kept").finish()
    chmod(scratch("kept"), 0o444)
    let cases = [
      ("kept", "is read-only"), (String(repeating: "x", count: 300), "File name too long"),
      (".", "names no file"),
      ("..", "names no file"), ("kept/x", "Not a directory"),
    ]
    for (name, reason) in cases {
      let error = #expect(throws: TensorFileError.self, "\(name)") { try raw(name, "new") }
      #expect(error?.reason.contains(reason) == true, "\(name): \(error?.reason ?? "")")
    }
    #expect(text("kept") == "kept")
    #expect(scratch.contents == ["kept"])
  }

  /// Names of one file are one file.
  @Test func filesAreToldByWhatTheyAre() throws {
    try raw("a", "x").finish()
    link(scratch("a"), scratch("hard"))
    symlink("a", scratch("soft"))
    func identity(_ name: String) throws -> OutputPlace.Identity {
      try OutputPlace(FilePath(scratch(name))).identity
    }
    #expect(try identity("a") == identity("hard"))
    #expect(try identity("a") == identity("soft"))
    #expect(try identity("a") == identity("../\(FilePath(scratch.path).lastComponent?.string ?? "")/a"))
    symlink("new", scratch("dangling"))
    #expect(try identity("new") == identity("dangling"))
    #expect(try identity("new") != identity("a"))
    // Not the same name, though Swift's strings are equal.
    #expect(try identity("\u{e9}") != identity("e\u{301}"))
  }

  /// Types of less than a byte, in pieces of any length.
  @Test func packedTypesAreWritten() throws {
    for (type, width) in [(ElementType.small(.f4e2m1), 4), (.small(.f6e2m3), 6), (.small(.f6e3m2), 6)] {
      let format = try #require(type.numberFormat)
      let count = 4 << width
      let values = (0..<count).map { format.decode(UInt64($0 * 5 % (1 << width))) }
      let writer = try TensorWriter(
        scratch("x.safetensors"), [.init("b", .uint8, [1]), .init("x", type, [4, 1 << width])])
      var done = 0
      for piece in [1, 3, 2, 7] {
        try writer.append(Array(values[done..<done + piece]), to: "x"); done += piece
      }
      try writer.append(Array(values[done...]), to: "x")
      try writer.append([9], to: "b")
      try writer.finish()
      let file = try TensorFile.open(scratch("x.safetensors"))
      #expect(try file.tensor(named: "x").elementType == type)
      #expect(try file.tensor(named: "x").doubles.map(bits) == values.map(bits))
      #expect(try file.tensor(named: "b").doubles == [9])
      let short = try TensorWriter(scratch("y.safetensors"), [.init("x", type, [4])])
      try short.append([1, 1, 1])
      #expect(throws: TensorFileError.self) { try short.finish() }
    }
    #expect(scratch.contents == ["x.safetensors"])
  }
}
