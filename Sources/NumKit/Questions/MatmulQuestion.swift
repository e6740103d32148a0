import NumKitNumbers

/// C = A·B, asked row by row: A is [rows, inner], B [inner, columns].
public struct MatmulQuestion: Question {
  /// One row of the product.
  public struct Item: Sendable {
    /// The matrices it is of.
    public var inputs: MatmulInputs
    /// Its number.
    public var row: Int

    /// Row number `row` of the product of `inputs`.
    public init(inputs: MatmulInputs, row: Int) {
      self.inputs = inputs
      self.row = row
    }
  }

  /// Σₖ |aₖ||bₖⱼ| for each column j, never below the exact one by more than is lost to a product below 2⁻¹⁰²².
  public struct Profile: Sendable {
    /// One a column.
    public var magnitudes: [Double] = []

    /// Of nothing.
    public init() {}
  }

  /// The question.
  public init() {}

  public var name: String { "matmul" }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    rows.append(ResultRow(row: item.row, count: item.inputs.b.count))
  }
}

/// Both sides of a product.
public struct MatmulInputs: Sendable {
  /// Rows of A.
  public let a: MatmulOperand
  /// Columns of B.
  public let b: MatmulOperand

  /// The rows of A and the columns of B, one after another, as given; nil unless both are whole vectors of `inner` numbers, at least
  /// one.
  public init?(rows a: [Double], columns b: [Double], inner: Int) {
    guard let a = MatmulOperand(a, inner: inner), let b = MatmulOperand(b, inner: inner) else { return nil }
    self.init(a, b)
  }

  private init(_ a: MatmulOperand, _ b: MatmulOperand) {
    self.a = a
    self.b = b
  }

  /// As a kernel gets them: `MatmulOperand.stored`.
  public func stored(as dtype: DType, _ scaling: MatmulScaling) -> MatmulInputs {
    MatmulInputs(a.stored(as: dtype, scaling), b.stored(as: dtype, scaling))
  }
}

/// Which numbers of a matrix share a scale.
public enum MatmulScaling: Sendable, Hashable {
  /// There are none: what is stored is the number.
  case none
  /// One for the matrix.
  case tensor
  /// One for each row of A, one for each column of B.
  case row
  /// One for each so many numbers along the inner dimension.
  case block(Int)
}

/// One side of a product as vectors along the inner dimension: the rows of A, or the columns of B.
public struct MatmulOperand: Sendable {
  /// How many vectors.
  public let count: Int
  /// Numbers in each.
  public let inner: Int
  /// The numbers [count, inner], exactly.
  public let values: [Double]
  /// What stands in storage [count, inner]: the numbers themselves, or without their scales.
  public let codes: [Double]
  /// What codes are multiplied by [count, blocks], numbers of f32; empty where there are none.
  public let scales: [Double]
  /// Numbers that a scale is for; the last block of a vector may be shorter.
  public let block: Int

  /// Scales a vector has, where it has any.
  public var blocks: Int { (inner + block - 1) / block }

  /// Numbers as given; nil unless they are whole vectors, of one number at least.
  public init?(_ values: [Double], inner: Int) {
    guard inner > 0, !values.isEmpty, values.count % inner == 0 else { return nil }
    self.init(values, codes: values, scales: [], inner: inner, block: inner)
  }

  private init(_ values: [Double], codes: [Double], scales: [Double], inner: Int, block: Int) {
    self.values = values
    self.codes = codes
    self.scales = scales
    self.inner = inner
    self.block = block
    count = values.count / inner
  }

  /// Rounded to nearest for storage.
  ///
  /// A scale takes the largest finite magnitude of its numbers to the largest of the format, is kept in f32, and is 1 for zeros; what
  /// the division rounds beyond the largest is stored as the largest, and so are infinities. A code times a scale is exact in Double:
  /// storage has 24 bits at most where there are scales. Without scales a grid's step is 1.
  public func stored(as dtype: DType, _ scaling: MatmulScaling) -> MatmulOperand {
    if case .none = scaling {
      let rounded: [Double]
      switch dtype {
      case .float(let format): rounded = values.map { format.round($0) }
      case .integer(let format):
        let grid = IntegerGrid(format)
        rounded = values.map { Double(grid.code($0)) }
      }
      return MatmulOperand(rounded, codes: rounded, scales: [], inner: inner, block: inner)
    }
    var codes = values
    var numbers = values
    func encode(_ part: Range<Int>) -> Double {
      let scale = Self.scale(values[part], dtype)
      for i in part {
        let x = values[i] / scale
        switch dtype {
        case .float(let format): codes[i] = format.round(x, overflow: .saturate)
        case .integer(let format):
          // NaN, which no code can say, is 0.
          let nearest = x.isNaN ? 0 : x.rounded(.toNearestOrEven)
          codes[i] = Swift.min(Swift.max(nearest, Double(format.min)), Double(format.max))
        }
        numbers[i] = codes[i] * scale
      }
      return scale
    }
    var scales: [Double] = []
    var length = inner
    switch scaling {
    case .none: break
    case .tensor: scales = Array(repeating: encode(values.indices), count: count)
    case .row: scales = (0..<count).map { encode($0 * inner..<($0 + 1) * inner) }
    case .block(let n):
      length = Swift.max(1, Swift.min(n, inner))
      for vector in stride(from: 0, to: values.count, by: inner) {
        for start in stride(from: vector, to: vector + inner, by: length) {
          scales.append(encode(start..<Swift.min(start + length, vector + inner)))
        }
      }
    }
    return MatmulOperand(numbers, codes: codes, scales: scales, inner: inner, block: length)
  }

  private static func scale(_ values: ArraySlice<Double>, _ dtype: DType) -> Double {
    var largest = 0.0
    for x in values where x.isFinite { largest = Swift.max(largest, x.magnitude) }
    if largest == 0 { return 1 }
    let top: Double
    switch dtype {
    case .float(let format): top = format.largestFinite
    case .integer(let format): top = Double(format.max)
    }
    let scale = Float(largest / top)
    return Double(
      Swift.min(Swift.max(scale, .leastNonzeroMagnitude), .greatestFiniteMagnitude))
  }

  /// For each vector of `numbers` [count, inner] the largest power of two that all are multiples of; 1 where there is nothing but
  /// zeros and what is not finite. Sums of products of two vectors are multiples of the product of theirs.
  public func grains(_ numbers: [Double]) -> [Double] {
    (0..<count).map { vector in
      var least = Double.infinity
      for x in numbers[vector * inner..<(vector + 1) * inner] where x.isFinite && x != 0 {
        let digits = x.significandBitPattern | (x.isNormal ? 1 << 52 : 0)
        least = Swift.min(
          least, Double(sign: .plus, exponent: digits.trailingZeroBitCount, significand: x.ulp))
      }
      return least == .infinity ? 1 : least
    }
  }

  /// How many finite numbers of `given` are beyond the largest that can be stored, and stand here as that or as a special value.
  public func overflowed(from given: MatmulOperand, _ dtype: DType) -> Int {
    // A scale fits its numbers.
    guard scales.isEmpty else { return 0 }
    return zip(given.values, values).count { x, y in
      guard x.isFinite, y.isFinite else { return x.isFinite }
      switch dtype {
      case .float(let format):
        return x.magnitude - format.largestFinite > format.ulp(of: format.largestFinite) / 2
      case .integer: return (x - y).magnitude > 0.5
      }
    }
  }
}

/// Every row of a product.
public struct MatmulRows: ItemSource {
  public typealias Q = MatmulQuestion

  private let given: MatmulInputs
  private let stored: MatmulInputs
  private let change: InputChange

  /// The rows of `given`, as a kernel gets them in `stored` of that dtype.
  public init(_ given: MatmulInputs, stored: MatmulInputs, dtype: DType) {
    self.given = given
    self.stored = stored
    func differ(_ x: MatmulOperand, _ y: MatmulOperand) -> Bool {
      zip(x.values, y.values).contains { $0 != $1 && !($0.isNaN && $1.isNaN) }
    }
    change = InputChange(
      changed: differ(given.a, stored.a) || differ(given.b, stored.b),
      overflowed: stored.a.overflowed(from: given.a, dtype) + stored.b.overflowed(from: given.b, dtype))
  }

  public var itemCount: Int { given.a.count }

  public func makeItem() -> MatmulQuestion.Item { MatmulQuestion.Item(inputs: given, row: 0) }

  public func read(
    _ index: Int, given item: inout MatmulQuestion.Item, stored storedItem: inout MatmulQuestion.Item
  ) -> InputChange {
    item.row = index
    storedItem = MatmulQuestion.Item(inputs: stored, row: index)
    // Of both matrices, so of the first row.
    return InputChange(changed: change.changed, overflowed: index == 0 ? change.overflowed : 0)
  }
}
