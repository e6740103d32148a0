// Loops over rows that casts and block schemes share. They are compiled here and not inlined into Swift, which compiles
// imported functions for size: without vectors.
#ifndef NC_SCHEMES_CAST_H
#define NC_SCHEMES_CAST_H

#include <stddef.h>
#include <stdint.h>

// For each format: a cast with and without saturation, y = x·m and y = x/m for an m per element, and back, plain and
// times a scale per element.
#define NC_FORMAT(name)                                                                       \
  void nc_##name##_cast(const float *x, size_t n, uint8_t *codes);                            \
  void nc_##name##_cast_saturating(const float *x, size_t n, uint8_t *codes);                 \
  void nc_##name##_multiplied(const float *x, const float *m, size_t n, uint8_t *codes);      \
  void nc_##name##_divided(const float *x, const float *m, size_t n, uint8_t *codes);         \
  void nc_##name##_decoded(const uint8_t *codes, size_t n, float *x);                         \
  void nc_##name##_scaled(const uint8_t *codes, const float *s, size_t n, float *x);

NC_FORMAT(e4m3fn)
NC_FORMAT(e5m2)
NC_FORMAT(e4m3fnuz)
NC_FORMAT(e5m2fnuz)
NC_FORMAT(e3m2)
NC_FORMAT(e2m3)
NC_FORMAT(e2m1)
#undef NC_FORMAT

void nc_bf16_cast(const float *x, size_t n, uint16_t *codes);
void nc_bf16_decoded(const uint16_t *codes, size_t n, float *x);
void nc_f16_cast(const float *x, size_t n, uint16_t *codes);
void nc_f16_decoded(const uint16_t *codes, size_t n, float *x);

#endif
