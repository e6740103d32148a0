import NumKitKernels
import NumKitNumbers
import NumKitQuestions

/// What a bound rests on beside proofs: the measured accuracy of the platform's functions.
public struct BoundBasis: Sendable, Hashable {
  /// The functions that matter, in the order of `LibraryFunction`.
  private let functions: [LibraryFunction]
  /// Those that are worse than bounds usually allow, and their largest errors seen.
  private let excesses: [String]
  /// Whether one of them is no approximation: then nothing can be said.
  let isHopeless: Bool

  /// Of a row operation's kernel.
  public init(_ algorithm: Algorithm, _ configuration: KernelConfiguration) {
    guard let arithmetic = algorithm.arithmetic else {
      self.init([])
      return
    }
    let (compute, accumulator) = (configuration.compute, configuration.accumulator)
    var used: [(LibraryFunction, NumberFormat)] = [(arithmetic.isBase2 ? .exp2 : .exp, compute)]
    switch arithmetic.ending {
    case .hyperbolicTangent: used = [(.tanh, compute)]
    case .logarithmOfOnePlus: used.append((.log1p, accumulator))
    case .logarithmOfSum, .exponentialOfDifference, .difference: used.append((.log, accumulator))
    case .logarithmOfProbability: used.append((.log, compute))
    case .quotient, .productWithOthers, .productOfDifference, .differenceOfProducts, .reciprocal,
      .reciprocalOfSmaller:
      break
    }
    self.init(used)
  }

  /// Of an attention kernel, with a soft cap or without.
  public init(_ runner: AttentionRunner, hasSoftcap: Bool) {
    let c = runner.configuration
    var used: [(LibraryFunction, NumberFormat)] = [(.exp, c.compute)]
    if hasSoftcap { used.append((.tanh, c.compute)) }
    if runner.algorithm == .splitKV { used += [(.exp, c.accumulator), (.log, c.accumulator)] }
    self.init(used)
  }

  private init(_ used: [(LibraryFunction, NumberFormat)]) {
    let measured = used.compactMap { use in LibraryAccuracy.of(use.1).map { (use.0, use.1, $0) } }
    isHopeless = measured.contains { !$2.ulps($0).isFinite }
    functions = LibraryFunction.allCases.filter { f in measured.contains { $0.0 == f } }
    excesses = measured.filter { $2.excesses.contains($0) }.map { function, format, accuracy in
      let seen = accuracy.seen[function] ?? .nan
      let size = seen.isNaN ? "gives no number" : "errs by \((seen * 100).rounded() / 100) ulp"
      return "\(function.rawValue) of \(format.name) \(size)"
    }
  }

  /// How reports call a bound of this basis: `sound given exp+log` where it rests on the platform's functions.
  public func kind(_ bound: RowBound) -> String {
    switch bound {
    case .sound:
      return functions.isEmpty ? "sound" : "sound given " + functions.map(\.rawValue).joined(separator: "+")
    case .vacuous: return "vacuous"
    case .none: return "none"
    }
  }

  /// For people: what the sound ones of several bounds rest on, and which functions are worse than usual.
  public static func statements(_ bounds: [(basis: BoundBasis, bound: RowBound)]) -> [String] {
    let sound = LibraryFunction.allCases.filter { f in
      bounds.contains { $0.bound == .sound && $0.basis.functions.contains(f) }
    }
    var excesses: [String] = []
    for excess in bounds.flatMap(\.basis.excesses) where !excesses.contains(excess) {
      excesses.append(excess)
    }
    let names = sound.map(\.rawValue).joined(separator: ", ")
    return
      (sound.isEmpty ? [] : ["bounds: sound, given the measured accuracy of this platform's \(names)"])
      + (excesses.isEmpty
        ? [] : ["bounds: wide or none, for this platform's " + excesses.joined(separator: ", ")])
  }
}
