import NumKit

/// Where a block of each of ggml's schemes stores Float16 beside its codes: scales, minima, and in q8_1 a sum.
extension Q4_0 { static var halves: [Int] { [0] } }
extension Q4_1 { static var halves: [Int] { [0, 2] } }
extension Q5_0 { static var halves: [Int] { [0] } }
extension Q5_1 { static var halves: [Int] { [0, 2] } }
extension Q8_0 { static var halves: [Int] { [0] } }
extension Q8_0SIMD { static var halves: [Int] { [0] } }
extension Q8_1 { static var halves: [Int] { [0, 2] } }
extension TQ1_0 { static var halves: [Int] { [52] } }
extension TQ2_0 { static var halves: [Int] { [64] } }
extension Q2_K { static var halves: [Int] { [80, 82] } }
extension Q3_K { static var halves: [Int] { [108] } }
extension Q4_K { static var halves: [Int] { [0, 2] } }
extension Q5_K { static var halves: [Int] { [0, 2] } }
extension Q6_K { static var halves: [Int] { [208] } }
extension IQ4_NL { static var halves: [Int] { [0] } }
extension IQ4_NLReference { static var halves: [Int] { [0] } }
extension IQ4_XS { static var halves: [Int] { [0] } }
/// Scales of 8 bits, which decoded numbers show.
extension MXFP4GGML { static var halves: [Int] { [] } }
extension NVFP4GGML { static var halves: [Int] { [] } }

extension GGMLScheme {
  func scaleFaults(
    _ bytes: UnsafeRawBufferPointer, _ values: UnsafeBufferPointer<Float>,
    decoded: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws -> ScaleFaults {
    var faults = ScaleFaults()
    guard let b = bytes.baseAddress else { return faults }
    let halves = Self.halves
    for block in 0..<(try blockCount(rows: rows, columns: columns)) {
      let elements = block * Self.blockLength..<(block + 1) * Self.blockLength
      let start = b + block * Self.blockBytes
      faults.add(halves.lazy.map { Half.read(start, $0) }, vanished: hasVanished(values, decoded, elements))
    }
    return faults
  }
}
