// The searches of ggml's quantizers for the scale of one group under given weights. Every sum runs in ggml's order.
#ifndef NC_GGML_FITS_H
#define NC_GGML_FITS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Groups below this magnitude count as all zero.
#define NC_GROUP_EPSILON 1e-15f

// ggml's `nearest_int`: half to even for |x| < 2²², beyond that what adding 1.5 · 2²³ leaves.
static inline int nc_nearest(float x) {
  float shifted = x + 12582912.0f;
  int32_t bits;
  memcpy(&bits, &shifted, 4);
  return (bits & 0x7fffff) - 0x400000;
}

static inline int nc_clamp(int l, int low, int high) { return l < low ? low : l > high ? high : l; }

static inline void nc_put16(uint8_t *y, uint16_t bits) {
  y[0] = (uint8_t)bits;
  y[1] = (uint8_t)(bits >> 8);
}

static inline uint16_t nc_half_bits(float x) {
  _Float16 h = (_Float16)x;
  uint16_t bits;
  memcpy(&bits, &h, 2);
  return bits;
}

// Stores x as Float16 and returns what that is.
static inline float nc_put_half(uint8_t *y, float x) {
  nc_put16(y, nc_half_bits(x));
  return (float)(_Float16)x;
}

static inline float nc_sum_of_squares(const float *x, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum;
}

// What an element counts: its input's importance, and more the larger it is itself.
static inline void nc_weigh(const float *x, const float *importance, float spread, int n, float *w) {
  for (int i = 0; i < n; i++) w[i] = importance[i] * sqrtf(spread + x[i] * x[i]);
}

// x ≈ scale·code, codes −levels ..< levels, of 20 trials (`make_qx_quants`). Codes are left with `levels` added, or all 0
// for a group of zeros.
float nc_symmetric_fit(const float *x, const float *w, int n, int levels, uint8_t *codes);

// x ≈ scale·code − minimum, codes 0 … top, of 38 trials (`make_qkx3_quants`).
float nc_affine_fit(const float *x, const float *w, int n, int top, uint8_t *codes, float *minimum);

// x ≈ scale·code, codes up to `top`, of 9 trials and then code by code (`make_qp_quants`). Codes of numbers below 0 wrap
// round in their byte, as ggml's do.
float nc_positive_fit(const float *x, const float *w, int n, int top, uint8_t *codes);

#endif
