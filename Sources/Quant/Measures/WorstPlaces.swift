import CSchemes
import NumKitNumbers

/// A part of a tensor and what its error is.
public struct ErrorPlace: Sendable, Hashable {
  /// The row of a block; 0 for a channel.
  public let row: Int
  /// The channel, or the first of a block.
  public let column: Int
  /// How many channels wide it is.
  public let width: Int
  /// Σ(x̂ − x)² of its elements.
  public let squaredError: Double
  /// Σx² of its elements.
  public let energy: Double

  /// ‖x̂ − x‖/‖x‖ within it; 0 without error.
  public var relativeL2: Double { squaredError == 0 ? 0 : (squaredError / energy).squareRoot() }
}

/// The squared error of each channel and the block with the largest, over rows that come in any number of parts.
public struct WorstPlaces: Sendable, Hashable {
  /// Channels.
  public let columns: Int
  /// How long the blocks are; the last of a row may be shorter.
  public let blockLength: Int
  /// The block with the largest squared error, the first of equals; nil before there is any error.
  public private(set) var block: ErrorPlace?
  private var errors: [Double]
  private var squares: [Double]
  /// What was said of the channels by another process, which had them all; nil where they are here.
  private var summary: Summary?

  private struct Summary: Hashable {
    var worst: ErrorPlace?
    var lost = 0
  }

  public init(columns: Int, blockLength: Int = 32) {
    self.columns = max(columns, 0)
    self.blockLength = max(blockLength, 1)
    errors = [Double](repeating: 0, count: self.columns)
    squares = errors
  }

  /// Adds a row.
  public mutating func add(
    row: Int, _ x: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>
  ) {
    guard let a = x.baseAddress, let b = decoded.baseAddress, x.count == columns, decoded.count == columns
    else { return }
    nc_add_columns(a, b, columns, &errors, &squares)
    var largest = 0.0
    let start = nc_worst_run(a, b, columns, blockLength, &largest)
    if largest < block?.squaredError ?? 0 { return }
    let width = min(blockLength, columns - start)
    let sums = nc_sum_errors(a + start, b + start, width)
    consider(
      ErrorPlace(row: row, column: start, width: width, squaredError: largest, energy: sums.squares))
  }

  private mutating func consider(_ place: ErrorPlace) {
    guard place.squaredError > 0 else { return }
    if let worst = block {
      if place.squaredError < worst.squaredError { return }
      if place.squaredError == worst.squaredError,
        (place.row, place.column) >= (worst.row, worst.column)
      {
        return
      }
    }
    block = place
  }

  /// Adds other rows of the same tensor.
  public mutating func merge(_ other: WorstPlaces) {
    guard other.columns == columns else { return }
    for column in 0..<columns {
      errors[column] += other.errors[column]
      squares[column] += other.squares[column]
    }
    if let place = other.block { consider(place) }
  }

  /// The channel with the largest squared error, the first of equals; nil without error.
  public var channel: ErrorPlace? {
    if let summary { return summary.worst }
    guard let worst = errors.indices.max(by: { errors[$0] < errors[$1] }), errors[worst] > 0 else {
      return nil
    }
    let first = errors.firstIndex(of: errors[worst]) ?? worst
    return place(first)
  }

  /// Forgets all channels but what it can say of them: nothing can be added any more.
  mutating func settle() {
    summary = Summary(worst: channel, lost: lostChannels)
    (errors, squares) = ([], [])
  }

  private func place(_ column: Int) -> ErrorPlace {
    ErrorPlace(row: 0, column: column, width: 1, squaredError: errors[column], energy: squares[column])
  }

  /// How many channels are not all zero and have a ‖x̂ − x‖ of more than half of ‖x‖.
  public var lostChannels: Int {
    summary?.lost ?? errors.indices.count { squares[$0] > 0 && errors[$0] > 0.25 * squares[$0] }
  }
}

extension WorstPlaces: Portable {
  /// What it can say, not the channels themselves: of models with many tensors those are more than what is measured of them. It is
  /// not merged any more.
  package mutating func carry(_ c: inout Carrier) throws {
    let blank = ErrorPlace(row: 0, column: 0, width: 0, squaredError: 0, energy: 0)
    var said = Summary(worst: channel, lost: lostChannels)
    try c.carry(&block, blank: blank) { try $0.carry(&$1) }
    try c.carry(&said.worst, blank: blank) { try $0.carry(&$1) }
    try c.carry(count: &said.lost)
    if c.isReading { summary = said }
  }
}

extension ErrorPlace: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    var counts = [row, column, width]
    var sums = [squaredError, energy]
    try c.carry(fixed: &counts) { try $0.carry(count: &$1) }
    try c.carry(fixed: &sums) { try $0.carry(&$1) }
    self = ErrorPlace(
      row: counts[0], column: counts[1], width: counts[2], squaredError: sums[0], energy: sums[1])
  }
}
