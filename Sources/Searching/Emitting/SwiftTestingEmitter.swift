import NumKit

/// A test for Swift Testing.
package enum SwiftTestingEmitter: TestEmitter {
  package static let name = "swift-testing"

  package static func text(_ test: EmittedTest) -> String {
    let (inputs, results) = (type(test.inputs), type(test.format))
    let arrays = test.arrays.map { array in
      let runs = array.runs.map { "    (\($0.count), \(element($0.value, test.inputs)))," }
      return "  let \(array.name): [(Int, \(inputs))] = [\n\(runs.joined(separator: "\n"))\n  ]"
    }
    let types = test.arrays.map { _ in "[\(inputs)]" }.joined(separator: ", ")
    let given = test.arrays.map { array in
      "\(array.name).flatMap { Array(repeating: $0.1, count: $0.0) }"
    }
    let expected = test.expected.map { "    (\($0.count), \(number($0.value)), \(number($0.allowed)))," }
    let name = EmittedTest.identifier(test.operation)
    let names = test.outputs.map(\.name)
    let isOne = names.count == 1
    let gives =
      isOne ? "[\(results)]" : "(" + names.map { "\($0): [\(results)]" }.joined(separator: ", ") + ")"
    let call = "try kernelUnderTest(\n    \(given.joined(separator: ", ")))"
    let called =
      isOne
      ? "let results = \(call)"
      : "let made = \(call)\n  let results = "
        + names.map { "made.\($0)" }.joined(separator: " + ")
    return """
      \(test.comment.map { "// \($0)" }.joined(separator: "\n"))
      import Testing

      // The kernel under test, of the module to be imported above: \(words(test.inputs, test.format)).
      private let kernelUnderTest: (\(types)) throws -> \(gives) = \(name)

      @Test func \(test.identifier)() throws {
        // How many, and what they are.
      \(arrays.joined(separator: "\n"))
        // How many results\(test.order), the right one, and what a right kernel may err by.
        let expected: [(Int, Double, Double)] = [
      \(expected.joined(separator: "\n"))
        ]
        \(called)
        let right = expected.flatMap { Array(repeating: ($0.1, $0.2), count: $0.0) }
        try #require(results.count == right.count)
        \(table(test.format))for (i, (result, (value, allowed))) in zip(results, right).enumerated() {
          let got = \(read(test.format))
          let isRight =
            value.isNaN
            ? got.isNaN : value.isInfinite ? got == value : got.isFinite && (got - value).magnitude <= allowed
          #expect(isRight, "result \\(i) is \\(got), not \\(value), allowed \\(allowed)")
        }
      }

      """
  }

  private static func type(_ format: NumberFormat) -> String {
    switch ElementKind(format) {
    case .native(_, let swift, _): swift
    case .codes(let bytes): bytes == 1 ? "UInt8" : "UInt16"
    }
  }

  private static func words(_ inputs: NumberFormat, _ results: NumberFormat) -> String {
    func words(_ format: NumberFormat) -> String {
      if case .codes = ElementKind(format) { return "codes of \(format.name)" }
      return format.name
    }
    return "\(words(inputs)) in, \(words(results)) out"
  }

  private static func number(_ x: Double) -> String {
    EmittedTest.literal(x, nan: ".nan", infinity: ".infinity")
  }

  private static func element(_ x: Double, _ format: NumberFormat) -> String {
    if case .codes = ElementKind(format) { return "0x" + String(format.encode(x), radix: 16) }
    return number(x)
  }

  private static func table(_ format: NumberFormat) -> String {
    guard case .codes(1) = ElementKind(format) else { return "" }
    let values = (0...format.codes.upperBound).map { number(format.decode($0)) }
    return "let numbers: [Double] = [\(values.joined(separator: ", "))]\n  "
  }

  private static func read(_ format: NumberFormat) -> String {
    switch ElementKind(format) {
    case .native: "Double(result)"
    case .codes(1): "numbers[Int(result) & \(format.codes.upperBound)]"
    case .codes: "Double(Float(bitPattern: UInt32(result) << 16))"
    }
  }
}
