import NumKit
import NumKitNumbers
import Quant

/// Pieces of work (tensors) one after another, as processes share them: each does as many elements.
struct SharedLine {
  private let offsets: [Int]
  private let weights: [Int]
  private let total: Int

  /// Pieces of so many elements.
  init(_ weights: [Int]) {
    self.weights = weights
    var offsets: [Int] = []
    var sum = 0
    for weight in weights {
      offsets.append(sum)
      sum += weight
    }
    (self.offsets, total) = (offsets, sum)
  }

  /// Where piece number `k` stands.
  private func span(_ k: Int) -> WorkSpan { WorkSpan(offset: offsets[k], weight: weights[k], total: total) }

  /// Runs `work` on piece number `k`.
  func within<T>(_ k: Int, _ work: () throws -> T) rethrows -> T {
    Sharing.current == nil ? try work() : try Sharing.within(span(k), work)
  }

  /// What is found of piece number `k`: where one process does all of it that one finds it, else `work` shares it.
  func share<Found: Portable>(_ k: Int, blank: () -> Found, _ work: () throws -> Found) throws -> Found {
    guard Sharing.current != nil else { return try work() }
    return try Sharing.within(span(k)) {
      if Sharing.isSplit { return try work() }
      return try Sharing.share(
        "tensor", units: 1, make: { Maybe(found: nil, blank: blank()) },
        work: { Maybe(found: $0.isEmpty ? nil : try work(), blank: blank()) },
        merge: { $0.found = $0.found ?? $1.found }
      ).found ?? blank()
    }
  }

  /// What one process has found and others have not.
  private struct Maybe<Found: Portable>: Portable {
    var found: Found?
    let blank: Found

    mutating func carry(_ c: inout Carrier) throws {
      try c.carry(&found, blank: blank) { try $0.carry(&$1) }
    }
  }
}

/// What `activations` finds of a tensor.
struct ProfiledTensor: Portable {
  var profile: TensorProfile
  /// What the massive activations cost the rest; empty where there are none.
  var costs: [OutlierCost] = []
  /// What schemes cost a weight whose range is wide; empty for others.
  var scales: [SampledCost] = []

  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&profile)
    try c.carry(&costs, blank: .blank) { try $0.carry(&$1) }
    try c.carry(&scales, blank: .blank) { try $0.carry(&$1) }
  }
}
