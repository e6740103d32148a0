import NumKit

/// Softmax by (e^((x − max)/2))²: half the range for the exponential, one more rounding.
enum HalvedSoftmax: Kernel {
  static let operation = RowOperation.softmax
  static let name = "halved"
  static let summary = "(e^((x - max)/2))^2 / sum"
  static let summations: [Summation] = [.sequential]

  static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    var largest = x[0]
    for value in x where value > largest { largest = value }
    let two = C.one + C.one
    for i in x.indices {
      let root = C.exp((x[i] - largest) / two)
      y[i] = root * root
    }
    stages.store(y, .exponential)
    var sum = A.zero
    for value in y { sum = sum + A(converting: value) }
    sum = stages.store(sum, .sum)
    for i in y.indices { y[i] = y[i] / C(converting: sum) }
    stages.store(y, .output)
  }
}
