import CSchemes

/// The last pass, only where the largest magnitude may be massive: which elements are, and which nearly.
struct MassivePass {
  static let placeLimit = 64

  private let columns: Int
  private let settings: ScanSettings
  private(set) var count = 0
  private(set) var nearMissCount = 0
  private(set) var places = LargestPlaces(limit: placeLimit)
  private(set) var nearMisses = LargestPlaces(limit: placeLimit)
  private(set) var channels: [Int: Int] = [:]
  /// The largest magnitude that is not massive.
  private(set) var restMagnitude: Float = 0
  private var magnitudes: [UInt32] = []

  init(columns: Int, settings: ScanSettings) {
    self.columns = columns
    self.settings = settings
  }

  /// Adds elements that are held against one median.
  mutating func add(_ values: UnsafeBufferPointer<Float>, at start: Int, median: Double) {
    guard let x = values.baseAddress else { return }
    defer { addRest(values, median: median) }
    let least = max(settings.massiveLimit / 2, settings.massiveRatio / 2 * median)
    guard least <= Double(Float.greatestFiniteMagnitude) else { return }
    // A Float at or below `least`: what lies above it is looked at in Double.
    let threshold = Int32(bitPattern: max(Float(least).nextDown, 0).bitPattern)
    var i = nc_find_from(x, values.count, threshold, 0)
    while i < values.count {
      let magnitude = Double(x[i].magnitude)
      if settings.isMassive(magnitude, median: median) {
        count += 1
        places.add(start + i, x[i])
        channels[(start + i) % columns, default: 0] += 1
      } else if settings.isNear(magnitude, median: median) {
        nearMissCount += 1
        nearMisses.add(start + i, x[i])
      }
      i = nc_find_from(x, values.count, threshold, i + 1)
    }
  }

  private mutating func addRest(_ values: UnsafeBufferPointer<Float>, median: Double) {
    guard let x = values.baseAddress else { return }
    let largest = Float(bitPattern: UInt32(bitPattern: nc_row_magnitude(x, values.count)))
    if largest <= restMagnitude { return }
    guard settings.isMassive(Double(largest), median: median) else {
      restMagnitude = largest
      return
    }
    for v in values where v.isFinite && v.magnitude > restMagnitude {
      if !settings.isMassive(Double(v.magnitude), median: median) { restMagnitude = v.magnitude }
    }
  }

  /// Adds a row that is held against its own median.
  mutating func add(row values: UnsafeBufferPointer<Float>, at start: Int) {
    magnitudes.removeAll(keepingCapacity: true)
    var largest: Float = 0
    for x in values where x.isFinite {
      magnitudes.append(x.magnitude.bitPattern)
      largest = max(largest, x.magnitude)
    }
    if magnitudes.isEmpty { return }
    guard Double(largest) > settings.massiveLimit / 2 else {
      restMagnitude = max(restMagnitude, largest)
      return
    }
    add(values, at: start, median: Selection.median(&magnitudes))
  }

  mutating func merge(_ other: MassivePass) {
    count += other.count
    nearMissCount += other.nearMissCount
    restMagnitude = max(restMagnitude, other.restMagnitude)
    places.merge(other.places)
    nearMisses.merge(other.nearMisses)
    channels.merge(other.channels, uniquingKeysWith: +)
  }
}

/// Order statistics of magnitudes, as the bits of Floats.
enum Selection {
  /// The median as a number; reorders `bits`, which is not empty.
  static func median(_ bits: inout [UInt32]) -> Double {
    let upper = Float(bitPattern: select(&bits, rank: bits.count / 2))
    if bits.count % 2 == 1 { return Double(upper) }
    // What stands before the rank is not above it.
    let lower = bits[..<(bits.count / 2)].reduce(0) { max($0, $1) }
    return (Double(Float(bitPattern: lower)) + Double(upper)) / 2
  }

  /// The element of `rank` in ascending order (Hoare's selection); afterwards nothing before it is larger.
  static func select(_ bits: inout [UInt32], rank: Int) -> UInt32 {
    bits.withUnsafeMutableBufferPointer { b in
      var (low, high) = (0, b.count - 1)
      while low < high {
        let middle = low + (high - low) / 2
        // The median of three, so that sorted rows do not cost a square.
        let pivot = max(min(b[low], b[middle]), min(max(b[low], b[middle]), b[high]))
        var (i, j) = (low, high)
        while i <= j {
          while b[i] < pivot { i += 1 }
          while b[j] > pivot { j -= 1 }
          if i <= j {
            b.swapAt(i, j)
            i += 1
            j -= 1
          }
        }
        if rank <= j {
          high = j
        } else if rank >= i {
          low = i
        } else {
          break
        }
      }
      return b[rank]
    }
  }
}
