import Foundation
import NumKit
import Testing

/// Softmax kernels in f32 with one defect each, over rows of N(0,1), as results from outside.
struct PlantedSoftmax: ResultSource {
  typealias Q = RowQuestion

  /// What one does: logits, its row's number, and any row's logits, to results.
  typealias Body = @Sendable (_ x: [Float], _ row: Int, _ other: (Int) -> [Float]) -> [Float]

  let rows: PlantedRows
  let body: Body

  func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    let y = body(rows.row(item.row), item.row) { rows.row($0) }
    for i in y.indices { results[i] = Double(y[i]) }
  }

  // What kernels are made of.

  /// Pairwise, each addition rounded by `round`.
  static func sum(_ e: ArraySlice<Float>, _ round: (Float) -> Float = { $0 }) -> Float {
    if e.count <= 8 { return e.dropFirst().reduce(e.first ?? 0) { round($0 + $1) } }
    let middle = e.startIndex + e.count / 2
    return round(sum(e[..<middle], round) + sum(e[middle...], round))
  }

  static func exponentials(_ x: [Float], _ m: Float? = nil) -> [Float] {
    let top = m ?? (x.max() ?? 0)
    return x.map { expf($0 - top) }
  }

  static func softmax(_ x: [Float]) -> [Float] {
    let e = exponentials(x)
    let s = sum(e[...])
    return e.map { $0 / s }
  }

  static func bfloat(_ x: Float) -> Float { Float(NumberFormat.bf16.round(Double(x))) }
  static func half(_ x: Float) -> Float { Float(Float16(x)) }

  static func truncated(_ x: Double) -> Float {
    let y = Float(x)
    return Double(y).magnitude > x.magnitude ? (y > 0 ? y.nextDown : y.nextUp) : y
  }
}

/// Rows of N(0,1) in f32.
struct PlantedRows: RowSource {
  let rowCount: Int
  let length: Int
  let seed: UInt64
  private let generated: GeneratedRows

  init(rows: Int, length: Int, seed: UInt64) {
    rowCount = rows
    self.length = length
    self.seed = seed
    generated = GeneratedRows(.normal, range: 1, rows: rows, length: length, seed: seed)
  }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    generated.read(row, into: buffer)
    for i in buffer.indices { buffer[i] = Double(Float(buffer[i])) }
  }

  func row(_ row: Int) -> [Float] {
    var x = [Double](repeating: 0, count: length)
    x.withUnsafeMutableBufferPointer { read(row, into: $0) }
    return x.map { Float($0) }
  }
}

/// A defect by the name that it must be given.
struct PlantedDefect: Sendable {
  let name: String
  var temperature = 1.0
  let body: PlantedSoftmax.Body

  static func all(_ rows: PlantedRows) -> [PlantedDefect] {
    typealias P = PlantedSoftmax
    let n = rows.length
    let blocks = n > 4096 ? n / 4096 : n < 4096 ? 3 : 8
    /// With another factor, or the maximum of the blocks before, in some blocks.
    @Sendable func online(
      _ x: [Float], _ factor: (_ block: Int, Float) -> Float, stale: (_ block: Int) -> Bool
    ) -> [Float] {
      var (m, s) = (-Float.infinity, Float(0))
      for k in 0..<blocks {
        let block = Array(x[k * n / blocks..<(k + 1) * n / blocks])
        let next = max(m, block.max() ?? m)
        if k > 0 { s *= factor(k, Float(exp(Double(m) - Double(next)))) }
        s += P.sum(P.exponentials(block, k > 0 && stale(k) ? m : next)[...])
        m = next
      }
      return P.exponentials(x, m).map { $0 / s }
    }
    return [
      PlantedDefect(name: "base 2 instead of e") { x, _, _ in
        let m = x.max() ?? 0
        let e = x.map { exp2f($0 - m) }
        let s = P.sum(e[...])
        return e.map { $0 / s }
      },
      PlantedDefect(name: "temperature multiplied", temperature: 2) { x, _, _ in P.softmax(x.map { $0 * 2 })
      },
      PlantedDefect(name: "temperature ignored", temperature: 2) { x, _, _ in P.softmax(x) },
      PlantedDefect(name: "logits divided by the square root of the length") { x, _, _ in
        P.softmax(x.map { $0 / Float(n).squareRoot() })
      },
      PlantedDefect(name: "0.001 added to the sum") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[...]) + 1e-3
        return e.map { $0 / s }
      },
      PlantedDefect(name: "accumulator bf16") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[...], P.bfloat)
        return e.map { $0 / s }
      },
      PlantedDefect(name: "accumulator f16") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[...], P.half)
        return e.map { $0 / s }
      },
      PlantedDefect(name: "exponentials in bf16") { x, _, _ in
        let e = P.exponentials(x).map(P.bfloat)
        let s = P.sum(e[...])
        return e.map { $0 / s }
      },
      PlantedDefect(name: "sum never rescaled, in blocks of 64") { x, _, _ in
        var (m, s) = (-Float.infinity, Float(0))
        for start in stride(from: 0, to: n, by: 64) {
          let block = Array(x[start..<min(start + 64, n)])
          m = max(m, block.max() ?? m)
          s += P.sum(P.exponentials(block, m)[...])
        }
        return P.exponentials(x, m).map { $0 / s }
      },
      PlantedDefect(name: "sum not rescaled at block 3 of \(blocks), in blocks of \(n / blocks)") { x, _, _ in
        online(x) { k, factor in
          k == 2 ? 1 : factor
        } stale: { _ in
          false
        }
      },
      PlantedDefect(name: "stale maximum in block 2 of \(blocks), in blocks of \(n / blocks)") { x, _, _ in
        online(x) { _, factor in
          factor
        } stale: {
          $0 == 1
        }
      },
      PlantedDefect(name: "stale maximum: that of the first 64") { x, _, _ in
        let s = P.sum(P.exponentials(x)[...])
        return P.exponentials(x, x[..<64].max()).map { $0 / s }
      },
      PlantedDefect(name: "last element left out of the sum") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[..<(n - 1)])
        return e.map { $0 / s }
      },
      PlantedDefect(name: "last 64 elements left out of the sum") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[..<(n - 64)])
        return e.map { $0 / s }
      },
      PlantedDefect(name: "last 16 elements left out") { x, _, _ in
        P.softmax(Array(x[..<(n - 16)])) + Array(repeating: 0, count: 16)
      },
      PlantedDefect(name: "not divided by the sum") { x, _, _ in P.exponentials(x) },
      PlantedDefect(name: "stale: the answer of the row before") { x, row, other in
        P.softmax(row == 0 ? x : other(row - 1))
      },
      PlantedDefect(name: "rows swapped in pairs") { _, row, other in P.softmax(other(row ^ 1)) },
      PlantedDefect(name: "results one place too far right") { x, _, _ in
        let y = P.softmax(x)
        return [y[n - 1]] + y[..<(n - 1)]
      },
      PlantedDefect(name: "results truncated instead of rounded") { x, _, _ in
        let e = P.exponentials(x)
        let s = P.sum(e[...])
        return e.map { P.truncated(Double($0) / Double(s)) }
      },
      PlantedDefect(name: "results rounded to bf16") { x, _, _ in P.softmax(x).map(P.bfloat) },
      PlantedDefect(name: "the answer of log-softmax") { x, _, _ in
        let (m, s) = (x.max() ?? 0, P.sum(P.exponentials(x)[...]))
        return x.map { ($0 - m) - logf(s) }
      },
      PlantedDefect(name: "the inputs copied") { x, _, _ in x },
      PlantedDefect(name: "the same results for every row") { _, _, other in
        P.softmax(other(rows.rowCount - 1))
      },
    ]
  }
}
