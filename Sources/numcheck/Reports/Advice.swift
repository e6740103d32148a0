import NumKit

/// What is advised: only what is not so already.
enum Advice {
  /// The next format of a wider significand to compute in; nil where there is none.
  static func finer(than format: NumberFormat) -> String? {
    [NumberFormat.f32, .f64].first { $0.precision > format.precision }?.name
  }

  /// `try A or B`; nil where nothing is left to try.
  static func tries(_ list: [String?]) -> String? {
    let list = list.compactMap(\.self)
    return list.isEmpty ? nil : "try " + list.joined(separator: " or ")
  }

  /// The same behind a sentence; empty where nothing is left.
  static func more(_ list: [String?]) -> String { tries(list).map { "; " + $0 } ?? "" }
}
