import NumKit

/// The shifted softmax with every operation rounded: through the runner (as the command runs it, observed between the
/// stages), and the kernel alone, specialised by its caller.
func kernelCases(_ rows: Rows) -> [Case] {
  let formats: [(String, NumberFormat)] = [
    ("f64", .f64), ("f32", .f32), ("f16", .f16), ("bf16", .bf16), ("e4m3", .f8e4m3fn),
  ]
  let candidates = Algorithm.all(for: .softmax, dtype: .float(.f32))
  guard let algorithm = candidates.first(where: { $0.description == ShiftedSoftmax.name }) else { return [] }
  var cases: [Case] = []
  for (name, format) in formats {
    let configuration = KernelConfiguration(storage: .float(format))
    guard let runner = KernelRunner(algorithm, configuration, parameters: OperationParameters()) else {
      continue
    }
    let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: Rows.length)
    results.initialize(repeating: 0)
    var trace = StageTrace()
    cases.append(
      Case(name: "runner.\(name)", elements: rows.f64.count) {
        for i in 0..<rows.count {
          trace.startRow(i)
          runner.run(rows.wideRow(i), target: 0, into: results, trace: &trace)
        }
      })
  }
  cases.append(kernel("f64", Double.self, rows))
  cases.append(kernel("f32", Float.self, rows))
  cases.append(kernel("f16", Float16.self, rows))
  cases.append(kernel("bf16", BFloat16.self, rows))
  cases.append(kernel("e4m3", Float8E4M3FN.self, rows))
  return cases
}

@inline(__always)
private func kernel<C: Scalar>(_ name: String, _: C.Type, _ rows: Rows) -> Case {
  let n = Rows.length
  let x = UnsafeMutableBufferPointer<C>.allocate(capacity: rows.f64.count)
  let y = UnsafeMutableBufferPointer<C>.allocate(capacity: n)
  let scratch = UnsafeMutableBufferPointer<C>.allocate(capacity: n)
  for i in x.indices { x[i] = C(rounding: rows.f64[i]) }
  y.initialize(repeating: .zero)
  scratch.initialize(repeating: .zero)
  let setting = KernelSetting<C>(
    summation: .sequential, target: 0, cotangent: UnsafeMutableBufferPointer(start: nil, count: 0),
    scratch: scratch)
  return Case(name: "kernel.\(name)", elements: x.count) {
    var stages = Unobserved()
    for i in 0..<rows.count {
      let row = UnsafeMutableBufferPointer(rebasing: x[i * n..<(i + 1) * n])
      ShiftedSoftmax.run(row, into: y, setting, accumulator: C.self, stages: &stages)
    }
  }
}
