import CSchemes
import NumKit

extension ErrorSums {
  /// Adds pairs of given and decoded elements; both buffers have the same count (the shorter one counts). Stretches of 1024 are
  /// summed in Double.
  public mutating func add(_ x: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>) {
    let total = min(x.count, decoded.count)
    guard let a = x.baseAddress, let b = decoded.baseAddress else { return }
    for start in stride(from: 0, to: total, by: 1024) {
      let length = min(1024, total - start)
      let part = nc_sum_errors(a + start, b + start, length)
      var stretch = Stretch()
      stretch.count = length
      (stretch.finiteCount, stretch.lostCount) = (Int(part.numbers), Int(part.lostNumbers))
      (stretch.squaredError, stretch.square) = (part.squaredError, part.squares)
      (stretch.computedSquare, stretch.product) = (part.decodedSquares, part.product)
      (stretch.absoluteError, stretch.absolute) = (part.absoluteError, part.absolute)
      (stretch.sum, stretch.largestError) = (part.sum, part.largestError)
      add(stretch)
    }
  }
}
