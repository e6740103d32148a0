// What the certified loops share: eight Doubles side by side, each function an expression over them.
#ifndef NC_VECTOR8_H
#define NC_VECTOR8_H

#include <math.h>
#include <string.h>

#include "certified.h"

typedef double f64x8 __attribute__((ext_vector_type(8), aligned(8)));
typedef float f32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef int64_t i64x8 __attribute__((ext_vector_type(8), aligned(8)));

// Inlined whatever the optimisation: a loop compiled for wider vectors (NC_WIDE) hands them over in other registers.
#define NC_ALWAYS __attribute__((always_inline))

#define MAGIC 0x1.8p52
#define LANES 8

NC_ALWAYS
static inline f64x8 load(const double *p) { return *(const f64x8 *)p; }
NC_ALWAYS
static inline void store(double *p, f64x8 v) { *(f64x8 *)p = v; }
NC_ALWAYS
static inline f64x8 fma8(f64x8 a, f64x8 b, f64x8 c) { return __builtin_elementwise_fma(a, b, c); }
NC_ALWAYS
static inline f64x8 abs8(f64x8 a) { return __builtin_elementwise_abs(a); }
NC_ALWAYS
static inline f64x8 select8(i64x8 mask, f64x8 a, f64x8 b) { return mask ? a : b; }

/// The last, partial vector of a row: lanes beyond `n` hold `fill`.
NC_ALWAYS
static inline f64x8 load_part(const double *p, long n, double fill) {
  double t[LANES];
  for (int i = 0; i < LANES; i++) t[i] = i < n ? p[i] : fill;
  return load(t);
}

NC_ALWAYS
static inline void store_part(double *p, f64x8 v, long n) {
  double t[LANES];
  store(t, v);
  memcpy(p, t, (size_t)n * sizeof(double));
}

/// Section 3: e^d for |d| <= 700, by reduction to |r| <= ln2/2 and Taylor's polynomial of degree 13.
NC_ALWAYS
static inline f64x8 exp0(f64x8 d) {
  const f64x8 t = fma8(d, (f64x8)0x1.71547652b82fep+0, (f64x8)MAGIC);
  const f64x8 k = t - MAGIC;
  f64x8 r = fma8(-k, (f64x8)0x1.62e42fefa39efp-1, d);
  r = fma8(-k, (f64x8)0x1.abc9e3b39803fp-56, r);
  f64x8 p = 1.0 / 6227020800.0;
  p = fma8(p, r, (f64x8)(1.0 / 479001600.0));
  p = fma8(p, r, (f64x8)(1.0 / 39916800.0));
  p = fma8(p, r, (f64x8)(1.0 / 3628800.0));
  p = fma8(p, r, (f64x8)(1.0 / 362880.0));
  p = fma8(p, r, (f64x8)(1.0 / 40320.0));
  p = fma8(p, r, (f64x8)(1.0 / 5040.0));
  p = fma8(p, r, (f64x8)(1.0 / 720.0));
  p = fma8(p, r, (f64x8)(1.0 / 120.0));
  p = fma8(p, r, (f64x8)(1.0 / 24.0));
  p = fma8(p, r, (f64x8)(1.0 / 6.0));
  p = fma8(p, r, (f64x8)0.5);
  p = fma8(p, r, (f64x8)1.0);
  p = fma8(p, r, (f64x8)1.0);
  // The low bits of t are k: added to the exponent field.
  const i64x8 bits = ((i64x8)(p)) + (((i64x8)(t)) << 52);
  return ((f64x8)(bits));
}

/// Section 4: high + low of each lane, the error of every addition kept.
struct lanes {
  f64x8 high, low;
};

NC_ALWAYS
static inline void add_to(struct lanes *s, f64x8 b) {
  const f64x8 sum = s->high + b;
  const f64x8 z = sum - s->high;
  s->low += (s->high - (sum - z)) + (b - z);
  s->high = sum;
}

static inline struct nc_pair total(struct lanes s) {
  double high = 0, low = 0;
  for (int j = 0; j < LANES; j++) {
    const double sum = high + s.high[j];
    const double z = sum - high;
    low += (high - (sum - z)) + (s.high[j] - z) + s.low[j];
    high = sum;
  }
  const double sum = high + low;
  return (struct nc_pair){sum, low - (sum - high)};
}

/// Rounds x >= 0 by adding and subtracting 1.5 2^(q + 52), with 2^q the spacing there.
NC_ALWAYS
static inline f64x8 round_to(f64x8 x, struct nc_rounding f) {
  i64x8 q = (((i64x8)(x)) >> 52) - 1023;
  const i64x8 least = (i64x8)(int64_t)f.min_exponent, most = (i64x8)(int64_t)(f.max_exponent + 1);
  q = q < least ? least : q;
  q = q > most ? most : q;
  const i64x8 bits = ((q - f.fraction_bits + 52 + 1023) << 52) | ((int64_t)1 << 51);
  const f64x8 magic = ((f64x8)(bits));
  return (x + magic) - magic;
}

/// 2^k for k >= -900, 0 below.
NC_ALWAYS
static inline f64x8 power(f64x8 k) {
  const i64x8 usable = k >= -900;
  const f64x8 t = (usable ? k : (f64x8)0) + MAGIC;
  const f64x8 one = 1.0;
  const i64x8 bits = (i64x8)(one) + ((i64x8)(t) << 52);
  return select8(usable, (f64x8)(bits), (f64x8)0.0);
}

#endif
