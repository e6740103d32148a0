import NumKit
import TensorFiles

/// How much memory work takes, asked before it begins: an allocation that fails would end the process. Bytes an element, as
/// measured on long rows and rounded up; what is refused is far beyond a machine, not near it.
enum MemoryNeeds {
  /// Of one thread: a row of `length`, its truth, and what `algorithms` make of it.
  static func row(_ operation: RowOperation, length: Int, algorithms: Int = 1) -> Int {
    operation == .softmaxJacobian
      ? Memory.product(length, length, 140 + 16 * algorithms) : Memory.product(length, 420 + 24 * algorithms)
  }

  /// Throws where not even one row can be worked on; else how many of `threads` can.
  static func threads(
    _ threads: ThreadOptions, _ operation: RowOperation, length: Int, algorithms: Int = 1
  ) throws -> Int {
    try Self.threads(
      threads, operation.rawValue, length: length,
      each: row(operation, length: length, algorithms: algorithms))
  }

  /// The same for an operation that gives each element a result.
  static func threads(
    _ threads: ThreadOptions, _ name: String, length: Int, algorithms: Int = 1
  ) throws -> Int {
    try Self.threads(
      threads, name, length: length, each: row(.softmax, length: length, algorithms: algorithms))
  }

  private static func threads(
    _ threads: ThreadOptions, _ name: String, length: Int, each: Int
  ) throws -> Int {
    try Memory.require(each, for: "\(name) of a row of \(length) elements")
    return threads.count(each: each)
  }

  /// Throws where queries, keys and values of `shape`, as given and as stored, cannot be held, with what a thread has of the
  /// scores of a query.
  static func requireAttention(_ shape: AttentionShape) throws {
    let numbers = [
      Memory.product(shape.heads, shape.queries, shape.headSize + shape.valueSize),
      Memory.product(shape.keyHeads, shape.keys, shape.headSize + shape.valueSize),
    ]
    let needed = numbers.reduce(Memory.product(shape.keys, 1000)) { sum, count in
      let (next, overflow) = sum.addingReportingOverflow(Memory.product(count, 24))
      return overflow ? .max : next
    }
    try Memory.require(
      needed, for: "attention of \(shape.heads) heads, \(shape.queries) queries and \(shape.keys) keys")
  }

  /// Throws where a row of a matrix cannot be held in all `schemes`.
  static func requireRow(of source: MatrixSource, schemes: Int) throws {
    try Memory.require(
      Memory.product(source.columns, 100 + 40 * schemes),
      for: "\(source.name): a row of \(source.columns) elements")
  }
}
