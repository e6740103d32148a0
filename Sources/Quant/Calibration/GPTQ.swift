import CSchemes

/// GPTQ (Frantar et al., arXiv 2210.17323): columns are quantized from left to right, and what each loses is made up for in those to
/// its right, by the inverse of H = XᵀX with 1 % of its mean diagonal added (Cholesky). A group's scale is that of its elements as they
/// are when its first column comes.
package struct GPTQ: Calibration {
  let damping: Double
  package var name: String { damping == 0.01 ? "gptq" : "gptq:\(shortName(damping))" }

  /// The most columns: H takes their square in memory and their cube in time.
  static let limit = 4096

  package init(_ number: Double?) throws {
    damping = number ?? 0.01
    guard damping > 0, damping <= 10 else {
      throw CureError.parameter("gptq: the damping must be above 0 and at most 10")
    }
  }

  package func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any BandCoder
  {
    guard let grid = SymmetricGrid(scheme) else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    guard let activations = context.activations else { throw CureError.needsActivations(name) }
    let n = tensor.columns
    guard n <= Self.limit else { throw CureError.shape("gptq: \(n) inputs are more than \(Self.limit)") }
    guard activations.isFinite else { throw CureError.notFinite }
    let layout = GroupLayout(grid.granularity, rows: tensor.rows, columns: n)
    return GPTQCoder(
      grid: grid, layout: layout, upper: try Self.inverseFactor(activations, damping: damping),
      shared: try layout.sharedMaxima(tensor),
      sharedBits: 8 * (try scheme.byteCount(rows: tensor.rows, columns: n)))
  }

  /// The upper triangular U with UᵀU = H⁻¹, row-major.
  package static func inverseFactor(_ activations: TensorMatrix, damping: Double) throws -> [Double] {
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
    let mean = (0..<n).reduce(0) { $0 + h[$1 * n + $1] } / Double(n)
    for i in 0..<n { h[i * n + i] += mean > 0 ? damping * mean : 1 }
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
  let grid: SymmetricGrid
  let layout: GroupLayout
  let upper: [Double]
  let shared: [Float]
  let sharedBits: Int
  var rowUnit: Int { layout.unit }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    let n = band.columns
    let groups = layout.groups(rows: band.rows)
    let fixed = layout.maxima(shared, band).map(grid.scale)
    // Groups within a row are measured when their turn comes; those of several rows would need all rows at once.
    let isFresh = layout.isWithinRows
    var decoded = band
    for row in 0..<band.rows {
      var w = band.values[row * n..<(row + 1) * n].map(Double.init)
      var scale: Float = 1
      for j in 0..<n {
        if !isFresh {
          scale = fixed[groups.group(row: row, column: j)]
        } else if j % groups.width == 0 {
          let part = w[j..<min(j + groups.width, n)]
          scale = grid.scale(part.reduce(Float(0)) { max($0, Float($1.magnitude)) })
        }
        let q = grid.round(w[j], scale)
        decoded.values[row * n + j] = Float(q)
        let error = (w[j] - q) / upper[j * n + j]
        upper.withUnsafeBufferPointer { u in
          w.withUnsafeMutableBufferPointer { w in
            guard let u = u.baseAddress, let w = w.baseAddress else { return }
            nc_add_scaled(w + j + 1, u + j * n + j + 1, -error, n - j - 1)
          }
        }
      }
    }
    return (decoded, 0)
  }
}
