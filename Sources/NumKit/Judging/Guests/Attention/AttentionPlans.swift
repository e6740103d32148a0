import NumKitKernels
import NumKitNumbers

/// In what formats a kernel of attention from outside may compute, forward or backward.
struct AttentionPlans {
  /// One choice: what operations round to, what sums do, and what P is cast to.
  struct Formats {
    let compute: NumberFormat
    let accumulate: NumberFormat
    let cast: NumberFormat
  }

  /// What results are stored in.
  let format: NumberFormat
  let overflow: Overflow
  let claims: Claims

  /// What may be promised: all in f32 or the format, P in that or, as many kernels have it, in the results' format; or what is claimed.
  var promised: [Formats] {
    let compute = claims.compute ?? RowPlans.usual(format)
    var casts = [compute]
    if format.precision < compute.precision && format.hasZero { casts.append(format) }
    if let cast = claims.probabilities { casts = [cast] }
    return casts.map {
      Formats(compute: compute, accumulate: claims.accumulate ?? compute, cast: $0)
    }
  }

  /// What figures are tried on.
  var known: [Formats] {
    let usual = RowPlans.usual(format)
    var all = [Formats(compute: usual, accumulate: usual, cast: usual)]
    if format != usual && format.hasZero {
      all += [(usual, usual), (format, usual), (format, format)].map {
        Formats(compute: $0.0, accumulate: $0.1, cast: format)
      }
    }
    return all
  }

  /// Shorter ones than may be promised, and what they are called.
  var shorter: [(name: String, formats: Formats)] {
    let usual = RowPlans.usual(format)
    var short: [NumberFormat] = [.f16, .bf16]
    if !short.contains(format) { short.append(format) }
    return short.filter { $0.precision < usual.precision && $0.hasZero }.flatMap { x in
      [
        ("accumulator \(x.name)", Formats(compute: usual, accumulate: x, cast: usual)),
        ("all computed in \(x.name)", Formats(compute: x, accumulate: x, cast: x)),
      ]
    }
  }

  /// `usual`, or the one that is claimed, which must be one of `all`.
  func algorithms(_ usual: [AttentionAlgorithm], of all: [AttentionAlgorithm]) throws(ClaimError)
    -> [AttentionAlgorithm]
  {
    guard let name = claims.algorithm else { return usual }
    guard let one = all.first(where: { $0.rawValue == name }) else {
      throw .algorithm(name, known: all.map(\.rawValue))
    }
    return [one]
  }

  /// What would compute so, and what it is called, where `what` is what is cast.
  func runner(_ algorithm: AttentionAlgorithm, _ formats: Formats, casting what: String) -> (
    AttentionRunner, name: String
  ) {
    let runner = AttentionRunner(
      algorithm,
      KernelConfiguration(
        storage: .float(format), compute: formats.compute, accumulator: formats.accumulate, overflow: overflow
      ),
      probabilities: formats.cast, splits: algorithm == .splitKV ? 4 : nil)
    let name =
      "\(algorithm.rawValue), \(RowPlans.precisions(formats.compute, formats.accumulate))"
      + (formats.cast == formats.compute ? "" : ", \(what) in \(formats.cast.name)")
    return (runner, name)
  }
}
