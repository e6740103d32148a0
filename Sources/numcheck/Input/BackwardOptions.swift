import ArgumentParser
import NumKit

/// Whether gradients are asked for, and of what.
struct BackwardOptions: ParsableArguments {
  @Flag(help: "The backward pass of standard and flash: errors of dQ, dK and dV.")
  var backward = false

  @Option(
    name: .customLong("do"),
    help: ArgumentHelp(
      "For --backward: the outputs' gradient, shaped like o (default: normal, from the seed).",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var outputGradient: String?

  func validate() throws {
    if outputGradient != nil && !backward { throw ValidationError("--do is for --backward") }
  }

  /// dO [heads, queries, valueSize], and what to call it.
  func gradient(_ input: AttentionInput, seed: UInt64) throws -> (values: [Double], name: String) {
    try OutputGradient.read(outputGradient, input, seed: seed)
  }
}

/// dO, of a file or drawn.
enum OutputGradient {
  /// dO [heads, queries, valueSize], and what to call it.
  static func read(_ outputGradient: String?, _ input: AttentionInput, seed: UInt64) throws -> (
    values: [Double], name: String
  ) {
    let shape = input.tensors.shape
    let width = shape.valueSize
    guard let outputGradient else {
      var x = [Double](repeating: 0, count: shape.heads * shape.queries * width)
      x.withUnsafeMutableBufferPointer { buffer in
        for row in 0..<shape.heads * shape.queries {
          var random = RandomSource(seed: seed, row: row &+ 3 << 40)
          Distribution.normal.fill(
            UnsafeMutableBufferPointer(rebasing: buffer[row * width..<(row + 1) * width]), range: 1, &random)
        }
      }
      return (x, "dO normal, seed \(seed)")
    }
    let part = try AttentionFile(outputGradient).heads(input.layout, flag: "--do")
    guard part.heads == shape.heads, part.tokens == shape.queries, part.size == width else {
      throw UsageError(
        "--do \(outputGradient): \(part.heads) heads of \(part.tokens) x \(part.size), but o has "
          + "\(shape.heads) of \(shape.queries) x \(width)")
    }
    return (part.values, "dO from \(ArgumentText.shown(outputGradient))")
  }
}
