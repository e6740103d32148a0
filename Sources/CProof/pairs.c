#include "pairs.h"

#include "vector8.h"

/// Rounds hi + lo > 0, known to within `margin`; sets lanes where that is not enough.
static inline i64x8 settle(f64x8 hi, f64x8 lo, f64x8 margin, struct nc_format f, bool is_f64, f64x8 *y) {
  if (is_f64) {
    *y = hi;
    return (hi + (lo + margin) != hi) | (hi + (lo - margin) != hi);
  }
  // 2^-52 covers the low word and the rounding of the two ends.
  const f64x8 wide = margin + hi * 0x1p-52;
  *y = round_to(hi + wide, f.rounding);
  return (*y != round_to(hi - wide, f.rounding)) | (*y > f.largest);
}

static inline i64x8 logarithm(
    f64x8 dh, f64x8 dl, double lh, double ll, double a, double needed, struct nc_format f, bool is_f64, f64x8 *high, f64x8 *low,
    f64x8 *y, f64x8 *smallest) {
  const f64x8 s = lh - dh;
  const f64x8 z = s - lh;
  const f64x8 rest = ((lh - (s - z)) - (dh + z)) + (ll - dl);
  const f64x8 hi = s + rest;
  const f64x8 lo = rest - (hi - s);
  const f64x8 margin = fma8(hi, (f64x8)0x1p-101, (f64x8)a);
  f64x8 rounded;
  i64x8 bad = settle(hi, lo, margin, f, is_f64, &rounded);
  bad |= (rounded == 0) | (margin > hi * needed) | (dh < -0x1p28);
  const f64x8 counted = select8(bad, (f64x8)INFINITY, hi);
  *smallest = counted < *smallest ? counted : *smallest;
  *high = -hi;
  *low = -lo;
  *y = -rounded;
  return bad;
}

static inline i64x8 sigmoid(
    f64x8 x, f64x8 dh, f64x8 h, f64x8 l, f64x8 k, double c, double q, struct nc_format f, bool is_f64, f64x8 *high, f64x8 *low, f64x8 *y,
    f64x8 *smallest) {
  const f64x8 scale = power(k);
  const f64x8 eh = h * scale, el = l * scale;
  const f64x8 s = 1.0 + eh;
  const f64x8 sl = (eh - (s - 1.0)) + el;
  const i64x8 negative = x < 0;
  const f64x8 nh = select8(negative, eh, (f64x8)1.0), nl = select8(negative, el, (f64x8)0.0);
  const f64x8 q1 = nh / s;
  const f64x8 rest = fma8(-q1, s, nh) + fma8(-q1, sl, nl);
  const f64x8 q2 = rest / s;
  const f64x8 hi = q1 + q2;
  const f64x8 lo = q2 - (hi - q1);
  f64x8 rounded;
  i64x8 bad = settle(hi, lo, hi * fma8(abs8(dh), (f64x8)q, (f64x8)c), f, is_f64, &rounded);
  bad |= (negative & (scale == 0)) | (x == 0) | ~(abs8(x) < INFINITY);
  const f64x8 counted = select8(bad, (f64x8)INFINITY, hi);
  *smallest = counted < *smallest ? counted : *smallest;
  *high = hi;
  *low = lo;
  *y = rounded;
  return bad;
}

static inline struct nc_settled settled(bool all, f64x8 smallest) {
  struct nc_settled r = {all, INFINITY};
  for (int j = 0; j < LANES; j++) r.smallest = smallest[j] < r.smallest ? smallest[j] : r.smallest;
  return r;
}

#define BLOCKS(WHOLE, PART)                                     \
  bool all = true;                                              \
  f64x8 hi, lo, rounded, smallest = INFINITY;                      \
  for (long block = 0; block < n; block += 64) {                \
    const long end = block + 64 < n ? block + 64 : n;           \
    i64x8 bad = 0;                                                 \
    long i = block;                                             \
    for (; i + LANES <= end; i += LANES) {                      \
      bad |= WHOLE;                                             \
      store(high + i, hi);                                      \
      store(low + i, lo);                                       \
      store(y + i, rounded);                                    \
    }                                                           \
    if (i < end) {                                              \
      const long left = end - i;                                \
      bad |= PART;                                              \
      store_part(high + i, hi, left);                           \
      store_part(low + i, lo, left);                            \
      store_part(y + i, rounded, left);                         \
    }                                                           \
    open[block / 64] = __builtin_reduce_or(bad) != 0;           \
    all &= !open[block / 64];                                   \
  }                                                             \
  return settled(all, smallest);

static inline struct nc_settled logarithms(
    const double *dh, const double *dl, double lh, double ll, double a, double needed, struct nc_format f, bool is_f64,
    double *high, double *low, double *y, uint8_t *open, long n) {
  BLOCKS(
      logarithm(load(dh + i), load(dl + i), lh, ll, a, needed, f, is_f64, &hi, &lo, &rounded, &smallest),
      logarithm(
          load_part(dh + i, left, dh[i]), load_part(dl + i, left, dl[i]), lh, ll, a, needed, f, is_f64, &hi, &lo, &rounded,
          &smallest))
}

struct nc_settled nc_logarithms2(
    const double *dh, const double *dl, double log_high, double log_low, double a, double needed, struct nc_format f,
    double *high, double *low, double *y, uint8_t *open, long n) {
  return f.is_f64 ? logarithms(dh, dl, log_high, log_low, a, needed, f, true, high, low, y, open, n)
                  : logarithms(dh, dl, log_high, log_low, a, needed, f, false, high, low, y, open, n);
}

void nc_sigmoid_arguments2(const double *x, double tau, double *dh, double *dl, long n) {
  for (long i = 0; i < n; i++) {
    const double z = -fabs(x[i]);
    double high = z, low = 0;
    if (tau != 1) {
      const double q = z / tau;
      low = fma(-q, tau, z) / tau;
      high = q + low;
      low = low - (high - q);
    }
    // Also what is not a number goes there; it is left open. (Asked for by itself: for a signalling NaN the comparison
    // alone may become a maximum that is one, on arm64.)
    const bool usable = fabs(x[i]) < INFINITY && high > -0x1p29;
    dh[i] = usable ? high : -0x1p29;
    dl[i] = usable ? low : 0;
  }
}

static inline struct nc_settled sigmoids(
    const double *x, const double *dh, const double *h, const double *l, const double *k, double c, double q,
    struct nc_format f, bool is_f64, double *high, double *low, double *y, uint8_t *open, long n) {
  BLOCKS(
      sigmoid(
          load(x + i), load(dh + i), load(h + i), load(l + i), load(k + i), c, q, f, is_f64, &hi, &lo, &rounded, &smallest),
      sigmoid(
          load_part(x + i, left, x[i]), load_part(dh + i, left, dh[i]), load_part(h + i, left, h[i]),
          load_part(l + i, left, l[i]), load_part(k + i, left, k[i]), c, q, f, is_f64, &hi, &lo, &rounded, &smallest))
}

struct nc_settled nc_sigmoids2(
    const double *x, const double *dh, const double *h, const double *l, const double *k, double c, double q,
    struct nc_format f, double *high, double *low, double *y, uint8_t *open, long n) {
  return f.is_f64 ? sigmoids(x, dh, h, l, k, c, q, f, true, high, low, y, open, n)
                  : sigmoids(x, dh, h, l, k, c, q, f, false, high, low, y, open, n);
}
