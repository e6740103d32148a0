import NumKit
import TensorFiles

/// Results in memory: an array for each part of a question, items one after another in each.
package struct HeldResults<Q: Question>: ResultSource {
  private let arrays: [GuestArray]
  private let counts: [Int]
  private let number: @Sendable (Q.Item) -> Int

  /// `counts` are the results that an item has in each array, `number` where among the items it stands.
  package init(_ arrays: [GuestArray], counts: [Int], number: @escaping @Sendable (Q.Item) -> Int) {
    self.arrays = arrays
    self.counts = counts
    self.number = number
  }

  package func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) {
    let n = number(item)
    var start = 0
    for (array, count) in zip(arrays, counts) {
      for k in 0..<count { results[start + k] = array.value(n * count + k) }
      start += count
    }
  }
}

/// Rows in memory.
package struct HeldRows: RowSource {
  package let rowCount: Int
  package let length: Int
  private let values: [Double]

  package init(_ values: [Double], length: Int) {
    self.values = values
    self.length = length
    rowCount = length == 0 ? 0 : values.count / length
  }

  package func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    for k in 0..<length { buffer[k] = values[row * length + k] }
  }
}

extension GuestArray {
  /// The array as a tensor of a file in memory.
  package func view() throws -> TensorView {
    let bytes = ProgramGuest.safetensorsHeader(self) + bytes
    return try bytes.withUnsafeBytes { try TensorFile(bytes: $0, path: name + ".safetensors") }.onlyTensor()
  }
}
