#include "low_word.h"

#include "vector8.h"

/// Section 6a: one polynomial in Double beside 1 + r, which is kept whole.
static inline void exp1(v8 dh, v8 dl, const double *table, v8 *h, v8 *l, v8 *exponent) {
  const v8 t = fma8(dh, (v8)0x1.71547652b82fep+10, (v8)MAGIC);
  const v8 k = t - MAGIC;
  // Both exact: k has at most 22 bits, the second part of ln2/1024 has 31.
  const v8 r1 = fma8(-k, (v8)0x1.62e42fefa39efp-11, dh);
  const v8 b = k * 0x1.abc9e3b400000p-66;
  const v8 s = r1 - b;
  const v8 z = s - r1;
  const v8 rest = ((r1 - (s - z)) - (b + z)) + fma8(-k, (v8)-0x1.9ff0342542fc3p-100, dl);
  const v8 rh = s + rest;
  const v8 rl = rest - (rh - s);
  v8 p = 1.0 / 720.0;
  p = fma8(p, rh, (v8)(1.0 / 120.0));
  p = fma8(p, rh, (v8)(1.0 / 24.0));
  p = fma8(p, rh, (v8)(1.0 / 6.0));
  p = fma8(p, rh, (v8)0.5);
  const v8 w = fma8(rh * rh, p, fma8(rl, rh, rl));
  const i8 index = (i8)t & 1023;
  v8 th, tl;
  for (int j = 0; j < LANES; j++) {
    th[j] = table[2 * index[j]];
    tl[j] = table[2 * index[j] + 1];
  }
  // T + T r whole, T w and the table's low words below.
  const v8 a = th * rh;
  const v8 sum = th + a;
  const v8 low = fma8(th, w, ((a - (sum - th)) + fma8(th, rh, -a)) + fma8(tl, rh, tl));
  *h = sum + low;
  *l = low - (*h - sum);
  *exponent = (k - __builtin_convertvector(index, v8)) * 0x1p-10;
}

void numcheck_exponentials1(
    const double *dh, const double *dl, const double *table, double *h, double *l, double *k, long n) {
  v8 hi, lo, e;
  for (long i = 0; i < n; i += LANES) {
    const long left = n - i < LANES ? n - i : LANES;
    exp1(load_part(dh + i, left, 0), load_part(dl + i, left, 0), table, &hi, &lo, &e);
    store_part(h + i, hi, left);
    store_part(l + i, lo, left);
    store_part(k + i, e, left);
  }
}

static inline void difference(v8 x, double m, double tau, bool divide, v8 *dh, v8 *dl) {
  const v8 s = x - m;
  const v8 z = s - x;
  const v8 low = (x - (s - z)) - (m + z);
  *dh = s;
  *dl = low;
  if (divide) {
    const v8 q = s / tau;
    const v8 rest = (fma8(-q, (v8)tau, s) + low) / tau;
    *dh = q + rest;
    *dl = rest - (*dh - q);
  }
}

static inline struct numcheck_pair row(
    const double *x, double m, double tau, bool divide, const double *table, double *dh, double *dl, double *h, double *l,
    double *k, long n) {
  struct lanes sum = {0, 0};
  v8 high, low, hi, lo, e;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    difference(load(x + i), m, tau, divide, &high, &low);
    exp1(high, low, table, &hi, &lo, &e);
    store(dh + i, high);
    store(dl + i, low);
    store(h + i, hi);
    store(l + i, lo);
    store(k + i, e);
    const v8 scale = power(e);
    add_to(&sum, hi * scale);
    sum.low += lo * scale;
  }
  if (i < n) {
    const long left = n - i;
    difference(load_part(x + i, left, m), m, tau, divide, &high, &low);
    exp1(high, low, table, &hi, &lo, &e);
    store_part(dh + i, high, left);
    store_part(dl + i, low, left);
    store_part(h + i, hi, left);
    store_part(l + i, lo, left);
    store_part(k + i, e, left);
    v8 scale = power(e);
    for (long j = left; j < LANES; j++) scale[j] = 0;
    add_to(&sum, hi * scale);
    sum.low += lo * scale;
  }
  return total(sum);
}

struct numcheck_pair numcheck_row1(
    const double *x, double m, double tau, const double *table, double *dh, double *dl, double *h, double *l, double *k,
    long n) {
  return tau == 1 ? row(x, m, tau, false, table, dh, dl, h, l, k, n) : row(x, m, tau, true, table, dh, dl, h, l, k, n);
}
