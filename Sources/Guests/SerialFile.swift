import NumKit

/// Results in files, one file a part of the question, each item's together and in the order of their numbers.
public struct SerialFile<Q: Question>: ResultSource {
  private let files: [GuestFile]
  private let counts: [Int]
  private let number: @Sendable (Q.Item, _ part: Int) -> Int

  /// `counts` are the results that an item has in each file, `number` where among the items of a file it stands.
  public init(
    _ files: [GuestFile], counts: [Int], number: @escaping @Sendable (Q.Item, _ part: Int) -> Int
  ) {
    self.files = files
    self.counts = counts
    self.number = number
  }

  public func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    var start = 0
    for (part, file) in files.enumerated() {
      let (n, count) = (number(item, part), counts[part])
      try file.copy(
        n * count..<(n + 1) * count,
        into: UnsafeMutableBufferPointer(rebasing: results[start..<start + count]))
      start += count
    }
  }
}
