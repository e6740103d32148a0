import Synchronization

/// Rectangles of a matrix that is expensive to read by rows, kept for the rows to come: strips of rows, cut into tiles that
/// threads fill one by one. The strip in use and the one before it are kept, up to 64 MiB each, or a row where that is more.
final class TileCache<T: DecodedValue & Sendable>: Sendable {
  private let rows: Int
  private let columns: Int
  /// The rows of a strip and the columns of a tile.
  private let height: Int
  private let width: Int

  private struct Place: Hashable {
    let strip: Int
    let tile: Int
  }

  private struct State {
    var tiles: [Place: Tile] = [:]
    /// The latest last.
    var strips: [Int] = []
  }

  private let state = Mutex(State())

  /// A tile's numbers, once one thread has put them there.
  private final class Tile: @unchecked Sendable {
    let values: UnsafeMutableBufferPointer<T>
    private let isFilled = Mutex(false)

    init(_ count: Int) { values = .allocate(capacity: count) }
    deinit { values.deallocate() }

    func fill(_ body: (UnsafeMutablePointer<T>) throws -> Void) throws {
      try isFilled.withLock { filled in
        guard !filled, let place = values.baseAddress else { return }
        try body(place)
        filled = true
      }
    }
  }

  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    let strip = (64 << 20) / MemoryLayout<T>.stride
    height = max(1, min(rows, strip / columns))
    width = max(1, min(columns, (1 << 18) / height))
  }

  /// Copies the elements of `range`; `read` puts a rectangle of rows and columns, row by row, in a place that has room for it.
  func copy(
    _ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<T>,
    read: (Range<Int>, Range<Int>, UnsafeMutablePointer<T>) throws -> Void
  ) throws {
    guard var out = buffer.baseAddress else { return }
    var position = range.lowerBound
    while position < range.upperBound {
      let (row, column) = (position / columns, position % columns)
      let (strip, index) = (row / height, column / width)
      let tileRows = strip * height..<min((strip + 1) * height, rows)
      let tileColumns = index * width..<min((index + 1) * width, columns)
      let tile = tile(Place(strip: strip, tile: index), tileRows.count * tileColumns.count)
      try tile.fill { try read(tileRows, tileColumns, $0) }
      let n = min(tileColumns.upperBound - column, range.upperBound - position)
      let from = (row - tileRows.lowerBound) * tileColumns.count + column - tileColumns.lowerBound
      if let values = tile.values.baseAddress { out.update(from: values + from, count: n) }
      out += n
      position += n
    }
  }

  private func tile(_ place: Place, _ count: Int) -> Tile {
    state.withLock { state in
      if state.strips.last != place.strip {
        state.strips.removeAll { $0 == place.strip }
        state.strips.append(place.strip)
        if state.strips.count > 2 {
          let old = state.strips.removeFirst()
          state.tiles = state.tiles.filter { $0.key.strip != old }
        }
      }
      if let tile = state.tiles[place] { return tile }
      let tile = Tile(count)
      state.tiles[place] = tile
      return tile
    }
  }
}
