import Quant
import Testing

struct DialectTests {
  private func compare(_ a: String, _ b: String, _ matrix: Matrix) throws -> DialectComparison {
    try matrix.values.withUnsafeBufferPointer {
      try DialectComparison(
        SchemeRegistry.scheme(named: a), SchemeRegistry.scheme(named: b), $0, rows: matrix.rows,
        columns: matrix.columns)
    }
  }

  @Test func scaleRulesDiffer() throws {
    var random = Seeded(41)
    let matrix = random.normals(rows: 64, columns: 256)
    let comparison = try compare("mxfp4:floor", "mxfp4:ceil", matrix)
    // ceil differs from floor unless amax is a power of two: in practice always.
    #expect(comparison.blockLength == 32)
    #expect(comparison.blockCount == 512)
    #expect(comparison.kinds[.scale] ?? 0 > 400)
    #expect(comparison.share > 0.8)
    #expect(comparison.cost == comparison.first.sqnr - comparison.second.sqnr)
    let witness = try #require(comparison.witnesses[.scale])
    // One element is enough, and two significant bits: 3 under X = ½ is 6·½, 1.5 under …
    #expect(witness.values.filter { $0 != 0 }.count == 1)
    #expect(witness.values[witness.index].significandBitPattern.trailingZeroBitCount >= 20)
    #expect(witness.first != witness.second)
    // It shows what it says.
    let row = Matrix(rows: 1, columns: witness.values.count, values: witness.values)
    #expect(try SchemeRegistry.scheme(named: "mxfp4").roundTrip(row)[witness.index] == witness.first)
    #expect(try SchemeRegistry.scheme(named: "mxfp4:ceil").roundTrip(row)[witness.index] == witness.second)
  }

  /// Where a block alone has another scale for the tensor than in it, one that holds the tensor's largest stands before it.
  @Test func witnessesOfScalesOfTheWholeAreFound() throws {
    var random = Seeded(7)
    let matrix = random.normals(rows: 2048, columns: 512)
    let comparison = try compare("nvfp4:torchao-0.18", "nvfp4:ct", matrix)
    // Less than a thousandth of a dB is nothing to choose by.
    #expect(comparison.differingBlocks > 0 && comparison.preference == .near)
    for (kind, witness) in comparison.witnesses {
      let row = Matrix(rows: 1, columns: witness.values.count, values: witness.values)
      #expect(
        try SchemeRegistry.scheme(named: "nvfp4").roundTrip(row)[witness.index] == witness.first, "\(kind)")
      #expect(
        try SchemeRegistry.scheme(named: "nvfp4:ct").roundTrip(row)[witness.index] == witness.second,
        "\(kind)")
    }
    #expect(Set(comparison.witnesses.keys) == Set(comparison.kinds.keys))
  }

  /// The ends of formats are told where no number of a tensor reaches them.
  @Test func endsOfFormatsAreTried() throws {
    func edges(_ a: String, _ b: String) throws -> [EdgeDifference] {
      try DialectEdges.differences(SchemeRegistry.scheme(named: a), SchemeRegistry.scheme(named: b))
    }
    let e4m3 = try edges("f8e4m3fn", "f8e4m3fn:saturate")
    // 464 is a tie between 448 and what would be 480, and goes to 448.
    #expect(e4m3.first?.value == Float(464).nextUp && e4m3.first?.second == 448)
    #expect(e4m3.first?.first.isNaN == true && e4m3.dropFirst().first?.value == -Float(464).nextUp)
    #expect(e4m3.map(\.value).contains(.infinity))
    #expect(try edges("q8_0", "q8_0").isEmpty)
  }

  @Test func tieRulesDifferInElementsOnly() throws {
    let values = (0..<64).map { Float($0) / 2 - 15 } + [127] + [Float](repeating: 0, count: 63)
    let comparison = try compare(
      "int8@token", "int8@token:away", Matrix(rows: 1, columns: 128, values: values))
    #expect(comparison.kinds == [.element: 2])
    #expect(comparison.differingBlocks == 2)
    let same = try compare("int8", "int8:127", Matrix(rows: 1, columns: 128, values: values))
    #expect(same.share == 0 && same.cost == 0 && same.witnesses.isEmpty)
  }

  @Test func ggmlRoundsTiesDown() throws {
    // X = 1: ¾ is ½ for ggml and 1 by halves to even, 3½ is 3 and 4.
    let values = [4, 0.75, 3.5, 1] + [Float](repeating: 0, count: 28)
    let comparison = try compare("mxfp4:ggml", "mxfp4:floor", Matrix(rows: 1, columns: 32, values: values))
    #expect(comparison.kinds == [.element: 1])
    let witness = try #require(comparison.witnesses[.element])
    #expect([[0.5, 1], [3, 4]].contains([witness.first, witness.second]))
    #expect(witness.values.filter { $0 != 0 }.count <= 2)
    // A zero block has another scale, which no value shows; a small negative has another zero.
    let negative = [4, -0.1] + [Float](repeating: 0, count: 30)
    let zeros = try compare("mxfp4:ggml", "mxfp4:floor", Matrix(rows: 1, columns: 32, values: negative))
    #expect(zeros.kinds == [.special: 1])
    let boundaries = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "mxfp4"), anchor: 4)
    let others = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "mxfp4:ggml"), anchor: 4)
    let moved = boundaries.differences(from: others).filter { $0.below > 0 }
    #expect(moved.map(\.first) == [Float(0.75).nextDown, Float(1.75).nextDown, Float(3.5).nextDown])
    #expect(moved.map(\.second) == [0.75, 1.75, 3.5])
  }

  @Test func specialAnswersDiffer() throws {
    let matrix = Matrix(rows: 1, columns: 32, values: [.infinity, 1] + [Float](repeating: 0, count: 30))
    let comparison = try compare("f8e5m2", "f8e5m2:saturate", matrix)
    #expect(comparison.kinds == [.special: 1])
    let witness = try #require(comparison.witnesses[.special])
    #expect(witness.first == .infinity && witness.second == 57344)
    #expect(witness.values.filter { $0 != 0 } == [.infinity])
  }

  @Test func boundariesAreExact() throws {
    let scheme = try SchemeRegistry.scheme(named: "f4e2m1@token")
    let all = try DecisionBoundaries(of: scheme, anchor: 6).all
    // Ties to even: ¼ → 0, ¾ → 1, 1¼ → 1, 1¾ → 2, 2½ → 2, 3½ → 4, 5 → 4.
    let positive = all.filter { $0.below.sign == .plus }
    #expect(positive.map(\.below) == [0, 0.5, 1, 1.5, 2, 3, 4])
    #expect(
      positive.map(\.last) == [
        0.25, Float(0.75).nextDown, 1.25, Float(1.75).nextDown, 2.5, Float(3.5).nextDown, 5,
      ])
    // −0 stands between.
    #expect(all.count == 15)
  }

  @Test func tieRulesMoveBoundariesByOneFloat() throws {
    let even = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "int8@token"), anchor: 127)
    let away = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "int8@token:away"), anchor: 127)
    #expect(even.all.count == 254)
    let differences = even.differences(from: away)
    // Where the code nearer to zero is even: 64 on either side.
    #expect(differences.count == 128)
    #expect(differences.allSatisfy { $0.ulps == 1 })
    #expect(even.differences(from: even).isEmpty)
    // A reciprocal in place of a division moves some.
    let divided = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "nvfp4:div"), anchor: 1)
    let multiplied = try DecisionBoundaries(of: SchemeRegistry.scheme(named: "nvfp4"), anchor: 1)
    #expect(divided.all.count == 15 && multiplied.all.count == 15)
    #expect(throws: SchemeError.self) {
      try DecisionBoundaries(of: SchemeRegistry.scheme(named: "int8"), anchor: .infinity)
    }
  }
}
