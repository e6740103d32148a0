import CProof
import NumKitNumbers
import NumKitQuestions

/// What the first tier found for queries that stand together: they are computed together, and asked for one by one.
final class AttentionBlocks {
  fileprivate let rounded = Buffer<Double>()
  fileprivate let value = Buffer<Double>()
  fileprivate let error = Buffer<Double>()
  fileprivate let open = Buffer<UInt8>()
  fileprivate var rows = 0..<0
  fileprivate var isKnown = false
  /// The row that was answered last.
  fileprivate var row = -1
  /// Whether all of that row was known here, so that its profile is `profile`.
  fileprivate(set) var isOwn = false
  fileprivate var isDescribed = false
  /// Scores and weights of the rows, as soon as a profile was asked for.
  fileprivate var columns: AttentionColumns?
  fileprivate(set) var profile = AttentionProfile()
  /// Rows that will be asked for together.
  var asked = 0..<0

  /// Makes `profile` that of the row answered last.
  func describe(_ reference: AttentionReference) {
    guard isOwn, !isDescribed, let tier0 = reference.tier0 else { return }
    if columns == nil {
      columns = AttentionColumns()
      // The group of this row alone: the others are computed anew with theirs.
      let start = row - (row - rows.lowerBound) % AttentionTier0.lanes
      rows = start..<Swift.min(start + AttentionTier0.lanes, rows.upperBound)
      isKnown = tier0.compute(rows, keeping: columns) && reference.finish(rows)
    }
    if let columns { tier0.describe(row, from: columns, &profile) }
    isDescribed = true
  }
}

extension AttentionReference {
  /// Answers for a row by the first tier: what it knows it writes, and says which columns it leaves open; nil where that is all.
  func answerInDouble(_ row: Int, _ truth: inout Truth, _ logSumExp: inout Truth) -> [Int]? {
    blocks.isOwn = false
    guard answersInDouble, let tier0 else { return nil }
    let shape = tensors.shape
    let width = shape.valueSize
    if !blocks.rows.contains(row) {
      // Groups begin where lanes of the head do, whoever asks.
      let lanes = AttentionTier0.lanes
      let all = shape.rows(ofKeyHead: shape.keyHead(of: row / shape.queries))
      let start = row - (row - all.lowerBound) % lanes
      let groups = blocks.columns == nil ? AttentionTier0.vectors : tier0.keptGroups
      let wanted = blocks.asked.contains(row) ? (blocks.asked.upperBound - start + lanes - 1) / lanes : 1
      blocks.rows = start..<Swift.min(start + lanes * Swift.min(groups, wanted), all.upperBound)
      blocks.isKnown = tier0.compute(blocks.rows, keeping: blocks.columns) && finish(blocks.rows)
    }
    guard blocks.isKnown else { return nil }
    let query = row % shape.queries
    if parameters.mask.sight(query: query, queries: shape.queries, keys: shape.keys).isBlind { return nil }
    if logSumExp.certificate.total == 0, let (log, error) = tier0.logSumExp(row) {
      _ = logSumExp.settle(log, error, lseFormat)
    }
    let start = (row - blocks.rows.lowerBound) * width
    var open: [Int] = []
    for c in 0..<width {
      if blocks.open.base[start + c] != 0 {
        open.append(c)
      } else {
        truth.set(
          blocks.rounded.base[start + c],
          ScaledValue(
            high: blocks.value.base[start + c], relativeError: blocks.error.base[start + c] * 1.01),
          at: c)
      }
    }
    truth.certificate.double += width - open.count
    blocks.row = row
    blocks.isOwn = open.isEmpty && logSumExp.certificate.total == 1
    blocks.isDescribed = false
    return open
  }
}

extension AttentionReference {
  /// Rounds what the first tier has computed of `rows`.
  fileprivate func finish(_ rows: Range<Int>) -> Bool {
    guard let tier0, let target = Tier0.target(format) else { return false }
    let width = tensors.shape.valueSize
    for buffer in [blocks.rounded, blocks.value, blocks.error] { buffer.reserve(rows.count * width) }
    blocks.open.reserve(rows.count * width)
    tier0.finish(
      target, needed: accuracy,
      into: nc_attention_results(
        rounded: blocks.rounded.base, value: blocks.value.base, error: blocks.error.base,
        open: blocks.open.base, needed: 0, stride: width, count: 0))
    return true
  }

  /// What the first tier finds of a row, column by column, for tests to attack; nil where it finds nothing.
  package func firstTier(row: Int) -> [(value: Double, error: Double, isOpen: Bool)]? {
    var (truth, log) = (Truth(), Truth())
    truth.reset(count: tensors.shape.valueSize)
    log.reset(count: 1)
    guard answerInDouble(row, &truth, &log) != nil else { return nil }
    let start = (row - blocks.rows.lowerBound) * tensors.shape.valueSize
    return (start..<start + tensors.shape.valueSize).map {
      (blocks.value.base[$0], blocks.error.base[$0], blocks.open.base[$0] != 0)
    }
  }
}

extension Truth {
  /// Writes a log-sum-exp of plain Double if it is proven.
  fileprivate mutating func settle(_ log: Pair, _ error: Double, _ format: NumberFormat) -> Bool {
    guard accept(log, error, at: 0, format) else { return false }
    certificate.doubleDouble -= 1
    certificate.double += 1
    return true
  }
}

extension AttentionReference {
  /// Rounds the outputs of `rows`, each head·queries + query, into `output` [rows, valueSize], and their log-sum-exps into `logSumExp`;
  /// returns what proved them. Nothing but the roundings is computed, 64 queries at a time.
  ///
  /// - Precondition: the rows are within the shape, and there is room.
  public func round(
    rows: Range<Int>, into output: UnsafeMutableBufferPointer<Double>,
    logSumExp: UnsafeMutableBufferPointer<Double>
  ) -> Certificate {
    let shape = tensors.shape
    let width = shape.valueSize
    precondition(rows.lowerBound >= 0 && rows.upperBound <= shape.heads * shape.queries, "rows there are")
    precondition(output.count >= rows.count * width && logSumExp.count >= rows.count, "room for all")
    var certificate = Certificate()
    var truth = Truth()
    var log = Truth()
    var start = rows.lowerBound
    blocks.rows = 0..<0
    while start < rows.upperBound, let out = output.baseAddress {
      let end = shape.rows(ofKeyHead: shape.keyHead(of: start / shape.queries)).upperBound
      let block = start..<Swift.min(start + AttentionTier0.block, end, rows.upperBound)
      start = block.upperBound
      let y = out + (block.lowerBound - rows.lowerBound) * width
      let isKnown = compute(block, into: y)
      for row in block {
        let place = row - block.lowerBound
        let query = row % shape.queries
        truth.reset(count: width)
        log.reset(count: 1)
        var open: [Int]?
        if isKnown,
          !parameters.mask.sight(query: query, queries: shape.queries, keys: shape.keys).isBlind
        {
          let flags = UnsafeBufferPointer(start: blocks.open.base + place * width, count: width)
          open = flags.reduce(0, |) == 0 ? [] : flags.indices.filter { flags[$0] != 0 }
          if let (value, error) = tier0?.logSumExp(row) { _ = log.settle(value, error, lseFormat) }
          certificate.double += width - (open?.count ?? 0)
        }
        if open?.isEmpty != true || log.certificate.total == 0 {
          answerInPairs(head: row / shape.queries, query: query, columns: open, &truth, &log)
          for c in open ?? Array(0..<width) { y[place * width + c] = truth.rounded[c] }
          certificate.merge(truth.certificate)
        }
        certificate.merge(log.certificate)
        logSumExp[row - rows.lowerBound] = log.rounded[0]
      }
    }
    return certificate
  }

  private func compute(_ block: Range<Int>, into output: UnsafeMutablePointer<Double>) -> Bool {
    guard let tier0, let target = Tier0.target(format), tier0.compute(block) else { return false }
    let width = tensors.shape.valueSize
    blocks.open.reserve(block.count * width)
    // Enough to tell a sign.
    tier0.finish(
      target, needed: 0x1p-10,
      into: nc_attention_results(
        rounded: output, value: nil, error: nil, open: blocks.open.base, needed: 0, stride: width, count: 0))
    return true
  }
}
