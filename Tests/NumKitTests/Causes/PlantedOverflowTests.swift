import NumKit
import Testing

/// An infinity of either sign that is planted in any stage of any kernel, in any format, with and without hidden logits beside it, is
/// found where it was planted; what the inputs bring along is not.
@Suite struct PlantedOverflowTests {
  /// What a kernel makes: each stage that it passes on, and how many numbers that has.
  private struct Listing: Stages {
    var stages: [(stage: Stage, count: Int)] = []

    mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
      stages.append((stage, values.count))
    }
    mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
      stages.append((stage, 0))
      return value
    }
    mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? { nil }
  }

  /// Puts a number in the place of one that a kernel made, the `call`th time it passes something on.
  private struct Planting: Stages {
    var observed: Observed
    let call: Int
    let index: Int
    let number: Double
    var calls = 0

    mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
      if calls == call { values[index] = C(rounding: number) }
      calls += 1
      observed.store(values, stage)
    }
    mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
      let planted = calls == call ? C(rounding: number) : value
      calls += 1
      return observed.store(planted, stage)
    }
    mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? { nil }
  }

  private static let length = 6
  /// What it was planted in, for messages.
  private struct Case {
    let name: String
    let stage: Stage
    let index: Int
    let number: Double
    let hidden: [Int]
  }

  private func run<K: Kernel, C: Scalar>(_: K.Type, _: C.Type, hidden: [Int]) {
    let n = Self.length
    let row: [Double] = [0.5, -0.25, 0.75, 0.125, -0.5, 0.375]
    let x = UnsafeMutableBufferPointer<C>.allocate(capacity: n)
    let y = UnsafeMutableBufferPointer<C>.allocate(capacity: K.operation.resultCount(length: n))
    let v = UnsafeMutableBufferPointer<C>.allocate(capacity: n)
    let scratch = UnsafeMutableBufferPointer<C>.allocate(capacity: n)
    defer { for b in [x, y, v, scratch] { b.deallocate() } }
    for b in [x, y, v, scratch] { b.initialize(repeating: C(rounding: 0.25)) }
    for i in 0..<n { x[i] = C(rounding: hidden.contains(i) ? -.infinity : row[i]) }
    let setting = KernelSetting(summation: .sequential, target: 0, cotangent: v, scratch: scratch)
    var listing = Listing()
    K.run(x, into: y, setting, accumulator: C.self, stages: &listing)
    for (call, place) in listing.stages.enumerated() {
      for number in [Double.infinity, -.infinity] {
        // The first and the last place that no hidden logit excuses.
        let open = place.count == n ? (0..<n).filter { !hidden.contains($0) } : Array(0..<max(place.count, 1))
        for index in Set([open[0], open[open.count - 1]]) {
          var trace = StageTrace()
          trace.startRow(11)
          trace.observeLogits(x, isElementwise: K.operation == .sigmoid)
          var stages = Planting(observed: Observed(trace: trace), call: call, index: index, number: number)
          K.run(x, into: y, setting, accumulator: C.self, stages: &stages)
          check(
            stages.observed.trace, C.format,
            Case(
              name: "\(K.operation) \(K.name) in \(C.format.name)", stage: place.stage, index: index,
              number: number,
              hidden: hidden))
        }
      }
    }
  }

  private func check(_ trace: StageTrace, _ format: NumberFormat, _ planted: Case) {
    let what = "\(planted)"
    guard format.hasInfinity else {
      // Overflow is NaN there, or the largest number, which leaves no room.
      if format.hasNaN {
        #expect(trace.firstNaN?.stage == planted.stage && trace.firstNaN?.index == planted.index, "\(what)")
      } else {
        #expect(trace.firstNaN == nil && trace.firstOverflow == nil && trace.headroom == 0, "\(what)")
      }
      return
    }
    let isPole = planted.stage == .logarithm && planted.number < 0
    let birth = isPole ? trace.firstLogarithmOfZero : trace.firstOverflow
    #expect(
      birth?.stage == planted.stage && birth?.index == planted.index && birth?.row == 11
        && birth?.isNegative == (planted.number < 0), "\(what): \(String(describing: birth))")
    if !isPole { #expect(trace.headroom == 0, "\(what)") }
    // A NaN that it leads to names it.
    if trace.firstNaN != nil { #expect(trace.causeOfNaN == birth, "\(what)") }
  }

  private func sweep<C: Scalar>(_: C.Type) {
    for kernel in KernelRegistry.all {
      func open<K: Kernel>(_: K.Type) {
        run(K.self, C.self, hidden: [])
        // Without an infinity nothing hides exactly.
        if C.format.hasInfinity {
          for hidden in [[5], [2, 4], [1, 2, 3, 5]] { run(K.self, C.self, hidden: hidden) }
        }
      }
      open(kernel)
    }
  }

  @Test func inEveryStageOfEveryKernelAndFormat() {
    sweep(Float16.self)
    sweep(Float.self)
    sweep(Double.self)
    sweep(BFloat16.self)
    sweep(Float8E5M2.self)
    sweep(Float8E4M3FN.self)
    sweep(Float6E3M2.self)
  }

  /// Nothing planted, nothing found, whatever is hidden.
  @Test func maskedLogitsAreNoBirths() throws {
    let low = -Double.infinity
    let rows: [[Double]] = [
      [1, 2, low, 0.5], [low, 3, low, low], [2, low, 1, 0], [low, low, low, low], [.nan, 1, 2, 3],
      [.infinity, 1, low, 3],
    ]
    for operation in RowOperation.allCases {
      for algorithm in Algorithm.all(for: operation, dtype: .float(.f16)) {
        let p = OperationParameters(target: 1, cotangent: [1, -1, 2, 0.5])
        let runner = try #require(
          KernelRunner(algorithm, KernelConfiguration(storage: .float(.f16)), parameters: p))
        for row in rows {
          var trace = StageTrace()
          trace.startRow(0)
          var results = [Double](repeating: 0, count: operation.resultCount(length: 4))
          row.withUnsafeBufferPointer { x in
            results.withUnsafeMutableBufferPointer { runner.run(x, target: 1, into: $0, trace: &trace) }
          }
          // The logarithm of a probability of 0 is −∞ by right; sigmoids of infinities are 0 and 1.
          #expect(
            trace.firstOverflow == nil && trace.firstNaN == nil && trace.firstLogarithmOfZero == nil,
            "\(operation) \(algorithm) of \(row): \(trace)")
        }
      }
    }
  }

  /// The division by the temperature is a stage, and its overflow one of either sign.
  @Test(arguments: [(0.0078125, 20000.0, 3), (0.0078125, -20000.0, 1)])
  func theTemperatureOverflows(_ tau: Double, _ logit: Double, _ place: Int) throws {
    for algorithm in Algorithm.all(for: .softmax, dtype: .float(.f16)) {
      let runner = try #require(
        KernelRunner(
          algorithm, KernelConfiguration(storage: .float(.f16)),
          parameters: OperationParameters(temperature: tau)))
      var row: [Double] = [0.5, 1, 0.25, 1, -.infinity]
      row[place] = logit
      var trace = StageTrace()
      trace.startRow(4)
      var results = [Double](repeating: 0, count: 5)
      row.withUnsafeBufferPointer { x in
        results.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
      }
      let birth = try #require(trace.firstOverflow, "\(algorithm)")
      #expect(
        birth.stage == .scale && birth.index == place && birth.isNegative == (logit < 0) && birth.row == 4)
    }
  }

  /// The first of several rows, wherever shards are cut.
  @Test func theEarliestRowIsNamed() {
    func trace(_ row: Int, _ x: [Float]) -> StageTrace {
      var trace = StageTrace()
      trace.startRow(row)
      var x = x
      x.withUnsafeMutableBufferPointer { trace.observe($0, .shift) }
      x = x.map { $0 - $0 }
      x.withUnsafeMutableBufferPointer { trace.observe($0, .exponential) }
      return trace
    }
    let late = trace(9, [1, -.infinity, 2])
    let early = trace(3, [1, 2, .infinity])
    for (a, b) in [(late, early), (early, late)] {
      var both = a
      both.merge(b)
      #expect(both.firstOverflow?.row == 3 && both.firstNaN?.row == 3 && both.causeOfNaN?.index == 2)
    }
    // −∞ on the way to an exponential spoils nothing by itself.
    var harmless = StageTrace()
    harmless.startRow(0)
    var x: [Float] = [-.infinity, 0]
    x.withUnsafeMutableBufferPointer { harmless.observe($0, .shift) }
    #expect(harmless.firstOverflow != nil && harmless.firstHarm == nil)
  }
}
