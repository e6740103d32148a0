import NumKitNumbers

/// A question about rows of numbers that is one formula: what it needs beside a row is in the value itself. What a question of its
/// own is to be beside that (a truth, kernels, bounds) it says by conforming to `ProvenFormula`, `ComputedFormula` and
/// `BoundedFormula`; the rest is the same for all.
public protocol Formula: Sendable, Equatable {
  /// Its name on the command line.
  var name: String { get }
  /// Throws where it says nothing about rows of `length`.
  func check(length: Int) throws
  /// How many results a row of `length` has.
  func resultCount(length: Int) -> Int
  /// The same with its own numbers (weights, targets) as a kernel gets them.
  func stored(_ round: (Double) -> Double) -> Self
  /// Whether row number `row` has an answer in the reals.
  func hasAnswer(_ row: Int, _ x: [Double]) -> Bool
}

extension Formula {
  /// One for each element.
  public func resultCount(length: Int) -> Int { length }
  /// It has none.
  public func stored(_ round: (Double) -> Double) -> Self { self }
  /// Where all numbers are finite.
  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool { x.allSatisfy(\.isFinite) }
}

/// What a formula makes of a row.
public struct FormulaQuestion<F: Formula>: Question {
  /// A row, and the formula with its numbers as they are meant here: as given, or as stored.
  public struct Item: Sendable {
    /// Its number.
    public var row: Int
    /// The numbers.
    public var values: [Double]
    /// What is asked of them.
    public var formula: F

    /// A row of numbers.
    public init(row: Int = 0, values: [Double], formula: F) {
      self.row = row
      self.values = values
      self.formula = formula
    }
  }

  /// The formula.
  public let formula: F

  /// The question what `formula` makes of a row.
  public init(_ formula: F) { self.formula = formula }

  public var name: String { formula.name }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    rows.append(ResultRow(row: item.row, count: formula.resultCount(length: item.values.count)))
  }
}

/// Why a formula's parameters say nothing.
public struct UnfitFormula: Error, Hashable, CustomStringConvertible {
  /// What is wrong, in a line.
  public let description: String

  /// In a line.
  public init(_ description: String) { self.description = description }
}
