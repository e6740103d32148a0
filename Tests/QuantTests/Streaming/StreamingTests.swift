import Quant
import Testing

/// A matrix read like a file.
private struct MatrixBands: BandSource {
  let matrix: Matrix
  var rows: Int { matrix.rows }
  var columns: Int { matrix.columns }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    #expect(buffer.count == range.count * columns)
    _ = buffer.update(
      fromContentsOf: matrix.values[range.lowerBound * columns..<range.upperBound * columns])
  }
}

@Suite struct StreamingTests {
  /// Numbers, an outlier, what is no number, zeros; whole columns of 6 and more for LLM.int8().
  private static func wild(rows: Int, columns: Int) -> Matrix {
    var random = Seeded(59)
    var matrix = random.normals(rows: rows, columns: columns)
    let n = matrix.values.count
    matrix.values[n / 3] = 700
    matrix.values[n / 2] = .nan
    matrix.values[n - 2] = -.infinity
    matrix.values[n - columns - 1] = Float(bitPattern: 7000)
    for index in 0..<min(columns, 40) { matrix.values[n / 5 + index] = 0 }
    return matrix
  }

  /// Half a row (so one at a time), odd numbers of rows, everything.
  private static let bands = [1, 5 * 256, 77 * 256, 1 << 20]

  @Test func bandsGiveTheBytesOfTheWhole() throws {
    let schemes =
      try SchemeRegistry.known
      + ["int8@b37x50", "int4@tensor:f16", "f8e5m2@b3x7", "nf4@g128", "fp4@g32:cpu", "dynamic8@g64"].map {
        try SchemeRegistry.scheme(named: $0)
      }
    for matrix in [Self.wild(rows: 130, columns: 256), Self.wild(rows: 3, columns: 768)] {
      for scheme in schemes {
        var whole = try scheme.encoded(matrix)
        let decoded = try scheme.decoded(whole, rows: matrix.rows, columns: matrix.columns)
        let stored = try whole.withUnsafeBytes {
          try scheme.storedByteCount($0, rows: matrix.rows, columns: matrix.columns)
        }
        whole.removeLast(whole.count - stored)
        for band in Self.bands {
          var bytes = [UInt8](repeating: 0x5a, count: stored)
          var written = 0
          var values: [Float] = []
          let streamed = try StreamedEncoding(scheme, MatrixBands(matrix: matrix), bandElements: band)
          try streamed.forEachBand(
            write: { offset, part in
              bytes.replaceSubrange(offset..<offset + part.count, with: part)
              written += part.count
            }, decoded: { values += $0 })
          #expect(bytes == whole && written == stored, "\(scheme.name) in bands of \(band)")
          #expect(
            values.map(\.bitPattern) == decoded.map(\.bitPattern), "\(scheme.name) in bands of \(band)")
        }
      }
    }
  }

  @Test func neitherBandsNorThreadsChangeADigit() throws {
    let matrix = Self.wild(rows: 150, columns: 256)
    let schemes =
      SchemeRegistry.all + [try SchemeRegistry.scheme(named: "int4@tensor:f16")]
    var first: StreamedMeasurement?
    for (band, threads) in zip(Self.bands, [1, 2, 3, 2]) {
      let found = try StreamedMeasurement(
        schemes, MatrixBands(matrix: matrix), threads: threads, bandElements: band)
      for (scheme, m) in zip(schemes, found.measurements) {
        // And the same as of the buffer.
        let whole = try measure(scheme.name, matrix)
        for other in [whole, first?.measurements.first { $0.scheme == scheme.name } ?? whole] {
          #expect(m.scheme == other.scheme && m.storedBytes == other.storedBytes)
          #expect(m.statistics == other.statistics, "\(m.scheme) in bands of \(band)")
          #expect(m.split == other.split, "\(m.scheme) in bands of \(band)")
          #expect(m.places == other.places, "\(m.scheme) in bands of \(band)")
          #expect(m.divergence == other.divergence, "\(m.scheme) in bands of \(band)")
        }
      }
      #expect(found.distribution.binCount == first?.distribution.binCount ?? found.distribution.binCount)
      first = first ?? found
    }
  }

  @Test func aSurveyOfAnotherTensorIsRefused() throws {
    let scheme = try SchemeRegistry.scheme(named: "int8@tensor")
    let survey = TensorSurvey(columns: 4, for: [scheme])
    #expect(throws: SchemeError.self) { try StagedScheme(scheme, rows: 2, columns: 4, survey: survey) }
    #expect(throws: SchemeError.self) { try StagedScheme(scheme, rows: 2, columns: 4, survey: nil) }
    #expect(throws: SchemeError.self) {
      try StreamedMeasurement(
        [SchemeRegistry.scheme(named: "q4_0")],
        MatrixBands(matrix: Matrix(rows: 1, columns: 3, values: [1, 2, 3])))
    }
  }

  @Test func aSourceThatFailsStopsTheRun() throws {
    struct Broken: BandSource {
      let rows = 10
      let columns = 32
      func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
        if range.contains(7) { throw SchemeError.unknown("row 7") }
        buffer.update(repeating: 1)
      }
    }
    let scheme = try SchemeRegistry.scheme(named: "q8_0")
    #expect(throws: SchemeError.unknown("row 7")) {
      try StreamedMeasurement([scheme], Broken(), threads: 2, bandElements: 64)
    }
  }
}
