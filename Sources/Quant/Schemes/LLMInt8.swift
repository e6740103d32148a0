import CSchemes

/// LLM.int8() (Dettmers et al., arXiv 2208.07339): `llmint8` as the paper has it, `llmint8:bnb` as bitsandbytes computes it.
let llmInt8Family = SchemeFamily(
  file: "LLMInt8",
  defaults: { [LLMInt8()] },
  variants: { [LLMInt8(isRelease: true)] },
  origin: { $0.dialects.contains("bnb") ? "bitsandbytes 0.50" : "arXiv 2208.07339" },
  make: { name in
    guard name.base == "llmint8", name.granularity == nil else { return nil }
    var name = name
    let isRelease = name.take(["bnb": true, "paper": false]) ?? false
    return name.isUsedUp ? LLMInt8(isRelease: isRelease) : nil
  })

/// Columns that hold a magnitude of 6 or more are kept in f16, the rest is int8 with a scale for each row.
///
/// Storage: a bit for each column (kept: 1), the first in the lowest bit, filled up to a byte; for each row amax
/// (f32, over the elements not kept), its int8 codes, its kept elements (f16), both in order of columns. Codes are
/// round(x·(127/amax)), ties to even, values q·amax/127 = q·(amax·(1/127)). A row of zeros has amax 0 and codes 0.
/// An infinity is ≥ 6, so its column is kept and it stays infinite; NaN keeps its column too. Kept numbers beyond
/// 65504 become ±∞.
///
/// `:bnb` (0.42 to 0.50): a row's amax counts its elements below 6 in kept columns too, and values are (q·amax)·f32(1/127).
///
/// The largest scheme size, every column kept, is `byteCount`; unused bytes at the end are 0.
struct LLMInt8: GridScheme {
  var name: String { isRelease ? "llmint8:bnb" : "llmint8" }
  var unrounded: (any Scheme)? { nil }

  static let threshold: Float = 6

  /// The kept columns where a survey of the whole tensor has found them; bands then have no mask and no slack.
  var known: [Int]?

  /// Whether as bitsandbytes computes it.
  var isRelease = false

  private func maskBytes(_ columns: Int) -> Int { known == nil ? (columns + 7) / 8 : 0 }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    let layout = try BlockLayout(
      rows: rows, columns: columns, granularity: .token, elementBits: 16, blockBytes: 4, headerBytes: 0,
      name: name)
    if let known { return rows * (4 + columns + known.count) }
    return layout.count == 0 ? 0 : layout.byteCount + maskBytes(columns)
  }

  func storedByteCount(_ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int) throws -> Int {
    try checkCounts(rows, columns, values: rows * columns, bytes: bytes.count)
    if bytes.isEmpty { return 0 }
    let kept = keptColumns(bytes, columns).count
    return maskBytes(columns) + rows * (4 + columns + kept)
  }

  private func keptColumns(_ bytes: UnsafeRawBufferPointer, _ columns: Int) -> [Int] {
    known ?? (0..<columns).filter { isKept($0, bytes) }
  }

  /// The columns to keep, by the largest magnitude of each as bits, and the mask that is stored for them.
  static func keptColumns(magnitudes: [Int32]) -> (columns: [Int], mask: [UInt8]) {
    let threshold = Int32(bitPattern: LLMInt8.threshold.bitPattern)
    let kept = magnitudes.indices.filter { magnitudes[$0] >= threshold }
    var mask = [UInt8](repeating: 0, count: (magnitudes.count + 7) / 8)
    for column in kept { mask[column / 8] |= 1 << UInt8(column % 8) }
    return (kept, mask)
  }

  private func isKept(_ column: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let mask: UInt8 = bytes[column / 8]
    return mask & (1 << UInt8(column % 8)) != 0
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    let kept: [Int]
    if let known {
      kept = known
    } else {
      var largest = [Int32](repeating: 0, count: columns)
      for row in 0..<rows { nc_magnitudes(x + row * columns, columns, 1, &largest) }
      let found = LLMInt8.keptColumns(magnitudes: largest)
      kept = found.columns
      bytes.copyBytes(from: found.mask)
    }
    var place = y + maskBytes(columns)
    // Rows without their kept columns, so that the loops see only the rest.
    let rest = columns - kept.count
    let masked = UnsafeMutablePointer<Float>.allocate(capacity: columns)
    let factors = UnsafeMutablePointer<Float>.allocate(capacity: columns)
    defer {
      masked.deallocate()
      factors.deallocate()
    }
    for row in 0..<rows {
      let source = x + row * columns
      var gap = 0
      for column in kept + [columns] {
        (masked + gap - gapCount(kept, gap)).update(from: source + gap, count: column - gap)
        gap = column + 1
      }
      var magnitude: Int32 = 0
      nc_finite_magnitudes(masked, 1, rest, &magnitude)
      if isRelease {
        for column in kept where abs(source[column]) < LLMInt8.threshold {
          magnitude = max(magnitude, Int32(bitPattern: abs(source[column]).bitPattern))
        }
      }
      let amax = Float(bitPattern: UInt32(bitPattern: magnitude))
      place.storeBytes(of: amax.bitPattern.littleEndian, as: UInt32.self)
      place += 4
      // 127/amax overflows for amax below 2^−121: a scale that small is no scale.
      let factor = amax == 0 ? 0 : min(127 / amax, .greatestFiniteMagnitude)
      factors.update(repeating: factor, count: rest)
      nc_integers(
        masked, factors, factors, rest, -127, 127, place.assumingMemoryBound(to: UInt8.self), 4, 0)
      place += rest
      for column in kept {
        place.storeBytes(of: Float16(source[column]).bitPattern.littleEndian, as: UInt16.self)
        place += 2
      }
    }
  }

  /// How many of the ascending `kept` lie before `column`.
  private func gapCount(_ kept: [Int], _ column: Int) -> Int {
    var (low, high) = (0, kept.count)
    while low < high {
      let middle = (low + high) / 2
      if kept[middle] < column { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    let kept = keptColumns(bytes, columns)
    let rest = columns - kept.count
    var isPlain = [Bool](repeating: true, count: columns)
    for column in kept { isPlain[column] = false }
    let plain = (0..<columns).filter { isPlain[$0] }
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: 2 * columns)
    defer { scratch.deallocate() }
    var place = y + maskBytes(columns)
    for row in 0..<rows {
      let target = x + row * columns
      let amax = Float(bitPattern: UInt32(littleEndian: place.loadUnaligned(as: UInt32.self)))
      place += 4
      (scratch + columns).update(repeating: isRelease ? amax : amax * (1 / 127), count: rest)
      let codes = place.assumingMemoryBound(to: UInt8.self)
      let values = kept.isEmpty ? target : scratch
      nc_signed_values(codes, scratch + columns, rest, 8, values)
      if isRelease { for index in 0..<rest { values[index] *= 1 / 127 } }
      if !kept.isEmpty { for (index, column) in plain.enumerated() { target[column] = scratch[index] } }
      place += rest
      for column in kept {
        target[column] = Float(
          Float16(bitPattern: UInt16(littleEndian: place.loadUnaligned(as: UInt16.self))))
        place += 2
      }
    }
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: lowest.count, bytes: bytes.count)
    guard highest.count == lowest.count else {
      throw SchemeError.shape("\(highest.count) upper limits for \(lowest.count) lower ones")
    }
    guard let y = bytes.baseAddress else { return }
    let kept = keptColumns(bytes, columns)
    let rowBytes = 4 + columns + kept.count
    for row in 0..<rows {
      let start = y + maskBytes(columns) + row * rowBytes
      let amax = Float(bitPattern: UInt32(littleEndian: start.loadUnaligned(as: UInt32.self)))
      let end = isRelease ? 127 * amax * (1 / 127) : 127 * (amax * (1 / 127))
      let range = row * columns..<(row + 1) * columns
      for index in range { (lowest[index], highest[index]) = (-end, end) }
      for column in kept {
        let largest = Float(Float16.greatestFiniteMagnitude)
        (lowest[row * columns + column], highest[row * columns + column]) = (-largest, largest)
      }
    }
  }
}
