import TensorFiles

/// A finite number of a tensor that is infinite in f32.
struct BeyondSingle: Error, CustomStringConvertible {
  let tensor: String
  let value: Double
  var reason: String { "holds \(Figures.number(value)), beyond f32, in which this is done" }
  var description: String { "\(tensor): \(reason)" }
}

extension TensorSource {
  /// Reads as f32, and throws where a finite f64 becomes infinite: schemes and profiles take f32, and an overflow of ours would
  /// look like one of theirs.
  func copyNarrowed(
    elements range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>, of name: String
  ) throws {
    try copyFloats(elements: range, into: buffer)
    let floats = UnsafeMutableBufferPointer(rebasing: buffer[..<range.count])
    guard tensor.elementType == .f64, floats.contains(where: \.isInfinite) else { return }
    let exact = UnsafeMutableBufferPointer<Double>.allocate(capacity: floats.count)
    defer { exact.deallocate() }
    try copyDoubles(elements: range, into: exact)
    if let k = floats.indices.first(where: { floats[$0].isInfinite && exact[$0].isFinite }) {
      throw BeyondSingle(tensor: name, value: exact[k])
    }
  }
}
