import NumKit
import RealModule

/// A question drawn at random, made to beat a bound: any storage, compute and accumulator, temperatures, both ways to overflow, rows
/// of the kinds that have broken bounds.
struct HostileQuestion {
  let operation: RowOperation
  let configuration: KernelConfiguration
  /// As kernels get them: temperature and cotangent are numbers of the compute format.
  let parameters: OperationParameters
  /// Numbers of `inputs`.
  let rows: [[Double]]
  let storage: NumberFormat
  /// What rows are numbers of: the storage's format, or a wider one.
  let inputs: NumberFormat
  let number: Int
  private let compute: NumberFormat

  /// Formats that can be computed in, and all that a float can be stored in.
  static let computable = FormatRegistry.all.filter { $0.scalar != nil }.compactMap(\.dtype.numberFormat)
  static let storable = FormatRegistry.all.compactMap(\.dtype.numberFormat)

  var triple: String {
    (inputs == storage ? "" : "\(inputs.name) → ")
      + "\(storage.name) × \(configuration.compute.name) × \(configuration.accumulator.name)"
  }

  var description: String {
    let c = configuration
    return "\(operation.rawValue) \(triple) \(c.overflow), τ = \(parameters.temperature),"
      + " \(parameters.specialValues), target \(parameters.target)"
  }

  /// Question `number` of `seed`, with `count` rows; `isWide` where inputs are numbers of a format that holds more than the results'.
  init(seed: UInt64, number: Int, count: Int, isWide: Bool = false) {
    var random = RandomSource(seed: seed, row: number)
    self.number = number
    operation = RowOperation.allCases.randomElement(using: &random)!
    storage = (number % 40 == 0 ? Self.storable : Self.computable).randomElement(using: &random)!
    let own = Self.computable.contains(storage) && random.next() % 8 < 3
    compute = own ? storage : Self.computable.randomElement(using: &random)!
    let accumulator = random.next() % 8 < 3 ? compute : Self.computable.randomElement(using: &random)!
    configuration = KernelConfiguration(
      storage: .float(storage), compute: compute, accumulator: accumulator,
      overflow: random.next() % 3 == 0 ? .saturate : .special)
    let storage = storage
    let wider = Self.computable.filter { $0 != storage && $0.holdsNumbers(of: storage) }
    inputs = isWide ? wider.randomElement(using: &random) ?? .f64 : storage
    let length = Self.length(operation, &random)
    var parameters = OperationParameters(
      temperature: Self.temperature(&random), target: Int(random.next() % UInt64(length)),
      specialValues: SpecialValues.allCases.randomElement(using: &random)!)
    if operation == .softmaxVJP { parameters.cotangent = Self.cotangent(length, compute, &random) }
    self.parameters = parameters.rounded(to: configuration)
    let formats = (inputs, compute, accumulator)
    let tau = self.parameters.temperature
    let (inputs, overflow) = (inputs, configuration.overflow)
    rows = (0..<count).map { _ in
      HostileRow.draw(length, formats, temperature: tau > 0 && tau < .infinity ? tau : 1, &random)
        .map { inputs.round($0, overflow: overflow) }
    }
  }

  /// Moves one or two numbers of a row by a few ulps, a little, or to others.
  func change(_ row: inout [Double], _ random: inout RandomSource) {
    for _ in 0...random.next() % 2 {
      let i = Int(random.next() % UInt64(row.count))
      let steps = Double(Int(random.next() % 7) - 3)
      switch random.next() % 4 {
      case 0: row[i] = row.randomElement(using: &random)!
      case 1: row[i] += 0.3 * parameters.temperature * random.normal()
      default: row[i] += steps * (random.next() % 2 == 0 ? storage : compute).ulp(of: row[i])
      }
    }
    for i in row.indices { row[i] = inputs.round(row[i], overflow: configuration.overflow) }
  }

  private static func length(_ operation: RowOperation, _ random: inout RandomSource) -> Int {
    let kind = random.next() % 16
    if operation == .softmaxJacobian { return Int(1 + random.next() % 7) }
    switch kind {
    case 0: return 1
    case 1, 2, 3: return 2
    case 4: return 3
    case 5, 6: return [8, 9, 63, 64, 65, 66, 127, 128, 129, 130].randomElement(using: &random)!
    case 7: return Int(200 + random.next() % 100)
    default: return Int(4 + random.next() % 24)
    }
  }

  private static func temperature(_ random: inout RandomSource) -> Double {
    switch random.next() % 10 {
    case 0, 1, 2: return 1
    case 3: return [0.7, 1.3, 0.1, 3, 0.9].randomElement(using: &random)!
    case 4: return [0.5, 2, 0.25, 8, 0x1p-7].randomElement(using: &random)!
    case 5: return [1e-3, 1e3, 1e-5, 1e5, 0, Double.infinity].randomElement(using: &random)!
    case 6: return Double.exp(6 * random.normal())
    default: return 0.3 + 2 * random.uniform()
    }
  }

  private static func cotangent(_ n: Int, _ c: NumberFormat, _ random: inout RandomSource) -> [Double] {
    let size = [1, 1, 1, 0.01, 100, c.largestFinite / 3, c.smallestNormal].randomElement(using: &random)!
    let level = random.next() % 4 == 0
    return (0..<n).map { _ in size * (level ? 1 + 0.01 * random.normal() : random.normal()) }
  }
}

/// Rows of many kinds.
enum HostileRow {
  /// A row of `n` logits for storage, compute and accumulator formats, whose exponents are to be interesting after division by
  /// `temperature`.
  static func draw(
    _ n: Int, _ formats: (s: NumberFormat, c: NumberFormat, a: NumberFormat), temperature: Double,
    _ random: inout RandomSource
  ) -> [Double] {
    let kind = random.next() % 18
    let scale = kind % 3 == 0 ? temperature : 1
    let spread = [0.02, 1, 1.5, 6, 30].randomElement(using: &random)!
    var x = (0..<n).map { _ in spread * scale * random.normal() }
    func place() -> Int { Int(random.next() % UInt64(n)) }
    let smallest = [formats.s, formats.c, formats.a].randomElement(using: &random)!.smallestPositive
    switch kind {
    case 0, 1: break
    case 2: x[place()] += 25 * scale
    case 3:
      // Ties.
      let values = (0..<3).map { _ in spread * scale * random.normal() }
      x = x.map { _ in values.randomElement(using: &random)! }
    case 4:
      // Masks: −∞, and the finite numbers that stand for it.
      let nothing = -Double.infinity
      let mask = [nothing, nothing, -65504, -1e9, -3e38, -formats.c.largestFinite, -100].randomElement(
        using: &random)!
      let share = random.uniform()
      for i in x.indices where random.uniform() < share { x[i] = mask }
    case 5: x.sort()
    case 6: x.sort(by: >)
    case 7: x = x.map { [v = x[0]] _ in v }
    case 8:
      // A new maximum every 64 or so.
      for i in x.indices { x[i] += scale * 3 * Double(i / Int.random(in: 60...66, using: &random)) }
    case 9, 10:
      // Near the overflow of some stage.
      let largest = [formats.s, formats.c].randomElement(using: &random)!.largestFinite
      let reach =
        largest * [1, temperature].randomElement(using: &random)!
        * [1, 0.5, 0.99, 0.25].randomElement(using: &random)!
      for i in x.indices where random.next() % 3 == 0 {
        x[i] = reach * (1 - 0.1 * random.uniform() * Double(random.next() % 2)) * (kind == 9 ? 1 : -1)
      }
    case 11:
      // Large and near each other: cancellation.
      let base = spread * 40 * scale * random.normal()
      let ulp = formats.s.ulp(of: base)
      x = x.map { _ in base + ulp * Double(random.next() % 8) }
    case 12:
      // Exponentials, or their share of a sum, at the end of some format.
      let edge = -Double.log(smallest) * scale
      let top = scale * random.normal()
      x = x.map { _ in top - edge + scale * 2 * random.normal() }
      x[place()] = top
    case 13: x = x.map { _ in anyNumber(formats.s, &random) }
    case 14: x = x.map { _ in smallest * Double(Int(random.next() % 9) - 4) }
    case 15:
      // A slow climb.
      let step = scale * [1e-3, 0.05, 0.7].randomElement(using: &random)!
      for i in x.indices { x[i] = step * Double(i) - spread }
    case 16:
      // Many equals, then a larger one: the running sum is large before it is rescaled.
      let jump = scale * [0.1, 1, 10].randomElement(using: &random)!
      for i in x.indices { x[i] = i < n - 1 ? 0 : jump }
    default:
      for i in x.indices where random.next() % 4 == 0 {
        x[i] = random.next() % 2 == 0 ? anyNumber(formats.s, &random) : smallest
      }
      if random.next() % 8 == 0 {
        x[place()] = [Double.infinity, .nan, -Double.infinity].randomElement(using: &random)!
      }
    }
    return x
  }

  /// A finite number by its code.
  private static func anyNumber(_ format: NumberFormat, _ random: inout RandomSource) -> Double {
    while true {
      let v = format.bitWidth == 64 ? Double(bitPattern: random.next()) : format.decode(code(format, &random))
      if v.isFinite { return v }
    }
  }

  private static func code(_ format: NumberFormat, _ random: inout RandomSource) -> UInt64 {
    random.next() & ((1 << UInt64(format.bitWidth)) - 1)
  }
}
