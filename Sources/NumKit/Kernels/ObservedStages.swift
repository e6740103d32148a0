import NumKitNumbers

/// Stages that are watched and not changed.
package struct Observed: Stages {
  package var trace: StageTrace

  package init(trace: StageTrace) { self.trace = trace }

  package mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
    trace.observe(values, stage)
  }
  package mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
    trace.observe(value, stage)
    return value
  }
  package mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? {
    nil
  }
}

/// Stages whose tensors are stored on an integer grid, each row with its own scale, and whose sums are sums of codes in
/// Int32 (modelled in 64 bits; an Int32 could hold 2^23 codes of 8 bits).
struct OnIntegerGrid: Stages {
  var trace: StageTrace
  private var grid: IntegerGrid

  init(_ format: IntegerFormat, trace: StageTrace) {
    grid = IntegerGrid(format)
    self.trace = trace
  }

  mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
    trace.observe(values, stage)
    // A logarithm goes into the result at once.
    if stage == .logarithm { return }
    grid.fit(count: values.count) { values[$0].exact }
    for i in values.indices { values[i] = C(rounding: grid.value(grid.code(values[i].exact))) }
  }
  mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
    trace.observe(value, stage)
    return value
  }
  mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? {
    var total = 0
    for v in values { total += Int(grid.code(v.exact) - grid.zeroPoint) }
    return A(rounding: Double(grid.scale) * Double(total))
  }
}
