import Guests
import NumKit
import TensorFiles

/// Numbers of a format as a guest's codes, and back.
enum GuestNumbers {
  /// Every number must be one of the format.
  static func array(_ name: String, _ format: NumberFormat, _ shape: [Int], _ values: [Double]) throws
    -> GuestArray
  {
    guard let type = ElementType(.float(format)), type.unit.elements == 1 else {
      throw FingerprintError("no array has elements of \(format.name)")
    }
    switch type {
    case .f32:
      return GuestArray(name, type, shape, bytes: bytes(values.map { Float($0).bitPattern.littleEndian }))
    case .f64: return GuestArray(name, type, shape, bytes: bytes(values.map { $0.bitPattern.littleEndian }))
    case .bf16:
      return GuestArray(
        name, type, shape,
        bytes: bytes(values.map { UInt16(truncatingIfNeeded: Float($0).bitPattern >> 16).littleEndian }))
    case .f16:
      return GuestArray(name, type, shape, bytes: bytes(values.map { Float16($0).bitPattern.littleEndian }))
    default: return try GuestArray(name, type, shape, values: values)
    }
  }

  private static func bytes<T>(_ codes: [T]) -> [UInt8] { codes.withUnsafeBytes { Array($0) } }

  static func result(_ name: String, _ format: NumberFormat, _ shape: [Int]) throws -> GuestResult {
    guard let type = ElementType(.float(format)), type.unit.elements == 1 else {
      throw FingerprintError("no array has elements of \(format.name)")
    }
    return GuestResult(name, type, shape)
  }
}

/// Asks a guest, and counts.
package final class GuestAsker {
  private let kernel: any GuestKernel
  package private(set) var callCount = 0

  package init(_ kernel: any GuestKernel) { self.kernel = kernel }

  /// The first result.
  func ask(
    _ operation: String, _ inputs: [GuestArray], _ result: GuestResult, _ parameters: [GuestParameter]
  ) throws -> GuestArray {
    callCount += 1
    let call = GuestCall(operation, inputs: inputs, results: [result], parameters: parameters)
    let answer = try kernel.call(call, CallConditions())
    guard let first = answer.results.first(where: { $0.name == result.name }), first.count == result.count
    else {
      throw FingerprintError("\(kernel.name): gave no results")
    }
    return first
  }
}

/// A guest's kernel of rows: a call has as many rows as there are probes.
package final class GuestRowBox: RowBox {
  package let kind: RowKind
  package let format: NumberFormat
  package let length: Int
  private let asker: GuestAsker
  private let epsilon: Double
  /// Numbers that a call is given at most.
  private static let most = 1 << 21

  package init(_ kind: RowKind, _ asker: GuestAsker, format: NumberFormat, length: Int, epsilon: Double) {
    (self.kind, self.asker, self.format, self.length) = (kind, asker, format, length)
    self.epsilon = epsilon
  }

  package func read(_ probes: [RowProbe]) throws -> [Double] {
    var results: [Double] = []
    results.reserveCapacity(probes.count)
    let batch = max(1, Self.most / length)
    for start in stride(from: 0, to: probes.count, by: batch) {
      let part = probes[start..<min(start + batch, probes.count)]
      let input = try GuestNumbers.array("input", format, [part.count, length], part.flatMap(\.values))
      let width = kind == .logSumExp ? 1 : length
      let shape = kind == .logSumExp ? [part.count] : [part.count, length]
      let parameters =
        kind.isExponential ? [GuestParameter("temperature", 1)] : [GuestParameter("epsilon", epsilon)]
      let answer = try asker.ask(
        kind.rawValue, [input], try GuestNumbers.result("results", format, shape), parameters)
      for (row, probe) in part.enumerated() {
        results.append(answer.value(row * width + (width == 1 ? 0 : probe.place)))
      }
    }
    return results
  }
}

/// A guest's product of matrices: a probe is a row of A and a column of B.
package final class GuestDotBox: DotBox {
  package let format: NumberFormat
  package let length: Int
  package let factor = 1.0
  package let takesPairs = true
  private let asker: GuestAsker
  /// The columns that B has where all are ones: with fewer, another code may run.
  private let columns: Int
  /// Rows of a call at least.
  private let rows: Int
  /// Where a column of ones gave another result than the first.
  package private(set) var differing: (row: Int, column: Int)?

  package init(_ asker: GuestAsker, format: NumberFormat, length: Int, columns: Int, rows: Int) {
    (self.asker, self.format, self.length) = (asker, format, length)
    (self.columns, self.rows) = (columns, rows)
  }

  package func products(_ probes: [DotProbe]) throws -> [Double] {
    var results = [Double](repeating: 0, count: probes.count)
    let plain = probes.indices.filter { probes[$0].b == nil }
    let batch = max(rows, (1 << 21) / length)
    for start in stride(from: 0, to: plain.count, by: batch) {
      let part = plain[start..<min(start + batch, plain.count)]
      let count = max(part.count, rows)
      var a = part.flatMap { probes[$0].a }
      a += [Double](repeating: 0, count: (count - part.count) * length)
      let answer = try ask(a, count, [Double](repeating: 1, count: length * columns), columns)
      for (row, k) in part.enumerated() {
        results[k] = answer.value(row * columns)
        for j in 1..<max(columns, 1) where differing == nil {
          if answer.code(row * columns + j) != answer.code(row * columns) { differing = (row, j) }
        }
      }
    }
    let pairs = probes.indices.filter { probes[$0].b != nil }
    guard !pairs.isEmpty else { return results }
    // Each pair a row and a column of its own.
    let count = max(pairs.count, rows)
    let width = max(pairs.count, columns)
    var a = pairs.flatMap { probes[$0].a }
    a += [Double](repeating: 0, count: (count - pairs.count) * length)
    var b = [Double](repeating: 0, count: length * width)
    for (j, k) in pairs.enumerated() {
      guard let column = probes[k].b else { continue }
      for i in 0..<length { b[i * width + j] = column[i] }
    }
    let answer = try ask(a, count, b, width)
    for (j, k) in pairs.enumerated() { results[k] = answer.value(j * width + j) }
    return results
  }

  private func ask(_ a: [Double], _ rows: Int, _ b: [Double], _ columns: Int) throws -> GuestArray {
    try asker.ask(
      "matmul",
      [
        try GuestNumbers.array("a", format, [rows, length], a),
        try GuestNumbers.array("b", format, [length, columns], b),
      ], try GuestNumbers.result("results", format, [rows, columns]), [])
  }
}

/// A guest's attention: a probe is a head of one query, whose scores the keys bring.
///
/// Queries are (√d, 0, …), so that with a scale of 1/√d a key's first element is its score; d is a power of 4, so that both are exact.
package final class GuestAttention {
  package let format: NumberFormat
  package let keys: Int
  private let asker: GuestAsker
  private let headSize: Int
  private let queries: Int
  private static let most = 1 << 21

  package init(_ asker: GuestAsker, format: NumberFormat, keys: Int, headSize: Int, queries: Int) {
    (self.asker, self.format, self.keys) = (asker, format, keys)
    (self.headSize, self.queries) = (headSize, queries)
  }

  /// For each head scores and values of its keys: the sum of values, weighted.
  package func weighted(_ heads: [(scores: [Double], values: [Double])]) throws -> [Double] {
    var results: [Double] = []
    let batch = max(1, Self.most / (keys * headSize))
    let (d, root) = (headSize, Double(headSize).squareRoot())
    for start in stride(from: 0, to: heads.count, by: batch) {
      let part = heads[start..<min(start + batch, heads.count)]
      let count = part.count
      var q = [Double](repeating: 0, count: count * queries * d)
      for k in 0..<count * queries { q[k * d] = root }
      var k = [Double](repeating: 0, count: count * keys * d)
      var v = [Double](repeating: 0, count: count * keys * d)
      for (h, head) in part.enumerated() {
        for j in 0..<keys {
          k[(h * keys + j) * d] = head.scores[j]
          v[(h * keys + j) * d] = head.values[j]
        }
      }
      let answer = try asker.ask(
        "attention",
        [
          try GuestNumbers.array("q", format, [count, queries, d], q),
          try GuestNumbers.array("k", format, [count, keys, d], k),
          try GuestNumbers.array("v", format, [count, keys, d], v),
        ], try GuestNumbers.result("results", format, [count, queries, d]),
        Self.parameters(1 / root))
      for h in 0..<count { results.append(answer.value(h * queries * d)) }
    }
    return results
  }

  /// Those of a call without mask, window, sinks or cap.
  private static func parameters(_ scale: Double) -> [GuestParameter] {
    [
      ("scale", scale), ("causal", 0), ("top_left", 0), ("window_left", -1), ("window_right", -1),
      ("sinks", 0),
      ("softcap", 0), ("safe", 0),
    ].map { GuestParameter($0.0, $0.1) }
  }
}
