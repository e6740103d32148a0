import NumKit

/// A packed tensor's elements as numbers, in the order of its codes in the file: `outer` lines of `inner` elements.
///
/// x = (value[code] − zero) · scale, then · factor, or + offset, rounded to the type's format after the product and after the sum:
/// in the order of operations of the library that wrote it.
final class PackedElements: @unchecked Sendable {
  var inner: Int
  var codes: CodeGrid
  /// Whether lines of codes run along `inner`.
  var codesAlongInner = true
  /// The value of each code.
  var values: [Float]
  /// Groups of lines, and of elements of a line: what scales and zero points count by.
  var outerGroups = PackedGroups(1)
  var innerGroups: PackedGroups
  var scales: StoredScales
  /// Groups of a line: from one row of scales to the next.
  var scaleStride: Int
  /// Zero points as codes, less `zeroShift`.
  var zeros: CodeGrid?
  var zerosAlongInner = true
  var zeroShift = 0
  /// Whether zero points are two's complement bytes.
  var zerosAreSigned = false
  /// What is added in the end (MLX's biases), placed as scales are.
  var offsets: StoredScales?
  var factor: Float?
  var format: NumberFormat
  /// The files that hold the parts: they stay open, and are told what was read.
  var files: [FileBytes] = []

  init(
    inner: Int, codes: CodeGrid, values: [Float], innerGroups: PackedGroups, scales: StoredScales,
    scaleStride: Int, format: NumberFormat
  ) {
    self.inner = inner
    self.codes = codes
    self.values = values
    self.innerGroups = innerGroups
    self.scales = scales
    self.scaleStride = scaleStride
    self.format = format
  }

  /// Integers of so many bits, counted from `lowest`.
  static func integers(_ bits: Int, lowest: Int = 0) -> [Float] { (0..<1 << bits).map { Float($0 + lowest) } }

  @inline(__always)
  private func rounded(_ x: Float) -> Float {
    if format == .f16 { return Float(Float16(x)) }
    if format == .bf16 { return Self.brain(x) }
    return x
  }

  /// Rounded to bf16, ties to even; NaN stays one.
  @inline(__always)
  private static func brain(_ x: Float) -> Float {
    let bits = x.bitPattern
    if bits & 0x7fff_ffff > 0x7f80_0000 { return .nan }
    return Float(bitPattern: (bits &+ 0x7fff &+ bits >> 16 & 1) & 0xffff_0000)
  }

  @inline(__always)
  private func value(_ i: Int, _ j: Int) -> Float {
    let code = codesAlongInner ? codes.code(j, line: i) : codes.code(i, line: j)
    var x = values[code]
    let (a, b) = (outerGroups(i), innerGroups(j))
    if let zeros {
      let zero = zerosAlongInner ? zeros.code(b, line: a) : zeros.code(a, line: b)
      x -= zerosAreSigned ? Float(Int8(truncatingIfNeeded: zero)) : Float(zero + zeroShift)
    }
    let place = a * scaleStride + b
    x = x * scales[place]
    if let factor { x = x * factor }
    x = rounded(x)
    if let offsets { x = rounded(x + offsets[place]) }
    return x
  }

  /// Decodes `count` elements from the `first` on, `stride` elements apart. They must exist.
  func decode<T: DecodedValue>(
    first: Int, stride: Int, count: Int, into out: UnsafeMutablePointer<T>, outStride: Int
  ) {
    var (i, j) = (first / inner, first % inner)
    let (di, dj) = (stride / inner, stride % inner)
    let piece = 1 << 16
    for start in Swift.stride(from: 0, to: count, by: piece) {
      let end = min(start + piece, count)
      for k in start..<end {
        out[k * outStride] = T(value(i, j))
        i += di
        j += dj
        if j >= inner {
          j -= inner
          i += 1
        }
      }
      // A page fault brings in up to 64 KiB.
      let touched = min(stride * codes.bits / 8 + 1, 1 << 16) * (end - start)
      for file in files { file.noteRead(touched) }
    }
  }
}
