import Foundation
import NumKit
import Testing

@Suite struct FormatRegistryTests {
  /// A format's file is one that declares a record: `static var f16: NumberFormat` or `static let int8 = …`.
  @Test func everyFormatOfTheFolderIsRegistered() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let folder = root.appending(path: "Sources/NumKit/Numbers")
    let files = try ["", "Formats"].flatMap {
      try FileManager.default.contentsOfDirectory(
        at: folder.appending(path: $0), includingPropertiesForKeys: nil)
    }
    let registered = FormatRegistry.all.map(\.dtype.name)
    var declared = 0
    for file in files where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      let declarations =
        text.matches(of: /static var (\w+): NumberFormat \{\s+NumberFormat\(/).map(\.1)
        + text.matches(of: /static let (\w+) = IntegerFormat\(/).map(\.1)
      for name in declarations {
        #expect(registered.contains(String(name)), "\(file.lastPathComponent) declares \(name)")
      }
      declared += declarations.count
    }
    #expect(declared == registered.count)
  }

  @Test func namesAndAliasesAreUnique() {
    let names = FormatRegistry.all.flatMap { [$0.dtype.name] + $0.aliases }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0 == $0.lowercased() && !$0.isEmpty })
  }

  @Test func everyNameAndAliasIsFoundInAnyCase() {
    for entry in FormatRegistry.all {
      for name in [entry.dtype.name] + entry.aliases {
        #expect(DType(name) == entry.dtype)
        #expect(DType(name.uppercased()) == entry.dtype)
      }
      #expect(entry.dtype.description == entry.dtype.name)
    }
    for rubbish in ["", " ", "f", "f17", "f16 ", "bf16\0", "é", "NumberFormat"] {
      #expect(DType(rubbish) == nil)
    }
  }

  @Test func scalarTypesComputeInTheirOwnFormat() {
    for entry in FormatRegistry.all {
      #expect(entry.scalar == nil || entry.scalar?.format == entry.dtype.numberFormat)
      #expect(entry.saturating == nil || entry.saturating?.format == entry.dtype.numberFormat)
      #expect(entry.saturating == nil || entry.saturating?.overflow == .saturate)
      #expect((entry.dtype.numberFormat?.hasZero ?? false) == (entry.scalar != nil))
    }
  }

  /// Widths and grids as their standards print them.
  @Test(arguments: [
    ("f64", 64), ("f32", 32), ("tf32", 19), ("f16", 16), ("bf16", 16), ("f8e4m3fn", 8), ("f8e5m2", 8),
    ("f8e4m3fnuz", 8), ("f8e5m2fnuz", 8), ("f6e3m2", 6), ("f6e2m3", 6), ("f4e2m1", 4), ("e8m0", 8),
    ("int8", 8),
    ("uint8", 8), ("int4", 4), ("uint4", 4),
  ])
  func width(name: String, bits: Int) {
    #expect(DType(name)?.bitWidth == bits)
  }

  @Test func integerGridsReachTheirLimits() {
    #expect((IntegerFormat.int8.min, IntegerFormat.int8.max) == (-128, 127))
    #expect((IntegerFormat.uint8.min, IntegerFormat.uint8.max) == (0, 255))
    #expect((IntegerFormat.int4.min, IntegerFormat.int4.max) == (-8, 7))
    #expect((IntegerFormat.uint4.min, IntegerFormat.uint4.max) == (0, 15))
  }
}
