#include "errors.h"

#include <math.h>

#include "loops.h"

enum { LANES = 4 };
typedef double f64x4 __attribute__((ext_vector_type(LANES), aligned(8)));
typedef int64_t i64x4 __attribute__((ext_vector_type(LANES), aligned(8)));

NC_INLINE f64x4 magnitude(f64x4 x) { return (f64x4)((i64x4)x & INT64_MAX); }
/// The larger of numbers that are not negative; NaN if either is.
NC_INLINE f64x4 larger(f64x4 a, f64x4 b) { return (f64x4)__builtin_elementwise_max((i64x4)a, (i64x4)b); }
NC_INLINE double largest(f64x4 x) {
  double m = x[0];
  for (int j = 1; j < LANES; j++) m = x[j] > m ? x[j] : m;
  return m;
}
NC_INLINE long marked(i64x4 masks) { return -(long)(masks[0] + masks[1] + masks[2] + masks[3]); }

/// Adds and takes away 1.5 2^52 times the spacing of each part.
struct parts {
  f64x4 part[3];
};
NC_INLINE void add(struct parts *s, f64x4 x) {
  const f64x4 magic[3] = {(f64x4)0x1.8p36, (f64x4)0x1.8p-1, (f64x4)0x1.8p-38};
  for (int k = 0; k < 3; k++) {
    const f64x4 part = (x + magic[k]) - magic[k];
    s->part[k] += part;
    x -= part;
  }
}
NC_INLINE struct nc_parts total(struct parts s) {
  struct nc_parts t;
  for (int k = 0; k < 3; k++) t.part[k] = (s.part[k][0] + s.part[k][1]) + (s.part[k][2] + s.part[k][3]);
  return t;
}

struct gathered {
  i64x4 irregular, underflow, above;
  f64x4 ulp, bound_ulp, absolute, relative, scale;
  struct parts sum, squares;
};

NC_INLINE f64x4 measure(
    struct gathered *g, f64x4 y, f64x4 rounded, f64x4 high, f64x4 low, f64x4 tiny, f64x4 bound, double slack,
    struct nc_unit unit) {
  const f64x4 exact = magnitude(high);
  i64x4 field = (i64x4)exact >> 52;
  const i64x4 least = (i64x4)(int64_t)(unit.min_exponent + 1023);
  field = (field < least ? least : field) - unit.fraction_bits;
  const f64x4 size = unit.step != 0 ? (f64x4)unit.step : (f64x4)(field << 52);
  const f64x4 error = magnitude((y - high) - low);
  const f64x4 ulps = error / size;
  // Comparisons with NaN are false.
  g->irregular |= ~(magnitude(y) < INFINITY) | ~(magnitude(rounded) < INFINITY) | ~(ulps < 0x1p13);
  if (unit.step == 0) g->irregular |= field < 1;
  g->underflow += (y == 0) & (rounded != 0);
  g->above += (error > bound + slack * exact) & (y != rounded);
  g->ulp = larger(g->ulp, ulps);
  g->bound_ulp = larger(g->bound_ulp, bound / size);
  g->absolute = larger(g->absolute, error);
  const f64x4 quotient = error / exact;
  const f64x4 lost = ((y == 0) | (tiny == 0)) ? tiny : (f64x4)INFINITY;
  g->relative = larger(g->relative, exact != 0 ? quotient : lost);
  g->scale = larger(g->scale, exact);
  add(&g->sum, ulps);
  add(&g->squares, ulps * ulps);
  return ulps;
}

NC_INLINE f64x4 load(const double *p, long i, double otherwise) { return p ? *(const f64x4 *)(p + i) : (f64x4)otherwise; }

struct nc_row_errors nc_measure_row(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps) {
  struct gathered g = {0};
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    *(f64x4 *)(ulps + i) = measure(
        &g, load(y, i, 0), load(rounded, i, 0), load(high, i, 0), load(low, i, 0), load(tiny, i, 0),
        load(bounds, i, INFINITY), slack, unit);
  }
  if (i < n) {
    // Lanes beyond the end hold zeros, which add nothing.
    f64x4 last[6] = {0};
    for (long j = 0; i + j < n; j++) {
      last[0][j] = y[i + j];
      last[1][j] = rounded[i + j];
      last[2][j] = high[i + j];
      last[3][j] = low[i + j];
      last[4][j] = tiny ? tiny[i + j] : 0;
      last[5][j] = bounds ? bounds[i + j] : INFINITY;
    }
    const f64x4 u = measure(&g, last[0], last[1], last[2], last[3], last[4], last[5], slack, unit);
    for (long j = 0; i + j < n; j++) ulps[i + j] = u[j];
  }
  return (struct nc_row_errors){
      marked(g.irregular) == 0, marked(g.underflow), marked(g.above), largest(g.ulp), largest(g.bound_ulp),
      largest(g.absolute), largest(g.relative), largest(g.scale), total(g.sum), total(g.squares)};
}

void nc_expm1_above(double *v, long n) {
  for (long i = 0; i < n; i++) {
    const double x = v[i] > 710 ? 710 : v[i];
    const double shifted = __builtin_fma(x, 0x1.71547652b82fep+0, 0x1.8p52), k = shifted - 0x1.8p52;
    const double r = __builtin_fma(-k, 0x1.abc9e3b39803fp-56, __builtin_fma(-k, 0x1.62e42fefa39efp-1, x));
    double p = 1.0 / 6227020800.0;
    p = __builtin_fma(p, r, 1.0 / 479001600.0);
    p = __builtin_fma(p, r, 1.0 / 39916800.0);
    p = __builtin_fma(p, r, 1.0 / 3628800.0);
    p = __builtin_fma(p, r, 1.0 / 362880.0);
    p = __builtin_fma(p, r, 1.0 / 40320.0);
    p = __builtin_fma(p, r, 1.0 / 5040.0);
    p = __builtin_fma(p, r, 1.0 / 720.0);
    p = __builtin_fma(p, r, 1.0 / 120.0);
    p = __builtin_fma(p, r, 1.0 / 24.0);
    p = __builtin_fma(p, r, 1.0 / 6.0);
    p = __builtin_fma(p, r, 0.5);
    p = __builtin_fma(p * r, r, r);
    // 2^(k - 1), for 2^1024 is none; the low bits of `shifted` are k.
    int64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (int64_t)((uint64_t)(bits + 1022) << 52);
    double half;
    memcpy(&half, &bits, 8);
    const double y = (2 * p * half + (2 * half - 1)) * (1 + 0x1p-47);
    v[i] = v[i] > 700 ? INFINITY : y;
  }
}
