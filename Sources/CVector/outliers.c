#include "outliers.h"

#include "loops.h"

typedef int32_t i8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float f8 __attribute__((ext_vector_type(8), aligned(4)));
typedef double d8 __attribute__((ext_vector_type(8), aligned(8)));
typedef int32_t i16 __attribute__((ext_vector_type(16), aligned(4)));
typedef float f16 __attribute__((ext_vector_type(16), aligned(4)));

NC_INLINE float nc_largest(float a, float b) {
  a = __builtin_fabsf(a);
  b = __builtin_fabsf(b);
  return a > b ? a : b;
}

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
  i16 tiny, bits;
  f16 top, bottom;
} nc_lanes;

NC_INLINE void nc_add_powers(nc_lanes *t, f8 v, double shift) {
  d8 d = __builtin_convertvector(v, d8) - shift;
  d8 e = d * d;
  t->s1 += d;
  t->s2 += e;
  t->s3 = __builtin_elementwise_fma(e, d, t->s3);
  t->s4 = __builtin_elementwise_fma(e, e, t->s4);
}

// Adds 16 elements; `masked`: some may be no numbers. By address: no vector of 512 bits crosses a call.
NC_INLINE void nc_add16(nc_lanes *t, const float *x, double shift, int masked) {
  i16 u = *(const i16 *)x, m = u & 0x7fffffff;
  f16 v = (f16)u, high = v, low = v;
  f8 first = v.lo, second = v.hi;
  if (masked) {
    i16 good = m < 0x7f800000;
    high = good ? v : (f16)-__builtin_inff();
    low = good ? v : (f16)__builtin_inff();
    // The shift is a Float: what is no number adds 0.
    f16 still = good ? v : (f16)(float)shift;
    first = still.lo;
    second = still.hi;
    m &= good;
  }
  t->bits |= u;
  // Below zero as an unsigned number: zeros become the largest of all.
  t->tiny = __builtin_elementwise_min(t->tiny, (i16)((m - 1) & 0x7fffffff));
  t->top = high > t->top ? high : t->top;
  t->bottom = low < t->bottom ? low : t->bottom;
  nc_add_powers(t, first, shift);
  nc_add_powers(t, second, shift);
}

// Counts 64 elements by their upper 16 bits. Neighbours are often alike: two tables, so that one count need not wait for the
// other.
NC_INLINE void nc_count64(const float *x, uint32_t *bins) {
  typedef uint16_t half __attribute__((may_alias));
  const half *halves = (const half *)x;
#pragma clang loop unroll(full)
  for (size_t i = 1; i < 128; i += 4) {
    bins[halves[i]]++;
    bins[65536 + halves[i + 2]]++;
  }
}

// Sums in 8 lanes, added up in one order: a stretch has one sum whoever computes it. `bins` and `powers` may be null.
NC_INLINE nc_lanes nc_scan_lanes(const float *x, size_t n, double shift, uint32_t *bins, uint64_t *powers) {
  nc_lanes t = {.tiny = 0x7fffffff, .top = -__builtin_inff(), .bottom = __builtin_inff()};
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    if (bins) nc_count64(x + i, bins);
    i16 even = 0;
    for (size_t j = 0; j < 64; j += 16) {
      even |= (*(const i16 *)(x + i + j) & 0x7fffff) == 0;
      nc_add16(&t, x + i + j, shift, !bins);
    }
    if (powers && __builtin_reduce_or(even)) nc_count_powers(x + i, 64, powers);
  }
  if (i == n) return t;
  if (bins) {
    for (size_t j = i; j < n; j++) bins[(uint32_t)nc_bits(x[j]) >> 16]++;
    nc_count_powers(x + i, n - i, powers);
  }
  // NaNs, which nothing counts.
  float part[64];
  for (size_t k = 0; k < 64; k++) part[k] = i + k < n ? x[i + k] : nc_float(0x7fff0000);
  for (size_t j = 0; j < 64; j += 16) nc_add16(&t, part + j, shift, 1);
  return t;
}

NC_WIDE nc_scan_part nc_scan(const float *x, size_t n, float shift, uint32_t *bins, uint64_t *powers) {
  nc_scan_part t = {.numbers = n};
  nc_lanes lanes = nc_scan_lanes(x, n, shift, bins, powers);
#define NC_SUM(s) (((s)[0] + (s)[4]) + ((s)[1] + (s)[5])) + (((s)[2] + (s)[6]) + ((s)[3] + (s)[7]))
  // Fourth powers of Floats are no infinities, unless there are infinities or NaNs: then all again, with care.
  double all = NC_SUM(lanes.s4);
  int special = !(all < __builtin_inf());
  for (size_t k = n - n % 64; k < n; k++) special |= !nc_is_number(x[k]);
  if (special) {
    for (size_t k = 0; k < n; k++) t.numbers -= !nc_is_number(x[k]);
    lanes = nc_scan_lanes(x, n, shift, 0, 0);
  }
  t.first = NC_SUM(lanes.s1);
  t.second = NC_SUM(lanes.s2);
  t.third = NC_SUM(lanes.s3);
  t.fourth = NC_SUM(lanes.s4);
#undef NC_SUM
  t.largest = -__builtin_inff();
  t.smallest = __builtin_inff();
  for (int j = 0; j < 16; j++) {
    t.largest = lanes.top[j] > t.largest ? lanes.top[j] : t.largest;
    t.smallest = lanes.bottom[j] < t.smallest ? lanes.bottom[j] : t.smallest;
  }
  // One zero, whichever came first.
  t.largest += 0.0f;
  t.smallest += 0.0f;
  int32_t tiny = __builtin_reduce_min(lanes.tiny);
  t.magnitude = t.smallest > t.largest ? 0 : nc_bits(nc_largest(t.smallest, t.largest));
  t.tiny = tiny == 0x7fffffff ? tiny : tiny + 1;
  t.lowBits = __builtin_reduce_or(lanes.bits) & 0xffff;
  t.special = special;
  return t;
}

// Raises `columns` to the magnitudes of a piece of a row and counts those from `threshold` on; returns the row's largest.
NC_WIDE int32_t nc_scan_row(const float *x, size_t n, int32_t threshold, int32_t *columns, uint32_t *counts) {
  int32_t row = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    m = m < 0x7f800000 ? m : 0;
    columns[i] = m > columns[i] ? m : columns[i];
    row = m > row ? m : row;
  }
  if (row < threshold) return row;
  for (size_t i = 0; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    counts[i] += (m >= threshold) & (m < 0x7f800000);
  }
  return row;
}

NC_WIDE int32_t nc_row_magnitude(const float *x, size_t n) {
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

// The magnitudes whose upper 15 bits are one of `bins` from `first` on, as bits beyond the first such, in their order; returns
// how many there are. One place more than those may be written.
size_t nc_find_bins(const float *x, size_t n, int32_t first, int32_t bins, int32_t *places) {
  int32_t from = first << 16, span = bins << 16;
  size_t i = 0, count = 0;
  for (; i + 32 <= n; i += 32) {
    uint32_t found = 0;
    for (size_t j = 0; j < 32; j += 8) {
      i8 a = (nc_load(x + i + j) & 0x7fffffff) - from;
      found |= (uint32_t)nc_mask((a >= 0) & (a < span)) << j;
    }
    // Seldom is there more than one; whether there is one cannot be foretold.
    do {
      size_t k = (size_t)__builtin_ctz(found | 1u << 31);
      places[count] = (nc_bits(x[i + k]) & 0x7fffffff) - from;
      count += found != 0;
      found &= found - (found != 0);
    } while (found);
  }
  for (; i < n; i++) {
    int32_t m = (nc_bits(x[i]) & 0x7fffffff) - from;
    if (m >= 0 && m < span) places[count++] = m;
  }
  return count;
}

// The first place from `start` on whose finite magnitude has bits of at least `threshold`; n if there is none.
NC_WIDE size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start) {
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
