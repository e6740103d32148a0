import TensorFiles

/// A finite number of a tensor that is infinite in f32.
struct BeyondSingle: Error, CustomStringConvertible {
  let tensor: String
  let value: Double
  var reason: String { "holds \(Figures.number(value)), beyond f32, in which this is done" }
  var description: String { "\(tensor): \(reason)" }
}

/// Throws where a finite f64 became an infinite Float: schemes and profiles take f32, and an overflow of ours would look
/// like one of theirs. `readDoubles` reads the same elements exactly.
func refuseOverflow(
  _ floats: UnsafeMutableBufferPointer<Float>, of name: String, type: ElementType,
  readDoubles: (UnsafeMutableBufferPointer<Double>) throws -> Void
) throws {
  guard type == .f64, floats.contains(where: \.isInfinite) else { return }
  let exact = UnsafeMutableBufferPointer<Double>.allocate(capacity: floats.count)
  defer { exact.deallocate() }
  try readDoubles(exact)
  if let k = floats.indices.first(where: { floats[$0].isInfinite && exact[$0].isFinite }) {
    throw BeyondSingle(tensor: name, value: exact[k])
  }
}
