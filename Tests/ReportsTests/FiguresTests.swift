import Foundation
import Reports
import TestSupport
import Testing

/// Numbers as text, held against Foundation's own.
@Suite struct FiguresTests {
  private static let numbers: [Double] = {
    var random = RandomBits(seed: 7)
    let edges: [Double] = [
      0.9995, 0.99949999, 9.995, 99.995, 999.95, 999.949, 999_999.5, 999_999.4, 1e-3, 9.99e-4, 0.009995,
      0.09995,
      0.0999499, 1, 10, 100, 1000, 1e6, 1e15, 1e16, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1,
      1.0 / 3, 2.5,
      0.125,
    ]
    return edges + edges.map(-) + (0..<4000).map { _ in Double(bitPattern: random.next()) }.filter(\.isFinite)
      + (0..<4000).map { _ in Double.random(in: -2000...2000, using: &random) }
  }()

  @Test func shortHasThreeOrFourDigits() throws {
    for x in Self.numbers {
      let m = x.magnitude
      let text = Figures.short(x)
      let value = try #require(Double(text))
      // Half a unit of the third digit, or of the last that is shown.
      #expect((value - x).magnitude <= m * 0.0051 || m >= 1000, "\(x): \(text)")
      if m >= 999_999.5 || m < 1e-3 && m > 0 {
        let reference = String(format: "%.2e", x).replacingOccurrences(of: "e+", with: "e")
          .replacingOccurrences(of: "e0", with: "e").replacingOccurrences(of: "e-0", with: "e-")
        #expect(text == reference, "\(x)")
      } else if m >= 999.95 {
        #expect(text == String(format: "%.0f", x))
      }
    }
    #expect(
      [0, -0.0, 0.5, 12.345, 0.0123456, 1e-7].map(Figures.short) == [
        "0", "0", "0.500", "12.35", "0.0123", "1.00e-7",
      ])
    #expect(
      [1234.5, 1e6, .infinity, -.infinity, .nan].map(Figures.short) == [
        "1234", "1.00e6", "inf", "-inf", "NaN",
      ])
    #expect([0.99951, 99.996, 999.96, 0.0999501].map(Figures.short) == ["1.00", "100.0", "1000", "0.100"])
  }

  @Test func numberAndHexReadBack() {
    for x in Self.numbers {
      #expect(Double(Figures.number(x))?.bitPattern == x.bitPattern)
      #expect(Double(Figures.hex(x))?.bitPattern == x.bitPattern)
    }
    #expect(Figures.number(-0.0) == "-0" && Figures.hex(-0.0) == "-0x0p+0" && Figures.hex(1.5) == "0x1.8p+0")
  }

  @Test func sharesAreNeverRoundedToAllOrNothing() {
    #expect(
      Figures.percent(0, of: 0) == "-" && Figures.percent(0, of: 9) == "0 %"
        && Figures.percent(9, of: 9) == "100 %")
    #expect(
      Figures.percent(99_999, of: 100_000) == "> 99.9 %" && Figures.percent(1, of: 10_000_000) == "1.00e-5 %")
    #expect(Figures.count(-1_234_567) == "-1,234,567" && Figures.count(999) == "999")
  }
}
