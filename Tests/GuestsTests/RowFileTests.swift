import Foundation
import Guests
import NumKit
import TensorFiles
import Testing

/// Results of rows in files: which shapes they may have, and that each is a number of its format.
@Suite struct RowFileTests {
  /// A .npy file of f32.
  private func tensor(_ shape: [Int], _ values: [Float]) throws -> TensorView {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(dimensions)), }"
    header += String(repeating: " ", count: (64 - (header.utf8.count + 11) % 64) % 64) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
    for x in values { withUnsafeBytes(of: x.bitPattern.littleEndian) { bytes += Array($0) } }
    return try bytes.withUnsafeBytes { try TensorFile(bytes: $0, path: "y.npy").onlyTensor() }
  }

  private func rows(_ file: RowFile, _ count: Int, _ perRow: Int) throws -> [[Double]] {
    try (0..<count).map { row in
      var y = [Double](repeating: 0, count: perRow)
      try y.withUnsafeMutableBufferPointer {
        try file.results(of: RowQuestion.Item(row: row, values: []), into: $0)
      }
      return y
    }
  }

  @Test func rowsRunAlongTheInputsAxis() throws {
    let file = try RowFile(
      tensor([2, 3], [1, 2, 3, 4, 5, 6]), name: "y.npy", operation: .softmax, shape: [2, 3], axis: 0)
    #expect(try rows(file, 3, 2) == [[1, 4], [2, 5], [3, 6]])
    let one = try RowFile(
      tensor([2, 1], [1, 2]), name: "y.npy", operation: .logSumExp, shape: [2, 3], axis: 1)
    #expect(try rows(one, 2, 1) == [[1], [2]])
    let first = try RowFile(
      tensor([1, 3], [1, 2, 3]), name: "y.npy", operation: .softmax, shape: [2, 3], axis: 1, rows: 1)
    #expect(try rows(first, 1, 3) == [[1, 2, 3]])
    let jacobian = try RowFile(
      tensor([1, 2, 2], [1, 2, 3, 4]), name: "y.npy", operation: .softmaxJacobian, shape: [1, 2], axis: 1)
    #expect(try rows(jacobian, 1, 4) == [[1, 2, 3, 4]])
  }

  @Test func otherShapesAreRefused() throws {
    let y = try tensor([3, 2], [1, 2, 3, 4, 5, 6])
    #expect(throws: GuestError("y.npy: its shape is [3, 2], but results of these inputs have [2, 3]")) {
      try RowFile(y, name: "y.npy", operation: .softmax, shape: [2, 3], axis: 1)
    }
    #expect(throws: GuestError("y.npy: its shape is [3, 2], but results of these inputs have [2] or [2, 1]"))
    {
      try RowFile(y, name: "y.npy", operation: .logSumExp, shape: [2, 3], axis: 1)
    }
  }

  @Test func numbersMustBeOfTheFormat() throws {
    let good = try RowFile(
      tensor([2, 2], [1, 0.5, .nan, .infinity]), name: "y.npy", operation: .softmax, shape: [2, 2], axis: 1,
      format: .bf16)
    #expect(try rows(good, 1, 2) == [[1, 0.5]])
    #expect(try rows(good, 2, 2)[1][0].isNaN)
    let bad = try RowFile(
      tensor([2, 2], [1, 0.5, 0.25, 0.1]), name: "y.npy", operation: .softmax, shape: [2, 2], axis: 1,
      format: .bf16)
    #expect(
      throws: GuestError(
        "y.npy: result [1, 1] is 0.10000000149011612, which is no number of bf16")
    ) { try rows(bad, 2, 2) }
  }
}
