#include "certified.h"

#include <math.h>

#include "vector8.h"

// --- Tier 0 (section 3): exp by reduction to |r| <= ln2/2 and Taylor's polynomial of degree 13

double nc_exp0(double d) { return exp0((f64x8)d)[0]; }

static inline f64x8 exponential0(f64x8 x, double m, double tau) {
  f64x8 d = x - m;
  if (tau != 1) d = d / tau;
  const f64x8 clamped = d < -650 ? (f64x8)-650 : d;
  return select8(d < -650, (f64x8)0.0, exp0(clamped));
}

struct nc_pair nc_exponentials0(const double *x, double m, double tau, double *e, long n) {
  struct lanes s = {0, 0};
  long i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    const f64x8 a = exponential0(load(x + i), m, tau), b = exponential0(load(x + i + 8), m, tau);
    const f64x8 c = exponential0(load(x + i + 16), m, tau), d = exponential0(load(x + i + 24), m, tau);
    store(e + i, a);
    store(e + i + 8, b);
    store(e + i + 16, c);
    store(e + i + 24, d);
    add_to(&s, (a + b) + (c + d));
  }
  for (; i < n; i += LANES) {
    const long left = n - i < LANES ? n - i : LANES;
    const f64x8 a = exponential0(load_part(x + i, left, -INFINITY), m, tau);
    store_part(e + i, a, left);
    add_to(&s, a);
  }
  return total(s);
}

// --- Quotients and rounding tests (section 5)

static inline i64x8 test(
    f64x8 e, f64x8 x, double m, double r, double c, double k, struct nc_rounding f, f64x8 *p, f64x8 *y) {
  *p = e * r;
  const f64x8 margin = *p * fma8(abs8(x - m), (f64x8)k, (f64x8)c);
  *y = round_to(*p + margin, f);
  return *y != round_to(*p - margin, f);
}

bool nc_quotients0(
    const double *e, const double *x, double m, double r, double c, double k, struct nc_rounding f,
    double *p, double *y, uint8_t *open, long n) {
  uint8_t any = 0;
  for (long block = 0; block < n; block += 64) {
    i64x8 bad = 0;
    const long end = block + 64 < n ? block + 64 : n;
    long i = block;
    f64x8 pi, yi;
    for (; i + LANES <= end; i += LANES) {
      bad |= test(load(e + i), load(x + i), m, r, c, k, f, &pi, &yi);
      store(p + i, pi);
      store(y + i, yi);
    }
    if (i < end) {
      bad |= test(load_part(e + i, end - i, 0), load_part(x + i, end - i, m), m, r, c, k, f, &pi, &yi);
      store_part(p + i, pi, end - i);
      store_part(y + i, yi, end - i);
    }
    open[block / 64] = __builtin_reduce_or(bad) != 0;
    any |= open[block / 64];
  }
  return !any;
}

// --- Tier 2 (section 6): exp as a double-double, by a table of 1024 and a polynomial in r <= ln2/2048

static inline void exp2tier(f64x8 dh, f64x8 dl, const double *table, f64x8 *h, f64x8 *l, f64x8 *exponent) {
  const f64x8 t = fma8(dh, (f64x8)0x1.71547652b82fep+10, (f64x8)MAGIC);
  const f64x8 k = t - MAGIC;
  // r1 is exact; k L2 is a product and its own rounding error.
  const f64x8 r1 = fma8(-k, (f64x8)0x1.62e42fefa39efp-11, dh);
  const f64x8 b = k * 0x1.abc9e3b400000p-66;
  const f64x8 be = fma8(k, (f64x8)0x1.abc9e3b400000p-66, -b);
  const f64x8 s = r1 - b;
  const f64x8 z = s - r1;
  const f64x8 low = ((r1 - (s - z)) - (b + z)) + (fma8(-k, (f64x8)-0x1.9ff0342542fc3p-100, dl) - be);
  const f64x8 rh = s + low;
  const f64x8 rl = low - (rh - s);
  // e^r - 1 = r + r^2/2 + r^3/6 + r^4 (1/24 + ...): the first three as pairs.
  const f64x8 q = fma8(fma8(fma8((f64x8)(1.0 / 5040.0), rh, (f64x8)(1.0 / 720.0)), rh, (f64x8)(1.0 / 120.0)), rh, (f64x8)(1.0 / 24.0));
  // u = 1/6 + r q
  const f64x8 ub = rh * q;
  const f64x8 uh = 0x1.5555555555555p-3 + ub;
  const f64x8 ul = (ub - (uh - 0x1.5555555555555p-3)) + 0x1.5555555555555p-57;
  // w = 1/2 + r u
  const f64x8 c = rh * uh;
  const f64x8 cl = fma8(rh, uh, -c) + fma8(rh, ul, rl * uh);
  const f64x8 wh = 0.5 + c;
  const f64x8 wl = (c - (wh - 0.5)) + cl;
  // v = 1 + r w
  const f64x8 d = rh * wh;
  const f64x8 dlow = fma8(rh, wh, -d) + fma8(rh, wl, rl * wh);
  const f64x8 vh = 1.0 + d;
  const f64x8 vl = (d - (vh - 1.0)) + dlow;
  // g = r v = e^r - 1
  const f64x8 g = rh * vh;
  const f64x8 gl = fma8(rh, vh, -g) + fma8(rh, vl, rl * vh);
  const i64x8 index = ((i64x8)(t)) & 1023;
  f64x8 th, tl;
  for (int j = 0; j < LANES; j++) {
    th[j] = table[2 * index[j]];
    tl[j] = table[2 * index[j] + 1];
  }
  // T + T g
  const f64x8 a = th * g;
  const f64x8 al = fma8(th, g, -a) + fma8(th, gl, fma8(tl, g, tl));
  const f64x8 sum = th + a;
  const f64x8 sl = (a - (sum - th)) + al;
  *h = sum + sl;
  *l = sl - (*h - sum);
  *exponent = (k - __builtin_convertvector(index, f64x8)) * 0x1p-10;
}

void nc_exponentials2(
    const double *dh, const double *dl, const double *table, double *h, double *l, double *k, long n) {
  f64x8 hi, lo, e;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    exp2tier(load(dh + i), load(dl + i), table, &hi, &lo, &e);
    store(h + i, hi);
    store(l + i, lo);
    store(k + i, e);
  }
  if (i < n) {
    exp2tier(load_part(dh + i, n - i, 0), load_part(dl + i, n - i, 0), table, &hi, &lo, &e);
    store_part(h + i, hi, n - i);
    store_part(l + i, lo, n - i);
    store_part(k + i, e, n - i);
  }
}

void nc_differences2(const double *x, double m, double tau, double *dh, double *dl, long n) {
  for (long i = 0; i < n; i++) {
    const double s = x[i] - m;
    const double z = s - x[i];
    double high = s, low = (x[i] - (s - z)) - (m + z);
    if (tau != 1) {
      const double q = high / tau;
      low = (fma(-q, tau, high) + low) / tau;
      high = q + low;
      low = low - (high - q);
    }
    // -inf stands as a number far below all that count.
    const bool masked = x[i] == -INFINITY;
    dh[i] = masked ? -0x1p29 : high;
    dl[i] = masked ? 0 : low;
  }
}

struct nc_pair nc_sum2(const double *h, const double *l, const double *k, long n) {
  f64x8 sh = 0, sl = 0;
  for (long i = 0; i < n; i += LANES) {
    const long left = n - i;
    const f64x8 scale = power(left >= LANES ? load(k + i) : load_part(k + i, left, 0));
    const f64x8 a = (left >= LANES ? load(h + i) : load_part(h + i, left, 0)) * scale;
    const f64x8 b = (left >= LANES ? load(l + i) : load_part(l + i, left, 0)) * scale;
    const f64x8 s = sh + a;
    const f64x8 z = s - sh;
    const f64x8 low = ((sh - (s - z)) + (a - z)) + (sl + b);
    sh = s + low;
    sl = low - (sh - s);
  }
  double high = 0, low = 0;
  for (int j = 0; j < LANES; j++) {
    const double s = high + sh[j];
    const double z = s - high;
    const double rest = ((high - (s - z)) + (sh[j] - z)) + (low + sl[j]);
    high = s + rest;
    low = rest - (high - s);
  }
  return (struct nc_pair){high, low};
}

static inline i64x8 quotient2(
    f64x8 h, f64x8 l, f64x8 k, f64x8 dh, double rh, double rl, double c, double q, f64x8 *ph, f64x8 *pl) {
  const f64x8 a = h * rh;
  const f64x8 al = fma8(h, (f64x8)rh, -a) + fma8(h, (f64x8)rl, l * rh);
  const f64x8 high = a + al;
  const f64x8 low = al - (high - a);
  const f64x8 margin = high * fma8(abs8(dh), (f64x8)q, (f64x8)c);
  const f64x8 scale = power(k);
  *ph = high * scale;
  *pl = low * scale;
  return (high + (low + margin) != high) | (high + (low - margin) != high) | (scale == 0);
}

bool nc_quotients2(
    const double *h, const double *l, const double *k, const double *dh, double rh, double rl, double c, double q,
    double *ph, double *pl, uint8_t *open, long n) {
  uint8_t any = 0;
  for (long block = 0; block < n; block += 64) {
    const long end = block + 64 < n ? block + 64 : n;
    i64x8 bad = 0;
    long i = block;
    f64x8 high, low;
    for (; i + LANES <= end; i += LANES) {
      bad |= quotient2(load(h + i), load(l + i), load(k + i), load(dh + i), rh, rl, c, q, &high, &low);
      store(ph + i, high);
      store(pl + i, low);
    }
    if (i < end) {
      const long left = end - i;
      bad |= quotient2(
          load_part(h + i, left, 1), load_part(l + i, left, 0), load_part(k + i, left, 0), load_part(dh + i, left, 0), rh,
          rl, c, q, &high, &low);
      store_part(ph + i, high, left);
      store_part(pl + i, low, left);
    }
    open[block / 64] = __builtin_reduce_or(bad) != 0;
    any |= open[block / 64];
  }
  return !any;
}
