#include "low_word.h"

#include "vector8.h"

/// Section 6a: one polynomial in Double beside 1 + r, which is kept whole.
static inline void exp1(f64x8 dh, f64x8 dl, const double *table, f64x8 *h, f64x8 *l, f64x8 *exponent) {
  const f64x8 t = fma8(dh, (f64x8)0x1.71547652b82fep+10, (f64x8)MAGIC);
  const f64x8 k = t - MAGIC;
  // Both exact: k has at most 22 bits, the second part of ln2/1024 has 31.
  const f64x8 r1 = fma8(-k, (f64x8)0x1.62e42fefa39efp-11, dh);
  const f64x8 b = k * 0x1.abc9e3b400000p-66;
  const f64x8 s = r1 - b;
  const f64x8 z = s - r1;
  const f64x8 rest = ((r1 - (s - z)) - (b + z)) + fma8(-k, (f64x8)-0x1.9ff0342542fc3p-100, dl);
  const f64x8 rh = s + rest;
  const f64x8 rl = rest - (rh - s);
  f64x8 p = 1.0 / 720.0;
  p = fma8(p, rh, (f64x8)(1.0 / 120.0));
  p = fma8(p, rh, (f64x8)(1.0 / 24.0));
  p = fma8(p, rh, (f64x8)(1.0 / 6.0));
  p = fma8(p, rh, (f64x8)0.5);
  const f64x8 w = fma8(rh * rh, p, fma8(rl, rh, rl));
  const i64x8 index = (i64x8)t & 1023;
  f64x8 th, tl;
  for (int j = 0; j < LANES; j++) {
    th[j] = table[2 * index[j]];
    tl[j] = table[2 * index[j] + 1];
  }
  // T + T r whole, T w and the table's low words below.
  const f64x8 a = th * rh;
  const f64x8 sum = th + a;
  const f64x8 low = fma8(th, w, ((a - (sum - th)) + fma8(th, rh, -a)) + fma8(tl, rh, tl));
  *h = sum + low;
  *l = low - (*h - sum);
  *exponent = (k - __builtin_convertvector(index, f64x8)) * 0x1p-10;
}

void nc_exponentials1(
    const double *dh, const double *dl, const double *table, double *h, double *l, double *k, long n) {
  f64x8 hi, lo, e;
  for (long i = 0; i < n; i += LANES) {
    const long left = n - i < LANES ? n - i : LANES;
    exp1(load_part(dh + i, left, 0), load_part(dl + i, left, 0), table, &hi, &lo, &e);
    store_part(h + i, hi, left);
    store_part(l + i, lo, left);
    store_part(k + i, e, left);
  }
}

static inline void difference(f64x8 x, double m, double tau, bool divide, f64x8 *dh, f64x8 *dl) {
  const f64x8 s = x - m;
  const f64x8 z = s - x;
  const f64x8 low = (x - (s - z)) - (m + z);
  *dh = s;
  *dl = low;
  if (divide) {
    const f64x8 q = s / tau;
    const f64x8 rest = (fma8(-q, (f64x8)tau, s) + low) / tau;
    *dh = q + rest;
    *dl = rest - (*dh - q);
  }
}

static inline struct nc_pair row(
    const double *x, double m, double tau, bool divide, const double *table, double *dh, double *dl, double *h, double *l,
    double *k, long n) {
  struct lanes sum = {0, 0};
  f64x8 high, low, hi, lo, e;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    difference(load(x + i), m, tau, divide, &high, &low);
    exp1(high, low, table, &hi, &lo, &e);
    store(dh + i, high);
    store(dl + i, low);
    store(h + i, hi);
    store(l + i, lo);
    store(k + i, e);
    const f64x8 scale = power(e);
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
    f64x8 scale = power(e);
    for (long j = left; j < LANES; j++) scale[j] = 0;
    add_to(&sum, hi * scale);
    sum.low += lo * scale;
  }
  return total(sum);
}

struct nc_pair nc_row1(
    const double *x, double m, double tau, const double *table, double *dh, double *dl, double *h, double *l, double *k,
    long n) {
  return tau == 1 ? row(x, m, tau, false, table, dh, dl, h, l, k, n) : row(x, m, tau, true, table, dh, dl, h, l, k, n);
}
