import Foundation
import TensorFiles
import Testing

/// Entries that are compressed are inflated when they are asked for, and checked.
@Suite("Deflated entries") struct DeflatedTests {
  private let valid: [UInt8]
  /// Where the directory entry of 'weights.npy' begins.
  private let directory: Int

  init() throws {
    let file = try Array(Data(contentsOf: URL(fileURLWithPath: fixture("files/deflated.npz"))))
    directory = try #require(file.indices.first { file[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    valid = file
  }

  private func changed(_ offset: Int, _ field: [UInt8]) -> [UInt8] {
    var file = valid
    file.replaceSubrange(directory + offset..<directory + offset + field.count, with: field)
    return file
  }

  /// Each opens, since only its header is looked at, and is refused when it is read.
  @Test func damageIsFound() throws {
    func reason(_ bytes: [UInt8]) -> String {
      do {
        _ = try TensorFile.of(bytes).onlyTensor().doubles
        return ""
      } catch { return "\(error)" }
    }
    #expect(reason(valid) == "")
    #expect(reason(changed(16, [1, 2, 3, 4])).contains("checksum is wrong"))
    let size = valid[directory + 24..<directory + 28].enumerated().reduce(0) {
      $0 + Int($1.element) << (8 * $1.offset)
    }
    #expect(reason(changed(24, bytes(UInt32(size + 1)))).contains("1 bytes follow"))
    #expect(reason(changed(24, bytes(UInt32(size - 1)))).contains("truncated: shape"))
    var file = valid
    // In the numbers, which come last.
    file[directory - 12] ^= 0x55
    #expect(reason(file).contains("deflated") || reason(file).contains("checksum"), "\(reason(file))")
  }

  /// A header that claims as much as a bomb would: refused before memory is taken.
  @Test func whatIsTooGoodToBeTrueIsRefused() throws {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (250000000,), }\n"
    let content = npy(header)
    // A stored block of deflate's: final, of so many bytes.
    let stream: [UInt8] = [1] + bytes(UInt16(content.count)) + bytes(~UInt16(content.count)) + content
    var entry = ZipBytes(name: "a.npy", content: stream, method: 8)
    entry.size = UInt32(content.count + 1_000_000_000)
    let view = try TensorFile.of(ZipBytes.file([entry])).onlyTensor()
    #expect(view.shape == [250_000_000])
    let error = #expect(throws: TensorFileError.self) { try view.withDoubles(0..<1) { $0[0] } }
    #expect(error?.reason == "\(stream.count) deflated bytes cannot be \(content.count + 1_000_000_000)")
    // Within the ratio, but not what the stream is.
    entry.size = UInt32(content.count + 40_000)
    entry.content =
      [1] + bytes(UInt16(content.count)) + bytes(~UInt16(content.count))
      + npy("{'descr': '<f4', 'fortran_order': False, 'shape': (10000,), }\n    ")
    let short = #expect(throws: TensorFileError.self) {
      try TensorFile.of(ZipBytes.file([entry])).onlyTensor().withDoubles(0..<1) { $0[0] }
    }
    #expect(short?.reason.contains("are not the") == true, "\(short?.reason ?? "")")
  }

  @Test func manyThreadsReadOne() throws {
    let file = try TensorFile.open(fixture("files/several.npz"))
    let tensor = try file.tensor(named: "ramp")
    let rows = try tensor.rows(axis: 0)
    DispatchQueue.concurrentPerform(iterations: 16) { k in
      var row = [Double](repeating: -1, count: 50)
      do {
        try row.withUnsafeMutableBufferPointer { try rows.copyDoubles(k..<k + 1, into: $0) }
      } catch { Issue.record(error) }
      #expect(row == (0..<50).map { Double(($0 * 60 + k) % 257) })
    }
  }
}
