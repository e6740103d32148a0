import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite("Rows along any axis")
struct RowTests {
  /// A tensor of a shape whose element at a row-major position is that position, in either order and byte order.
  static func counting(_ shape: [Int], columnMajor: Bool, bigEndian: Bool) throws -> TensorView {
    let count = shape.reduce(1, *)
    var strides = [Int](repeating: 1, count: shape.count)
    var next = 1
    for axis in columnMajor ? Array(shape.indices) : Array(shape.indices.reversed()) {
      strides[axis] = next
      next *= shape[axis]
    }
    var stored = [UInt32](repeating: 0, count: count)
    for position in 0..<count {
      var rest = position
      var place = 0
      for axis in shape.indices.reversed() {
        place += rest % shape[axis] * strides[axis]
        rest /= shape[axis]
      }
      stored[place] = bigEndian ? UInt32(position).byteSwapped : UInt32(position)
    }
    let text = shape.map { "\($0)," }.joined()
    let header =
      "{'descr': '\(bigEndian ? ">" : "<")u4', 'fortran_order': \(columnMajor ? "True" : "False"), 'shape': (\(text))}\n"
    return try TensorFile.of(npy(header, data: stored.flatMap(bytes))).onlyTensor()
  }

  /// The rows, by definition: every row index, every position along the axis.
  static func rows(_ shape: [Int], axis: Int) -> [[Double]] {
    let before = shape[..<axis].reduce(1, *)
    let after = shape[(axis + 1)...].reduce(1, *)
    return (0..<before).flatMap { b in
      (0..<after).map { a in (0..<shape[axis]).map { Double((b * shape[axis] + $0) * after + a) } }
    }
  }

  static let shapes = [[7], [5, 3], [1, 6], [6, 1], [2, 3, 4], [3, 1, 2, 5], [2, 2, 3, 2, 2]]

  @Test(arguments: shapes, [false, true]) func everyAxis(_ shape: [Int], _ columnMajor: Bool) throws {
    for bigEndian in [false, true] {
      let tensor = try Self.counting(shape, columnMajor: columnMajor, bigEndian: bigEndian)
      let all = try tensor.doubles
      #expect(all == (0..<tensor.count).map { Double($0) })
      for axis in shape.indices {
        let want = Self.rows(shape, axis: axis)
        let reader = try tensor.rows(axis: axis)
        #expect(reader.count == want.count)
        #expect(reader.length == shape[axis])
        #expect(try tensor.rows(axis: axis - shape.count).axis == axis)
        for batchBytes in [1, 8 * shape[axis] * 2 + 3, 1 << 20] {
          var got: [[Double]] = []
          var floats: [[Float]] = []
          try reader.forEachBatch(batchBytes: batchBytes) { range, rows in
            #expect(range.lowerBound == got.count)
            #expect(rows.count == range.count * reader.length)
            for i in 0..<range.count {
              got.append(Array(rows[(i * reader.length)..<((i + 1) * reader.length)]))
            }
          }
          try reader.forEachFloatBatch(batchBytes: batchBytes) { range, rows in
            for i in 0..<range.count {
              floats.append(Array(rows[(i * reader.length)..<((i + 1) * reader.length)]))
            }
          }
          #expect(got == want)
          #expect(floats == want.map { row in row.map { Float($0) } })
        }
        for first in 0..<reader.count {
          #expect(try reader.withRow(first) { Array($0) } == want[first])
        }
      }
      for range in [0..<0, 1..<tensor.count, 2..<5, tensor.count - 1..<tensor.count] {
        #expect(try tensor.withDoubles(range) { Array($0) } == range.map { Double($0) })
        #expect(try tensor.withFloats(range) { Array($0) } == range.map { Float($0) })
      }
    }
  }

  @Test func scalarsAreOneRow() throws {
    let tensor = try TensorSpecifier(fixture("files/rank0.npy")).open()
    let reader = try tensor.rows()
    #expect(reader.count == 1)
    #expect(reader.length == 1)
    #expect(try reader.withRow(0) { $0[0] } == -1.5 as Double)
    #expect(throws: TensorFileError.self) { try tensor.rows(axis: 0) }
  }

  @Test func outOfRangeIsThrown() throws {
    let tensor = try Self.counting([2, 3], columnMajor: false, bigEndian: false)
    for axis in [2, -3, .max, .min] { #expect(throws: TensorFileError.self) { try tensor.rows(axis: axis) } }
    for range in [-1..<2, 0..<7, 7..<8, Int.min..<Int.max] {
      #expect(throws: TensorFileError.self) { try tensor.withDoubles(range) { $0.count } }
      #expect(throws: TensorFileError.self) { try tensor.withRawBytes(-1..<2) { $0.count } }
      #expect(throws: TensorFileError.self) { try tensor.rows().forEachBatch(range) { _, _ in } }
    }
    let buffer = UnsafeMutableBufferPointer<Double>.allocate(capacity: 2)
    defer { buffer.deallocate() }
    #expect(throws: TensorFileError.self) { try tensor.copyDoubles(0..<3, into: buffer) }
    #expect(throws: TensorFileError.self) { try tensor.rows().copyDoubles(0..<1, into: buffer) }
    let file = try TensorFile.open(fixture("files/small.gguf"))
    let error = #expect(throws: TensorFileError.self) { try file.tensor(named: "Q8_0").rows() }
    #expect(error?.reason.contains("q8_0 elements are not plain numbers") == true)
  }

  /// A file of 192 MiB, sparse but for its ends, streamed in less than 64 MiB of resident memory.
  @Test func streamsInBoundedMemory() throws {
    #if os(Linux)
      let scratch = try Scratch()
      let path = scratch("large.npy")
      let (rows, length) = (49152, 1024)
      var file = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(length)), }\n")
      file += bytes(Float(1).bitPattern)
      try Data(file).write(to: URL(fileURLWithPath: path))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seek(toOffset: UInt64(file.count - 4 + rows * length * 4 - 4))
      try handle.write(contentsOf: Data(bytes(Float(2).bitPattern)))
      try handle.close()
      for axis in [1, 0] {
        let reader = try TensorSpecifier(path).open().rows(axis: axis)
        let before = residentFile()
        var (sum, peak) = (0.0, 0)
        // Along axis 0, one batch touches every page of the file.
        let range = axis == 1 ? 0..<reader.count : reader.count - 8..<reader.count
        try reader.forEachBatch(range) { _, values in
          for value in values { sum += value }
          peak = max(peak, residentFile() - before)
        }
        #expect(sum == (axis == 1 ? 3 : 2))
        #expect(peak < 64 << 20)
      }
    #endif
  }

  /// Bytes of mapped files that are resident.
  private func residentFile() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("RssFile:") } ?? ""
    return (line.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0) << 10
  }

  @Test func threadsShareAView() throws {
    let tensor = try TensorSpecifier(fixture("smollm2/smollm2-attn.safetensors:blk.11.q")).open()
    let reader = try tensor.rows()
    let want = try tensor.doubles.reduce(0, +)
    let sums = SharedSums(reader.count)
    DispatchQueue.concurrentPerform(iterations: reader.count) { row in
      try? reader.withRow(row) { sums.values[row] = $0.reduce(0, +) }
    }
    #expect(abs(sums.values.reduce(0, +) - want) < 1e-9)
  }

  private final class SharedSums: @unchecked Sendable {
    let values: UnsafeMutableBufferPointer<Double>
    init(_ count: Int) {
      values = .allocate(capacity: count)
      values.initialize(repeating: .nan)
    }
    deinit { values.deallocate() }
  }
}
