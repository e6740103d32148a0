#include "schemes_block.h"

#include "loops.h"

// Ranges. Magnitudes are compared as bits, which order like numbers: ∞ above all numbers, NaN above ∞.

NC_INLINE int32_t nc_run_magnitude(const float *x, size_t n, int32_t most) {
  for (size_t i = 0; i < n; i++) {
    int32_t u = nc_bits(x[i]) & 0x7fffffff;
    most = u > most ? u : most;
  }
  return most;
}

// As above, those with bits below the limit only.
NC_INLINE int32_t nc_run_magnitude_below(const float *x, size_t n, int32_t most, int32_t limit) {
  for (size_t i = 0; i < n; i++) {
    int32_t u = nc_bits(x[i]) & 0x7fffffff;
    u = u < limit ? u : 0;
    most = u > most ? u : most;
  }
  return most;
}

#define NC_BLOCKS(width, call)                                             \
  switch (width) {                                                         \
    case 16: for (size_t b = 0; b < blocks; b++) { call(16); } break;      \
    case 32: for (size_t b = 0; b < blocks; b++) { call(32); } break;      \
    case 64: for (size_t b = 0; b < blocks; b++) { call(64); } break;      \
    default: for (size_t b = 0; b < blocks; b++) { call(width); } break;   \
  }

// most[b] = the larger of most[b] and the magnitudes of whole block b of `width`.
NC_WIDE void nc_magnitudes(const float *x, size_t blocks, size_t width, int32_t *most) {
  if (width == 1) {
    for (size_t b = 0; b < blocks; b++) {
      int32_t u = nc_bits(x[b]) & 0x7fffffff;
      most[b] = u > most[b] ? u : most[b];
    }
    return;
  }
#define NC_CALL(w) most[b] = nc_run_magnitude(x + b * (w), (w), most[b])
  NC_BLOCKS(width, NC_CALL)
#undef NC_CALL
}

NC_WIDE void nc_finite_magnitudes(const float *x, size_t blocks, size_t width, int32_t *most) {
  if (width == 1) {
    for (size_t b = 0; b < blocks; b++) {
      int32_t u = nc_bits(x[b]) & 0x7fffffff;
      u = u < 0x7f800000 ? u : 0;
      most[b] = u > most[b] ? u : most[b];
    }
    return;
  }
#define NC_CALL(w) most[b] = nc_run_magnitude_below(x + b * (w), (w), most[b], 0x7f800000)
  NC_BLOCKS(width, NC_CALL)
#undef NC_CALL
}

NC_WIDE void nc_magnitudes_without_nan(const float *x, size_t blocks, size_t width, int32_t *most) {
#define NC_CALL(w) most[b] = nc_run_magnitude_below(x + b * (w), (w), most[b], 0x7f800001)
  NC_BLOCKS(width, NC_CALL)
#undef NC_CALL
}

// Bits as integers that order like the numbers (−0 below +0); its own inverse.
NC_INLINE int32_t nc_ordered(int32_t u) { return u ^ ((u >> 31) & 0x7fffffff); }

NC_INLINE void nc_run_extremes(const float *x, size_t n, float *lowest, float *highest) {
  int32_t low = nc_ordered(nc_bits(*lowest)), high = nc_ordered(nc_bits(*highest));
  for (size_t i = 0; i < n; i++) {
    int32_t u = nc_bits(x[i]), v = nc_ordered(u);
    int number = (u & 0x7fffffff) < 0x7f800000;
    int32_t down = number ? v : INT32_MAX, up = number ? v : INT32_MIN;
    low = down < low ? down : low;
    high = up > high ? up : high;
  }
  *lowest = nc_float(nc_ordered(low));
  *highest = nc_float(nc_ordered(high));
}

// The least and the greatest number of each block, into lowest (from +∞ down) and highest (from −∞ up).
NC_WIDE void nc_extremes(const float *x, size_t blocks, size_t width, float *lowest, float *highest) {
  if (width == 1) {
    for (size_t b = 0; b < blocks; b++) {
      nc_run_extremes(x + b, 1, lowest + b, highest + b);
    }
    return;
  }
#define NC_CALL(w) nc_run_extremes(x + b * (w), (w), lowest + b, highest + b)
  NC_BLOCKS(width, NC_CALL)
#undef NC_CALL
}

// Repeats values[stride·b], `width` times each, for whole blocks; the values are fields of records.
void nc_spread(const float *values, size_t stride, size_t blocks, size_t width, float *out) {
#define NC_CALL(w) float v = values[b * stride]; for (size_t i = 0; i < (w); i++) out[b * (w) + i] = v
  if (width == 1) { for (size_t b = 0; b < blocks; b++) out[b] = values[b * stride]; return; }
  NC_BLOCKS(width, NC_CALL)
#undef NC_CALL
}

// Integers.

// To an integer: ties 0 to even, 1 away from zero, 2 up.
NC_INLINE float nc_integer(float y, int ties) {
  if (ties == 0) return __builtin_rintf(y);
  if (ties == 1) {
    float a = __builtin_fabsf(y), t = __builtin_truncf(a);
    t += a - t >= 0.5f ? 1.0f : 0.0f;
    return __builtin_copysignf(t, y);
  }
  float t = __builtin_floorf(y);
  return t + (y - t >= 0.5f ? 1.0f : 0.0f);
}

// The nearest bf16, ties to even; x is no NaN.
NC_INLINE float nc_brain(float x) {
  uint32_t u = (uint32_t)nc_bits(x);
  return nc_float((int32_t)((u + 0x7fff + ((u >> 16) & 1)) & 0xffff0000u));
}

// clamp(round(x/m) + z); forms: 0 x/m, 1 x·m, 2 round(clamp(x/m + (z + low))) − low, 3 round((x − z)/m), without z 4 x·m, 5 x·m·64.
// 6 and 7 are 0 without z, and 2, with every result rounded to bf16, x too.
// NaN becomes the code of zero.
NC_INLINE void nc_integer_loop(const float *x, const float *m, const float *z, size_t n, float low, float high,
                               uint8_t *codes, int form, int ties) {
  for (size_t i = 0; i < n; i++) {
    float v = x[i];
    v = v == v ? v : 0.0f;
    if (form > 5) {
      v = nc_brain(nc_brain(v) / m[i]);
      if (form == 7) v = nc_brain(v + (z[i] + low));
    }
    float y = form > 5 ? v : form == 3 ? (v - z[i]) / m[i] : form == 0 || form == 2 ? v / m[i] : v * m[i];
    y = form == 2 ? y + (z[i] + low) : form == 5 ? y * 64.0f : y;
    y = form == 5 && y != y ? 0.0f : y;
    y = nc_integer(y, ties) + (form < 2 ? z[i] : 0.0f);
    y = y > low ? y : low;
    y = y < high ? y : high;
    codes[i] = (uint8_t)(int32_t)(form == 2 || form == 7 ? y - low : y);
  }
}

NC_WIDE void nc_integers(const float *x, const float *m, const float *z, size_t n, float low, float high,
                         uint8_t *codes, int form, int ties) {
#define NC_CASE(f, t) case f * 3 + t: nc_integer_loop(x, m, z, n, low, high, codes, f, t); return;
#define NC_CASES(f) NC_CASE(f, 0) NC_CASE(f, 1) NC_CASE(f, 2)
  switch (form * 3 + ties) { NC_CASES(0) NC_CASES(1) NC_CASES(2) NC_CASES(3) NC_CASE(4, 0) NC_CASE(5, 0) NC_CASE(5, 1)
                              NC_CASES(6) NC_CASES(7) }
#undef NC_CASES
#undef NC_CASE
}

void nc_round_to_bf16(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = x[i] == x[i] ? nc_brain(x[i]) : x[i];
}

// (code − z)·s, the code sign-extended from `bits`.
void nc_signed_values(const uint8_t *codes, const float *s, size_t n, int bits, float *x) {
  int shift = 32 - bits;
  for (size_t i = 0; i < n; i++) x[i] = (float)((int32_t)((uint32_t)codes[i] << shift) >> shift) * s[i];
}

void nc_unsigned_values(const uint8_t *codes, const float *s, const float *z, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = ((float)codes[i] - z[i]) * s[i];
}

// code·s + z, rounded twice.
void nc_offset_values(const uint8_t *codes, const float *s, const float *z, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = (float)codes[i] * s[i] + z[i];
}

// a·z/m, rounded twice.
void nc_ratios(const float *a, const float *z, float m, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = a[i] * z[i] / m;
}

// Code books of 16.

// How many of the 15 ascending thresholds lie below x·m; NaN lies below all.
void nc_book16(const float *x, const float *m, size_t n, const float *thresholds, uint8_t *codes) {
  float t[15];
  memcpy(t, thresholds, sizeof t);
  for (size_t i = 0; i < n; i++) {
    float y = x[i] * m[i];
    int32_t count = 0;
#pragma clang loop unroll(full)
    for (int k = 0; k < 15; k++) count += y > t[k];
    codes[i] = (uint8_t)count;
  }
}

// As above for magnitudes and 7 thresholds, with the code order of bitsandbytes' FP4 (0 1 6 7 4 5 2 3).
void nc_book_fp4(const float *x, const float *m, size_t n, const float *thresholds, uint8_t *codes) {
  float t[7];
  memcpy(t, thresholds, sizeof t);
  for (size_t i = 0; i < n; i++) {
    float y = x[i] * m[i], a = __builtin_fabsf(y);
    int32_t count = 0;
#pragma clang loop unroll(full)
    for (int k = 0; k < 7; k++) count += a > t[k];
    codes[i] = (uint8_t)((count ^ ((count & 2) << 1)) | (y < 0.0f ? 8 : 0));
  }
}

// Maps of 256.

// The code of x·m in an ascending map by bitsandbytes' search on GPUs: 7 halvings, then the nearer neighbour; the value halved towards
// last stays on a tie. NaN follows the comparisons.
void nc_dynamic_codes(const float *x, const float *m, size_t n, const float *map, uint8_t *codes) {
  for (size_t i = 0; i < n; i++) {
    float y = x[i] * m[i], value = map[127], below = -1, above = 1;
    int pivot = 127, lower = 0, upper = 255;
    for (int width = 64; width > 0; width >>= 1) {
      if (y > value) {
        lower = pivot;
        below = value;
        pivot += width;
      } else {
        upper = pivot;
        above = value;
        pivot -= width;
      }
      value = map[pivot];
    }
    if (upper == 255) above = map[255];
    if (lower == 0) below = map[0];
    codes[i] = (uint8_t)(y > value ? (y > (above + value) * 0.5f ? upper : pivot) : (y < (below + value) * 0.5f ? lower : pivot));
  }
}

// The same by its table on CPUs: of 65536 places from -1 to 1 the nearest to x·m, whose code `table` has.
void nc_dynamic_table_codes(const float *x, const float *m, size_t n, const uint8_t *table, uint8_t *codes) {
  for (size_t i = 0; i < n; i++) {
    float y = x[i] * m[i];
    y = y > -1.0f ? y : -1.0f;
    y = y < 1.0f ? y : 1.0f;
    codes[i] = table[(int32_t)__builtin_fmaf((y + 1.0f) * 0.5f, 65535.0f, 0.5f)];
  }
}

void nc_dynamic_values(const uint8_t *codes, const float *s, size_t n, const float *map, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = map[codes[i]] * s[i];
}

void nc_book_values(const uint8_t *codes, const float *s, size_t n, const float *book, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = book[codes[i] & 15] * s[i];
}

// Packing: 8 codes of b bits in b bytes, the first in the lowest bits. Little-endian machines only.

// One halving: in each field of 2·width bits the low w bits of both halves come together, or go apart.
NC_INLINE uint64_t nc_join(uint64_t v, int width, int w, uint64_t ones) {
  uint64_t low = (((uint64_t)1 << w) - 1) * ones;
  return (v & low) | (v >> (width - w) & low << w);
}

NC_INLINE uint64_t nc_part(uint64_t v, int width, int w, uint64_t ones) {
  uint64_t low = (((uint64_t)1 << w) - 1) * ones;
  return (v & low) | (v & low << w) << (width - w);
}

NC_INLINE uint64_t nc_narrow(uint64_t v, int b) {
  v = nc_join(v, 8, b, 0x0001000100010001u);
  v = nc_join(v, 16, 2 * b, 0x0000000100000001u);
  return nc_join(v, 32, 4 * b, 1);
}

NC_INLINE uint64_t nc_widen(uint64_t v, int b) {
  v = nc_part(v, 32, 4 * b, 1);
  v = nc_part(v, 16, 2 * b, 0x0000000100000001u);
  return nc_part(v, 8, b, 0x0001000100010001u);
}

NC_INLINE uint64_t nc_swap_pairs(uint64_t v) {
  return (v & 0x00ff00ff00ff00ffu) << 8 | (v >> 8 & 0x00ff00ff00ff00ffu);
}

NC_INLINE void nc_pack_loop(const uint8_t *codes, size_t n, uint8_t *bytes, int b, int highFirst) {
  size_t whole = n / 8;
  for (size_t g = 0; g < whole; g++) {
    uint64_t v;
    memcpy(&v, codes + 8 * g, 8);
    v = nc_narrow(highFirst ? nc_swap_pairs(v) : v, b);
    memcpy(bytes + g * b, &v, b);
  }
  size_t rest = n - 8 * whole;
  if (rest) {
    uint64_t v = 0;
    memcpy(&v, codes + 8 * whole, rest);
    v = nc_narrow(highFirst ? nc_swap_pairs(v) : v, b);
    memcpy(bytes + whole * b, &v, (rest * b + 7) / 8);
  }
}

NC_INLINE void nc_unpack_loop(const uint8_t *bytes, size_t n, uint8_t *codes, int b, int highFirst) {
  size_t whole = n / 8;
  for (size_t g = 0; g < whole; g++) {
    uint64_t v = 0;
    memcpy(&v, bytes + g * b, b);
    v = nc_widen(v, b);
    v = highFirst ? nc_swap_pairs(v) : v;
    memcpy(codes + 8 * g, &v, 8);
  }
  size_t rest = n - 8 * whole;
  if (rest) {
    uint64_t v = 0;
    memcpy(&v, bytes + whole * b, (rest * b + 7) / 8);
    v = nc_widen(v, b);
    v = highFirst ? nc_swap_pairs(v) : v;
    memcpy(codes + 8 * whole, &v, rest);
  }
}

void nc_pack(const uint8_t *codes, size_t n, int bits, int highFirst, uint8_t *bytes) {
  switch (bits) {
    case 1: nc_pack_loop(codes, n, bytes, 1, 0); return;
    case 2: nc_pack_loop(codes, n, bytes, 2, 0); return;
    case 3: nc_pack_loop(codes, n, bytes, 3, 0); return;
    case 4: if (highFirst) nc_pack_loop(codes, n, bytes, 4, 1); else nc_pack_loop(codes, n, bytes, 4, 0); return;
    case 5: nc_pack_loop(codes, n, bytes, 5, 0); return;
    case 7: nc_pack_loop(codes, n, bytes, 7, 0); return;
    case 6: nc_pack_loop(codes, n, bytes, 6, 0); return;
    default: memcpy(bytes, codes, n);
  }
}

void nc_unpack(const uint8_t *bytes, size_t n, int bits, int highFirst, uint8_t *codes) {
  switch (bits) {
    case 1: nc_unpack_loop(bytes, n, codes, 1, 0); return;
    case 2: nc_unpack_loop(bytes, n, codes, 2, 0); return;
    case 3: nc_unpack_loop(bytes, n, codes, 3, 0); return;
    case 4:
      if (highFirst) nc_unpack_loop(bytes, n, codes, 4, 1); else nc_unpack_loop(bytes, n, codes, 4, 0);
      return;
    case 5: nc_unpack_loop(bytes, n, codes, 5, 0); return;
    case 7: nc_unpack_loop(bytes, n, codes, 7, 0); return;
    case 6: nc_unpack_loop(bytes, n, codes, 6, 0); return;
    default: memcpy(codes, bytes, n);
  }
}
