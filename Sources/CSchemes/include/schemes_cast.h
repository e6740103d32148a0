// Loops over rows that casts and block schemes share. They are compiled here and not inlined into Swift, which compiles
// imported functions for size: without vectors.
#ifndef NC_SCHEMES_CAST_H
#define NC_SCHEMES_CAST_H

#include <stddef.h>
#include <stdint.h>

/// A format of at most 8 bits: its fraction bits, the exponent of its smallest normal number, and what its codes mean.
struct nc_small_format {
  int32_t t, min_exponent;
  /// The code of the largest finite magnitude.
  int32_t largest;
  /// What larger magnitudes become; above `sign` where it has no sign of its own.
  int32_t overflow;
  /// The code of NaN; -1: a zero of the opposite sign, as ml_dtypes writes it.
  int32_t nan;
  /// The sign bit.
  int32_t sign;
  /// Codes of magnitude from here on are infinite (zero fraction) or NaN.
  int32_t special;
  /// fnuz: the sign bit alone is NaN.
  int32_t one_zero;
};

// A cast, y = x·m (`away`: ties away from zero) and y = x/m for an m per element, and back, plain and times a scale per element.
void nc_small_cast(const float *x, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_multiplied(const float *x, const float *m, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_multiplied_away(const float *x, const float *m, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_multiplied_down(const float *x, const float *m, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_divided_down(const float *x, const float *m, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_divided(const float *x, const float *m, size_t n, uint8_t *codes, struct nc_small_format f);
void nc_small_decoded(const uint8_t *codes, size_t n, float *x, struct nc_small_format f);
void nc_small_scaled(const uint8_t *codes, const float *s, size_t n, float *x, struct nc_small_format f);

void nc_bf16_cast(const float *x, size_t n, uint16_t *codes);
void nc_bf16_decoded(const uint16_t *codes, size_t n, float *x);
void nc_f16_cast(const float *x, size_t n, uint16_t *codes);
void nc_f16_decoded(const uint16_t *codes, size_t n, float *x);

#endif
