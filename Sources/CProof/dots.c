#include "dots.h"

#include "vector8.h"

/// Adds the exact product of a and b, and c, to high + low; its magnitude to the third.
struct sums {
  f64x8 high, low, magnitude;
};

static inline void add_product(struct sums *s, f64x8 a, f64x8 b, f64x8 c) {
  const f64x8 p = a * b;
  const f64x8 rest = fma8(a, b, -p) + c;
  const f64x8 sum = s->high + p;
  const f64x8 z = sum - s->high;
  s->low += ((s->high - (sum - z)) + (p - z)) + rest;
  s->high = sum;
  s->magnitude += abs8(p);
}

struct nc_dot nc_dot2(const double *a, const double *b, long n) {
  struct sums s = {0, 0, 0};
  long i = 0;
  for (; i + LANES <= n; i += LANES) add_product(&s, load(a + i), load(b + i), (f64x8)0.0);
  if (i < n) add_product(&s, load_part(a + i, n - i, 0), load_part(b + i, n - i, 0), (f64x8)0.0);
  struct nc_dot r = {0, 0, 0};
  for (int j = 0; j < LANES; j++) {
    const double sum = r.high + s.high[j];
    const double z = sum - r.high;
    r.low += ((r.high - (sum - z)) + (s.high[j] - z)) + s.low[j];
    r.high = sum;
    r.magnitude += s.magnitude[j];
  }
  const double sum = r.high + r.low;
  const double z = sum - r.high;
  r.low = (r.high - (sum - z)) + (r.low - z);
  r.high = sum;
  return r;
}

/// Eight columns. Every 64 terms the sums go into outer ones, so that the error grows with n / 64.
static inline struct sums weighted(
    const double *h, const double *l, const double *v, long n, long stride, long columns) {
  struct sums outer = {0, 0, 0};
  for (long start = 0; start < n; start += 64) {
    const long end = start + 64 < n ? start + 64 : n;
    struct sums s = {0, 0, 0};
    for (long i = start; i < end; i++) {
      const double *row = v + i * stride;
      const f64x8 x = columns >= LANES ? load(row) : load_part(row, columns, 0);
      add_product(&s, (f64x8)h[i], x, l[i] * x);
    }
    const f64x8 sum = outer.high + s.high;
    const f64x8 z = sum - outer.high;
    outer.low += ((outer.high - (sum - z)) + (s.high - z)) + s.low;
    outer.high = sum;
    outer.magnitude += s.magnitude;
  }
  const f64x8 sum = outer.high + outer.low;
  const f64x8 z = sum - outer.high;
  outer.low = (outer.high - (sum - z)) + (outer.low - z);
  outer.high = sum;
  return outer;
}

void nc_weighted2(
    const double *h, const double *l, const double *v, long n, long width, long stride, double *high, double *low,
    double *magnitude) {
  long k = 0;
  for (; k + LANES <= width; k += LANES) {
    const struct sums s = weighted(h, l, v + k, n, stride, LANES);
    store(high + k, s.high);
    store(low + k, s.low);
    store(magnitude + k, s.magnitude);
  }
  if (k < width) {
    const struct sums s = weighted(h, l, v + k, n, stride, width - k);
    store_part(high + k, s.high, width - k);
    store_part(low + k, s.low, width - k);
    store_part(magnitude + k, s.magnitude, width - k);
  }
}

void nc_scale2(double *h, double *l, const double *k, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    const f64x8 scale = power(load(k + i));
    store(h + i, load(h + i) * scale);
    store(l + i, load(l + i) * scale);
  }
  if (i < n) {
    const f64x8 scale = power(load_part(k + i, n - i, -1000));
    store_part(h + i, load_part(h + i, n - i, 0) * scale, n - i);
    store_part(l + i, load_part(l + i, n - i, 0) * scale, n - i);
  }
}
