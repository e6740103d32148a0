import NumKitNumbers
import NumKitQuestions

/// B as kernels read it: codes [inner, columns] in the accumulator's format, scales [blocks, columns] in that of totals.
final class MatmulPanel<A: Scalar, T: Scalar>: Sendable {
  let codes: [A]
  let scales: [T]
  /// What was seen of it: NaN and infinities are its own, not the kernel's.
  let sights: StageTrace

  init(_ b: MatmulOperand) {
    let (inner, columns) = (b.inner, b.count)
    let source = b.codes
    var trace = StageTrace()
    trace.startRow(0)
    codes = Array(unsafeUninitializedCapacity: inner * columns) { codes, count in
      // Square by square, so that neither side is read across.
      for k in stride(from: 0, to: inner, by: 64) {
        for j in 0..<columns {
          for i in k..<Swift.min(k + 64, inner) {
            (codes.baseAddress! + i * columns + j).initialize(to: A(rounding: source[j * inner + i]))
          }
        }
      }
      count = inner * columns
      trace.observe(UnsafeMutableBufferPointer(rebasing: codes[..<count]), .input)
    }
    var scales: [T] = []
    if !b.scales.isEmpty {
      for block in 0..<b.blocks {
        for j in 0..<columns { scales.append(T(rounding: b.scales[j * b.blocks + block])) }
      }
    }
    self.scales = scales
    sights = trace
  }
}

/// A row of A times B: the sums of many columns side by side, each in its own order.
///
/// Codes are rounded to A and added by fused multiply-add in A. Scales follow where matrix units apply them: those of a tensor, a row
/// and a column after the sum, first B's and then A's, in T; those of blocks, multiplied with each other in T, to each block's sum by
/// fused multiply-add in T.
final class MatmulKernel<A: Scalar, T: Scalar> {
  private let order: MatmulOrder
  private let configuration: MatmulConfiguration
  private let inputs: MatmulInputs
  private let panel: MatmulPanel<A, T>
  private let isBlocked: Bool
  private let block: Int
  private let row: UnsafeMutableBufferPointer<A>
  private let sums: UnsafeMutableBufferPointer<A>
  private let sumScratch: UnsafeMutableBufferPointer<A>
  private let totals: UnsafeMutableBufferPointer<T>
  private let totalScratch: UnsafeMutableBufferPointer<T>

  init(
    _ order: MatmulOrder, _ configuration: MatmulConfiguration, _ inputs: MatmulInputs,
    _ panel: MatmulPanel<A, T>
  ) {
    self.order = order
    self.configuration = configuration
    self.inputs = inputs
    self.panel = panel
    if case .block = configuration.scaling { isBlocked = true } else { isBlocked = false }
    block = inputs.b.block
    let width = inputs.b.count
    func make<S: Scalar>(_ count: Int, _: S.Type) -> UnsafeMutableBufferPointer<S> {
      let buffer = UnsafeMutableBufferPointer<S>.allocate(capacity: count)
      buffer.initialize(repeating: .zero)
      return buffer
    }
    row = make(inputs.a.inner, A.self)
    sums = make(width, A.self)
    sumScratch = make(width * order.scratchCount(inputs.a.inner), A.self)
    totals = make(width, T.self)
    totalScratch = make(width * order.scratchCount(inputs.b.blocks), T.self)
  }

  deinit {
    for buffer in [row, sums, sumScratch] { buffer.deallocate() }
    for buffer in [totals, totalScratch] { buffer.deallocate() }
  }

  func answer(_ index: Int, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace) {
    let inner = row.count
    let codes = inputs.a.codes
    for k in 0..<inner { row[k] = A(rounding: codes[index * inner + k]) }
    trace.addInputs(panel.sights)
    trace.observe(row, .input)
    panel.codes.withUnsafeBufferPointer { codes in
      panel.scales.withUnsafeBufferPointer { scales in
        guard let codes = codes.baseAddress else { return }
        if let scales = scales.baseAddress, isBlocked {
          addBlocks(index, codes, scales, &trace)
        } else {
          add(0..<inner, order, codes, &trace)
        }
        if scales.isEmpty { return }
        if !isBlocked {
          let own = T(rounding: inputs.a.scales[index])
          for j in totals.indices { totals[j] = T(converting: sums[j]) * scales[j] * own }
        }
        trace.observe(totals, .scale)
      }
    }
    let format = configuration.result
    if panel.scales.isEmpty {
      for j in results.indices { results[j] = format.round(sums[j].exact) }
    } else {
      for j in results.indices { results[j] = format.round(totals[j].exact) }
    }
  }

  /// Writes the sums of products over `range`.
  private func add(
    _ range: Range<Int>, _ order: MatmulOrder, _ codes: UnsafePointer<A>, _ trace: inout StageTrace
  ) {
    let width = self.sums.count
    guard let sums = sums.baseAddress, let scratch = sumScratch.baseAddress, let x = row.baseAddress else {
      return
    }
    order.sum(range, width: width, into: sums, scratch: scratch) { k, sums in
      let a = x[k]
      let b = codes + k * width
      for j in 0..<width { sums[j] = A.fusedMultiplyAdd(a, b[j], sums[j]) }
    }
    guard configuration.accumulator == .int32 else {
      return trace.observe(self.sums, .sum)
    }
    for j in 0..<width {
      let exact = sums[j].exact
      let wrapped = Double(Int32(truncatingIfNeeded: Int64(exact)))
      if wrapped != exact { trace.observe(Double.infinity, .sum) }
      sums[j] = A(rounding: wrapped)
    }
  }

  /// Writes the totals of scaled blocks.
  private func addBlocks(
    _ index: Int, _ codes: UnsafePointer<A>, _ scales: UnsafePointer<T>, _ trace: inout StageTrace
  ) {
    let width = self.sums.count
    guard let totals = totals.baseAddress, let scratch = totalScratch.baseAddress,
      let sums = sums.baseAddress
    else { return }
    let inner = row.count
    let blocks = inputs.a.blocks
    let within = order.withinBlocks(of: block)
    order.acrossBlocks(of: block).sum(0..<blocks, width: width, into: totals, scratch: scratch) { b, totals in
      add(b * block..<Swift.min((b + 1) * block, inner), within, codes, &trace)
      let own = T(rounding: inputs.a.scales[index * blocks + b])
      let others = scales + b * width
      for j in 0..<width {
        totals[j] = T.fusedMultiplyAdd(T(converting: sums[j]), own * others[j], totals[j])
      }
    }
  }
}
