import CSchemes
import NumKit

/// What the massive activations of a tensor cost everything else that shares a scale with them, under one scheme.
public struct OutlierCost: Sendable {
  /// The scheme's name.
  public let scheme: String
  /// The groups (tensor, rows, blocks) that were measured: those that hold a massive activation (of too many rows some, taken
  /// evenly), or, of a tensor-wide scale, bands of rows.
  public let groupCount: Int
  /// The elements measured: those of the groups that are not massive.
  public let restCount: Int
  /// log2 of how many values the group of the largest massive activation leaves for the rest: those of the grid, under
  /// the group's scale, from minus the largest |a| of the rest, rounded, to plus it.
  public let bitsWith: Double
  /// The same, were the massive ones not there.
  public let bitsWithout: Double
  /// The rest's own SQNR in dB, with the massive ones setting the scales.
  public let sqnrWith: Double
  /// The same, were they not there.
  public let sqnrWithout: Double
  /// Elements of the rest other than zero that become zero, with the massive ones there.
  public let flushedWith: Int
  /// The same, were they not there.
  public let flushedWithout: Int

  /// The schemes priced.
  public static let schemes = [
    "int8@tensor", "int8@token", "int8@g128", "int4@token", "int4@g32", "f8e4m3fn@tensor", "f8e4m3fn@token",
    "mxfp8e4m3", "mxint8", "mxfp4",
  ]

  /// The most elements that are measured where the scale is the tensor's.
  public static let sampleLimit = 1 << 24

  /// The most elements, and rows, that are measured where rows or parts of them share a scale.
  public static let rowSampleLimit = (elements: 1 << 22, rows: 1 << 14)

  /// Prices each scheme; nothing for a tensor without massive activations, or with more than 2^20 columns.
  ///
  /// Measured on all rows that hold a massive activation, or on as many, evenly taken, as `rowSampleLimit` allows, with that of
  /// the largest.
  public static func costs(
    of source: some ElementSource, _ profile: TensorProfile, threads: Int = 1
  ) throws -> [OutlierCost] {
    guard profile.massive.count > 0, profile.columns <= 1 << 20 else { return [] }
    let names = schemes
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: names.count, progress: nil, make: { PricingWorker() },
      body: { worker, k in
        let pricing = try Pricing(names[k], profile)
        worker.found.append((k, try pricing.run(source)))
      }, merge: { $0.found += $1.found })
    return worker.found.sorted { $0.0 < $1.0 }.map(\.1)
  }
}

/// The grid of a scheme and the scale of its groups, told apart from the scheme's own code.
struct PricedGrid: Sendable {
  /// Largest code of a symmetric integer grid, or a format's.
  enum Codes: Sendable {
    case integer(largest: Float)
    case format(NumberFormat)
  }
  let scheme: any Scheme
  let codes: Codes
  /// Whether scales are powers of two (OCP MX, floor), with the exponent of the largest element.
  let sharedExponent: Int?
  let granularity: Granularity

  init(_ name: String) throws {
    scheme = try SchemeRegistry.scheme(named: name)
    guard let parts = SchemeName(name) else { throw SchemeError.unknown(name) }
    switch parts.base {
    case "int8": (codes, sharedExponent) = (.integer(largest: 127), nil)
    case "int4": (codes, sharedExponent) = (.integer(largest: 7), nil)
    case "f8e4m3fn": (codes, sharedExponent) = (.format(.f8e4m3fn), nil)
    case "mxfp8e4m3": (codes, sharedExponent) = (.format(.f8e4m3fn), 8)
    case "mxfp4": (codes, sharedExponent) = (.format(.f4e2m1), 2)
    case "mxint8": (codes, sharedExponent) = (.integer(largest: 127), 6)
    default: throw SchemeError.unknown(name)
    }
    granularity = parts.granularity ?? (sharedExponent == nil ? .tensor : .group(32))
  }

  /// How many values between ±`rest` a group has whose largest magnitude is `largest`, in bits.
  func bits(largest: Float, rest: Float) -> Double {
    guard largest > 0, rest > 0 else { return 0 }
    let scale: Double
    if let shared = sharedExponent {
      // An int8 element of MX counts in 2^−6: its largest exponent is 0.
      scale = Double(sign: .plus, exponent: Int(largest.exponent) - shared, significand: 1)
    } else {
      switch codes {
      case .integer(let top): scale = Double(max(largest / top, Float.leastNormalMagnitude))
      case .format(let f): scale = Double(max(largest / Float(f.largestFinite), Float.leastNormalMagnitude))
      }
    }
    let x = Double(rest) / scale
    let positive: Double
    switch codes {
    case .integer(let top): positive = min(x.rounded(.toNearestOrEven), Double(top))
    // Codes of positive numbers count them.
    case .format(let f): positive = Double(f.encode(f.round(x, overflow: .saturate)))
    }
    return nc_log2(2 * positive + 1)
  }
}

private final class PricingWorker {
  var found: [(Int, OutlierCost)] = []
}

private struct Pricing {
  let grid: PricedGrid
  let profile: TensorProfile
  private let name: String

  init(_ name: String, _ profile: TensorProfile) throws {
    self.name = name
    self.profile = profile
    grid = try PricedGrid(name)
  }

  /// Sums over the rest.
  struct Sums {
    var with = ErrorSums()
    var without = ErrorSums()
    var flushedWith = 0
    var flushedWithout = 0
    var groups = 0
    var rest = 0
    var bitsWith = 0.0
    var bitsWithout = 0.0
  }

  func run(_ source: some ElementSource) throws -> OutlierCost {
    var sums = Sums()
    if case .tensor = grid.granularity {
      try tensorWide(source, &sums)
    } else {
      try byGroups(source, &sums)
    }
    return OutlierCost(
      scheme: name, groupCount: sums.groups, restCount: sums.rest, bitsWith: sums.bitsWith,
      bitsWithout: sums.bitsWithout, sqnrWith: sums.with.sqnr, sqnrWithout: sums.without.sqnr,
      flushedWith: sums.flushedWith, flushedWithout: sums.flushedWithout)
  }

  /// Bands of rows, each with one more that holds the tensor's largest magnitude: it then gets the tensor's scale.
  private func tensorWide(_ source: some ElementSource, _ sums: inout Sums) throws {
    let (rows, columns) = (source.rows, source.columns)
    let (largest, rest) = (profile.largestMagnitude, profile.massive.restMagnitude)
    sums.groups = 1
    sums.bitsWith = grid.bits(largest: largest, rest: rest)
    sums.bitsWithout = grid.bits(largest: rest, rest: rest)
    let height = max(1, (1 << 18) / columns)
    // Whole bands, evenly spread: single rows would cost as much reading as all.
    let step = max(1, (rows * columns + OutlierCost.sampleLimit - 1) / OutlierCost.sampleLimit)
    var band = Band(rows: height + 1, columns: columns)
    defer { band.deallocate() }
    for start in stride(from: 0, to: rows, by: height * step) {
      let n = min(height, rows - start)
      try source.read(start * columns..<(start + n) * columns, into: band.rows(n))
      band.split(rows: n, profile)
      band.fill(row: n, first: largest, rest: rest)
      try band.code(grid.scheme, rows: n + 1)
      for row in 0..<n { band.add(row, 0..<columns, &sums) }
    }
  }

  private func byGroups(_ source: some ElementSource, _ sums: inout Sums) throws {
    let columns = source.columns
    let width = min(grid.granularity.blockColumns(columns), columns)
    var band = Band(rows: 1, columns: columns)
    defer { band.deallocate() }
    guard let first = profile.massive.places.first else { return }
    for row in massiveRows(with: first.row) {
      try source.read(row * columns..<(row + 1) * columns, into: band.row(0))
      band.split(rows: 1, profile)
      try band.code(grid.scheme, rows: 1)
      for start in stride(from: 0, to: columns, by: width) {
        let range = start..<min(start + width, columns)
        guard let found = band.magnitudes(range) else { continue }
        sums.groups += 1
        band.add(0, range, &sums)
        if row == first.row && range.contains(first.column) {
          sums.bitsWith = grid.bits(largest: found.largest, rest: found.rest)
          sums.bitsWithout = grid.bits(largest: found.rest, rest: found.rest)
        }
      }
    }
  }
}

extension Pricing {
  /// The rows that may hold a massive activation, by their maxima; of too many some, taken evenly, and `always`.
  private func massiveRows(with always: Int) -> [Int] {
    let (settings, share) = (profile.settings, profile.rowsPerMaximum)
    func isCandidate(_ row: Int) -> Bool {
      let largest = Double(profile.rowMaxima[row / share])
      return settings.medianScope == .token
        ? largest > settings.massiveLimit : settings.isMassive(largest, median: profile.medianMagnitude)
    }
    let most = OutlierCost.rowSampleLimit
    let limit = max(1, min(most.elements / profile.columns, most.rows))
    let count = (0..<profile.rows).count(where: isCandidate)
    let step = max(1, (count + limit - 1) / limit)
    var seen = 0
    let rows = (0..<profile.rows).filter {
      guard isCandidate($0) else { return false }
      seen += 1
      return (seen - 1) % step == 0 && $0 != always
    }
    return rows + [always]
  }
}

/// Some rows, as they are and without their massive elements, and what a scheme makes of both.
private struct Band {
  private let rows: Int
  private let columns: Int
  private let memory: UnsafeMutableBufferPointer<Float>
  private var isMassive: [Bool]
  private var scratch: [UInt32] = []

  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    memory = .allocate(capacity: 4 * rows * columns)
    memory.initialize(repeating: 0)
    isMassive = [Bool](repeating: false, count: rows * columns)
  }

  func deallocate() { memory.deallocate() }

  /// As they are, without, and both decoded.
  private func part(_ k: Int, rows n: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: memory[k * rows * columns..<(k * rows + n) * columns])
  }

  /// The first `n` rows as they are.
  func rows(_ n: Int) -> UnsafeMutableBufferPointer<Float> { part(0, rows: n) }

  func row(_ k: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: memory[k * columns..<(k + 1) * columns])
  }

  /// Marks the massive elements of the first `n` rows and copies the rest.
  mutating func split(rows n: Int, _ profile: TensorProfile) {
    let (given, rest) = (part(0, rows: n), part(1, rows: n))
    for row in 0..<n {
      var median = profile.medianMagnitude
      if profile.settings.medianScope == .token {
        scratch.removeAll(keepingCapacity: true)
        for x in self.row(row) where x.isFinite { scratch.append(x.magnitude.bitPattern) }
        median = scratch.isEmpty ? 0 : Selection.median(&scratch)
      }
      for i in row * columns..<(row + 1) * columns {
        let x = given[i]
        isMassive[i] = x.isFinite && profile.settings.isMassive(Double(x.magnitude), median: median)
        rest[i] = isMassive[i] ? 0 : x
      }
    }
  }

  /// A row of zeros but for its first element, which is one with the massive elements, another without.
  func fill(row: Int, first: Float, rest: Float) {
    for (k, value) in [first, rest].enumerated() {
      let target = part(k, rows: row + 1)
      for i in row * columns..<(row + 1) * columns { target[i] = 0 }
      target[row * columns] = value
    }
  }

  func code(_ scheme: any Scheme, rows n: Int) throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try scheme.byteCount(rows: n, columns: columns), alignment: 64)
    defer { bytes.deallocate() }
    for k in 0..<2 {
      try scheme.encode(UnsafeBufferPointer(part(k, rows: n)), rows: n, columns: columns, into: bytes)
      try scheme.decode(
        UnsafeRawBufferPointer(bytes), rows: n, columns: columns, into: part(k + 2, rows: n))
    }
  }

  /// The largest magnitude of a range of the first row, and that of what is not massive; nil if none is massive.
  func magnitudes(_ range: Range<Int>) -> (largest: Float, rest: Float)? {
    var (found, largest, rest) = (false, Float(0), Float(0))
    for i in range where memory[i].isFinite {
      largest = max(largest, memory[i].magnitude)
      if isMassive[i] { found = true } else { rest = max(rest, memory[i].magnitude) }
    }
    return found ? (largest, rest) : nil
  }

  /// Adds what is not massive of a range of a row.
  func add(_ row: Int, _ range: Range<Int>, _ sums: inout Pricing.Sums) {
    let (rest, with, without) = (part(1, rows: rows), part(2, rows: rows), part(3, rows: rows))
    let place = row * columns + range.lowerBound..<row * columns + range.upperBound
    for i in place {
      if isMassive[i] {
        // No error and no energy: as `rest` has it.
        with[i] = 0
        without[i] = 0
        continue
      }
      guard rest[i].isFinite else { continue }
      sums.rest += 1
      if rest[i] != 0 {
        if with[i] == 0 { sums.flushedWith += 1 }
        if without[i] == 0 { sums.flushedWithout += 1 }
      }
    }
    let x = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(rest)[place])
    sums.with.add(x, UnsafeBufferPointer(rebasing: UnsafeBufferPointer(with)[place]))
    sums.without.add(x, UnsafeBufferPointer(rebasing: UnsafeBufferPointer(without)[place]))
  }
}
