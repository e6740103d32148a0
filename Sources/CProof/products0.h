// What the first tiers of matrix products and attention share: dot products of vectors that lie side by side, and what bounds need
// of each (Documentation/CertifiedReference.md, section 12a).
#ifndef NC_PRODUCTS0_H
#define NC_PRODUCTS0_H

#include <math.h>

#include "attention0.h"
#include "loops.h"
#include "vector8.h"

enum { chain = 16, rows = 6 };

#define UNIT 0x1p-53

NC_INLINE f64x8 max8(f64x8 a, f64x8 b) { return a > b ? a : b; }
NC_INLINE f64x8 min8(f64x8 a, f64x8 b) { return a < b ? a : b; }

// --- What bounds need of a vector (rho: each number weighed by how many roundings its product takes part in)

struct reach {
  double weighed, squares, grain;
  bool usable;
};

static inline struct reach reach_of(const double *x, long n) {
  struct reach r = {0, 0, INFINITY, true};
  const long blocks = (n + chain - 1) / chain;
  for (long i = 0; i < n; i++) {
    const double size = fabs(x[i]);
    if (size == 0) continue;
    r.usable = r.usable && size > 0x1p-400 && size < 0x1p400;
    const double square = size * size;
    r.squares += square;
    r.weighed += square * (double)(chain - i % chain + blocks - i / chain);
    uint64_t bits;
    memcpy(&bits, &size, 8);
    const int exponent = (int)(bits >> 52) - 1023;
    const int zeros = __builtin_ctzll(bits | (uint64_t)1 << 52);
    const double grain = ldexp(1, exponent - 52 + zeros);
    r.grain = grain < r.grain ? grain : r.grain;
  }
  r.weighed = sqrt(r.weighed);
  r.squares = sqrt(r.squares);
  if (r.grain == INFINITY) r.grain = 1;
  return r;
}

// --- Dot products: `n` keys against eight queries, in chains of 16 fused operations

NC_INLINE void dots(const double *q, const double *k, long d, double *s, const int n, const bool magnitudes) {
  f64x8 total[rows];
  for (int r = 0; r < n; r++) total[r] = 0;
  for (long start = 0; start < d; start += chain) {
    f64x8 sum[rows];
    for (int r = 0; r < n; r++) sum[r] = 0;
    const long end = start + chain < d ? start + chain : d;
#pragma clang loop unroll_count(2)
    for (long c = start; c < end; c++) {
      const f64x8 x = magnitudes ? abs8(load(q + c * nc_lanes)) : load(q + c * nc_lanes);
      for (int r = 0; r < n; r++) sum[r] = fma8((f64x8)(magnitudes ? fabs(k[r * d + c]) : k[r * d + c]), x, sum[r]);
    }
    for (int r = 0; r < n; r++) total[r] += sum[r];
  }
  for (int r = 0; r < n; r++) store(s + r * nc_lanes, total[r]);
}

// In groups of six, and what is left in groups that leave no ones where they can.
#define GROUPS(COUNT, STEP)                                     \
  for (long at = 0, left = (COUNT); left > 0;) {                \
    if (left >= rows && left != 7 && left != 8) { STEP(6); }    \
    else if (left >= 4) { STEP(4); }                            \
    else if (left >= 2) { STEP(2); }                            \
    else { STEP(1); }                                           \
  }

NC_INLINE f64x8 rounded(f64x8 x, struct nc_target target, const bool is_f32) {
  if (is_f32) return __builtin_convertvector(__builtin_convertvector(x, f32x8), f64x8);
  const f64x8 size = round_to(abs8(x), target.rounding);
  return x < 0 ? -size : size;
}

#endif
