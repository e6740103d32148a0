import NumKit
import TensorFiles

/// A mask from a file, broadcast over heads, queries and keys as NumPy does it.
struct MaskFile {
  /// What is added to each score: queries × keys for all heads, or for each.
  let additive: [Double]

  /// `heads` are the dimensions of the queries before tokens and size: batches and heads.
  init(_ specifier: String, _ shape: AttentionShape, heads: [Int]) throws {
    let tensor = try WholeTensor(specifier)
    let name = ArgumentText.shown(specifier)
    let isBoolean = tensor.type == .bool
    guard isBoolean || tensor.type.numberFormat != nil || !tensor.type.isNumeric else {
      throw UsageError(
        "--mask \(name): \(tensor.type) would be added to the scores as numbers; save a mask of what is seen as booleans, "
          + "one that is added as floats")
    }
    let scores = [shape.queries, shape.keys]
    // As queries have them, or batches and heads in one, or that one dimension as several.
    let targets = [heads + scores, [shape.heads] + scores]
    var found: [Int]?
    for target in targets {
      found = found ?? Self.strides(of: tensor.shape, over: target).map { Self.flattened($0, target) }
    }
    let leading = tensor.shape.dropLast(2)
    if found == nil, heads.count == 1, tensor.shape.suffix(2) == scores[...],
      leading.reduce(1, *) == shape.heads
    {
      found = Self.strides(of: [shape.heads] + scores, over: targets[1]).map {
        Self.flattened($0, targets[1])
      }
    }
    guard let starts = found else {
      throw UsageError(
        "--mask \(name): its shape \(tensor.shape) does not broadcast to heads x queries x keys, "
          + "\((heads + scores).map(String.init).joined(separator: " x "))")
    }
    // Where the mask is the same for all heads it is kept once.
    let firsts = stride(from: 0, to: starts.count - 2, by: 1).map { starts[$0] }
    let isOne = firsts.allSatisfy { $0 == firsts[0] }
    let kept = isOne ? Array(firsts.prefix(1)) : firsts
    let (rowStep, columnStep) = (starts[starts.count - 2], starts[starts.count - 1])
    try Memory.require(
      Memory.product(kept.count, shape.queries, shape.keys, 16),
      for: "--mask \(name): holding it for all heads")
    var values: [Double] = []
    values.reserveCapacity(kept.count * shape.queries * shape.keys)
    for first in kept {
      for query in 0..<shape.queries {
        for key in 0..<shape.keys {
          let x = tensor.values[first + query * rowStep + key * columnStep]
          values.append(isBoolean ? (x == 0 ? -.infinity : 0) : x)
        }
      }
    }
    additive = values
  }

  /// How far apart neighbours along each dimension of `target` are in a tensor of `shape`: 0 along those that it is repeated
  /// over. nil where it does not broadcast.
  static func strides(of shape: [Int], over target: [Int]) -> [Int]? {
    let shape = Array(shape.drop { $0 == 1 })
    guard shape.count <= target.count else { return nil }
    var strides = [Int](repeating: 0, count: target.count)
    var step = 1
    for k in shape.indices.reversed() {
      let at = target.count - shape.count + k
      guard shape[k] == target[at] || shape[k] == 1 else { return nil }
      strides[at] = shape[k] == 1 ? 0 : step
      step *= shape[k]
    }
    return strides
  }

  /// Where each head's scores begin, in order; then the strides of queries and keys.
  private static func flattened(_ strides: [Int], _ target: [Int]) -> [Int] {
    var starts = [0]
    for (size, stride) in zip(target, strides).dropLast(2) {
      starts = starts.flatMap { start in (0..<size).map { start + $0 * stride } }
    }
    return starts + strides.suffix(2)
  }
}
