#include "light.h"

#include "vector8.h"

static inline f64x8 load_floats(const float *p) { return __builtin_convertvector(*(const f32x8 *)p, f64x8); }

static inline f64x8 load_floats_part(const float *p, long n, float fill) {
  float t[LANES];
  for (int i = 0; i < LANES; i++) t[i] = i < n ? p[i] : fill;
  return load_floats(t);
}

static inline void store_floats_part(float *p, f32x8 v, long n) {
  float t[LANES];
  *(f32x8 *)t = v;
  memcpy(p, t, (size_t)n * sizeof(float));
}

struct nc_extent nc_extent_f32(const float *x, long n) {
  f32x8 a = -INFINITY, b = -INFINITY;
  f32x8 nan = 0;
  long i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    const f32x8 v = *(const f32x8 *)(x + i), w = *(const f32x8 *)(x + i + LANES);
    a = v > a ? v : a;
    b = w > b ? w : b;
    // A NaN in either makes a NaN of both; infinities do not, times 0 would.
    nan = v != v ? v : w != w ? w : nan;
  }
  struct nc_extent s = {-INFINITY, false};
  for (int j = 0; j < LANES; j++) {
    const float larger = a[j] > b[j] ? a[j] : b[j];
    s.maximum = larger > s.maximum ? larger : s.maximum;
    s.nan |= nan[j] != nan[j];
  }
  for (; i < n; i++) {
    s.maximum = x[i] > s.maximum ? x[i] : s.maximum;
    s.nan |= x[i] != x[i];
  }
  return s;
}

static inline f64x8 exponential(f64x8 x, double m, double tau, bool divide) {
  f64x8 d = x - m;
  if (divide) d = d / tau;
  const i64x8 small = d < -650;
  return select8(small, (f64x8)0.0, exp0(select8(small, (f64x8)-650.0, d)));
}

static inline struct nc_pair exponentials(
    const float *x, double m, double tau, bool divide, double *e, long n) {
  struct lanes s = {0, 0};
  long i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    const f64x8 a = exponential(load_floats(x + i), m, tau, divide), b = exponential(load_floats(x + i + 8), m, tau, divide);
    const f64x8 c = exponential(load_floats(x + i + 16), m, tau, divide);
    const f64x8 d = exponential(load_floats(x + i + 24), m, tau, divide);
    store(e + i, a);
    store(e + i + 8, b);
    store(e + i + 16, c);
    store(e + i + 24, d);
    add_to(&s, (a + b) + (c + d));
  }
  for (; i < n; i += LANES) {
    const long left = n - i < LANES ? n - i : LANES;
    const f64x8 a = exponential(load_floats_part(x + i, left, -INFINITY), m, tau, divide);
    store_part(e + i, a, left);
    add_to(&s, a);
  }
  return total(s);
}

struct nc_pair nc_light_exponentials(const float *x, double m, double tau, double *e, long n) {
  return tau == 1 ? exponentials(x, m, tau, false, e, n) : exponentials(x, m, tau, true, e, n);
}

/// Rounds t >= 0 with the margin; lanes that are not proven, 0 or beyond the largest come back set where asked for.
static inline i64x8 settle(f64x8 t, f64x8 margin, struct nc_target f, bool is_f32, f32x8 *y) {
  if (is_f32) {
    const f32x8 low = __builtin_convertvector(t - margin, f32x8);
    *y = __builtin_convertvector(t + margin, f32x8);
    return __builtin_convertvector(low != *y, i64x8);
  }
  const f64x8 low = round_to(t - margin, f.rounding), high = round_to(t + margin, f.rounding);
  *y = __builtin_convertvector(high, f32x8);
  return low != high;
}

#define BLOCKS(BODY, PART)                                      \
  uint8_t any = 0;                                              \
  for (long block = 0; block < n; block += 64) {                \
    const long end = block + 64 < n ? block + 64 : n;           \
    i64x8 bad = 0;                                                 \
    long i = block;                                             \
    for (; i + LANES <= end; i += LANES) BODY;                  \
    if (i < end) {                                              \
      const long left = end - i;                                \
      PART;                                                     \
    }                                                           \
    open[block / 64] = __builtin_reduce_or(bad) != 0;           \
    any |= open[block / 64];                                    \
  }                                                             \
  return !any;

static inline bool quotients(
    const double *e, double r, double c, struct nc_target f, bool is_f32, float *y, uint8_t *open, long n) {
  f32x8 v;
  f64x8 p;
  BLOCKS(
      {
        p = load(e + i) * r;
        bad |= settle(p, p * c, f, is_f32, &v);
        *(f32x8 *)(y + i) = v;
      },
      {
        p = load_part(e + i, left, 0) * r;
        bad |= settle(p, p * c, f, is_f32, &v);
        store_floats_part(y + i, v, left);
      })
}

bool nc_light_quotients(
    const double *e, double r, double c, struct nc_target f, float *y, uint8_t *open, long n) {
  return f.is_f32 ? quotients(e, r, c, f, true, y, open, n) : quotients(e, r, c, f, false, y, open, n);
}

double nc_light_answers(const double *e, double r, double *q, double *rounded, long n) {
  f64x8 least = INFINITY;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    const f64x8 v = load(e + i) * r;
    store(q + i, v);
    store(rounded + i, __builtin_convertvector(__builtin_convertvector(v, f32x8), f64x8));
    least = select8(v < least, v, least);
  }
  double all = INFINITY;
  for (int j = 0; j < LANES; j++) all = least[j] < all ? least[j] : all;
  for (; i < n; i++) {
    q[i] = e[i] * r;
    rounded[i] = (float)q[i];
    all = q[i] < all ? q[i] : all;
  }
  return all;
}

static inline i64x8 logarithm(
    f64x8 x, double m, double tau, bool divide, double log, double a, double b, double masked, struct nc_target f,
    bool is_f32, f32x8 *y) {
  f64x8 d = x - m;
  if (divide) d = d / tau;
  const i64x8 absent = x == -INFINITY;
  const f64x8 t = select8(absent, (f64x8)1.0, log - d);
  f32x8 v;
  i64x8 bad = settle(t, fma8(t, (f64x8)b, (f64x8)a), f, is_f32, &v);
  // 0 has a sign to find, and an overflow a policy.
  const f64x8 rounded = __builtin_convertvector(v, f64x8);
  bad |= (rounded == 0) | (rounded > f.largest);
  *y = __builtin_convertvector(select8(absent, (f64x8)masked, -rounded), f32x8);
  return bad & ~absent;
}

static inline bool logarithms(
    const float *x, double m, double tau, bool divide, double log, double a, double b, double masked,
    struct nc_target f, bool is_f32, float *y, uint8_t *open, long n) {
  f32x8 v;
  BLOCKS(
      {
        bad |= logarithm(load_floats(x + i), m, tau, divide, log, a, b, masked, f, is_f32, &v);
        *(f32x8 *)(y + i) = v;
      },
      {
        bad |= logarithm(load_floats_part(x + i, left, -INFINITY), m, tau, divide, log, a, b, masked, f, is_f32, &v);
        store_floats_part(y + i, v, left);
      })
}

bool nc_light_logarithms(
    const float *x, double m, double tau, double log, double a, double b, double masked, struct nc_target f,
    float *y, uint8_t *open, long n) {
  if (tau != 1) return logarithms(x, m, tau, true, log, a, b, masked, f, f.is_f32, y, open, n);
  return f.is_f32 ? logarithms(x, m, tau, false, log, a, b, masked, f, true, y, open, n)
                  : logarithms(x, m, tau, false, log, a, b, masked, f, false, y, open, n);
}

static inline i64x8 sigmoid(f64x8 x, double tau, bool divide, double c, double k, struct nc_target f, bool is_f32, f32x8 *y) {
  f64x8 d = -abs8(x);
  if (divide) d = d / tau;
  const i64x8 small = d < -650;
  const f64x8 e = select8(small, (f64x8)0.0, exp0(select8(small, (f64x8)-650.0, d)));
  const f64x8 q = select8(x < 0, e, (f64x8)1.0) / (1.0 + e);
  const f64x8 reach = select8(small, (f64x8)0.0, -d);
  return settle(q, q * fma8(reach, (f64x8)k, (f64x8)c), f, is_f32, y) | (x != x);
}

static inline bool sigmoids(
    const float *x, double tau, bool divide, double c, double k, struct nc_target f, bool is_f32, float *y,
    uint8_t *open, long n) {
  f32x8 v;
  BLOCKS(
      {
        bad |= sigmoid(load_floats(x + i), tau, divide, c, k, f, is_f32, &v);
        *(f32x8 *)(y + i) = v;
      },
      {
        bad |= sigmoid(load_floats_part(x + i, left, INFINITY), tau, divide, c, k, f, is_f32, &v);
        store_floats_part(y + i, v, left);
      })
}

bool nc_light_sigmoids(
    const float *x, double tau, double c, double k, struct nc_target f, float *y, uint8_t *open, long n) {
  if (tau != 1) return sigmoids(x, tau, true, c, k, f, f.is_f32, y, open, n);
  return f.is_f32 ? sigmoids(x, tau, false, c, k, f, true, y, open, n)
                  : sigmoids(x, tau, false, c, k, f, false, y, open, n);
}
