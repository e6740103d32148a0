import NumKit
import TestSupport

/// Problems made to be hard for a first tier in Double: values that cancel, results beside ties, far scores, masks, extreme numbers.
struct AttentionSubject {
  let name: String
  let tensors: AttentionInputs
  let parameters: AttentionParameters

  static let kinds = [
    "normal", "cancelling", "ties", "sink and window", "far scores", "rising scores", "additive mask",
    "softcap", "extreme values", "equal keys", "whole numbers", "bf16 inputs", "f64 inputs",
  ]

  /// Problem `index` of a seed; nil where the numbers drawn make none.
  init?(_ index: Int, seed: UInt64) {
    var random = RandomSource(seed: seed, row: index)
    func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
    let kind = Self.kinds[index % Self.kinds.count]
    name = kind
    let keys = [1, 2, 7, 40, 96, 97, 200, 300][draw(8)]
    let group = 1 + draw(2)
    // Now and then more queries than stand together in a block.
    let queries = keys == 300 && draw(4) == 0 ? [65, 129, 200][draw(3)] : 1 + draw(Swift.min(20, keys))
    let shape = AttentionShape(
      heads: 2 * group, keyHeads: 2, queries: queries, keys: keys,
      // 1 / √48 and 1 / √96 in two roundings err by more than one.
      headSize: [1, 3, 8, 16, 17, 32, 48, 64, 96][draw(9)], valueSize: [1, 2, 5, 8, 13, 16][draw(6)])
    let f64 = kind == "f64 inputs"
    func fill(_ count: Int, _ scale: Double = 1, narrow: NumberFormat = .f32) -> [Double] {
      (0..<count).map { _ in
        let x = scale * random.normal()
        return f64 ? x : narrow.round(x)
      }
    }
    let narrow: NumberFormat = kind == "bf16 inputs" ? .bf16 : .f32
    var q = fill(shape.heads * shape.queries * shape.headSize, narrow: narrow)
    var k = fill(shape.keyHeads * keys * shape.headSize, narrow: narrow)
    var v = fill(shape.keyHeads * keys * shape.valueSize, narrow: narrow)
    var parameters = AttentionParameters()
    parameters.mask.causal = draw(2) == 0
    let width = shape.valueSize
    switch kind {
    case "cancelling":
      // Each value and its opposite under nearly equal scores.
      for j in stride(from: 1, to: shape.keyHeads * keys, by: 2) {
        for c in 0..<width { v[j * width + c] = -v[(j - 1) * width + c] }
        for c in 0..<shape.headSize {
          k[j * shape.headSize + c] = (Float(k[(j - 1) * shape.headSize + c]).nextUp).doubled
        }
      }
    case "ties":
      // A common value half way between numbers of f32, f16 or bf16, moved by little.
      let step = [0x1p-24, 0x1p-11, 0x1p-8][draw(3)]
      for c in 0..<width {
        for j in 0..<shape.keyHeads * keys {
          v[j * width + c] = 1 + step * (1 + 2 * Double(c)) + 0x1p-50 * Double(draw(5) - 2)
        }
      }
    case "sink and window":
      parameters.softmax = .sink([3 * random.normal()])
      parameters.mask.left = draw(9)
      parameters.mask.right = draw(2) == 0 ? draw(4) : nil
      parameters.mask.sinks = draw(4)
      parameters.mask.past = draw(2) == 0 ? draw(keys) : nil
    case "far scores":
      let far = Double(1 << draw(14))
      q = q.map { Double(Float($0 * far)) }
    case "rising scores":
      // Each key far above those before it.
      let step = [0.5, 40, 500][draw(3)]
      for j in 0..<shape.keyHeads * keys {
        for c in 0..<shape.headSize { k[j * shape.headSize + c] = Double(Float(step * Double(j % keys))) }
      }
      for i in q.indices { q[i] = Double(Float(q[i].magnitude)) }
    case "additive mask":
      let each = shape.queries * keys
      parameters.mask.additive = (0..<each * (draw(2) == 0 ? 1 : shape.heads)).map { _ in
        [0, 0, -.infinity, -1e9, random.normal(), -70, 12][draw(7)]
      }
    case "softcap": parameters.softcap = [0.5, 5, 50][draw(3)]
    case "extreme values":
      let scale = Double(sign: .plus, exponent: draw(260) - 140, significand: 1)
      v = v.map { Double(Float($0 * scale)) }
    case "equal keys":
      for j in 0..<shape.keyHeads * keys where j % 3 != 0 {
        for c in 0..<shape.headSize { k[j * shape.headSize + c] = k[j / 3 * 3 * shape.headSize + c] }
      }
    case "whole numbers":
      q = q.map { $0.rounded() }
      k = k.map { $0.rounded() }
      v = v.map { (4 * $0).rounded() }
    default: break
    }
    if draw(4) == 0 { parameters.scale = Double(Float(random.normal())) }
    guard let tensors = AttentionInputs(q: q, k: k, v: v, shape: shape), parameters.fits(shape) else {
      return nil
    }
    self.tensors = tensors
    self.parameters = parameters
  }
}

/// What an attack on a first tier found.
struct Tally: Sendable {
  var answers = 0
  var wrong = 0
  /// Values whose error was compared with their bound, and those beyond it.
  var compared = 0
  var outside = 0
  var open = 0
  /// The largest error over its bound.
  var worst = 0.0
  /// What went wrong first.
  var first = ""

  mutating func merge(_ other: Tally) {
    answers += other.answers
    wrong += other.wrong
    compared += other.compared
    outside += other.outside
    open += other.open
    worst = max(worst, other.worst)
    if first.isEmpty { first = other.first }
  }

  mutating func note(_ isWrong: Bool, _ what: @autoclosure () -> String) {
    if isWrong, first.isEmpty { first = what() }
  }

  /// An answer beside the right one.
  mutating func compare(_ y: Double, _ truth: Double, _ what: @autoclosure () -> String) {
    let isSame = y == truth && y.sign == truth.sign || y.isNaN && truth.isNaN
    answers += 1
    if !isSame { wrong += 1 }
    note(!isSame, "\(what()): \(y), not \(truth)")
  }

  /// An error beside what it may be.
  mutating func compare(error: Double, bound: Double, _ what: @autoclosure () -> String) {
    compared += 1
    worst = max(worst, error / bound)
    if !(error <= bound) { outside += 1 }
    note(!(error <= bound), "\(what()): off by \(error), bound \(bound)")
  }

  /// Problems 0, 1, 2, … by two threads until `limit` answers are there.
  static func of(_ limit: Int, _ attack: @escaping @Sendable (_ problem: Int) throws -> Tally) async throws
    -> Tally
  {
    try await withThrowingTaskGroup(of: Tally.self) { group in
      for thread in 0..<2 {
        group.addTask {
          var tally = Tally()
          var problem = thread
          while tally.answers < limit / 2 {
            tally.merge(try attack(problem))
            problem += 2
          }
          return tally
        }
      }
      return try await group.reduce(into: Tally()) { $0.merge($1) }
    }
  }
}

extension Float {
  fileprivate var doubled: Double { Double(self) }
}
