import CSchemes

// The searches that K-quants and IQ4 make for the scale of a group. Groups are fitted eight side by side, one a lane;
// within a lane every sum runs in ggml's order with separate multiplications and additions, so the results are its own.

/// ggml's `nearest_int`: half to even for |x| < 2²², beyond that what the trick of adding 1.5 · 2²³ leaves.
@inline(__always)
func nearestInteger(_ x: Float) -> Int32 {
  Int32(bitPattern: (x + 12_582_912).bitPattern & 0x7F_FFFF) - 0x40_0000
}

/// Eight groups of `count` elements: element j of group g at `elements[8·j + g]`, and as much working space again
/// for weights and for codes.
struct LaneBuffers {
  let elements: UnsafeMutablePointer<Float>
  let weights: UnsafeMutablePointer<Float>
  let codes: UnsafeMutablePointer<Float>

  static func with(_ body: (LaneBuffers) -> Void) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * 256) { buffer in
      guard let base = buffer.baseAddress else { return }
      base.initialize(repeating: 0, count: 3 * 256)
      body(
        LaneBuffers(elements: base, weights: base + 256, codes: base + 512))
    }
  }

  /// Turns eight consecutive groups of `count` (a multiple of 8) elements into lanes.
  @inline(__always) func load(_ x: UnsafePointer<Float>, count: Int) {
    for j in stride(from: 0, to: count, by: 8) { nc_transpose_8x8(x + j, count, elements + 8 * j) }
  }

  @inline(__always) func element(_ j: Int) -> Floats8 { Floats8(at: elements + 8 * j) }
}

/// What `affineFit` finds: x ≈ scale·code − minimum, and how the codes of the best try came about.
struct AffineFit {
  var scale: Floats8
  var minimum: Floats8
  /// code = nearest((x − origin)·factor)
  var factor: Floats8
  var origin: Floats8
}

/// The parameters of `make_qkx2_quants`.
struct AffineSearch {
  var steps: Float
  var first: Float
  var tries: Int
  /// Weighted absolute instead of squared differences.
  var absolute: Bool
}

/// ggml's `make_qkx2_quants`: the weighted least-squares line through the codes of each of a row of trial scales.
/// A better line's offset is where the codes of the next trial start from.
@inline(__always)
func affineFit(_ lanes: LaneBuffers, count: Int, _ search: AffineSearch) -> AffineFit {
  var least = lanes.element(0)
  var greatest = least
  var sumW = Floats8(at: lanes.weights)
  var sumX = sumW * least
  for j in 1..<count {
    let (x, w) = (lanes.element(j), Floats8(at: lanes.weights + 8 * j))
    least = Floats8.lesser(x, least)
    greatest = Floats8.greater(x, greatest)
    sumW = sumW + w
    sumX = sumX + w * x
  }
  let zero = Floats8(0)
  least = (zero < least).choose(zero, least)
  let flat = greatest == least
  let wide = greatest - least
  let ordinary = (Floats8(0x1p-100) < wide) & (wide < Floats8(0x1p100))

  // Where products with the trial factor are certain to be small, rounding them needs no integers.
  @inline(__always) func isTame(_ range: Floats8) -> Bool {
    (flat | (ordinary & (wide * Floats8(0x1p-10) < range))).all
  }
  @inline(__always) func error(_ j: Int, _ line: (Floats8, Floats8), _ code: Floats8) -> Floats8 {
    let difference = line.0 * code + line.1 - lanes.element(j)
    return Floats8(at: lanes.weights + 8 * j)
      * (search.absolute ? difference.magnitude : difference * difference)
  }

  var offset = least
  var origin = least
  var factor = Floats8(search.steps) / wide
  var scale = Floats8(1) / factor
  let tame = isTame(wide)
  var best = zero
  _ =
    tame
    ? affineSums(lanes, count, search, factor, offset, exact: false)
    : affineSums(lanes, count, search, factor, offset, exact: true)
  for j in 0..<count {
    best = best + error(j, (scale, offset), Floats8(at: lanes.codes + 8 * j))
  }
  for n in 0...search.tries {
    let range = greatest - offset
    let trial = Floats8(search.first + 0.1 * Float(n) + search.steps) / range
    let (sumL, sumLL, sumXL) =
      isTame(range)
      ? affineSums(lanes, count, search, trial, offset, exact: false)
      : affineSums(lanes, count, search, trial, offset, exact: true)
    let determinant = sumW * sumLL - sumL * sumL
    var newScale = (sumW * sumXL - sumX * sumL) / determinant
    var newOffset = (sumLL * sumX - sumL * sumXL) / determinant
    let positive = zero < newOffset
    newOffset = positive.choose(zero, newOffset)
    newScale = positive.choose(sumXL / sumLL, newScale)
    var total = zero
    for j in 0..<count {
      total = total + error(j, (newScale, newOffset), Floats8(at: lanes.codes + 8 * j))
    }
    let better = (zero < determinant) & (total < best)
    best = better.choose(total, best)
    scale = better.choose(newScale, scale)
    factor = better.choose(trial, factor)
    origin = better.choose(offset, origin)
    offset = better.choose(newOffset, offset)
  }
  return AffineFit(
    scale: flat.choose(zero, scale), minimum: flat.choose(least, offset).negated,
    factor: flat.choose(zero, factor), origin: origin)
}

/// Codes nearest((x − offset)·factor), left in `lanes.codes`, and their weighted sums Σwl, Σwl², Σwlx.
@inline(__always)
private func affineSums(
  _ lanes: LaneBuffers, _ count: Int, _ search: AffineSearch, _ factor: Floats8, _ offset: Floats8,
  exact: Bool
) -> (Floats8, Floats8, Floats8) {
  var (sumL, sumLL, sumXL) = (Floats8(0), Floats8(0), Floats8(0))
  for j in 0..<count {
    let x = lanes.element(j)
    let product = factor * (x - offset)
    let l =
      exact
      ? Floats8(product.nearestInteger.clamped(0, Int32(search.steps)))
      : product.nearest.clamped(0, search.steps)
    l.store(at: lanes.codes + 8 * j)
    let wl = Floats8(at: lanes.weights + 8 * j) * l
    sumL = sumL + wl
    sumLL = sumLL + wl * l
    sumXL = sumXL + wl * x
  }
  return (sumL, sumLL, sumXL)
}

/// The value of largest magnitude, the first of equals, and that magnitude.
@inline(__always)
func extreme(_ lanes: LaneBuffers, count: Int) -> (value: Floats8, magnitude: Floats8) {
  var (value, magnitude) = (Floats8(0), Floats8(0))
  for j in 0..<count {
    let x = lanes.element(j)
    let larger = magnitude < x.magnitude
    value = larger.choose(x, value)
    magnitude = larger.choose(x.magnitude, magnitude)
  }
  return (value, magnitude)
}

/// Groups below this magnitude count as all zero.
let groupEpsilon: Float = 1e-15

/// ggml's `make_qx_quants` with weights x²: x ≈ scale·code, codes −levels ..< levels, the best of 19 trial scales.
/// `factor`: the codes of the best try are nearest(x·factor); 0 with `isZero` for groups of zeros.
@inline(__always)
func symmetricFit(
  _ lanes: LaneBuffers, count: Int, levels: Float
) -> (scale: Floats8, factor: Floats8, isZero: Ints8) {
  let (value, magnitude) = extreme(lanes, count: count)
  let zero = Floats8(0)
  let isZero = magnitude < Floats8(groupEpsilon)
  let tame = magnitude < Floats8(0x1p100)

  @inline(__always) func sums(_ factor: Floats8, exact: Bool) -> (lx: Floats8, ll: Floats8) {
    var (lx, ll) = (zero, zero)
    for j in 0..<count {
      let x = lanes.element(j)
      let product = factor * x
      let l =
        exact
        ? Floats8(product.nearestInteger.clamped(-Int32(levels), Int32(levels) - 1))
        : product.nearest.clamped(-levels, levels - 1)
      let w = x * x
      lx = lx + w * x * l
      ll = ll + w * l * l
    }
    return (lx, ll)
  }
  @inline(__always) func search(exact: Bool) -> (scale: Floats8, factor: Floats8) {
    var factor = Floats8(-levels) / value
    let first = sums(factor, exact: exact)
    var scale = (first.ll == zero).choose(zero, first.lx / first.ll)
    var best = scale * first.lx
    for n in -9...9 where n != 0 {
      let trial = Floats8(-(levels + 0.1 * Float(n))) / value
      let (lx, ll) = sums(trial, exact: exact)
      let better = (zero < ll) & (best * ll < lx * lx)
      let quotient = lx / ll
      scale = better.choose(quotient, scale)
      best = better.choose(quotient * lx, best)
      factor = better.choose(trial, factor)
    }
    return (scale, factor)
  }
  let found = tame.all ? search(exact: false) : search(exact: true)
  return (isZero.choose(zero, found.scale), isZero.choose(zero, found.factor), isZero)
}

/// ggml's `make_q3_quants`: from the codes of the first scale, one code after the other is moved to where the
/// correlation of x and codes (weights x²) is larger, in up to five passes. The codes, −levels ..< levels, are left
/// in `lanes.codes`.
@inline(__always)
func descentFit(_ lanes: LaneBuffers, count: Int, levels: Int32) -> (scale: Floats8, isZero: Ints8) {
  let (value, magnitude) = extreme(lanes, count: count)
  let zero = Floats8(0)
  let factor = Floats8(Float(-levels)) / value
  var (sumLX, sumLL) = (zero, zero)
  for j in 0..<count {
    let x = lanes.element(j)
    let l = Floats8((factor * x).nearestInteger.clamped(-levels, levels - 1))
    l.store(at: lanes.codes + 8 * j)
    let w = x * x
    sumLX = sumLX + w * x * l
    sumLL = sumLL + w * l * l
  }
  for _ in 0..<5 {
    var changed = zero == Floats8(1)
    for j in 0..<count {
      let (x, l) = (lanes.element(j), Floats8(at: lanes.codes + 8 * j))
      let w = x * x
      let wx = w * x
      let lx = sumLX - wx * l
      let ll = sumLL - w * l * l
      let new = Floats8((x * ll / lx).nearestInteger.clamped(-levels, levels - 1))
      let newLX = lx + wx * new
      let newLL = ll + w * new * new
      let differs = (new < l) | (l < new)
      let better = (zero < newLL) & (sumLX * sumLX * newLL < newLX * newLX * sumLL)
      let move = (zero < lx) & differs & better
      move.choose(new, l).store(at: lanes.codes + 8 * j)
      sumLX = move.choose(newLX, sumLX)
      sumLL = move.choose(newLL, sumLL)
      changed = changed | move
    }
    if !changed.any { break }
  }
  let isZero = magnitude < Floats8(groupEpsilon)
  let scale = (zero < sumLL).choose(sumLX / sumLL, zero)
  return (isZero.choose(zero, scale), isZero)
}
