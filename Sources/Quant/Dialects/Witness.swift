/// Makes an input on which two schemes differ in one way smaller, as long as they still do.
struct WitnessSearch {
  let a: any Scheme
  let b: any Scheme
  let kind: DifferenceKind

  init(_ a: any Scheme, _ b: any Scheme, _ kind: DifferenceKind) {
    self.a = a
    self.b = b
    self.kind = kind
  }

  /// What is made small: elements that are not +0, then the significant bits of all of them.
  static func size(_ values: [Float]) -> (Int, Int) {
    var (elements, bits) = (0, 0)
    for value in values where value.bitPattern != 0 {
      elements += 1
      if value.isFinite && value != 0 {
        bits += 24 - min(value.significandBitPattern.trailingZeroBitCount, 23)
      }
    }
    return (elements, bits)
  }

  /// The first element that differs in the wanted way when the schemes see only this row.
  private func difference(_ row: [Float]) throws -> DialectWitness? {
    try row.withUnsafeBufferPointer { x in
      let pair = try DialectPair(a, b, x, rows: 1, columns: row.count)
      guard let index = row.indices.first(where: { pair.kind($0, row[$0]) == kind }) else { return nil }
      return DialectWitness(
        values: row, index: index, first: pair.a.values[index], second: pair.b.values[index])
    }
  }

  /// A small witness made from `block`; nil where the block alone shows no such difference.
  func shrink(_ block: [Float]) throws -> DialectWitness? {
    guard var best = try difference(block) else { return nil }
    func take(_ row: [Float]) throws -> Bool {
      guard WitnessSearch.size(row) < WitnessSearch.size(best.values), let found = try difference(row) else {
        return false
      }
      best = found
      return true
    }
    // Zeros in halves, quarters, … and one by one.
    var stretch = block.count / 2
    while stretch > 0 {
      for start in stride(from: 0, to: block.count, by: stretch) {
        var row = best.values
        for index in start..<min(start + stretch, row.count) { row[index] = 0 }
        _ = try take(row)
      }
      stretch /= 2
    }
    // Fewer significant bits, as few as possible.
    for index in block.indices where best.values[index].isFinite && best.values[index] != 0 {
      for kept in 0..<23 {
        var row = best.values
        let step = UInt32(1) << UInt32(23 - kept)
        // Truncated, and the next one up.
        let truncated = row[index].bitPattern & ~(step - 1)
        row[index] = Float(bitPattern: truncated)
        if try take(row) { break }
        row[index] = Float(bitPattern: truncated &+ step)
        if row[index].isFinite, try take(row) { break }
      }
    }
    return best
  }
}
