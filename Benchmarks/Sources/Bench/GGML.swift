import Foundation
import Quant

/// ggml's block schemes beside ggml itself: same buffers, same process, one thread, calls in turn; the best time of
/// each counts. Encoding against `quantize_row_*` of libggml-cpu (its SIMD code where it has any), decoding against
/// `dequantize_row_*` of libggml-base. GB/s count the f32 side.
///
/// `path` is libggml-cpu; libggml-base lies beside it.
func benchmarkGGML(library path: String) {
  guard let library = GGMLLibrary(path: path) else {
    print("ggml: cannot load \(path): \(dlerror().map { String(cString: $0) } ?? "")")
    return
  }
  for mebibytes in [1, 64] {
    print("ggml schemes, \(mebibytes) MiB of f32, GB/s: ours, ggml, ratio; encode then decode")
    for scheme in GGMLSchemes.all { measure(scheme, library, floats: mebibytes << 18) }
  }
}

private typealias RowFunction = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, Int64) -> Void

private struct GGMLLibrary {
  let base: UnsafeMutableRawPointer
  let cpu: UnsafeMutableRawPointer

  init?(path: String) {
    let beside = path.replacingOccurrences(of: "libggml-cpu", with: "libggml-base")
    guard let base = dlopen(beside, RTLD_NOW | RTLD_GLOBAL), let cpu = dlopen(path, RTLD_NOW),
      let start = dlsym(cpu, "ggml_cpu_init")
    else { return nil }
    self.base = base
    self.cpu = cpu
    unsafeBitCast(start, to: (@convention(c) () -> Void).self)()
  }

  /// ggml's functions for a scheme; Q8_1 has no decoder.
  func functions(_ scheme: String) -> (encode: RowFunction?, decode: RowFunction?) {
    var name = String(scheme.prefix { $0 != ":" })
    if name.hasSuffix("_k") { name = name.dropLast() + "K" }
    func find(_ library: UnsafeMutableRawPointer, _ symbol: String) -> RowFunction? {
      dlsym(library, symbol).map { unsafeBitCast($0, to: RowFunction.self) }
    }
    return (find(cpu, "quantize_row_\(name)"), find(base, "dequantize_row_\(name)"))
  }
}

private func measure(_ scheme: any Scheme, _ library: GGMLLibrary, floats count: Int) {
  let (theirEncode, theirDecode) = library.functions(scheme.name)
  let columns = 4096
  let rows = count / columns
  guard let size = try? scheme.byteCount(rows: rows, columns: columns) else { return }
  let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
  let back = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
  defer {
    values.deallocate()
    back.deallocate()
    bytes.deallocate()
  }
  guard let x = values.baseAddress, let y = bytes.baseAddress, let z = back.baseAddress else { return }
  // Sums of four uniforms: near enough to normal.
  var state: UInt64 = 1
  for i in 0..<count {
    var sum: Float = 0
    for _ in 0..<4 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      sum += Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }
    values[i] = sum
  }
  back.initialize(repeating: 0)

  let encode = best(
    count,
    { try? scheme.encode(UnsafeBufferPointer(values), rows: rows, columns: columns, into: bytes) },
    theirEncode.map { f in { f(x, y, Int64(count)) } })
  try? scheme.encode(UnsafeBufferPointer(values), rows: rows, columns: columns, into: bytes)
  let decode = best(
    count,
    { try? scheme.decode(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, into: back) },
    theirDecode.map { f in { f(y, z, Int64(count)) } })
  let name = scheme.name.padding(toLength: 12, withPad: " ", startingAt: 0)
  print("\(name) \(encode)   \(decode)")
}

/// The rates of two ways to do the same, called in turn, and their ratio.
private func best(_ count: Int, _ ours: () -> Void, _ theirs: (() -> Void)?) -> String {
  let clock = ContinuousClock()
  var (mine, other) = (Double.infinity, Double.infinity)
  let start = clock.now
  repeat {
    mine = min(mine, clock.measure(ours) / .seconds(1))
    if let theirs { other = min(other, clock.measure(theirs) / .seconds(1)) }
  } while clock.now - start < .milliseconds(400)
  func rate(_ seconds: Double) -> Double { Double(4 * count) / seconds / 1e9 }
  guard theirs != nil else { return String(format: "%8.3f        –       –", rate(mine)) }
  return String(format: "%8.3f %8.3f %6.2f×", rate(mine), rate(other), other / mine)
}
