import CSchemes

/// GPTQ (Frantar et al., arXiv 2210.17323): columns are quantized from left to right, and what each loses is made up for in those to
/// its right, by the inverse of H = XᵀX with 1 % of its mean diagonal added (Cholesky). The grid is that of any block scheme; weights of
/// inputs that are always 0 become 0.
///
/// As the authors' code has it, columns go in blocks of 128, and a group's scale is measured at its first column on weights that what came
/// before the block has changed, not what came before in the block. Words: `fresh`, measured on all that came before (the paper); `static`,
/// every group's scale is that of the weights as they were (llm-compressor; AutoGPTQ's `static_groups`); `act-order`, columns in order of
/// falling Hxx (`desc_act`), where groups are of this order too unless they are static; `mse`, each group's range is shrunk by the 0, 1 … 79 %
/// that make its Σ|x − x̂|^2.4 smallest (the code's `mse=True`).
package struct GPTQ: Calibration {
  let damping: Double
  let isFresh: Bool
  let isStatic: Bool
  let ordersColumns: Bool
  let shrinksRanges: Bool
  package var name: String {
    let words =
      (isFresh ? ["fresh"] : []) + (isStatic ? ["static"] : []) + (ordersColumns ? ["act-order"] : [])
      + (shrinksRanges ? ["mse"] : [])
    let parameters = (damping == 0.01 ? [] : [shortName(damping)]) + words
    return "gptq" + (parameters.isEmpty ? "" : ":" + parameters.joined(separator: ","))
  }

  /// The most columns: H takes their square in memory and their cube in time.
  static let limit = 4096
  /// The most elements of a tensor that must be held: 1 GiB of them.
  private static let heldElements = 1 << 28
  /// The columns of a block in the authors' code.
  fileprivate static let lazyColumns = 128
  /// The rows that go together.
  fileprivate static let batch = 64

  package static let words: KeyValuePairs = [
    "fresh": "scales of groups from all that came before",
    "static": "scales of groups from the weights as they were",
    "act-order": "columns of strong inputs first",
    "mse": "groups clipped where the sum of |error|^2.4 is least",
  ]

  package init(_ number: Double?, _ words: Set<String> = []) throws {
    damping = number ?? 0.01
    guard damping > 0, damping <= 10 else {
      throw CureError.parameter("gptq: the damping must be above 0 and at most 10")
    }
    isFresh = words.contains("fresh")
    isStatic = words.contains("static")
    ordersColumns = words.contains("act-order")
    shrinksRanges = words.contains("mse")
    if isFresh && isStatic { throw CureError.parameter("gptq: scales are fresh or static, not both") }
  }

  package func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any BandCoder
  {
    let n = tensor.columns
    let byteCount = try scheme.byteCount(rows: tensor.rows, columns: n)
    guard n <= Self.limit else { throw CureError.shape("gptq: \(n) inputs are more than \(Self.limit)") }
    let activations = try context.activations(for: name, columns: n)
    let energies = activations.columnEnergies
    var grid = try ColumnGrid(scheme, columns: n, cure: name) {
      try zip(tensor.columnMaxima(), energies).reduce(0) { $1.1 == 0 ? $0 : max($0, $1.0) }
    }
    grid.shrinksRanges = shrinksRanges
    let layout = GroupLayout(grid.granularity, rows: tensor.rows, columns: n)
    guard !layout.isShared || tensor.rows * n <= Self.heldElements else {
      throw CureError.shape(
        "gptq: scales of all rows need the whole tensor, and \(tensor.rows) x \(n) elements are too many to hold; a scale a row (@token) or a group needs a band"
      )
    }
    var order = Array(0..<n)
    if ordersColumns { order.sort { (energies[$1], $0) < (energies[$0], $1) } }
    // Groups within a row are measured when their turn comes; those of several rows would need all rows at once.
    let isMeasured = layout.isWithinRows && !isStatic
    var coder = GPTQCoder(
      gptq: self, grid: grid, layout: layout, order: order, isMeasured: isMeasured, energies: energies,
      upper: try Self.inverseFactor(activations, damping: damping, order: order),
      // Which group each column is in, where order has scattered them.
      sharedBits: 8 * byteCount + (isMeasured && ordersColumns ? 32 * n : 0))
    // A scale that all rows share is chosen by all of them: the one case in which the tensor is held.
    if layout.isShared { coder.shared = grid.blocks(of: coder.seen(try tensor.whole())) }
    return coder
  }

  /// Some rows on their way.
  fileprivate struct Work {
    private let n: Int
    private let count: Int
    /// The weights as they are, the columns in order.
    private var weights: [Double]
    /// The weights as they were where the block of columns began.
    private var settled: [Double]
    private var given: [Float]
    var blocks: [ColumnGrid.GroupScale]
    var column: ColumnGrid.RoundedColumn

    init(_ matrix: TensorMatrix, rows: Range<Int>, order: [Int]) {
      n = matrix.columns
      count = rows.count
      weights = rows.flatMap { row in order.map { Double(matrix.values[row * matrix.columns + $0]) } }
      settled = weights
      given = [Float](repeating: 0, count: rows.count)
      blocks = [ColumnGrid.GroupScale](repeating: ColumnGrid.GroupScale(), count: rows.count)
      column = ColumnGrid.RoundedColumn(count: rows.count)
    }

    mutating func measure(_ columns: Range<Int>, isFresh: Bool, on grid: ColumnGrid) {
      for row in 0..<count {
        let members = columns.map { Float((isFresh ? weights : settled)[row * n + $0]) }
        blocks[row] = members.withUnsafeBufferPointer { grid.block(of: $0) }
      }
    }

    mutating func settle() { settled = weights }

    /// Rounds column `j` and passes on what that loses.
    mutating func round(_ j: Int, on grid: ColumnGrid, upper: [Double]) {
      for row in 0..<count { given[row] = Float(weights[row * n + j]) }
      column.round(given, blocks[...], on: grid)
      upper.withUnsafeBufferPointer { u in
        weights.withUnsafeMutableBufferPointer { w in
          guard let u = u.baseAddress, let w = w.baseAddress else { return }
          for row in 0..<count {
            let error = (w[row * n + j] - Double(column.values[row])) / u[j * n + j]
            nc_add_scaled(w + row * n + j + 1, u + j * n + j + 1, -error, n - j - 1)
          }
        }
      }
    }
  }

  /// The upper triangular U with UᵀU = H⁻¹, row-major, of the inputs in `order` (nil: as they are). An input that is always 0 counts as if
  /// H had a 1 there.
  package static func inverseFactor(
    _ activations: TensorMatrix, damping: Double, order: [Int]? = nil
  ) throws -> [Double] {
    let n = activations.columns
    var h = [Double](repeating: 0, count: n * n)
    activations.values.withUnsafeBufferPointer { x in
      h.withUnsafeMutableBufferPointer { h in
        guard let x = x.baseAddress, let h = h.baseAddress else { return }
        for token in 0..<activations.rows {
          let row = x + token * n
          for i in 0..<n where row[i] != 0 { nc_add_scaled_f(h + i * n, row, Double(row[i]), n) }
        }
      }
    }
    // H = 2XᵀX of one sequence, as the authors have it: it is that beside which an unseen input has 1.
    for i in h.indices { h[i] *= 2 }
    for i in 0..<n where h[i * n + i] == 0 { h[i * n + i] = 1 }
    let mean = (0..<n).reduce(0) { $0 + h[$1 * n + $1] } / Double(n)
    for i in 0..<n { h[i * n + i] += damping * mean }
    if let order, order != Array(0..<n) {
      let given = h
      for i in 0..<n {
        for j in 0..<n { h[i * n + j] = given[order[i] * n + order[j]] }
      }
    }
    // H = LLᵀ; H⁻¹ = L⁻ᵀL⁻¹; its factor U from the bottom up would be that of the reversed order, so it is factored anew.
    let lower = try cholesky(h, n)
    let inverse = invertLower(lower, n)
    var product = [Double](repeating: 0, count: n * n)
    for k in 0..<n {
      for i in 0...k {
        inverse.withUnsafeBufferPointer { v in
          product.withUnsafeMutableBufferPointer { p in
            guard let v = v.baseAddress, let p = p.baseAddress else { return }
            nc_add_scaled(p + i * n, v + k * n, v[k * n + i], k + 1)
          }
        }
      }
    }
    let factor = try cholesky(product, n)
    return (0..<n * n).map { $0 % n >= $0 / n ? factor[$0 % n * n + $0 / n] : 0 }
  }

  /// The lower triangular L with LLᵀ = the positive definite, row-major `a`; column by column, the rest kept up to date.
  private static func cholesky(_ a: [Double], _ n: Int) throws -> [Double] {
    // Works on the transpose, so that updates run along rows.
    var u = a
    for k in 0..<n {
      let pivot = u[k * n + k]
      guard pivot > 0, pivot.isFinite else {
        throw CureError.shape(
          "gptq: the Hessian of these activations cannot be inverted; more damping may help")
      }
      let root = pivot.squareRoot()
      for j in k..<n { u[k * n + j] /= root }
      u.withUnsafeMutableBufferPointer { u in
        guard let u = u.baseAddress else { return }
        for i in k + 1..<max(n, k + 1) { nc_add_scaled(u + i * n + i, u + k * n + i, -u[k * n + i], n - i) }
      }
    }
    return (0..<n * n).map { $0 / n >= $0 % n ? u[$0 % n * n + $0 / n] : 0 }
  }

  /// L⁻¹ of a lower triangular L, row-major.
  private static func invertLower(_ l: [Double], _ n: Int) -> [Double] {
    var x = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      x[i * n + i] = 1
      x.withUnsafeMutableBufferPointer { x in
        guard let x = x.baseAddress else { return }
        for k in 0..<i where l[i * n + k] != 0 { nc_add_scaled(x + i * n, x + k * n, -l[i * n + k], k + 1) }
      }
      for j in 0...i { x[i * n + j] /= l[i * n + i] }
    }
    return x
  }
}

private struct GPTQCoder: BandCoder {
  let gptq: GPTQ
  let grid: ColumnGrid
  let layout: GroupLayout
  let order: [Int]
  let isMeasured: Bool
  let energies: [Double]
  let upper: [Double]
  let sharedBits: Int
  var shared: [ColumnGrid.GroupScale] = []
  var rowUnit: Int { layout.unit }

  /// Weights of inputs that are always 0 become 0.
  func seen(_ band: TensorMatrix) -> TensorMatrix {
    var weights = band
    for i in weights.values.indices where energies[i % band.columns] == 0 { weights.values[i] = 0 }
    return weights
  }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    let (n, weights, groups) = (band.columns, seen(band), layout.groups(rows: band.rows))
    let known =
      isMeasured ? [] : layout.figures(shared, of: weights) { weights, _ in grid.blocks(of: weights) }
    var decoded = band
    for first in stride(from: 0, to: band.rows, by: GPTQ.batch) {
      let rows = first..<min(first + GPTQ.batch, band.rows)
      var work = GPTQ.Work(weights, rows: rows, order: order)
      for j in 0..<n {
        let column = order[j]
        if !isMeasured {
          for row in rows { work.blocks[row - first] = known[groups.group(row: row, column: column)] }
        } else if j % groups.width == 0 {
          work.measure(j..<min(j + groups.width, n), isFresh: gptq.isFresh, on: grid)
        }
        work.round(j, on: grid, upper: upper)
        for row in rows { decoded.values[row * n + column] = work.column.values[row - first] }
        if (j + 1) % GPTQ.lazyColumns == 0 { work.settle() }
      }
    }
    return (decoded, 0)
  }
}
