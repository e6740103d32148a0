import NumKitNumbers
import NumKitQuestions

/// What products are added in.
public enum MatmulAccumulator: Sendable, Hashable, CustomStringConvertible {
  /// A floating-point format.
  case float(NumberFormat)
  /// 32 bits, exact until they wrap around: for grids of integers.
  case int32

  public var description: String {
    switch self {
    case .float(let format): format.name
    case .int32: "int32"
    }
  }
}

/// The precisions of a product.
public struct MatmulConfiguration: Sendable, Hashable {
  /// What both matrices are stored in.
  public let storage: DType
  /// Which of their numbers share a scale.
  public let scaling: MatmulScaling
  /// What products are added in.
  public let accumulator: MatmulAccumulator
  /// What results are rounded to.
  public let result: NumberFormat

  /// Sums in f32 unless said otherwise (f64 for f64, int32 for integers); results in the storage format, or in f32 where storage has
  /// 8 bits or fewer, so that the errors of sums are not hidden by the last rounding.
  ///
  /// - Throws: `MatmulError` where these don't go together.
  public init(
    storage: DType, scaling: MatmulScaling = .none, accumulator: MatmulAccumulator? = nil,
    result: NumberFormat? = nil
  ) throws {
    let isInteger = storage.numberFormat == nil
    self.storage = storage
    self.scaling = scaling
    self.accumulator =
      accumulator ?? (isInteger ? .int32 : .float(storage == .float(.f64) ? .f64 : .f32))
    self.result = result ?? storage.numberFormat.flatMap { $0.bitWidth > 8 ? $0 : nil } ?? .f32
    if case .integer(let format) = storage, !format.isSigned { throw MatmulError.unsigned(format.name) }
    if storage == .float(.e8m0) || self.accumulator == .float(.e8m0) || self.result == .e8m0 {
      throw MatmulError.noNumbers
    }
    if !isInteger && self.accumulator == .int32 { throw MatmulError.integerSums(storage.name) }
    if storage == .float(.f64) && scaling != .none { throw MatmulError.scaledDoubles }
    if case .block(let n) = scaling, n < 1 { throw MatmulError.emptyBlocks }
  }

  /// What sums are scaled in.
  public var scaleFormat: NumberFormat { accumulator == .float(.f64) ? .f64 : .f32 }
}

/// Why a product cannot be computed as asked.
public enum MatmulError: Error, Hashable, CustomStringConvertible {
  /// A grid with zero points.
  case unsigned(String)
  /// e8m0.
  case noNumbers
  /// Integer sums of numbers that are none.
  case integerSums(String)
  /// Scales beside f64.
  case scaledDoubles
  /// Blocks of nothing.
  case emptyBlocks
  /// A format without arithmetic.
  case cannotCompute(String)

  public var description: String {
    switch self {
    case .unsigned(let name): "products of \(name) would need zero points: use a signed grid"
    case .noNumbers: "e8m0 is a format of scales, not one to multiply in"
    case .integerSums(let name): "int32 sums are for integer grids, not for \(name)"
    case .scaledDoubles: "f64 takes no scales: a number times its scale would not be exact in Double"
    case .emptyBlocks: "blocks of scales have at least one number"
    case .cannotCompute(let name): "nothing is computed in \(name)"
    }
  }
}

/// One order of summation in one configuration, for one product. One instance serves one thread.
public struct MatmulRunner {
  /// The order.
  public let order: MatmulOrder
  /// The precisions.
  public let configuration: MatmulConfiguration
  private let make: MatmulRequest.Make
  private let body: MatmulRequest.Body

  /// Prepares B; `inputs` are as stored.
  ///
  /// - Throws: `MatmulError` where a format cannot be computed in.
  public init(_ order: MatmulOrder, _ configuration: MatmulConfiguration, _ inputs: MatmulInputs) throws {
    self.order = order
    self.configuration = configuration
    // int32 is modelled in Double, which holds every sum of up to 2^39 products, and wrapped at the end.
    var sums = NumberFormat.f64
    if case .float(let format) = configuration.accumulator { sums = format }
    let totals = inputs.b.scales.isEmpty ? sums : configuration.scaleFormat
    guard
      let make = ScalarDispatch.visit(
        KernelConfiguration(storage: configuration.storage, compute: sums, accumulator: totals),
        MatmulRequest(order: order, configuration: configuration, inputs: inputs))
    else { throw MatmulError.cannotCompute("\(configuration.accumulator)") }
    self.make = make
    body = make()
  }

  private init(copying other: MatmulRunner) {
    order = other.order
    configuration = other.configuration
    make = other.make
    body = make()
  }

  /// For another thread: the same B, buffers of its own.
  public func copy() -> MatmulRunner { MatmulRunner(copying: self) }

  /// Answers for row number `row` of A; `results` has a place for each column and receives numbers of the result format.
  public func run(_ row: Int, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace) {
    body(row, results, &trace)
  }
}

/// Makes a kernel for an accumulator A and totals T. What it returns are closures, made where A and T are types, so that what they
/// call is compiled for these: a method found through a protocol would be generic code.
struct MatmulRequest: FormatPairVisitor {
  typealias Body = (Int, UnsafeMutableBufferPointer<Double>, inout StageTrace) -> Void
  typealias Make = () -> Body

  let order: MatmulOrder
  let configuration: MatmulConfiguration
  let inputs: MatmulInputs

  func visit<A: Scalar, T: Scalar>(_: A.Type, _: T.Type) -> Make? {
    let panel = MatmulPanel<A, T>(inputs.b)
    return { [order, configuration, inputs] in
      let kernel = MatmulKernel<A, T>(order, configuration, inputs, panel)
      return { kernel.answer($0, into: $1, trace: &$2) }
    }
  }
}
