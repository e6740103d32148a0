import ArgumentParser
import NumKit
import TensorFiles

/// Where queries, keys and values come from.
struct AttentionInputOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Three, the same as --q, --k and --v in this order.", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var files: [String] = []

  @Option(
    name: .customLong("q"),
    help: ArgumentHelp("Queries, shaped as --layout says.", valueName: "FILE[:TENSOR]"), completion: .file())
  var givenQ: String?

  @Option(
    name: .customLong("k"),
    help: ArgumentHelp("Keys; fewer heads than the queries' is grouped-query.", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var givenK: String?

  @Option(
    name: .customLong("v"), help: ArgumentHelp("Values.", valueName: "FILE[:TENSOR]"), completion: .file())
  var givenV: String?

  @Option(
    help: "Order of the last three axes: 'hnd' (heads, tokens, size) or 'nhd'; axes before them are batches.")
  var layout: AttentionLayout = .hnd

  @Option(help: "Query heads to generate (default: 1).", transform: Whole.number)
  var heads: Int?

  @Option(help: "Key and value heads to generate (default: as many).", transform: Whole.number)
  var kvHeads: Int?

  @Option(help: "Tokens to generate (default: 256).", transform: Whole.number)
  var tokens: Int?

  @Option(
    help: "Queries to generate (default: one a token); they are the last ones.", transform: Whole.number)
  var queries: Int?

  @Option(help: "Numbers in a generated query, key or value (default: 64).", transform: Whole.number)
  var headSize: Int?

  @Option(
    help: ArgumentHelp(
      "Generate from: \(Distribution.allCases.map(\.rawValue).joined(separator: ", ")) (default: normal)."))
  var distribution: Distribution?

  @Option(help: "Range R of the generated numbers (default: 1; 10 for outlier).")
  var range: NumberArgument?

  @Option(help: "Seed of everything random.", transform: Whole.seed)
  var seed: UInt64 = 1

  var q: String? { givenQ ?? files.first }
  var k: String? { givenK ?? files.dropFirst().first }
  var v: String? { givenV ?? files.dropFirst(2).first }
  /// The tensors that are read.
  var inputs: [String?] { [q, k, v] }

  func validate() throws {
    if !files.isEmpty && (files.count != 3 || givenQ != nil || givenK != nil || givenV != nil) {
      throw ValidationError("files are three, q, k and v in this order, or come after --q, --k and --v")
    }
    for (flag, n) in [
      ("--heads", heads), ("--kv-heads", kvHeads), ("--tokens", tokens), ("--queries", queries),
      ("--head-size", headSize),
    ] {
      if let n, !(1..<1 << 20).contains(n) { throw ValidationError("\(flag) must be 1 to \((1 << 20) - 1)") }
      if n != nil && q != nil { throw ValidationError("\(flag) is for generated tensors, not for --q") }
    }
    if q != nil && (distribution != nil || range != nil) {
      throw ValidationError("--distribution and --range are for generated tensors, not for --q")
    }
    if let range, !range.value.isFinite { throw ValidationError("--range must be finite") }
  }
}

extension AttentionInputOptions {
  /// Throws where some of the three are named and others are not.
  func requireAll() throws {
    if (q == nil) != (k == nil) || (q == nil) != (v == nil) {
      throw UsageError("--q, --k and --v go together")
    }
  }
}

/// The order of a tensor's last axes.
enum AttentionLayout: String, ExpressibleByArgument, CaseIterable {
  case hnd, nhd
}

/// Queries, keys and values, and where they came from.
struct AttentionInput {
  private(set) var tensors: AttentionInputs
  /// The shape that outputs are written in, up to the value size: that of the queries.
  let outputShape: [Int]
  /// The shapes of keys and of values up to their sizes, for their gradients.
  let keyShape: [Int]
  let valueShape: [Int]
  let layout: AttentionLayout
  /// The dimensions of queries before tokens and size: batches and heads.
  var headShape: [Int] {
    guard layout == .nhd, outputShape.count >= 2 else { return outputShape.dropLast() }
    return outputShape.dropLast(2) + outputShape.suffix(1)
  }
  let origin: Origin

  /// Where a row of heads before tokens stands among those of a tensor of `shape` (up to the size) in this layout.
  func place(_ row: Int, _ shape: [Int]) -> Int {
    guard layout == .nhd, shape.count >= 2 else { return row }
    let (tokens, heads) = (shape[shape.count - 2], shape[shape.count - 1])
    let (head, token) = (row / tokens, row % tokens)
    return (head / heads * tokens + token) * heads + head % heads
  }

  enum Origin {
    case files(q: String, k: String, v: String)
    case generated(Distribution, range: Double, seed: UInt64)
  }

  init(_ options: AttentionInputOptions) throws {
    layout = options.layout
    try options.requireAll()
    if let q = options.q, let k = options.k, let v = options.v {
      let files = try [q, k, v].map(AttentionFile.init)
      let parts = try zip(["--q", "--k", "--v"], files).map { try $1.heads(options.layout, flag: $0) }
      let shape = AttentionShape(
        heads: parts[0].heads, keyHeads: parts[1].heads, queries: parts[0].tokens, keys: parts[1].tokens,
        headSize: parts[0].size, valueSize: parts[2].size)
      guard parts[1].size == parts[0].size else {
        throw UsageError("--k: head size \(parts[1].size), but queries have \(parts[0].size)")
      }
      guard parts[2].heads == parts[1].heads, parts[2].tokens == parts[1].tokens else {
        throw UsageError("--v: heads and tokens must be those of --k")
      }
      guard parts[0].heads % parts[1].heads == 0 else {
        throw UsageError(
          "--k: \(parts[1].heads) heads do not divide the queries' \(parts[0].heads)")
      }
      try MemoryNeeds.requireAttention(shape)
      guard
        let made = AttentionInputs(q: parts[0].values, k: parts[1].values, v: parts[2].values, shape: shape)
      else { throw UsageError("--q, --k, --v: shapes that are empty or too large") }
      tensors = made
      outputShape = Array(files[0].shape.dropLast())
      keyShape = Array(files[1].shape.dropLast())
      valueShape = Array(files[2].shape.dropLast())
      origin = .files(q: files[0].name, k: files[1].name, v: files[2].name)
      return
    }
    let tokens = options.tokens ?? 256
    let heads = options.heads ?? 1
    let shape = AttentionShape(
      heads: heads, keyHeads: options.kvHeads ?? heads, queries: options.queries ?? tokens, keys: tokens,
      headSize: options.headSize ?? 64)
    guard shape.isValid else { throw UsageError("--kv-heads must divide --heads") }
    guard shape.heads * Swift.max(shape.queries, tokens) <= (1 << 28) / shape.headSize else {
      throw UsageError("generated tensors of more than 2^28 numbers")
    }
    try MemoryNeeds.requireAttention(shape)
    let distribution = options.distribution ?? .normal
    let range = options.range?.value ?? (distribution == .outlier ? 10 : 1)
    func fill(_ rows: Int, _ stream: Int) -> [Double] {
      var x = [Double](repeating: 0, count: rows * shape.headSize)
      x.withUnsafeMutableBufferPointer { buffer in
        for row in 0..<rows {
          var random = RandomSource(seed: options.seed, row: row &+ stream << 40)
          distribution.fill(
            UnsafeMutableBufferPointer(
              rebasing: buffer[row * shape.headSize..<(row + 1) * shape.headSize]),
            range: range, &random)
        }
      }
      return x
    }
    let keys = shape.keyHeads * shape.keys
    guard
      let made = AttentionInputs(
        q: fill(heads * shape.queries, 0), k: fill(keys, 1), v: fill(keys, 2), shape: shape)
    else { throw UsageError("no tensors of this shape") }
    tensors = made
    outputShape = layout == .nhd ? [shape.queries, heads] : [heads, shape.queries]
    keyShape = layout == .nhd ? [tokens, shape.keyHeads] : [shape.keyHeads, tokens]
    valueShape = keyShape
    origin = .generated(distribution, range: range, seed: options.seed)
  }

  /// Holds numbers of f32 as such.
  mutating func narrow() { tensors = tensors.narrowed() }

  /// Rows [heads, tokens, width] in the order of the layout that the tensor of this shape had (without its last axis).
  func arranged(_ x: [Double], as shape: [Int], width: Int) -> [Double] {
    guard layout == .nhd, shape.count >= 2 else { return x }
    let (tokens, heads) = (shape[shape.count - 2], shape[shape.count - 1])
    var y = x
    for batch in 0..<x.count / (tokens * heads * width) {
      for h in 0..<heads {
        for n in 0..<tokens {
          for c in 0..<width {
            y[((batch * tokens + n) * heads + h) * width + c] =
              x[((batch * heads + h) * tokens + n) * width + c]
          }
        }
      }
    }
    return y
  }
}

/// A tensor from a file, held in memory.
struct AttentionFile {
  let name: String
  let shape: [Int]
  let values: [Double]
  let type: ElementType

  init(_ specifier: String) throws {
    let tensor = try WholeTensor(specifier)
    name = ArgumentText.shown(specifier)
    shape = tensor.shape
    type = tensor.type
    values = tensor.values
  }

  /// As heads × tokens × size, batches and heads in one.
  func heads(_ layout: AttentionLayout, flag: String) throws -> (
    values: [Double], heads: Int, tokens: Int, size: Int
  ) {
    guard shape.count >= 2, values.count > 0 else {
      throw UsageError("\(flag) \(name): needs tokens and head size, not \(shape.count) axes or nothing")
    }
    let size = shape[shape.count - 1]
    if shape.count == 2 || layout == .hnd {
      let tokens = shape[shape.count - 2]
      return (values, values.count / (tokens * size), tokens, size)
    }
    let (tokens, heads) = (shape[shape.count - 3], shape[shape.count - 2])
    let batches = values.count / (tokens * heads * size)
    var y = values
    for b in 0..<batches {
      for n in 0..<tokens {
        for h in 0..<heads {
          let from = ((b * tokens + n) * heads + h) * size
          let to = ((b * heads + h) * tokens + n) * size
          for c in 0..<size { y[to + c] = values[from + c] }
        }
      }
    }
    return (y, batches * heads, tokens, size)
  }
}
