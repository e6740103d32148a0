import NumKitNumbers
import NumKitQuestions

/// The buffers of one runner, and what is done to a row before any kernel sees it: conversion, temperature, policy.
final class KernelWorkspace<C: Scalar> {
  enum Preparation {
    /// The kernel answers.
    case run
    /// Policy or a limit answers, with the same number everywhere.
    case fill(Double)
  }

  private(set) var x = UnsafeMutableBufferPointer<C>.allocate(capacity: 0)
  private(set) var y = UnsafeMutableBufferPointer<C>.allocate(capacity: 0)
  private(set) var setting: KernelSetting<C>
  private let parameters: OperationParameters

  init(parameters: OperationParameters, summation: Summation) {
    self.parameters = parameters
    setting = KernelSetting(
      summation: summation, target: parameters.target, cotangent: .allocate(capacity: 0),
      scratch: .allocate(capacity: 0))
  }

  deinit {
    x.deallocate()
    y.deallocate()
    setting.cotangent.deallocate()
    setting.scratch.deallocate()
  }

  func load(_ row: UnsafeBufferPointer<Double>, target: Int, resultCount: Int) {
    setting.target = target
    Self.resize(&x, row.count)
    Self.resize(&y, resultCount)
    Self.resize(&setting.scratch, row.count)
    for i in row.indices { x[i] = C(rounding: row[i]) }
    if parameters.cotangent.count == row.count && setting.cotangent.count != row.count {
      Self.resize(&setting.cotangent, row.count)
      for i in row.indices { setting.cotangent[i] = C(rounding: parameters.cotangent[i]) }
    }
  }

  private static func resize(_ buffer: inout UnsafeMutableBufferPointer<C>, _ count: Int) {
    guard buffer.count != count else { return }
    buffer.deallocate()
    buffer = .allocate(capacity: count)
    buffer.initialize(repeating: .zero)
  }

  /// Divides by the temperature and applies the policy for infinite maxima; `trace` sees the logits and the quotients.
  func prepare(_ operation: RowOperation, _ trace: inout StageTrace) -> Preparation {
    trace.observeLogits(x, isElementwise: operation == .sigmoid)
    // Where the true class is masked the loss is infinite.
    if operation == .crossEntropy && x[setting.target].exact == -.infinity { trace.excuseResult() }
    if setting.cotangent.contains(where: { !$0.exact.isFinite }) { trace.excuseRow() }
    if parameters.temperature != 1 {
      if let limit = divideByTemperature(operation, &trace) { return .fill(limit) }
    }
    guard parameters.specialValues != .ieee, operation != .sigmoid, operation != .logSumExp else {
      return .run
    }
    let m = x.maximum()
    guard m.isInfinite else { return .run }
    defer { trace.noteMasks(x) }
    if m.exact > 0 {
      keepOnly(m)
    } else if parameters.specialValues == .uniform {
      x.update(repeating: .zero)
    } else {
      switch operation {
      case .logSoftmax: return .fill(-.infinity)
      case .crossEntropy: return .fill(.infinity)
      default: return .fill(0)
      }
    }
    return .run
  }

  /// The limit τ → 0 or τ → ∞, or x/τ; returns a number where the limit is one.
  private func divideByTemperature(_ operation: RowOperation, _ trace: inout StageTrace) -> Double? {
    if parameters.temperature == .infinity {
      for i in x.indices where x[i].exact.isFinite { x[i] = .zero }
      return nil
    }
    let tau = C(rounding: parameters.temperature)
    if tau.exact == 0 {
      if operation == .sigmoid {
        for i in x.indices where !x[i].isNaN && x[i] != .zero {
          x[i] = x[i] > .zero ? -C.lowest : .lowest
        }
        trace.noteMasks(x, isElementwise: true)
        return nil
      }
      let m = x.maximum()
      if m.isNaN || m.isInfinite { return nil }
      if operation == .logSumExp && m != .zero { return m > .zero ? .infinity : -.infinity }
      keepOnly(m)
    } else {
      for i in x.indices { x[i] = x[i] / tau }
      trace.observe(x, .scale)
      return nil
    }
    trace.noteMasks(x)
    return nil
  }

  /// 0 where the element is `m`, as good as −∞ elsewhere.
  private func keepOnly(_ m: C) {
    for i in x.indices { x[i] = x[i] == m ? .zero : .lowest }
  }
}
