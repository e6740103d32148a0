#include "schemes_cast.h"

#include "loops.h"

// Rounds to nearest even inside f32: an integer carry for normal results, a magic addition for subnormal ones.
// The sign is that of `x`, so that a NaN made on the way has the same sign on every machine.
// `ties`: 0 to even, 1 away from zero, 2 towards it.
NC_INLINE uint8_t nc_encode_ties(float x, float m, int divide, struct nc_small_format f, int ties) {
  int32_t sign = (int32_t)((uint32_t)nc_bits(x) >> 31);
  float y = nc_float(nc_bits(x) & 0x7fffffff);
  y = divide ? y / m : y * m;
  int32_t u = nc_bits(y) & 0x7fffffff;
  int32_t carried = u + (1 << (22 - f.t)) - (ties == 1 ? 0 : ties == 2 ? 1 : 1 - ((u >> (23 - f.t)) & 1));
  int32_t normal = (carried >> (23 - f.t)) - ((126 + f.min_exponent) << f.t);
  int32_t magic = (f.min_exponent - f.t + 23 + 127) << 23;
  int32_t small = nc_bits(y + nc_float(magic)) - magic;
  if (ties) {
    // In units of the smallest number: exact, and so is the rest.
    float units = y * nc_float((127 + f.t - f.min_exponent) << 23);
    units = units < 256.0f ? units : 256.0f;
    small = (int32_t)units;
    float rest = units - (float)small;
    small += ties == 1 ? rest >= 0.5f : rest > 0.5f;
  }
  int32_t code = u < ((f.min_exponent + 127) << 23) ? small : normal;
  code = code > f.largest ? f.overflow : code;
  int32_t signBit = sign * f.sign;
  if (f.one_zero) {
    int32_t keep = code == 0 || code == f.sign ? 0 : signBit;
    return (uint8_t)(u > 0x7f800000 ? f.sign : code | keep);
  }
  int32_t nan = f.nan < 0 ? signBit ^ f.sign : f.nan | signBit;
  return (uint8_t)(u > 0x7f800000 ? nan : code | signBit);
}

NC_INLINE uint8_t nc_encode(float x, float m, int divide, struct nc_small_format f) {
  return nc_encode_ties(x, m, divide, f, 0);
}

NC_INLINE float nc_decode(int32_t code, struct nc_small_format f) {
  int32_t magnitude = code & (f.sign - 1);
  int32_t u = magnitude << (23 - f.t);
  u = magnitude >= f.special ? u | 0x7f800000 : u;
  float y = nc_float(u) * nc_float((126 + f.min_exponent + 127) << 23);
  y = f.one_zero && code == f.sign ? nc_float(0x7fc00000) : y;
  int32_t sign = f.one_zero && code == f.sign ? 0 : (code & f.sign) != 0;
  return nc_float(nc_bits(y) | (int32_t)((uint32_t)sign << 31));
}

// The format is known at run time, its meaning of codes at compile time, so that a loop has no branches.
#define NC_EACH(CALL)                                                                                          \
  struct nc_small_format g = f;                                                                                \
  if (f.one_zero) {                                                                                            \
    g.one_zero = 1;                                                                                            \
    for (size_t i = 0; i < n; i++) CALL;                                                                       \
  } else if (f.nan < 0) {                                                                                      \
    g.one_zero = 0;                                                                                            \
    g.nan = -1;                                                                                                \
    for (size_t i = 0; i < n; i++) CALL;                                                                       \
  } else {                                                                                                     \
    g.one_zero = 0;                                                                                            \
    for (size_t i = 0; i < n; i++) CALL;                                                                       \
  }

void nc_small_cast(const float *restrict x, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode(x[i], 1, 0, g))
}

void nc_small_multiplied(
    const float *restrict x, const float *restrict m, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode(x[i], m[i], 0, g))
}

void nc_small_multiplied_away(
    const float *restrict x, const float *restrict m, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode_ties(x[i], m[i], 0, g, 1))
}

void nc_small_multiplied_down(
    const float *restrict x, const float *restrict m, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode_ties(x[i], m[i], 0, g, 2))
}

void nc_small_divided_down(
    const float *restrict x, const float *restrict m, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode_ties(x[i], m[i], 1, g, 2))
}

void nc_small_divided(
    const float *restrict x, const float *restrict m, size_t n, uint8_t *restrict codes, struct nc_small_format f) {
  NC_EACH(codes[i] = nc_encode(x[i], m[i], 1, g))
}

void nc_small_decoded(const uint8_t *restrict codes, size_t n, float *restrict x, struct nc_small_format f) {
  NC_EACH(x[i] = nc_decode(codes[i], g))
}

void nc_small_scaled(
    const uint8_t *restrict codes, const float *restrict s, size_t n, float *restrict x, struct nc_small_format f) {
  NC_EACH(x[i] = nc_decode(codes[i], g) * s[i])
}

void nc_bf16_cast(const float *x, size_t n, uint16_t *codes) {
  for (size_t i = 0; i < n; i++) {
    uint32_t u = (uint32_t)nc_bits(x[i]);
    uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    int32_t nan = (int32_t)(u & 0x7fffffff) > 0x7f800000;
    codes[i] = (uint16_t)(nan ? 0x7fc0 | ((u >> 16) & 0x8000) : rounded);
  }
}

void nc_bf16_decoded(const uint16_t *codes, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = nc_float((int32_t)((uint32_t)codes[i] << 16));
}

void nc_f16_cast(const float *x, size_t n, uint16_t *codes) {
  for (size_t i = 0; i < n; i++) { _Float16 h = (_Float16)x[i]; memcpy(codes + i, &h, 2); }
}

void nc_f16_decoded(const uint16_t *codes, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) { _Float16 h; memcpy(&h, codes + i, 2); x[i] = (float)h; }
}

