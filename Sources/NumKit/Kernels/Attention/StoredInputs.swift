import NumKitNumbers
import NumKitQuestions

extension AttentionRunner {
  /// The tensors as the kernel gets them: rounded for storage, on a grid for each token where that is one of integers.
  public func stored(_ tensors: AttentionInputs) -> AttentionInputs { stored(tensors, narrowing: false) }

  /// The same; where it is `narrowing`, held in as little memory as can be.
  package func stored(_ tensors: AttentionInputs, narrowing: Bool) -> AttentionInputs {
    switch configuration.storage {
    case .float(let format):
      return tensors.rounded(to: format, overflow: configuration.overflow, narrowing: narrowing)
    case .integer(let format):
      let shape = tensors.shape
      func round(_ x: [Double], _ width: Int) -> [Double] {
        var y = x
        var grid = IntegerGrid(format)
        for start in stride(from: 0, to: x.count, by: width) {
          grid.fit(count: width) { x[start + $0] }
          for i in start..<start + width {
            y[i] = configuration.compute.round(grid.value(grid.code(x[i])), overflow: configuration.overflow)
          }
        }
        return y
      }
      return AttentionInputs(
        q: round(tensors.q, shape.headSize), k: round(tensors.k, shape.headSize),
        v: round(tensors.v, shape.valueSize), shape: shape) ?? tensors
    }
  }
}
