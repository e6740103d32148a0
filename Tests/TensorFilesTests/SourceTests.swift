import Foundation
import NumKit
import TensorFiles
import Testing

/// Rows, bands and elements of any tensor along any axis, against a transposition by hand.
@Suite("One way to a tensor's numbers") struct SourceTests {
  /// Decodes q8_0: a scale in f16 and 32 signed bytes.
  struct Q8: BlockDecoder {
    func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) throws {
      for k in values.indices {
        let block = k / 32 * 34
        let scale = Float(bytes.loadUnaligned(fromByteOffset: block, as: Float16.self))
        values[k] = scale * Float(Int8(bitPattern: bytes[block + 2 + k % 32]))
      }
    }
  }

  /// Row-major `values` of `shape` as rows along `axis`.
  static func rows(_ values: [Double], _ shape: [Int], _ axis: Int) -> [Double] {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let length = shape[axis]
    return (0..<values.count / length).flatMap { row in
      (0..<length).map { values[(row / inner * length + $0) * inner + row % inner] }
    }
  }

  static func check(_ tensor: TensorView, _ values: [Double], _ random: inout SplitMix) throws {
    let shape = tensor.shape
    for axis in shape.indices {
      let source = try tensor.rows(axis: axis, decoder: Q8())
      let want = rows(values, shape, axis)
      #expect(source.length == shape[axis] && source.count * source.length == want.count)
      var ranges = (0..<12).map { _ -> Range<Int> in
        let start = Int.random(in: 0...want.count, using: &random)
        return start..<Int.random(in: start...want.count, using: &random)
      }
      ranges.append(0..<want.count)
      for range in ranges {
        var doubles = [Double](repeating: -7, count: range.count + 1)
        try doubles.withUnsafeMutableBufferPointer { try source.copyDoubles(elements: range, into: $0) }
        #expect(doubles.dropLast().map(bits) == want[range].map(bits) && doubles.last == -7)
        var floats = [Float](repeating: -7, count: range.count + 1)
        try floats.withUnsafeMutableBufferPointer { try source.copyFloats(elements: range, into: $0) }
        #expect(floats.dropLast().map(bits) == want[range].map { bits(Float($0)) } && floats.last == -7)
      }
      let row = Int.random(in: 0..<source.count, using: &random)
      var one = [Double](repeating: 0, count: source.length)
      try one.withUnsafeMutableBufferPointer { try source.copyDoubles(row..<row + 1, into: $0) }
      #expect(one.map(bits) == want[row * source.length..<(row + 1) * source.length].map(bits))
      var buffer: [Float] = [0]
      for bad in [-1..<0, want.count..<want.count + 1] {
        #expect(throws: TensorFileError.self) {
          try buffer.withUnsafeMutableBufferPointer { try source.copyFloats(elements: bad, into: $0) }
        }
      }
      #expect(throws: TensorFileError.self) {
        try buffer.withUnsafeMutableBufferPointer { try source.copyFloats(elements: 0..<2, into: $0) }
      }
    }
  }

  @Test func everyFileAlongEveryAxis() throws {
    var random = SplitMix(state: 5)
    for name in [
      "fortran2.npy", "fortran3.npy", "fortran4.npy", "rank5.npy", "f2-big.npy", "i2-big.npy",
      "b1-little.npy",
      "several.npz", "packed.safetensors", "all.safetensors", "small.gguf",
    ] {
      for tensor in try TensorFile.open(fixture("files/\(name)")).views where tensor.count > 1 {
        guard tensor.elementType.isNumeric else { continue }
        // Of 64 bit integers Float is rounded once.
        if [.int64, .uint64].contains(tensor.elementType) { continue }
        try Self.check(tensor, tensor.doubles, &random)
      }
    }
  }

  /// Long runs of a file are read piece by piece; where pieces meet, no number is lost.
  @Test(arguments: [("<f2", 2), ("<f4", 4), (">f4", 4), ("<f8", 8), ("<i8", 8), ("|u1", 1)])
  func longRunsInPieces(_ type: String, _ size: Int) throws {
    let scratch = try Scratch()
    let count = (3 << 16) / size + 1000
    let values = (0..<count).map { Double($0 % 251) }
    var data: [UInt8] = []
    for x in values {
      switch type {
      case "<f2": data += bytes(Float16(x).bitPattern)
      case "<f4": data += bytes(Float(x).bitPattern)
      case ">f4": data += bytes(Float(x).bitPattern).reversed()
      case "<f8": data += bytes(x.bitPattern)
      case "<i8": data += bytes(Int64(x))
      default: data.append(UInt8(x))
      }
    }
    let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(count),), }"
    let tensor = try TensorFile.open(scratch.write(npy(header, data: data), "long.npy")).views[0]
    for range in [0..<count, 1..<count - 1, 7..<7 + (1 << 16) / size, 5..<6 + (1 << 16) / size, 3..<3] {
      #expect(try tensor.withDoubles(range) { Array($0) } == Array(values[range]), "\(range)")
    }
  }

  /// Blocks run along the last axis of the file; rows need not.
  @Test func blocksAlongEveryAxis() throws {
    var random = SplitMix(state: 6)
    let (a, b, c) = (3, 5, 64)
    var data: [UInt8] = []
    var values: [Double] = []
    for block in 0..<a * b * c / 32 {
      let scale = Float16(0.25 * Double(1 + block % 7))
      data += bytes(scale.bitPattern)
      for k in 0..<32 {
        let code = Int8(truncatingIfNeeded: block * 31 + k * 7)
        data.append(UInt8(bitPattern: code))
        values.append(Double(scale) * Double(code))
      }
    }
    var file = GGUFBytes.file(
      tensors: [GGUFBytes.tensor("w", [UInt64(c), UInt64(b), UInt64(a)], 8, 0)], data: data.count)
    file.replaceSubrange((file.count - data.count)..., with: data)
    let tensor = try TensorFile.of(file).onlyTensor()
    #expect(tensor.shape == [a, b, c])
    try Self.check(tensor, values, &random)
    #expect(throws: TensorFileError.self) { try tensor.rows() }
  }

  /// What is larger than a strip of tiles, read in pieces by several threads at once.
  @Test func tilesAreSharedAmongThreads() throws {
    let scratch = try Scratch()
    let (rows, columns) = (6000, 3001)
    let writer = try TensorWriter(scratch("x.npy"), [.init("x", .f32, [columns, rows])])
    for k in 0..<columns { try writer.append((0..<rows).map { Double(k * rows + $0) }) }
    try writer.finish()
    let source = try TensorSpecifier(scratch("x.npy")).open().rows(axis: 0)
    let piece = 50_000
    let count = rows * columns
    DispatchQueue.concurrentPerform(iterations: (count + piece - 1) / piece) { k in
      let range = k * piece..<min((k + 1) * piece, count)
      var part = [Float](repeating: -1, count: range.count)
      do {
        try part.withUnsafeMutableBufferPointer { try source.copyFloats(elements: range, into: $0) }
      } catch { Issue.record(error) }
      let wrong = range.first { part[$0 - range.lowerBound] != Float($0 % columns * rows + $0 / columns) }
      #expect(wrong == nil)
    }
  }
}
