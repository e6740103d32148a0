#include "outliers.h"

#include "loops.h"

typedef int32_t i8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float f8 __attribute__((ext_vector_type(8), aligned(4)));
typedef double d8 __attribute__((ext_vector_type(8), aligned(8)));

NC_INLINE i8 nc_load(const float *x) { return *(const i8 *)x; }

// A bit for each lane that is not 0 but −1.
NC_INLINE int32_t nc_mask(i8 lanes) {
  typedef _Bool b8 __attribute__((ext_vector_type(8)));
  b8 bits = __builtin_convertvector(lanes, b8);
  uint8_t mask;
  memcpy(&mask, &bits, 1);
  return mask;
}

// The counts of exact powers of two (and of zeros and infinities) by their exponent field.
static void nc_count_powers(const float *x, size_t n, uint64_t *powers) {
  for (size_t i = 0; i < n; i++) {
    uint32_t u = (uint32_t)nc_bits(x[i]);
    powers[(u >> 23) & 0xff] += (u & 0x7fffff) == 0;
  }
}

typedef struct {
  d8 s1, s2, s3, s4;
  i8 size, tiny, bits;
  f8 top, bottom;
} nc_lanes;

// Adds 8 elements; `masked`: some may be no numbers.
NC_INLINE void nc_add8(nc_lanes *t, i8 u, double shift, int masked) {
  i8 m = u & 0x7fffffff;
  f8 v = (f8)u, high = v, low = v;
  d8 d = __builtin_convertvector(v, d8) - shift;
  if (masked) {
    i8 good = m < 0x7f800000;
    high = good ? v : (f8)-__builtin_inff();
    low = good ? v : (f8)__builtin_inff();
    m &= good;
    d = __builtin_convertvector(good, __typeof__(d == d)) ? d : (d8)0;
    t->size = __builtin_elementwise_max(t->size, m);
  }
  t->bits |= u;
  // Below zero as an unsigned number: zeros become the largest of all.
  t->tiny = __builtin_elementwise_min(t->tiny, (i8)((m - 1) & 0x7fffffff));
  t->top = high > t->top ? high : t->top;
  t->bottom = low < t->bottom ? low : t->bottom;
  d8 e = d * d;
  t->s1 += d;
  t->s2 += e;
  t->s3 = __builtin_elementwise_fma(e, d, t->s3);
  t->s4 = __builtin_elementwise_fma(e, e, t->s4);
}

// Sums in 8 lanes, added up in one order: a stretch has one sum whoever computes it.
nc_scan_part nc_scan(const float *x, size_t n, double shift, uint32_t *bins, uint64_t *powers) {
  nc_lanes t8 = {.tiny = 0x7fffffff, .top = -__builtin_inff(), .bottom = __builtin_inff()};
  nc_scan_part t = {.numbers = n};
  size_t i = 0;
  for (; i < n; i += 64) {
    float part[64];
    const float *y = x + i;
    size_t count = n - i < 64 ? n - i : 64;
    if (count < 64) {
      // NaNs, which nothing counts.
      for (size_t k = 0; k < 64; k++) part[k] = k < count ? y[k] : nc_float(0x7fff0000);
      y = part;
    }
    i8 even = 0, size = 0;
    for (size_t j = 0; j < 64; j += 8) {
      i8 u = nc_load(y + j);
      even |= (u & 0x7fffff) == 0;
      size = __builtin_elementwise_max(size, (i8)(u & 0x7fffffff));
    }
    if (__builtin_reduce_max(size) < 0x7f800000) {
      for (size_t j = 0; j < 64; j += 8) nc_add8(&t8, nc_load(y + j), shift, 0);
      t8.size = __builtin_elementwise_max(t8.size, size);
    } else {
      for (size_t j = 0; j < 64; j += 8) nc_add8(&t8, nc_load(y + j), shift, 1);
      for (size_t k = 0; k < count; k++) t.numbers -= !nc_is_number(y[k]);
    }
    if (__builtin_reduce_or(even)) nc_count_powers(y, count, powers);
  }
  // Neighbours are often alike: two tables, so that one count need not wait for the other.
  uint32_t *even = bins, *odd = bins + 32768;
  for (i = 0; i + 4 <= n; i += 4) {
    uint64_t u, v;
    memcpy(&u, x + i, 8);
    memcpy(&v, x + i + 2, 8);
    even[(u >> 16) & 0x7fff]++;
    odd[(u >> 48) & 0x7fff]++;
    even[(v >> 16) & 0x7fff]++;
    odd[(v >> 48) & 0x7fff]++;
  }
  for (; i < n; i++) even[((uint32_t)nc_bits(x[i]) >> 16) & 0x7fff]++;
#define NC_SUM(s) (((s)[0] + (s)[4]) + ((s)[1] + (s)[5])) + (((s)[2] + (s)[6]) + ((s)[3] + (s)[7]))
  t.first = NC_SUM(t8.s1);
  t.second = NC_SUM(t8.s2);
  t.third = NC_SUM(t8.s3);
  t.fourth = NC_SUM(t8.s4);
#undef NC_SUM
  t.largest = -__builtin_inff();
  t.smallest = __builtin_inff();
  for (int j = 0; j < 8; j++) {
    t.largest = t8.top[j] > t.largest ? t8.top[j] : t.largest;
    t.smallest = t8.bottom[j] < t.smallest ? t8.bottom[j] : t.smallest;
  }
  // One zero, whichever came first.
  t.largest += 0.0f;
  t.smallest += 0.0f;
  int32_t tiny = __builtin_reduce_min(t8.tiny);
  t.magnitude = __builtin_reduce_max(t8.size);
  t.tiny = tiny == 0x7fffffff ? tiny : tiny + 1;
  t.lowBits = __builtin_reduce_or(t8.bits) & 0xffff;
  t.special = t.numbers != n;
  return t;
}

// Raises `columns` to the magnitudes of a piece of a row, counts those from `threshold` on; returns the row's largest.
int32_t nc_scan_row(const float *x, size_t n, int32_t threshold, int32_t *columns, uint32_t *counts) {
  int32_t row = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    m = m < 0x7f800000 ? m : 0;
    columns[i] = m > columns[i] ? m : columns[i];
    counts[i] += m >= threshold;
    row = m > row ? m : row;
  }
  return row;
}

int32_t nc_row_magnitude(const float *x, size_t n) {
  int32_t row = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    m = m < 0x7f800000 ? m : 0;
    row = m > row ? m : row;
  }
  return row;
}

// Σ(x − mean)², ³ and ⁴.
nc_moments nc_central_moments(const float *x, size_t n, double mean) {
  double a[8] = {0}, b[8] = {0}, c[8] = {0};
  size_t i = 0;
#define NC_STEP(j, k)                                  \
  int good = nc_is_number(x[k]);                       \
  double d = good ? (double)x[k] - mean : 0.0, e = d * d; \
  a[j] += e; b[j] += e * d; c[j] += e * e
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) { NC_STEP(j, i + j); }
  }
  for (size_t j = 0; i < n; i++, j++) { NC_STEP(j, i); }
#undef NC_STEP
  nc_moments t = {0, 0, 0};
  for (int j = 0; j < 8; j++) { t.square += a[j]; t.cube += b[j]; t.fourth += c[j]; }
  return t;
}

// How many finite magnitudes have bits of at least `threshold`; n is at most 2^30.
uint64_t nc_count_from(const float *x, size_t n, int32_t threshold) {
  int32_t count = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    count += (m >= threshold) & (m < 0x7f800000);
  }
  return (uint64_t)count;
}

// Counts the lower 16 bits of the magnitudes whose upper 15 are `bin` or one of the `more` after it, 2^16 counts each.
void nc_refine_bins(const float *x, size_t n, int32_t bin, int32_t more, uint32_t *low) {
  size_t i = 0;
  int32_t from = bin << 16, span = (more + 1) << 16;
  for (; i + 32 <= n; i += 32) {
    uint32_t found = 0;
    for (size_t j = 0; j < 32; j += 8) {
      i8 a = (nc_load(x + i + j) & 0x7fffffff) - from;
      found |= (uint32_t)nc_mask((a >= 0) & (a < span)) << j;
    }
    for (; found; found &= found - 1) {
      low[(nc_bits(x[i + (size_t)__builtin_ctz(found)]) & 0x7fffffff) - from]++;
    }
  }
  for (; i < n; i++) {
    int32_t m = (nc_bits(x[i]) & 0x7fffffff) - from;
    if (m >= 0 && m < span) low[m]++;
  }
}

// The first place from `start` on whose finite magnitude has bits of at least `threshold`; n if there is none.
size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start) {
  size_t i = start;
  for (; i + 16 <= n; i += 16) {
    i8 a = nc_load(x + i) & 0x7fffffff, b = nc_load(x + i + 8) & 0x7fffffff;
    i8 in = ((a >= threshold) & (a < 0x7f800000)) | ((b >= threshold) & (b < 0x7f800000));
    if (__builtin_reduce_or(in)) break;
  }
  for (; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    if (m >= threshold && m < 0x7f800000) return i;
  }
  return n;
}
