#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Softmax in blocks with a running maximum, as a kernel for long rows has it.
public func blockedSoftmax(_ x: [Float], block: Int = 8) -> [Float] {
  // The maximum of the library steps over a NaN that comes first.
  if x.contains(where: \.isNaN) { return x.map { _ in .nan } }
  var top = -Float.infinity
  var sum: Float = 0
  for start in stride(from: 0, to: x.count, by: block) {
    let part = x[start..<min(start + block, x.count)]
    let next = max(top, part.max() ?? top)
    // Nothing was seen yet but −∞.
    if next == -.infinity { continue }
    sum *= exp(top - next)
    for value in part { sum += exp(value - next) }
    top = next
  }
  return x.map { exp($0 - top) / sum }
}

/// The same with a mistake: what was added up before is not rescaled when the maximum grows.
public func staleSoftmax(_ x: [Float], block: Int = 8) -> [Float] {
  var top = -Float.infinity
  var sum: Float = 0
  for start in stride(from: 0, to: x.count, by: block) {
    let part = x[start..<min(start + block, x.count)]
    top = max(top, part.max() ?? top)
    if top == -.infinity { continue }
    for value in part { sum += exp(value - top) }
  }
  return x.map { exp($0 - top) / sum }
}
