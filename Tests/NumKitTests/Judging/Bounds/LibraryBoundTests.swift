import NumKit
import TestSupport
import Testing

/// Bounds in f32 and f64 rest on the platform's functions, which are measured; here by platforms of our own making.
@Suite struct LibraryBoundTests {
  /// A platform whose `function` is changed by `change` and whose others are the real ones.
  private func platform(
    _ changed: [LibraryFunction], _ change: @escaping @Sendable (Double, Double) -> Double
  ) -> @Sendable (NumberFormat) -> LibraryAccuracy? {
    func measure<S: Scalar>(_: S.Type) -> LibraryAccuracy {
      LibraryAccuracy.measure(S.self) { (function, x: S) in
        let y = function.value(x)
        return changed.contains(function) ? S(rounding: change(x.exact, y.exact)) : y
      }
    }
    let (float, double) = (measure(Float.self), measure(Double.self))
    return { $0 == .f32 ? float : $0 == .f64 ? double : nil }
  }

  @Test(arguments: [NumberFormat.f32, .f64])
  func thisPlatformIsMeasuredWithinItsAllowance(_ format: NumberFormat) throws {
    let accuracy = try #require(LibraryAccuracy.of(format))
    for function in LibraryFunction.allCases {
      let seen = try #require(accuracy.seen[function])
      // What rounds cannot be much better than half an ulp: the measure sees that.
      #expect(seen > 0.45 && seen < 3, "\(function) \(seen)")
    }
    #expect(accuracy.excesses.isEmpty)
    #expect(LibraryAccuracy.of(.f16) == nil)
  }

  /// e^x too large by 40 ulp or more in one part of its domain.
  private static func worse(_ x: Float) -> Float {
    x < -3 ? Float.exp(x) * (1 + 40 * .ulpOfOne) : Float.exp(x)
  }

  @Test func aWorseExponentialWidensTheBound() throws {
    let bad = platform([.exp]) { x, y in x < -3 ? y * (1 + 40 * 0x1p-23) : y }
    let accuracy = try #require(bad(.f32))
    let seen = try #require(accuracy.seen[.exp])
    #expect(seen > 60 && seen < 81)
    #expect(accuracy.excesses == [.exp] && accuracy.ulps(.exp) == 2 * seen)
    #expect(accuracy.ulps(.log) == 1)

    // Softmax by that exponential, beyond the usual bound in places and never beyond the widened one.
    let configuration = KernelConfiguration(storage: .float(.f32))
    let algorithm = try #require(
      Algorithm.all(for: .softmax, dtype: .float(.f32)).first { $0.kernel == "shifted" })
    var truth = Truth()
    var beyond = 0
    for row in 0..<200 {
      var random = RandomSource(seed: 8, row: row)
      // Hardly a row's sum is moved: one term has nearly all the weight.
      let x = [0] + (0..<3).map { _ in Float(-4 - Double(row) / 10 + random.uniform()) }
      let e = x.map(Self.worse)
      let sum = e.reduce(0, +)
      let values = x.map(Double.init)
      values.withUnsafeBufferPointer {
        Reference(.softmax, format: .f32).answer($0, parameters: OperationParameters(), into: &truth)
      }
      let usual = try bounds(algorithm, configuration, values, truth)
      let wide = try LibraryAccuracy.with(standIn: bad) {
        try bounds(algorithm, configuration, values, truth)
      }
      for i in x.indices {
        let error = abs(Double(e[i] / sum) - truth.high[i] - truth.low[i])
        if error > usual[i] { beyond += 1 }
        #expect(error <= wide[i])
        #expect(wide[i] > usual[i])
      }
    }
    #expect(beyond > 100)
  }

  private func bounds(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, _ x: [Double], _ truth: Truth
  ) throws -> [Double] {
    let (kind, bounds) = try bound(algorithm, configuration, x, truth)
    #expect(kind == .sound)
    return bounds
  }

  private func bound(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, _ x: [Double], _ truth: Truth
  ) throws -> (RowBound, [Double]) {
    let parameters = OperationParameters(cotangent: x.map { _ in 1 })
    let model = try #require(ErrorBounds(algorithm, configuration, parameters: parameters))
    var profile = RowProfile()
    x.withUnsafeBufferPointer { profile.update($0, temperature: 1) }
    var bounds = [Double](repeating: 0, count: truth.high.count)
    let kind = bounds.withUnsafeMutableBufferPointer { b in
      truth.high.withUnsafeBufferPointer { model.bound(profile, target: 0, truth: $0, into: b) }
    }
    return (kind, bounds)
  }

  /// With a function that is no approximation the kernels that call it have no sound bound, and the others keep theirs: so what
  /// `BoundBasis` says a bound rests on is what it rests on.
  @Test(arguments: LibraryFunction.allCases)
  func aBoundRestsOnTheFunctionsItNames(_ function: LibraryFunction) throws {
    // Bounds do not tell 2^x from e^x.
    let broken: [LibraryFunction] = function == .exp2 ? [.exp, .exp2] : [function]
    let bad = platform(broken) { _, _ in .nan }
    let x = [0.5, -1, 2, 0.25]
    for format in [NumberFormat.f32, .f64] {
      for operation in RowOperation.allCases {
        let parameters = OperationParameters(cotangent: x.map { _ in 1 })
        var truth = Truth()
        x.withUnsafeBufferPointer {
          Reference(operation, format: format).answer($0, parameters: parameters, into: &truth)
        }
        for algorithm in Algorithm.all(for: operation, dtype: .float(format)) {
          let configuration = KernelConfiguration(storage: .float(format))
          let named = BoundBasis(algorithm, configuration).kind(.sound)
          let isNamed = named.dropFirst("sound given ".count).split(separator: "+").contains {
            name in broken.contains { $0.rawValue == name }
          }
          let (usual, _) = try bound(algorithm, configuration, x, truth)
          let (kind, _) = try LibraryAccuracy.with(standIn: bad) {
            try bound(algorithm, configuration, x, truth)
          }
          #expect(usual == .sound)
          let isExp2 = function == .exp && algorithm.kernel == "base2"
          #expect(
            (kind != .sound) == (isNamed || isExp2),
            "\(operation) \(algorithm) without \(function): \(kind), \(named)")
          if isNamed {
            let lines = LibraryAccuracy.with(standIn: bad) {
              BoundBasis.statements([(BoundBasis(algorithm, configuration), kind)])
            }
            #expect(lines.count == 1 && lines[0].hasPrefix("bounds: wide or none"), "\(lines)")
            #expect(lines[0].hasSuffix("\(format.name) gives no number"), "\(lines)")
          }
        }
      }
    }
  }

  /// The same of attention: the soft cap calls tanh, merging shares exp and log.
  @Test(arguments: LibraryFunction.allCases)
  func attentionsBoundRestsOnTheFunctionsItNames(_ function: LibraryFunction) throws {
    let broken: [LibraryFunction] = function == .exp2 ? [.exp, .exp2] : [function]
    let bad = platform(broken) { _, _ in .nan }
    let shape = AttentionShape(heads: 1, queries: 2, keys: 9, headSize: 4, valueSize: 2)
    let tensors = try drawnTensors(shape, .normal, range: 0.5, seed: 3)
    for cap in [nil, 3.0] {
      let parameters = AttentionParameters(softcap: cap)
      let runners = AttentionAlgorithm.allCases.map {
        AttentionRunner(
          $0, KernelConfiguration(storage: .float(.f32)), blockKeys: 4, splits: $0 == .splitKV ? 3 : nil)
      }
      let usual = try AttentionExperiment(tensors, parameters, runners).run()
      let without = try LibraryAccuracy.with(standIn: bad) {
        try AttentionExperiment(tensors, parameters, runners).run()
      }
      for (mine, theirs) in zip(usual.entries, without.entries) {
        let named = BoundBasis(mine.runner, hasSoftcap: cap != nil).kind(.sound)
        let isNamed = named.dropFirst("sound given ".count).split(separator: "+").contains {
          name in broken.contains { $0.rawValue == name }
        }
        #expect(mine.bound == .sound)
        #expect(
          (theirs.bound != .sound) == isNamed,
          "\(mine.runner.algorithm) without \(function): \(theirs.bound), \(named)")
      }
    }
  }

  @Test func formatsThatRoundCorrectlyRestOnNothing() throws {
    for (storage, accumulator, kind) in [
      (NumberFormat.f16, NumberFormat.f16, "sound"), (.bf16, .f32, "sound given log"),
      (.f32, .f32, "sound given exp+log"),
      (.f32, .bf16, "sound given exp"),
    ] {
      let configuration = KernelConfiguration(storage: .float(storage), accumulator: accumulator)
      let algorithm = try #require(
        Algorithm.all(for: .logSumExp, dtype: .float(storage)).first { $0.kernel == "shifted" })
      #expect(BoundBasis(algorithm, configuration).kind(.sound) == kind)
      #expect(BoundBasis(algorithm, configuration).kind(.none) == "none")
    }
  }
}
