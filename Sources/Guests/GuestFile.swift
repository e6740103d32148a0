import NumKit
import TensorFiles

/// Results that somebody computed, in a tensor of a file: read piece by piece, each checked to be a number of their format.
public struct GuestFile: Sendable {
  /// What messages call it.
  public let name: String
  /// The format of the results.
  public let format: NumberFormat
  private let source: TensorSource
  /// Whether numbers may be none of the format.
  private let isChecked: Bool

  /// The results in `tensor`, whose shape is one of `shapes`; `format` is theirs where it is not the elements' own, each of which must
  /// then be a number of it. Rows of results run along `axis`.
  ///
  /// - Throws: `GuestError` for another shape, for elements that are no floating-point numbers; what reading throws.
  public init(
    _ tensor: TensorView, name: String, shapes: [[Int]], axis: Int? = nil, format: NumberFormat? = nil
  ) throws {
    guard let own = tensor.elementType.numberFormat else {
      throw GuestError(
        "\(name): \(tensor.elementType) is no format of results; they must be floating-point numbers")
    }
    guard shapes.contains(tensor.shape) else {
      let wanted = shapes.map { "\($0)" }.joined(separator: " or ")
      throw GuestError("\(name): its shape is \(tensor.shape), but results of these inputs have \(wanted)")
    }
    self.name = name
    self.format = format ?? own
    isChecked = format != nil && format != own
    source = try tensor.rows(axis: axis)
  }

  /// Copies the numbers of `range`, counted row by row along the axis.
  public func copy(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.copyDoubles(elements: range, into: buffer)
    guard isChecked else { return }
    for k in 0..<range.count {
      let x = buffer[k]
      if format.holds(x) { continue }
      throw GuestError(
        "\(name): result \(place(of: range.lowerBound + k)) is \(x), which is no number of \(format.name)")
    }
  }

  /// Where element `k` stands in the tensor.
  private func place(of k: Int) -> [Int] {
    var place = source.rowShape
    var rest = k / source.length
    for axis in place.indices.reversed() {
      (rest, place[axis]) = (rest / place[axis], rest % place[axis])
    }
    if !source.tensor.shape.isEmpty { place.insert(k % source.length, at: source.axis) }
    return place
  }
}

/// Why somebody's results cannot be judged.
public struct GuestError: Error, Hashable, CustomStringConvertible {
  public let description: String

  /// In one line.
  public init(_ description: String) { self.description = description }
}
