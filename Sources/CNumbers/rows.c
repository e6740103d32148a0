#include "rows.h"

#include <math.h>

#include "loops.h"

// Every loop is over this many at a time, for the compiler to keep in vectors.
enum { BLOCK = 32 };

NC_INLINE double from_bits(int64_t u) { double x; memcpy(&x, &u, 8); return x; }
NC_INLINE uint64_t to_bits(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }

/// 2^floor(log2 |x|) for a normal x.
NC_INLINE double binade_of(double x) { return from_bits(to_bits(x) & 0x7ff0000000000000); }

/// 2^k e^r for |r| <= ln2/2: Taylor to degree 11 by Estrin's scheme; the low bits of `shifted` are k.
NC_INLINE double scaled_exp(double r, double shifted) {
  const double r2 = r * r, r4 = r2 * r2;
  const double a = __builtin_fma(r, 1.0, 1.0), b = __builtin_fma(r, 1.0 / 6, 0.5);
  const double c = __builtin_fma(r, 1.0 / 120, 1.0 / 24), d = __builtin_fma(r, 1.0 / 5040, 1.0 / 720);
  const double e = __builtin_fma(r, 1.0 / 362880, 1.0 / 40320);
  const double f = __builtin_fma(r, 1.0 / 39916800, 1.0 / 3628800);
  const double low = __builtin_fma(b, r2, a), middle = __builtin_fma(d, r2, c), high = __builtin_fma(f, r2, e);
  const double p = __builtin_fma(__builtin_fma(high, r4, middle), r4, low);
  return from_bits((int64_t)(to_bits(p) + (to_bits(shifted) << 52)));
}

static const double MAGIC = 0x1.8p52;

NC_INLINE double clamped(double x, double limit) {
  x = x < -limit ? -limit : x;
  return x > limit ? limit : x;
}

NC_INLINE double base_e(double x) {
  const double d = clamped(x, 300);
  const double shifted = __builtin_fma(d, 0x1.71547652b82fep+0, MAGIC), k = shifted - MAGIC;
  const double r = __builtin_fma(-k, 0x1.abc9e3b39803fp-56, __builtin_fma(-k, 0x1.62e42fefa39efp-1, d));
  const double y = scaled_exp(r, shifted);
  return x != x ? x : y;
}

NC_INLINE double base_2(double x) {
  const double d = clamped(x, 430);
  const double shifted = d + MAGIC, k = shifted - MAGIC;
  const double y = scaled_exp((d - k) * 0x1.62e42fefa39efp-1, shifted);
  return x != x ? x : y;
}

NC_INLINE double widened(uint16_t u) {
  _Float16 h;
  memcpy(&h, &u, 2);
  return (double)(float)h;
}

/// Rounded on binary16's grid in Double first: the two conversions that follow are exact, or overflow.
NC_INLINE uint16_t narrowed(double x) {
  const double binade = binade_of(x);
  const double magic = (binade > 0x1p-14 ? binade : 0x1p-14) * 0x1.8p42;
  const _Float16 h = (_Float16)(float)((x + magic) - magic);
  uint16_t u;
  memcpy(&u, &h, 2);
  return u;
}

#define EXPONENTIALS(NAME, FUNCTION)                                        \
  void NAME(double *v, long n) {                                            \
    for (long i = 0; i < n; i++) v[i] = FUNCTION(v[i]);                     \
  }                                                                         \
  void NAME##_f16(uint16_t *v, long n) {                                    \
    double t[BLOCK];                                                        \
    for (long start = 0; start < n; start += BLOCK) {                       \
      const long count = n - start < BLOCK ? n - start : BLOCK;             \
      for (long i = 0; i < count; i++) t[i] = widened(v[start + i]);        \
      for (long i = 0; i < count; i++) t[i] = FUNCTION(t[i]);               \
      for (long i = 0; i < count; i++) v[start + i] = narrowed(t[i]);       \
    }                                                                       \
  }
EXPONENTIALS(nc_row_exp, base_e)
EXPONENTIALS(nc_row_exp2, base_2)

/// Within a binade the spacing 2^q of the format is fixed: in S = 1.5 2^(q + 52) + sum, a Double addition rounds to it, to
/// nearest even, so that one addition is all that each term costs. A sum on the edge towards zero stays only if
/// the term does not lead over it, where the spacing is finer.
struct binade {
  double magic, least, most, inner;
};

NC_INLINE int find_binade(double s, struct nc_grid g, struct binade *b) {
  const double size = fabs(s);
  if (size < g.smallest_normal) {
    // Between the normal numbers of either sign the spacing is fixed too; only the sign of a zero would be lost.
    if (s == 0 && signbit(s)) return 0;
    b->magic = g.smallest_normal * g.factor;
    b->least = b->magic - g.smallest_normal;
    b->most = b->magic + g.smallest_normal;
    b->inner = INFINITY;
    return 1;
  }
  if (!(size <= g.largest)) return 0;
  const double edge = binade_of(size);
  b->magic = edge * g.factor;
  const double spacing = binade_of(b->magic) * 0x1p-52;
  const double outer = 2 * edge < g.largest + spacing ? 2 * edge : g.largest + spacing;
  b->inner = b->magic + (s < 0 ? -edge : edge);
  b->least = s < 0 ? b->magic - outer : b->inner;
  b->most = s < 0 ? b->inner : b->magic + outer;
  return 1;
}

NC_INLINE double largest_of(const double *v, long n) {
  int64_t largest = 0;
  for (long i = 0; i < n; i++) {
    const int64_t size = (int64_t)(to_bits(v[i]) & INT64_MAX);
    largest = __builtin_elementwise_max(largest, size);
  }
  return from_bits(largest);
}

NC_INLINE long add_within(double *sum, const double *terms, long n, struct binade b) {
  const double towards = *sum, unnoticed = binade_of(b.magic) * 0x1p-54;
  double s = b.magic + *sum;
  long i = 0;
  int still = 0;
  while (i < n) {
    const long end = i + BLOCK < n ? i + BLOCK : n;
    // Once terms have become too small to count, whole blocks are: below a quarter of the spacing, which is half of
    // the finer one.
    if (still && largest_of(terms + i, end - i) < unnoticed) {
      i = end;
      continue;
    }
    const double before = s;
    for (; i < end; i++) {
      const double t = s + terms[i];
      if (!(t > b.least && t < b.most) && !(t == b.inner && terms[i] * towards >= 0)) {
        *sum = s - b.magic;
        return i;
      }
      s = t;
    }
    still = s == before;
  }
  *sum = s - b.magic;
  return n;
}

long nc_row_add(double *sum, const double *terms, long n, struct nc_grid g) {
  struct binade b;
  return find_binade(*sum, g, &b) ? add_within(sum, terms, n, b) : 0;
}

long nc_row_add_f16(double *sum, const uint16_t *terms, long n, struct nc_grid g) {
  struct binade b;
  if (!find_binade(*sum, g, &b)) return 0;
  double t[8 * BLOCK];
  for (long start = 0; start < n; start += 8 * BLOCK) {
    const long count = n - start < 8 * BLOCK ? n - start : 8 * BLOCK;
    for (long i = 0; i < count; i++) t[i] = widened(terms[start + i]);
    const long added = add_within(sum, t, count, b);
    if (added < count) return start + added;
  }
  return n;
}

// Magnitudes have the order of their bits. What is not finite counts as 0 in one maximum, as itself in the other.
#define PEAK(NAME, NUMBER, BITS, SIGN, SPECIAL, VALUE)                            \
  struct nc_peak NAME(const NUMBER *v, long n) {                            \
    BITS largest = 0, beyond = 0;                                                 \
    for (long i = 0; i < n; i++) {                                                \
      BITS size;                                                                  \
      memcpy(&size, v + i, sizeof size);                                          \
      size &= (BITS)~SIGN;                                                        \
      const BITS finite = size < SPECIAL ? size : 0;                              \
      largest = __builtin_elementwise_max(largest, finite);                       \
      beyond = __builtin_elementwise_max(beyond, size);                           \
    }                                                                             \
    return (struct nc_peak){VALUE(largest), beyond >= SPECIAL};             \
  }
PEAK(nc_row_peak, double, int64_t, INT64_MIN, 0x7ff0000000000000, from_bits)
PEAK(nc_row_peak_f32, float, int32_t, INT32_MIN, 0x7f800000, nc_float)
PEAK(nc_row_peak_f16, uint16_t, int16_t, INT16_MIN, 0x7c00, widened)

// Numbers have the order of their bits once those below zero are turned over; NaN is looked for in the magnitudes.
#define MAXIMUM(NAME, NUMBER, BITS, LEAST, MOST, SPECIAL, VALUE)                  \
  double NAME(const NUMBER *v, long n) {                                          \
    BITS largest = LEAST, beyond = 0;                                             \
    for (long i = 0; i < n; i++) {                                                \
      BITS bits;                                                                  \
      memcpy(&bits, v + i, sizeof bits);                                          \
      const BITS size = bits & MOST;                                              \
      const BITS key = bits < 0 ? (BITS)(bits ^ MOST) : bits;                     \
      largest = __builtin_elementwise_max(largest, key);                          \
      beyond = __builtin_elementwise_max(beyond, size);                           \
    }                                                                             \
    if (beyond > SPECIAL) return NAN;                                             \
    return VALUE((BITS)(largest < 0 ? largest ^ MOST : largest));                 \
  }
MAXIMUM(nc_row_maximum, double, int64_t, INT64_MIN, INT64_MAX, 0x7ff0000000000000, from_bits)
MAXIMUM(nc_row_maximum_f32, float, int32_t, INT32_MIN, INT32_MAX, 0x7f800000, nc_float)
MAXIMUM(nc_row_maximum_f16, uint16_t, int16_t, INT16_MIN, INT16_MAX, 0x7c00, widened)
