// What the certified loops share: eight Doubles side by side, each function an expression over them.
#ifndef NUMCHECK_CVECTOR_VECTOR8_H
#define NUMCHECK_CVECTOR_VECTOR8_H

#include <math.h>
#include <string.h>

#include "certified.h"

typedef double v8 __attribute__((ext_vector_type(8), aligned(8)));
typedef float f8 __attribute__((ext_vector_type(8), aligned(4)));
typedef int64_t i8 __attribute__((ext_vector_type(8), aligned(8)));

#define MAGIC 0x1.8p52
#define LANES 8

static inline v8 load(const double *p) { return *(const v8 *)p; }
static inline void store(double *p, v8 v) { *(v8 *)p = v; }
static inline v8 fma8(v8 a, v8 b, v8 c) { return __builtin_elementwise_fma(a, b, c); }
static inline v8 abs8(v8 a) { return __builtin_elementwise_abs(a); }
static inline v8 select8(i8 mask, v8 a, v8 b) { return mask ? a : b; }

/// The last, partial vector of a row: lanes beyond `n` hold `fill`.
static inline v8 load_part(const double *p, long n, double fill) {
  double t[LANES];
  for (int i = 0; i < LANES; i++) t[i] = i < n ? p[i] : fill;
  return load(t);
}

static inline void store_part(double *p, v8 v, long n) {
  double t[LANES];
  store(t, v);
  memcpy(p, t, (size_t)n * sizeof(double));
}

/// Section 3: e^d for |d| <= 700, by reduction to |r| <= ln2/2 and Taylor's polynomial of degree 13.
static inline v8 exp0(v8 d) {
  const v8 t = fma8(d, (v8)0x1.71547652b82fep+0, (v8)MAGIC);
  const v8 k = t - MAGIC;
  v8 r = fma8(-k, (v8)0x1.62e42fefa39efp-1, d);
  r = fma8(-k, (v8)0x1.abc9e3b39803fp-56, r);
  v8 p = 1.0 / 6227020800.0;
  p = fma8(p, r, (v8)(1.0 / 479001600.0));
  p = fma8(p, r, (v8)(1.0 / 39916800.0));
  p = fma8(p, r, (v8)(1.0 / 3628800.0));
  p = fma8(p, r, (v8)(1.0 / 362880.0));
  p = fma8(p, r, (v8)(1.0 / 40320.0));
  p = fma8(p, r, (v8)(1.0 / 5040.0));
  p = fma8(p, r, (v8)(1.0 / 720.0));
  p = fma8(p, r, (v8)(1.0 / 120.0));
  p = fma8(p, r, (v8)(1.0 / 24.0));
  p = fma8(p, r, (v8)(1.0 / 6.0));
  p = fma8(p, r, (v8)0.5);
  p = fma8(p, r, (v8)1.0);
  p = fma8(p, r, (v8)1.0);
  // The low bits of t are k: added to the exponent field.
  const i8 bits = ((i8)(p)) + (((i8)(t)) << 52);
  return ((v8)(bits));
}

/// Section 4: high + low of each lane, the error of every addition kept.
struct lanes {
  v8 high, low;
};

static inline void add_to(struct lanes *s, v8 b) {
  const v8 sum = s->high + b;
  const v8 z = sum - s->high;
  s->low += (s->high - (sum - z)) + (b - z);
  s->high = sum;
}

static inline struct numcheck_pair total(struct lanes s) {
  double high = 0, low = 0;
  for (int j = 0; j < LANES; j++) {
    const double sum = high + s.high[j];
    const double z = sum - high;
    low += (high - (sum - z)) + (s.high[j] - z) + s.low[j];
    high = sum;
  }
  const double sum = high + low;
  return (struct numcheck_pair){sum, low - (sum - high)};
}

/// Rounds x >= 0 by adding and subtracting 1.5 2^(q + 52), with 2^q the spacing there.
static inline v8 round_to(v8 x, struct numcheck_rounding f) {
  i8 q = (((i8)(x)) >> 52) - 1023;
  const i8 least = (i8)(int64_t)f.min_exponent, most = (i8)(int64_t)(f.max_exponent + 1);
  q = q < least ? least : q;
  q = q > most ? most : q;
  const i8 bits = ((q - f.fraction_bits + 52 + 1023) << 52) | ((int64_t)1 << 51);
  const v8 magic = ((v8)(bits));
  return (x + magic) - magic;
}

/// 2^k for k >= -900, 0 below.
static inline v8 power(v8 k) {
  const i8 usable = k >= -900;
  const v8 t = (usable ? k : (v8)0) + MAGIC;
  const v8 one = 1.0;
  const i8 bits = (i8)(one) + ((i8)(t) << 52);
  return select8(usable, (v8)(bits), (v8)0.0);
}

#endif
