#include "outliers.h"

#include "loops.h"

// Sums in 8 lanes, added up in one order: a stretch has one sum whoever computes it.
nc_scan_part nc_scan(const float *x, size_t n, uint32_t *bins) {
  double s[8] = {0};
  float low[8], high[8];
  int32_t size[8] = {0}, tiny[8], bits[8] = {0}, special[8] = {0}, zeros[8] = {0};
  for (int j = 0; j < 8; j++) { tiny[j] = 0x7fffffff; low[j] = __builtin_inff(); high[j] = -__builtin_inff(); }
  size_t i = 0;
#define NC_STEP(j, k)                                                            \
  int32_t u = nc_bits(x[k]), m = u & 0x7fffffff, good = m < 0x7f800000;          \
  float a = nc_float(good ? u : 0);                                              \
  float l = good ? x[k] : __builtin_inff(), h = good ? x[k] : -__builtin_inff(); \
  s[j] += (double)a;                                                             \
  low[j] = l < low[j] ? l : low[j];                                              \
  high[j] = h > high[j] ? h : high[j];                                           \
  m = good ? m : 0;                                                              \
  int32_t w = m ? m : 0x7fffffff;                                                \
  tiny[j] = w < tiny[j] ? w : tiny[j];                                           \
  zeros[j] += (u & 0x7fffffff) == 0;                                             \
  size[j] = m > size[j] ? m : size[j];                                           \
  bits[j] |= u;                                                                  \
  special[j] |= !good
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) { NC_STEP(j, i + j); }
  }
  for (size_t j = 0; i < n; i++, j++) { NC_STEP(j, i); }
#undef NC_STEP
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
  nc_scan_part t = {.sum = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])),
                    .smallest = __builtin_inff(), .largest = -__builtin_inff(), .tiny = 0x7fffffff};
  for (int j = 0; j < 8; j++) {
    t.smallest = low[j] < t.smallest ? low[j] : t.smallest;
    t.largest = high[j] > t.largest ? high[j] : t.largest;
    t.magnitude = size[j] > t.magnitude ? size[j] : t.magnitude;
    t.tiny = tiny[j] < t.tiny ? tiny[j] : t.tiny;
    t.zeros += (size_t)zeros[j];
    t.lowBits |= bits[j] & 0xffff;
    t.special |= special[j];
  }
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

// counts[t] += how many magnitudes have bits of at least thresholds[t].
void nc_count_from(const float *x, size_t n, const int32_t *thresholds, size_t k, uint64_t *counts) {
  for (size_t t = 0; t < k; t++) {
    int32_t limit = thresholds[t], count = 0;
    for (size_t i = 0; i < n; i++) {
      int32_t m = nc_bits(x[i]) & 0x7fffffff;
      count += (m >= limit) & (m < 0x7f800000);
    }
    counts[t] += (uint64_t)count;
  }
}

// Counts the lower 16 bits of the magnitudes whose upper 15 are `bin`.
void nc_refine_bin(const float *x, size_t n, int32_t bin, uint32_t *low) {
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    int32_t any = 0;
    for (size_t j = 0; j < 32; j++) any |= -(((nc_bits(x[i + j]) & 0x7fffffff) >> 16) == bin);
    if (!any) continue;
    for (size_t j = 0; j < 32; j++) {
      int32_t m = nc_bits(x[i + j]) & 0x7fffffff;
      if (m >> 16 == bin) low[m & 0xffff]++;
    }
  }
  for (; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    if (m >> 16 == bin) low[m & 0xffff]++;
  }
}

// The first place from `start` on whose finite magnitude has bits of at least `threshold`; n if there is none.
size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start) {
  size_t i = start;
  for (; i + 32 <= n; i += 32) {
    int32_t any = 0;
    for (size_t j = 0; j < 32; j++) {
      int32_t m = nc_bits(x[i + j]) & 0x7fffffff;
      any |= -((m >= threshold) & (m < 0x7f800000));
    }
    if (any) break;
  }
  for (; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    if (m >= threshold && m < 0x7f800000) return i;
  }
  return n;
}
