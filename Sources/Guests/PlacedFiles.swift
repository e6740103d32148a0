import NumKit

/// Results in files, one a part of the question, of items that may have several rows in each: every row by itself, where it stands.
public struct PlacedFiles<Q: Question>: ResultSource {
  private let question: Q
  private let files: [GuestFile]
  private let place: @Sendable (ResultRow) -> Int

  /// `place` is where a row stands among the rows of its part's file.
  public init(_ question: Q, _ files: [GuestFile], place: @escaping @Sendable (ResultRow) -> Int) {
    self.question = question
    self.files = files
    self.place = place
  }

  public func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    var rows: [ResultRow] = []
    question.layout(of: item, into: &rows)
    var start = 0
    for row in rows {
      let first = place(row) * row.count
      try files[row.part].copy(
        first..<first + row.count,
        into: UnsafeMutableBufferPointer(rebasing: results[start..<start + row.count]))
      start += row.count
    }
  }
}
