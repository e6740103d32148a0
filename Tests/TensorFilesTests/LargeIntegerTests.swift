import TensorFiles
import Testing

/// 64-bit integers are read as the Doubles that they are, or not at all.
@Suite("Large integers")
struct LargeIntegerTests {
  private func tensor(_ values: [UInt64], _ descr: String, _ shape: String, fortran: Bool = false) throws
    -> TensorView
  {
    let header = "{'descr': '\(descr)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape)}\n"
    let stored = values.map { descr.hasPrefix(">") ? $0.byteSwapped : $0 }
    return try TensorFile.of(npy(header, data: stored.flatMap(bytes)), "ids.npy").onlyTensor()
  }

  @Test func whatADoubleHoldsIsRead() throws {
    let exact: [Int64] = [
      0, -1, 1 << 53, -(1 << 53), (1 << 53) + 2, .min, 1 << 62, 0x1f_ffff_ffff_ffff << 9,
      -0x1f_ffff_ffff_ffff,
    ]
    let read = try tensor(exact.map { UInt64(bitPattern: $0) }, "<i8", "(9,)").doubles
    #expect(read == exact.map { Double($0) } && zip(read, exact).allSatisfy { Int64(exactly: $0) == $1 })
    #expect(
      try tensor([1 << 63, 0xffff_ffff_ffff_f800], ">u8", "(2,)").doubles == [0x1p63, 0xffff_ffff_ffff_f800])
  }

  @Test(arguments: [
    ("<i8", UInt64(0x20_0000_0000_0003), "9007199254740995"),
    (">i8", UInt64(bitPattern: -0x20_0000_0000_0005), "-9007199254740997"),
    ("<u8", UInt64.max, "18446744073709551615"), (">u8", 0x8000_0000_0000_0001, "9223372036854775809"),
    ("<i8", UInt64(Int64.max), "9223372036854775807"),
  ])
  func othersAreRefusedByName(_ descr: String, _ bad: UInt64, _ text: String) throws {
    var values = (0..<24).map { UInt64($0) }
    values[17] = bad
    let plain = try tensor(values, descr, "(2, 3, 4)")
    func reason(_ body: () throws -> Void) -> String {
      #expect(throws: TensorFileError.self) { try body() }?.reason ?? ""
    }
    let wanted = "element [1, 1, 1] is \(text), which no f64 holds"
    #expect(reason { _ = try plain.doubles } == "tensor 'ids': \(wanted)")
    // In any order, along any axis, one row at a time.
    let turned = try tensor(values, descr, "(4, 3, 2)", fortran: true)
    #expect(reason { _ = try turned.doubles } == "tensor 'ids': \(wanted)")
    for (view, axis) in [(plain, 0), (plain, 1), (plain, 2), (turned, 0), (turned, 1), (turned, 2)] {
      let rows = try view.rows(axis: axis)
      #expect(reason { try rows.forEachBatch { _, _ in } }.hasSuffix(wanted), "axis \(axis)")
      var readable = 0
      for row in 0..<rows.count {
        var values = [Double](repeating: 0, count: rows.length)
        if (try? values.withUnsafeMutableBufferPointer({ try rows.copyDoubles(row..<row + 1, into: $0) }))
          != nil
        {
          readable += 1
        }
      }
      // Across the order of the file rows are read in tiles, whose others a bad one takes along.
      #expect(readable < rows.count)
    }
    // As Floats, which round anyway.
    #expect(try plain.floats.count == 24)
    // What is not asked for does not matter.
    #expect(try plain.withDoubles(0..<17) { $0.count } == 17)
  }
}
