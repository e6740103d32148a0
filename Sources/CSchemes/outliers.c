#include "outliers.h"

#include "loops.h"

typedef int32_t i32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float f32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef double f64x8 __attribute__((ext_vector_type(8), aligned(8)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16), aligned(4)));
typedef uint8_t u8x64 __attribute__((ext_vector_type(64)));

NC_INLINE i32x8 nc_load(const float *x) { return *(const i32x8 *)x; }

// A bit for each lane that is not 0 but −1.
NC_INLINE int32_t nc_mask(i32x8 lanes) {
  typedef _Bool boolx8 __attribute__((ext_vector_type(8)));
  boolx8 bits = __builtin_convertvector(lanes, boolx8);
  uint8_t mask;
  memcpy(&mask, &bits, 1);
  return mask;
}

typedef struct { f64x8 s1, s2, s3, s4; } nc_lanes;

// Adds 8 elements; `masked`: some may be no numbers, and add nothing. By address: no vector of 512 bits crosses a call.
NC_INLINE void nc_add8(nc_lanes *t, const float *x, double shift, int masked) {
  typedef int64_t i64x8 __attribute__((ext_vector_type(8), aligned(8)));
  f32x8 v = *(const f32x8 *)x;
  f64x8 d = __builtin_convertvector(v, f64x8) - shift;
  if (masked) {
    i32x8 good = ((i32x8)v & 0x7fffffff) < 0x7f800000;
    d = __builtin_convertvector(good, i64x8) ? d : (f64x8)0.0;
  }
  f64x8 e = d * d;
  t->s1 += d;
  t->s2 += e;
  t->s3 = __builtin_elementwise_fma(e, d, t->s3);
  t->s4 = __builtin_elementwise_fma(e, e, t->s4);
}

// Lane k of `lanes[h]` has the elements k + 8h of each 16. One half after the other: the sums of both are more than there are
// registers of 256 bits.
NC_INLINE void nc_sum_lanes(const float *x, size_t n, double shift, int masked, nc_lanes *lanes) {
  size_t whole = n - n % 64;
  // NaNs, which add nothing.
  float part[64];
  for (size_t k = 0; k < 64; k++) part[k] = whole + k < n ? x[whole + k] : nc_float(0x7fff0000);
  for (size_t half = 0; half < 2; half++) {
    nc_lanes t = {0};
    for (size_t i = 8 * half; i < whole; i += 64) {
      for (size_t j = 0; j < 64; j += 16) nc_add8(&t, x + i + j, shift, masked);
    }
    for (size_t j = 8 * half; whole < n && j < 64; j += 16) nc_add8(&t, part + j, shift, 1);
    lanes[half] = t;
  }
}

NC_INLINE double nc_add_up(const f64x8 *a, const f64x8 *b) {
  f64x8 t = *a + *b;
  return ((t[0] + t[4]) + (t[1] + t[5])) + ((t[2] + t[6]) + (t[3] + t[7]));
}

// In 16 lanes, added up in one order: a stretch has one sum whoever computes it.
NC_WIDE nc_sums nc_sum(const float *x, size_t n, double shift) {
  nc_sums t = {.numbers = n};
  nc_lanes lanes[2];
  nc_sum_lanes(x, n, shift, 0, lanes);
  // Fourth powers of Floats are no infinities, unless there are infinities or NaNs: then all again, with care.
  int special = !(nc_add_up(&lanes[0].s4, &lanes[1].s4) < __builtin_inf());
  for (size_t k = n - n % 64; k < n; k++) special |= !nc_is_number(x[k]);
  if (special) {
    for (size_t k = 0; k < n; k++) t.numbers -= !nc_is_number(x[k]);
    nc_sum_lanes(x, n, shift, 1, lanes);
  }
  t.first = nc_add_up(&lanes[0].s1, &lanes[1].s1);
  t.second = nc_add_up(&lanes[0].s2, &lanes[1].s2);
  t.third = nc_add_up(&lanes[0].s3, &lanes[1].s3);
  t.fourth = nc_add_up(&lanes[0].s4, &lanes[1].s4);
  return t;
}

NC_WIDE nc_range nc_find_range(const float *x, size_t n) {
  const int32_t none = -0x7fffffff - 1;
  int32_t top = none, bottom = none, tiny = 0x7fffffff;
  for (size_t i = 0; i < n; i++) {
    int32_t u = nc_bits(x[i]), m = u & 0x7fffffff;
    // Bits that order as the numbers do.
    int32_t up = u < 0 ? -m : m, good = m < 0x7f800000;
    int32_t high = good ? up : none, low = good ? -up : none, small = good && m ? m : 0x7fffffff;
    top = high > top ? high : top;
    bottom = low > bottom ? low : bottom;
    tiny = small < tiny ? small : tiny;
  }
  nc_range t = {__builtin_inff(), -__builtin_inff(), tiny};
  if (top == none) return t;
  t.largest = top < 0 ? -nc_float(-top) : nc_float(top);
  t.smallest = bottom > 0 ? -nc_float(bottom) : nc_float(-bottom);
  return t;
}

NC_WIDE uint64_t nc_count_zeros(const float *x, size_t n) {
  int32_t count = 0;
  for (size_t i = 0; i < n; i++) count += x[i] == 0;
  return (uint64_t)count;
}

void nc_count_subnormals(const float *x, size_t n, uint64_t *octaves) {
  for (size_t i = 0; i < n; i++) {
    uint32_t m = (uint32_t)nc_bits(x[i]) & 0x7fffffff;
    if (m != 0 && m < 0x800000) octaves[31 - __builtin_clz(m)]++;
  }
}

// Counts those of 64 with a zero fraction, but for zeros, by exponent field.
NC_INLINE void nc_count_powers64(const float *x, uint64_t *powers) {
  uint64_t found = 0;
  for (size_t i = 0; i < 64; i += 8) {
    i32x8 m = nc_load(x + i) & 0x7fffffff;
    found |= (uint64_t)nc_mask(((m & 0x7fffff) == 0) & (m != 0)) << i;
  }
  for (; found; found &= found - 1) powers[nc_bits(x[__builtin_ctzll(found)]) >> 23 & 0xff]++;
}

// Fields of 64 elements, in any order; returns whether any has a zero fraction. `signs` collects all bits and those that all have.
NC_INLINE int nc_exponent_fields(const float *x, u8x64 *fields, u32x16 *signs) {
  u32x16 a = *(const u32x16 *)x, b = *(const u32x16 *)(x + 16), c = *(const u32x16 *)(x + 32), d = *(const u32x16 *)(x + 48);
  *fields = (u8x64)((a >> 23 & 0xff) | (b >> 15 & 0xff00) | (c >> 7 & 0xff0000) | (d << 1 & 0xff000000));
  signs[0] |= a | b | c | d;
  signs[1] &= a & b & c & d;
  i32x16 even = ((a & 0x7fffff) == 0) | ((b & 0x7fffff) == 0) | ((c & 0x7fffff) == 0) | ((d & 0x7fffff) == 0);
  return __builtin_reduce_or(even) != 0;
}

// How many of up to 255 bytes a lane were counted.
NC_INLINE uint32_t nc_lane_sum(const u8x64 *counts) {
  typedef uint16_t u16x32 __attribute__((ext_vector_type(32)));
  u16x32 pairs = (u16x32)*counts;
  return __builtin_reduce_add((pairs & 0xff) + (pairs >> 8));
}

// The field of each of 64 with a zero fraction, 0 of the others, in the order of `nc_exponent_fields`.
NC_INLINE void nc_power_fields(const float *x, u8x64 *result) {
  u32x16 fields = 0;
  for (size_t k = 0; k < 4; k++) {
    u32x16 a = *(const u32x16 *)(x + 16 * k);
    u32x16 even = (u32x16)((a & 0x7fffff) == 0);
    fields |= (a >> 23 & 0xff & even) << (8 * k);
  }
  *result = (u8x64)fields;
}

// Counts fields from `first`, 1 or more, to `last`, which has all others but 0; returns how many there were. They lie close together
// in most data: each is compared with all that may occur, instead of counted in a table, where like neighbours wait for each other.
NC_INLINE uint32_t nc_tally(const u8x64 *fields, size_t blocks, uint32_t first, uint32_t last, uint64_t *counts) {
  uint32_t found = 0;
  if (first + 48 > last) {
    for (uint32_t e = first; e <= last; e += 4) {
      u8x64 sums[4] = {0, 0, 0, 0};
      for (size_t k = 0; k < blocks; k++) {
        for (uint32_t j = 0; j < 4; j++) sums[j] -= (u8x64)(fields[k] == (u8x64)(uint8_t)(e + j));
      }
      for (uint32_t j = 0; j < 4 && e + j <= last; j++) {
        uint32_t sum = nc_lane_sum(&sums[j]);
        counts[e + j] += sum;
        found += sum;
      }
    }
    return found;
  }
  uint32_t tables[4][256] = {{0}};
  const uint8_t *bytes = (const uint8_t *)fields;
  for (size_t i = 0; i < 64 * blocks; i += 4) {
    for (size_t j = 0; j < 4; j++) tables[j][bytes[i + j]]++;
  }
  for (size_t e = 1; e < 256; e++) {
    uint32_t sum = tables[0][e] + tables[1][e] + tables[2][e] + tables[3][e];
    counts[e] += sum;
    found += sum;
  }
  return found;
}

NC_WIDE nc_fields nc_count_exponents(const float *x, size_t n, uint64_t *counts, uint64_t *powers) {
  u8x64 fields[64];
  u8x64 low = 255, high = 0;
  u32x16 signs[2] = {0, 0xffffffff};
  size_t blocks = n / 64;
  uint64_t even = 0;
  for (size_t k = 0; k < blocks; k++) {
    even |= (uint64_t)nc_exponent_fields(x + 64 * k, &fields[k], signs) << k;
    low = __builtin_elementwise_min(low, fields[k] - 1);
    high = __builtin_elementwise_max(high, fields[k]);
  }
  uint32_t first = (uint32_t)__builtin_reduce_min(low) + 1, last = __builtin_reduce_max(high);
  uint64_t before = counts[0];
  // Those of field 0 are what is left.
  counts[0] += (uint32_t)blocks * 64 - nc_tally(fields, blocks, first, last, counts);
  if (__builtin_popcountll(even) > 48) {
    // Of very few digits: most blocks have several.
    for (size_t k = 0; k < blocks; k++) nc_power_fields(x + 64 * k, &fields[k]);
    nc_tally(fields, blocks, first, last, powers);
  } else {
    for (; even; even &= even - 1) nc_count_powers64(x + 64 * (size_t)__builtin_ctzll(even), powers);
  }
  uint32_t any = __builtin_reduce_or(signs[0]), all = __builtin_reduce_and(signs[1]);
  for (size_t i = blocks * 64; i < n; i++) {
    uint32_t u = (uint32_t)nc_bits(x[i]), e = u >> 23 & 0xff;
    any |= u;
    all &= u;
    counts[e]++;
    powers[e] += u << 9 == 0 && u << 1 != 0;
    if (e != 0 && e < first) first = e;
  }
  return (nc_fields){first < 255 ? (int32_t)first : 255, any >> 31, !(all >> 31), counts[0] - before};
}

// Neighbours are often alike: two tables, so that one count need not wait for the other.
void nc_count_bins(const float *x, size_t n, uint32_t *bins) {
  for (size_t i = 0; i + 2 <= n; i += 2) {
    bins[(uint32_t)nc_bits(x[i]) >> 16 & 0x7fff]++;
    bins[32768 + ((uint32_t)nc_bits(x[i + 1]) >> 16 & 0x7fff)]++;
  }
  if (n % 2) bins[(uint32_t)nc_bits(x[n - 1]) >> 16 & 0x7fff]++;
}

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

NC_WIDE uint64_t nc_count_from(const float *x, size_t n, int32_t threshold) {
  int32_t count = 0;
  for (size_t i = 0; i < n; i++) count += (nc_bits(x[i]) & 0x7fffffff) >= threshold;
  return (uint64_t)count;
}

// Whether each of 16 magnitudes is in the window, as bits; `under` counts down for each that is below.
NC_INLINE void nc_window16(const float *x, uint32_t from, uint32_t span, i32x16 *under, uint16_t *mask) {
  typedef _Bool boolx16 __attribute__((ext_vector_type(16)));
  u32x16 a = (*(const u32x16 *)x & 0x7fffffff) - from;
  *under += (i32x16)a >> 31;
  boolx16 bits = __builtin_convertvector(a < span, boolx16);
  memcpy(mask, &bits, 2);
}

NC_WIDE size_t nc_find_between(
    const float *x, size_t n, int32_t from, int32_t span, int32_t *places, uint64_t *below) {
  size_t i = 0, count = 0;
  i32x16 under = 0;
  for (; i + 64 <= n; i += 64) {
    uint16_t masks[4];
    for (size_t j = 0; j < 4; j++) {
      nc_window16(x + i + 16 * j, (uint32_t)from, (uint32_t)span, &under, &masks[j]);
    }
    uint64_t found;
    memcpy(&found, masks, 8);
    // Seldom are there more than two; whether there are any cannot be foretold.
    size_t end = count + (size_t)__builtin_popcountll(found);
    do {
      for (size_t j = 0; j < 2; j++) {
        size_t k = (size_t)__builtin_ctzll(found | (uint64_t)1 << 63);
        places[count + j] = (nc_bits(x[i + k]) & 0x7fffffff) - from;
        found &= found - 1;
      }
      count += 2;
    } while (count < end);
    count = end;
  }
  uint64_t smaller = (uint64_t)-__builtin_reduce_add(under);
  for (; i < n; i++) {
    int32_t m = (nc_bits(x[i]) & 0x7fffffff) - from;
    if (m >= 0 && m < span) places[count++] = m;
    smaller += m < 0;
  }
  *below += smaller;
  return count;
}

NC_WIDE size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start) {
  size_t i = start;
  for (; i + 16 <= n; i += 16) {
    i32x8 a = nc_load(x + i) & 0x7fffffff, b = nc_load(x + i + 8) & 0x7fffffff;
    i32x8 in = ((a >= threshold) & (a < 0x7f800000)) | ((b >= threshold) & (b < 0x7f800000));
    if (__builtin_reduce_or(in)) break;
  }
  for (; i < n; i++) {
    int32_t m = nc_bits(x[i]) & 0x7fffffff;
    if (m >= threshold && m < 0x7f800000) return i;
  }
  return n;
}
