import NumKitQuestions
import RealModule

/// One query's scores in Double, key after key: what wrong kernels are followed with.
struct QueryInDouble {
  /// Scaled, before the cap.
  private(set) var raw: [Double] = []
  /// After it, and the slope of the cap there.
  private(set) var capped: [Double] = []
  private(set) var slope: [Double] = []
  /// What is added to each; −∞ where the key is hidden.
  private(set) var biases: [Double] = []
  /// Σ |q·k| of each, scaled.
  private(set) var magnitudes: [Double] = []
  /// The sink's logit.
  let sink: Double?

  /// Of query `row`, head·queries + query.
  init(_ tensors: AttentionInputs, _ parameters: AttentionParameters, row: Int) {
    let s = tensors.shape
    let (head, query) = (row / s.queries, row % s.queries)
    sink = parameters.softmax.sink(head: head)
    let scale = parameters.scale ?? 1 / Double(s.headSize).squareRoot()
    let additive = parameters.mask.additive
    let bias = (additive.count > s.queries * s.keys ? row : query) * s.keys
    let sight = parameters.mask.sight(query: query, queries: s.queries, keys: s.keys)
    let d = s.headSize
    let first = s.keyHead(of: head) * s.keys * d
    for (list, value) in [(\Self.raw, 0.0), (\.capped, 0), (\.slope, 1), (\.biases, 0), (\.magnitudes, 0)] {
      self[keyPath: list] = Array(repeating: value, count: s.keys)
    }
    tensors.q.withUnsafeBufferPointer { q in
      tensors.k.withUnsafeBufferPointer { k in
        let own = UnsafeBufferPointer(rebasing: q[row * d..<(row + 1) * d])
        let divisor = parameters.norm.map { $0.divisor(of: own) } ?? 1
        for j in 0..<s.keys {
          let key = UnsafeBufferPointer(rebasing: k[first + j * d..<first + (j + 1) * d])
          var (sum, magnitude) = (0.0, 0.0)
          for c in 0..<d {
            let product = own[c] * key[c]
            sum += product
            magnitude += product.magnitude
          }
          let factor = scale / divisor / (parameters.norm.map { $0.divisor(of: key) } ?? 1)
          raw[j] = sum * factor
          magnitudes[j] = magnitude * factor.magnitude
          capped[j] = raw[j]
          if let cap = parameters.softcap {
            let t = Double.tanh(raw[j] / cap)
            (capped[j], slope[j]) = (cap * t, 1 - t * t)
          }
          biases[j] = sight.sees(j) ? (additive.isEmpty ? 0 : additive[bias + j]) : -.infinity
        }
      }
    }
  }

  /// What the softmax is of: −∞ where the key is hidden.
  var scores: [Double] { capped.indices.map { isHidden($0) ? -.infinity : capped[$0] + biases[$0] } }

  func isHidden(_ j: Int) -> Bool { biases[j] == -.infinity }
}

extension QueryKeyNorm {
  /// What a query or a key is divided by.
  fileprivate func divisor(of x: UnsafeBufferPointer<Double>) -> Double {
    let squares = x.reduce(0) { $0 + $1 * $1 }
    return (squares / (kind == .rms ? Double(x.count) : 1) + epsilon).squareRoot()
  }
}
