import NumKit
import RealModule
import Testing

/// Properties of softmax that rounding bends: each holds to within the sound bound of the kernel.
@Suite struct BoundedPropertyTests {
  /// The bounds on every result of a row; nil where there is none: the kernel has no error model, or the row is beyond it.
  private func bounds(_ a: Algorithm, _ x: [Double], _ configuration: KernelConfiguration) throws -> [Double]?
  {
    guard a.arithmetic != nil else { return nil }
    let errorBounds = try #require(ErrorBounds(a, configuration, parameters: .init()))
    var profile = RowProfile()
    var truth = Truth()
    let format = try #require(configuration.storage.numberFormat)
    let reference = Reference(a.operation, format: format)
    x.withUnsafeBufferPointer {
      profile.update($0, temperature: 1)
      reference.answer($0, parameters: .init(), into: &truth)
    }
    var limits = [Double](repeating: 0, count: truth.high.count)
    let kind = truth.high.withUnsafeBufferPointer { t in
      limits.withUnsafeMutableBufferPointer { errorBounds.bound(profile, target: 0, truth: t, into: $0) }
    }
    return kind == .sound ? limits : nil
  }

  @Test(arguments: kernelFormats.map(\.format))
  func sumsToOne(_ format: NumberFormat) throws {
    let configuration = KernelConfiguration(storage: .float(format))
    for x in rows(20, length: 11, range: 3, in: format) {
      for a in algorithms(.softmax) {
        guard let limits = try bounds(a, x, configuration) else { continue }
        let sum = try run(a, x, configuration).reduce(0, +)
        let allowed = limits.reduce(0, +) * (1 + 0x1p-30) + 0x1p-48
        #expect((sum - 1).magnitude <= allowed, "\(a) in \(format.name): \(x)")
      }
    }
  }

  @Test(arguments: kernelFormats.map(\.format))
  func aPermutedRowHasPermutedResults(_ format: NumberFormat) throws {
    let configuration = KernelConfiguration(storage: .float(format))
    for x in rows(20, length: 11, range: 3, in: format) {
      for a in algorithms(.softmax) {
        let order = x.indices.map { ($0 * 4 + 3) % x.count }
        let shuffled = order.map { x[$0] }
        guard let one = try bounds(a, x, configuration), let two = try bounds(a, shuffled, configuration)
        else {
          continue
        }
        let here = try run(a, x, configuration)
        let there = try run(a, shuffled, configuration)
        for (place, i) in order.enumerated() {
          #expect((there[place] - here[i]).magnitude <= one[i] + two[place], "\(a) in \(format.name): \(x)")
        }
      }
    }
  }

  /// p = e^(x − LSE), each side within its own bound.
  @Test(arguments: kernelFormats.map(\.format))
  func softmaxIsTheExponentialOfTheDifference(_ format: NumberFormat) throws {
    let configuration = KernelConfiguration(storage: .float(format))
    let softmax = try #require(algorithms(.softmax).first { $0.description == "shifted" })
    let lse = try #require(algorithms(.logSumExp).first { $0.description == "shifted" })
    for x in rows(20, length: 7, range: 3, in: format) {
      guard let p = try bounds(softmax, x, configuration), let l = try bounds(lse, x, configuration) else {
        continue
      }
      let probabilities = try run(softmax, x, configuration)
      let y = try run(lse, x, configuration)[0]
      for i in x.indices {
        let other = Double.exp(x[i] - y)
        let allowed = p[i] + other * Double.expMinusOne(l[0]) + 0x1p-48
        #expect((probabilities[i] - other).magnitude <= allowed, "\(format.name): \(x)")
      }
    }
  }
}
