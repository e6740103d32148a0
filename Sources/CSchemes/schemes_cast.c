#include "schemes_cast.h"

#include "loops.h"

// One small format: t fraction bits, the exponent of its smallest normal number, and what its codes mean.
typedef struct {
  int32_t t, minExponent;
  int32_t largest;     // the code of the largest finite magnitude
  int32_t overflow;    // what larger magnitudes become; above `sign` where it has no sign of its own
  int32_t nan;         // the code of NaN; −1: a zero of the opposite sign, as ml_dtypes writes it
  int32_t sign;        // the sign bit
  int32_t special;     // codes of magnitude from here on are ∞ (zero fraction) or NaN
  int32_t oneZero;     // fnuz: the sign bit alone is NaN
} nc_format;

// Rounds to nearest even inside f32: an integer carry for normal results, a magic addition for subnormal ones.
// The sign is that of `x`, so that a NaN made on the way has the same sign on every machine.
NC_INLINE uint8_t nc_encode(float x, float m, int divide, nc_format f) {
  int32_t sign = (int32_t)((uint32_t)nc_bits(x) >> 31);
  float y = nc_float(nc_bits(x) & 0x7fffffff);
  y = divide ? y / m : y * m;
  int32_t u = nc_bits(y) & 0x7fffffff;
  int32_t carried = u + ((1 << (22 - f.t)) - 1) + ((u >> (23 - f.t)) & 1);
  int32_t normal = (carried >> (23 - f.t)) - ((126 + f.minExponent) << f.t);
  int32_t magic = (f.minExponent - f.t + 23 + 127) << 23;
  int32_t small = nc_bits(y + nc_float(magic)) - magic;
  int32_t code = u < ((f.minExponent + 127) << 23) ? small : normal;
  code = code > f.largest ? f.overflow : code;
  int32_t signBit = sign * f.sign;
  if (f.oneZero) {
    int32_t keep = code == 0 || code == f.sign ? 0 : signBit;
    return (uint8_t)(u > 0x7f800000 ? f.sign : code | keep);
  }
  int32_t nan = f.nan < 0 ? signBit ^ f.sign : f.nan | signBit;
  return (uint8_t)(u > 0x7f800000 ? nan : code | signBit);
}

NC_INLINE float nc_decode(int32_t code, nc_format f) {
  int32_t magnitude = code & (f.sign - 1);
  int32_t u = magnitude << (23 - f.t);
  u = magnitude >= f.special ? u | 0x7f800000 : u;
  float y = nc_float(u) * nc_float((126 + f.minExponent + 127) << 23);
  y = f.oneZero && code == f.sign ? nc_float(0x7fc00000) : y;
  int32_t sign = f.oneZero && code == f.sign ? 0 : (code & f.sign) != 0;
  return nc_float(nc_bits(y) | (int32_t)((uint32_t)sign << 31));
}

#define NC_FORMAT(name, value, saturated)                                                                        \
  void nc_##name##_cast(const float *x, size_t n, uint8_t *codes) {                                \
    nc_format f = value;                                                                                         \
    for (size_t i = 0; i < n; i++) codes[i] = nc_encode(x[i], 1, 0, f);                                          \
  }                                                                                                              \
  void nc_##name##_cast_saturating(const float *x, size_t n, uint8_t *codes) {                     \
    nc_format f = value; f.overflow = saturated;                                                                 \
    for (size_t i = 0; i < n; i++) codes[i] = nc_encode(x[i], 1, 0, f);                                          \
  }                                                                                                              \
  void nc_##name##_multiplied(const float *x, const float *m, size_t n, uint8_t *codes) {          \
    nc_format f = value; f.overflow = saturated;                                                                 \
    for (size_t i = 0; i < n; i++) codes[i] = nc_encode(x[i], m[i], 0, f);                                       \
  }                                                                                                              \
  void nc_##name##_divided(const float *x, const float *m, size_t n, uint8_t *codes) {             \
    nc_format f = value; f.overflow = saturated;                                                                 \
    for (size_t i = 0; i < n; i++) codes[i] = nc_encode(x[i], m[i], 1, f);                                       \
  }                                                                                                              \
  void nc_##name##_decoded(const uint8_t *codes, size_t n, float *x) {                             \
    nc_format f = value;                                                                                         \
    for (size_t i = 0; i < n; i++) x[i] = nc_decode(codes[i], f);                                                \
  }                                                                                                              \
  void nc_##name##_scaled(const uint8_t *codes, const float *s, size_t n, float *x) {              \
    nc_format f = value;                                                                                         \
    for (size_t i = 0; i < n; i++) x[i] = nc_decode(codes[i], f) * s[i];                                         \
  }

#define NC_LITERAL(...) ((nc_format){__VA_ARGS__})
//                                t  min  largest over  nan   sign  special oneZero
NC_FORMAT(e4m3fn, NC_LITERAL(3, -6, 0x7e, 0x7f, 0x7f, 0x80, 0x7f, 0), 0x7e)
NC_FORMAT(e5m2, NC_LITERAL(2, -14, 0x7b, 0x7c, 0x7e, 0x80, 0x7c, 0), 0x7b)
NC_FORMAT(e4m3fnuz, NC_LITERAL(3, -7, 0x7f, 0x80, 0x80, 0x80, 0x80, 1), 0x7f)
NC_FORMAT(e5m2fnuz, NC_LITERAL(2, -15, 0x7f, 0x80, 0x80, 0x80, 0x80, 1), 0x7f)
NC_FORMAT(e3m2, NC_LITERAL(2, -2, 0x1f, 0x1f, -1, 0x20, 0x20, 0), 0x1f)
NC_FORMAT(e2m3, NC_LITERAL(3, 0, 0x1f, 0x1f, -1, 0x20, 0x20, 0), 0x1f)
NC_FORMAT(e2m1, NC_LITERAL(1, 0, 0x07, 0x07, -1, 0x08, 0x08, 0), 0x07)

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

