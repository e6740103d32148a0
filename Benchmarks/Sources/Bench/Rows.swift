import Foundation

/// The rows that every peer computes: 4096 f32 logits each, and the same as f64.
struct Rows {
  static let length = 4096
  let f32: UnsafeMutableBufferPointer<Float>
  let f64: UnsafeMutableBufferPointer<Double>
  var count: Int { f32.count / Self.length }

  init(_ data: Data) {
    let floats = data.count / 4 / Self.length * Self.length
    f32 = .allocate(capacity: floats)
    f64 = .allocate(capacity: floats)
    data.withUnsafeBytes { bytes in
      for i in 0..<floats {
        f32[i] = bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
        f64[i] = Double(f32[i])
      }
    }
  }

  func row(_ i: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(rebasing: f32[i * Self.length..<(i + 1) * Self.length])
  }
  func wideRow(_ i: Int) -> UnsafeBufferPointer<Double> {
    UnsafeBufferPointer(rebasing: f64[i * Self.length..<(i + 1) * Self.length])
  }
}
