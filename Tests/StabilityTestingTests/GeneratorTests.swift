import StabilityTesting
import Testing

/// What generators make, in every format.
@Suite struct GeneratorTests {
  static let formats: [NumberFormat] = FormatRegistry.all.compactMap { $0.dtype.numberFormat }.filter(
    \.hasZero)

  private func made<V>(_ generator: Generator<V>, _ count: Int = 200) throws -> [V] {
    try (0..<count).compactMap { try generator.value(seed: 3, run: $0)?.value }
  }

  @Test(arguments: formats) func classesAreWhatTheySay(_ format: NumberFormat) throws {
    let floats = Floats(format)
    for (generator, isOne) in [
      (floats.finite, { $0.isFinite }),
      (floats.normal, { $0.isFinite && $0.magnitude >= format.smallestNormal }),
      (floats.subnormal, { $0 != 0 && $0.magnitude < format.smallestNormal }),
      (floats.zero, { $0 == 0 }), (floats.infinite, \.isInfinite), (floats.nan, \.isNaN),
      (floats.uniform(in: -2...3), { (-2...3).contains($0) }),
      (floats.logUniform(in: 0.5...2), { (0.5...2).contains($0.magnitude) }),
    ] as [(Generator<Double>, (Double) -> Bool)] {
      let values = try made(generator)
      #expect(values.allSatisfy { isOne($0) && ($0.isNaN || format.round($0).bitPattern == $0.bitPattern) })
    }
    #expect(try made(floats.finite).count == 200)
    #expect(try made(floats.normal).count == 200)
    #expect(try made(floats.subnormal).count == (format.significandBits > 0 ? 200 : 0))
    #expect(try made(floats.infinite).isEmpty == !format.hasInfinity)
    #expect(try made(floats.nan).isEmpty == !format.hasNaN)
    // Of every size: not only numbers around 1.
    let sizes = Set(try made(floats.normal, 2000).map { Int($0.exponent) })
    #expect(sizes.count > (format.maxExponent - format.minExponent) / 2)
  }

  @Test func midpointsAreBetweenNeighbours() throws {
    for (wide, narrow) in [(NumberFormat.f32, NumberFormat.bf16), (.f64, .f16), (.f16, .f8e4m3fn)] {
      let exact = try made(Floats(wide).midpoints(of: narrow, ulps: 0))
      #expect(exact.count > 150)
      for x in exact {
        let below = narrow.stepped(x, by: 0)
        #expect(below != x, "\(x) is a number of \(narrow.name)")
        // To nearest even: a step of the wide format towards either side decides.
        let (low, high) = (narrow.round(wide.stepped(x, by: -1)), narrow.round(wide.stepped(x, by: 1)))
        #expect(low < high && (x - low) == (high - x), "\(x)")
      }
      let around = try made(Floats(wide).midpoints(of: narrow, ulps: 1))
      #expect(
        around.contains { !Floats.isMidpoint($0, of: narrow) }
          && around.contains { Floats.isMidpoint($0, of: narrow) })
    }
  }

  @Test(arguments: formats) func stepsAreNeighbours(_ format: NumberFormat) {
    var random = RandomSource(seed: 1, row: 0)
    for _ in 0..<200 {
      let x = format.anyFinite(&random)
      let next = format.stepped(x, by: 1)
      if x == format.largestFinite {
        #expect(next == x)
      } else {
        #expect(next > x && format.round(x + (next - x) * 0.25) == x && format.round(next) == next)
        #expect(format.stepped(next, by: -1) == x)
      }
    }
    #expect(format.stepped(0, by: .max) == format.largestFinite)
    #expect(format.stepped(0, by: .min) == -format.largestFinite)
  }

  @Test func nearThresholds() throws {
    let values = try made(Floats(.f16).near([65_504, 1], ulps: 1))
    let near1 = [1 - 0x1p-11, 1, 1 + 0x1p-10]
    #expect(
      values.allSatisfy { ([65_472, 65_504] + near1).contains($0) } && near1.allSatisfy(values.contains))
  }

  @Test func everyFamilyMakesNumbersOfTheFormat() {
    for format in Self.formats {
      for family in RowFamily.allCases {
        for n in [1, 2, 3, 17, 64] {
          var random = RandomSource(seed: 5, row: n)
          var row = [Double](repeating: .nan, count: n)
          family.fill(&row, format, range: 1000, &random)
          #expect(
            row.allSatisfy {
              !$0.isNaN && ($0 == -.infinity || format.round($0) == $0 && $0.magnitude <= 1000)
            }, "\(family) \(format.name)")
          #expect(row.contains(where: \.isFinite) && (family.isMasked || row.allSatisfy(\.isFinite)))
        }
      }
    }
  }

  @Test func tensors() throws {
    for matrix in try made(Generator<BFloat16>.floats().matrix(rows: 0...5, columns: 1...7)) {
      #expect(
        matrix.count <= 5 && Set(matrix.map(\.count)).count <= 1
          && matrix.allSatisfy { (1...7).contains($0.count) })
    }
    let masks = try made(Generator<[[Bool]]>.mask(queries: 1...6, keys: 1...6), 300)
    #expect(
      masks.contains { mask in
        mask.indices.allSatisfy { i in mask[i].indices.allSatisfy { mask[i][$0] == ($0 <= i) } }
          && mask.count > 3
      })
    let tensors = try made(Generator<[[Float]]>.outliers(tokens: 4...32, channels: 8...64), 50)
    #expect(tensors.contains { $0.joined().contains { abs($0) > 5000 } })
    let rows: [[Float16]] = try made(.logits(1...20, range: 100))
    #expect(rows.contains { $0.contains(-.infinity) } && rows.allSatisfy { $0.contains(where: \.isFinite) })
  }

  @Test func theSameSeedGivesTheSameValues() throws {
    let generator: Generator<[Float]> = .logits(1...30)
    for run in 0..<30 {
      let first = try generator.value(seed: 9, run: run), second = try generator.value(seed: 9, run: run)
      #expect(first?.choices == second?.choices)
      // And so do the choices, through their text.
      let choices = try #require(first).choices
      let text = ChoiceText.text(choices)
      let again = try ChoiceText.choices(text)
      #expect(again == choices, "\(text)")
      #expect(try generator.value(of: again) == first?.value)
    }
    let (a, b) = (
      try generator.value(seed: 9, run: 0)?.choices, try generator.value(seed: 10, run: 0)?.choices
    )
    #expect(a != b)
  }

  @Test func composedGeneratorsKeepTheirPromise() throws {
    let even = Generator.integers(0...1000).map { 2 * $0 }
    let square = Generator.lengths(1...6).flatMap { n in
      Generator<Float>.floats().matrix(rows: n...n, columns: n...n)
    }
    let either = Generator.one(of: [even, .always(7), .integers(-5 ... -1).filter { $0 != -3 }])
    #expect(try made(even).allSatisfy { $0 % 2 == 0 && (0...2000).contains($0) })
    #expect(try made(square).allSatisfy { m in m.allSatisfy { $0.count == m.count } })
    let values = try made(either)
    #expect(Set(values).isSuperset(of: [7, -1, -5]) && !values.contains(-3))
    #expect(try made(Generator.pair(even, Generator<Bool>.flags)).contains { $0.1 })
  }
}
