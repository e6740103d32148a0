// The loop of errors.h over vectors of LANES Doubles. What it gives does not depend on LANES: its sums are exact.
#include "errors.h"

#include <math.h>

#include "loops.h"

typedef double vf64 __attribute__((ext_vector_type(LANES), aligned(8)));
typedef int64_t vi64 __attribute__((ext_vector_type(LANES), aligned(8)));

NC_INLINE vf64 magnitude(vf64 x) { return (vf64)((vi64)x & INT64_MAX); }
/// The larger of numbers that are not negative; NaN if either is.
NC_INLINE vf64 larger(vf64 a, vf64 b) { return (vf64)__builtin_elementwise_max((vi64)a, (vi64)b); }
NC_INLINE double largest(vf64 x) {
  double m = x[0];
  for (int j = 1; j < LANES; j++) m = x[j] > m ? x[j] : m;
  return m;
}
NC_INLINE int any(vi64 masks) { return __builtin_reduce_or(masks) != 0; }
/// Where error / exact may be above `most`; where this says no, it is not.
NC_INLINE vi64 exceeds(vf64 error, vf64 most, vf64 exact) {
  return (error != 0) & ~(error < most * exact * (1 - 0x1p-50));
}
NC_INLINE long marked(vi64 masks) { return -(long)__builtin_reduce_add(masks); }

/// Adds and takes away 1.5 2^52 times the spacing of each part.
struct parts {
  vf64 part[3];
};
NC_INLINE void add(struct parts *s, vf64 x) {
  const vf64 magic[3] = {(vf64)0x1.8p36, (vf64)0x1.8p-1, (vf64)0x1.8p-38};
  for (int k = 0; k < 3; k++) {
    const vf64 part = (x + magic[k]) - magic[k];
    s->part[k] += part;
    x -= part;
  }
}
NC_INLINE double sum_of(vf64 x) {
  double sum = 0;
  for (int j = 0; j < LANES; j++) sum += x[j];
  return sum;
}
NC_INLINE struct nc_parts total(struct parts s) {
  struct nc_parts t;
  for (int k = 0; k < 3; k++) t.part[k] = sum_of(s.part[k]);
  return t;
}

struct gathered {
  vi64 irregular, underflow, above;
  vf64 ulp, bound_ulp, absolute, relative, scale;
  struct parts sum, squares;
};

NC_INLINE vf64 measure(
    struct gathered *g, vf64 y, vf64 rounded, vf64 high, vf64 low, vf64 tiny, vf64 bound, double slack,
    struct nc_unit unit) {
  const vf64 exact = magnitude(high);
  vi64 field = (vi64)exact >> 52;
  const vi64 least = (vi64)(int64_t)(unit.min_exponent + 1023);
  field = (field < least ? least : field) - unit.fraction_bits;
  const vf64 error = magnitude((y - high) - low);
  // 1 / size, a power of two, so that a product with it is the quotient.
  const vf64 inverse = (vf64)((2046 - field) << 52);
  const vf64 ulps = unit.step != 0 ? error / unit.step : error * inverse;
  // Comparisons with NaN are false.
  g->irregular |= ~(magnitude(y) < INFINITY) | ~(magnitude(rounded) < INFINITY) | ~(ulps < 0x1p13);
  if (unit.step == 0) g->irregular |= field < 1;
  g->underflow += (y == 0) & (rounded != 0);
  g->above += (error > bound + slack * exact) & (y != rounded);
  g->ulp = larger(g->ulp, ulps);
  g->bound_ulp = larger(g->bound_ulp, unit.step != 0 ? bound / unit.step : bound * inverse);
  g->absolute = larger(g->absolute, error);
  // Few are larger than all before; the others need no division.
  if (any((exact == 0) | exceeds(error, g->relative, exact))) {
    const vf64 quotient = error / exact;
    const vf64 lost = ((y == 0) | (tiny == 0)) ? tiny : (vf64)INFINITY;
    g->relative = larger(g->relative, exact != 0 ? quotient : lost);
  }
  g->scale = larger(g->scale, exact);
  add(&g->sum, ulps);
  add(&g->squares, ulps * ulps);
  return ulps;
}

NC_INLINE vf64 load(const double *p, long i, double otherwise) { return p ? *(const vf64 *)(p + i) : (vf64)otherwise; }

static struct nc_row_errors measure_row(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps) {
  struct gathered g = {0};
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    *(vf64 *)(ulps + i) = measure(
        &g, load(y, i, 0), load(rounded, i, 0), load(high, i, 0), load(low, i, 0), load(tiny, i, 0),
        load(bounds, i, INFINITY), slack, unit);
  }
  if (i < n) {
    // Lanes beyond the end hold zeros, which add nothing.
    vf64 last[6] = {0};
    for (long j = 0; i + j < n; j++) {
      last[0][j] = y[i + j];
      last[1][j] = rounded[i + j];
      last[2][j] = high[i + j];
      last[3][j] = low[i + j];
      last[4][j] = tiny ? tiny[i + j] : 0;
      last[5][j] = bounds ? bounds[i + j] : INFINITY;
    }
    const vf64 u = measure(&g, last[0], last[1], last[2], last[3], last[4], last[5], slack, unit);
    for (long j = 0; i + j < n; j++) ulps[i + j] = u[j];
  }
  return (struct nc_row_errors){
      marked(g.irregular) == 0, marked(g.underflow), marked(g.above), largest(g.ulp), largest(g.bound_ulp),
      largest(g.absolute), largest(g.relative), largest(g.scale), total(g.sum), total(g.squares)};
}
