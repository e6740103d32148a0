import NumKitQuestions

/// Rows of a gradient in which results are open.
struct OpenRows {
  /// Which, ascending.
  private(set) var rows: [Int] = []
  /// Which columns of each; all where there are none.
  private var columns: [[Int]] = []
  /// Where each row stands, −1 where nothing of it is open.
  private var slots: [Int]

  /// None of so many.
  init(count: Int) { slots = Array(repeating: -1, count: count) }

  var count: Int { rows.count }
  var isEmpty: Bool { rows.isEmpty }

  /// Where row `j` stands among those that are open.
  func slot(of j: Int) -> Int? { slots[j] < 0 ? nil : slots[j] }

  /// Whether column `c` is open in the row that stands there.
  func isOpen(_ slot: Int, _ c: Int) -> Bool { columns.isEmpty || columns[slot].contains(c) }

  /// Opens `places`, row·width + column and ascending; nil for all.
  mutating func set(_ places: [Int]?, width: Int) {
    for j in rows { slots[j] = -1 }
    columns.removeAll()
    guard let places else {
      rows = Array(slots.indices)
      for j in rows { slots[j] = j }
      return
    }
    rows.removeAll()
    for place in places {
      let j = place / width
      if slots[j] < 0 {
        slots[j] = rows.count
        rows.append(j)
        columns.append([])
      }
      columns[slots[j]].append(place % width)
    }
  }
}

/// The gradients of a key head that the first tier leaves.
struct OpenGradients {
  private(set) var q: OpenRows
  private(set) var k: OpenRows
  private(set) var v: OpenRows
  private let shape: AttentionShape

  init(_ shape: AttentionShape) {
    self.shape = shape
    q = OpenRows(count: shape.group * shape.queries)
    k = OpenRows(count: shape.keys)
    v = k
  }

  var isEmpty: Bool { q.isEmpty && k.isEmpty && v.isEmpty }

  /// Whether dK or dV of key `j` is open.
  func hasPart(in j: Int) -> Bool { k.slot(of: j) != nil || v.slot(of: j) != nil }

  /// What is open; nil for all.
  mutating func set(_ open: EnclosedBackward.Pending?) {
    q.set(open?.q, width: shape.headSize)
    k.set(open?.k, width: shape.headSize)
    v.set(open?.v, width: shape.valueSize)
  }
}
