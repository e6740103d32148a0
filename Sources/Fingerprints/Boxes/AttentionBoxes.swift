import NumKit

/// Attention as a black box: a query's scores and the keys' values in, their weighted sum out.
package protocol AttentionBox: AnyObject {
  var format: NumberFormat { get }
  var keys: Int { get }
  func weighted(_ heads: [(scores: [Double], values: [Double])]) throws -> [Double]
}

extension GuestAttention: AttentionBox {}

/// Its probabilities as those of a softmax: the value of the key looked at is 1, of all others 0.
package final class AttentionRows: RowBox {
  package let kind = RowKind.attention
  package var format: NumberFormat { box.format }
  package var length: Int { box.keys }
  private let box: any AttentionBox

  package init(_ box: any AttentionBox) { self.box = box }

  package func read(_ probes: [RowProbe]) throws -> [Double] {
    try box.weighted(
      probes.map { probe in
        var values = [Double](repeating: 0, count: box.keys)
        values[probe.place] = 1
        return (probe.values, values)
      })
  }
}

/// Its product of probabilities and values as a dot product: all scores alike, so that each probability is 1/n.
package final class AttentionDots: DotBox {
  package var format: NumberFormat { box.format }
  package var length: Int { box.keys }
  package var factor: Double { 1 / Double(box.keys) }
  package let takesPairs = false
  private let box: any AttentionBox

  /// Of a number of keys that is a power of two.
  package init(_ box: any AttentionBox) { self.box = box }

  package func products(_ probes: [DotProbe]) throws -> [Double] {
    try box.weighted(probes.map { ([Double](repeating: 0, count: box.keys), $0.a) })
  }
}
