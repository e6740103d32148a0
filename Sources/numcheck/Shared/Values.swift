import ArgumentParser
import NumKit

extension DType: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
  public static var allValueStrings: [String] { FormatRegistry.all.map(\.dtype.name) }
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

extension Overflow: ExpressibleByArgument {}
extension SpecialValues: ExpressibleByArgument {}
extension Distribution: ExpressibleByArgument {}

/// How flags read whole numbers, so that what is none is told as such.
enum Whole {
  static func number(_ text: String) throws -> Int { try read(text) }
  static func seed(_ text: String) throws -> UInt64 { try read(text) }

  private static func read<N: FixedWidthInteger>(_ text: String) throws -> N {
    if let n = N(text) { return n }
    let isWhole = text.wholeMatch(of: /[+-]?[0-9]+/) != nil
    throw UsageError(isWhole ? "must be from \(N.min) to \(N.max)" : "must be a whole number")
  }
}

/// A finite number or an infinity, in any spelling that Swift reads; never NaN.
struct NumberArgument: ExpressibleByArgument {
  let value: Double
  init?(argument: String) {
    guard let value = Double(argument), !value.isNaN else { return nil }
    self.value = value
  }
  init(_ value: Double) { self.value = value }
  var defaultValueDescription: String {
    value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
  }
}
