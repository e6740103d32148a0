// Passes over a tensor for what stands out of it. Only finite numbers count in all of them.
#ifndef NUMCHECK_CVECTOR_OUTLIERS_H
#define NUMCHECK_CVECTOR_OUTLIERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  double first, second, third, fourth;  // Σ(x − shift)^k
  float smallest, largest;              // +∞ and −∞ where there is no number
  int32_t magnitude;                    // bits of the largest |x|
  int32_t tiny;                         // bits of the smallest |x| > 0; 0x7fffffff where there is none
  int32_t lowBits;                      // all bits below the upper 16 that occur
  int32_t special;                      // whether there is an infinity or a NaN
  size_t numbers;                       // how many are finite
} nc_scan_part;

typedef struct { double square, cube, fourth; } nc_moments;

// `bins`: 2 × 2^16 counts of the upper 16 bits, NaNs and infinities too; what belongs to one magnitude is to be added.
// `powers`: 256 counts of those with a zero fraction, by exponent field.
nc_scan_part nc_scan(const float *x, size_t n, float shift, uint32_t *bins, uint64_t *powers);
int32_t nc_scan_row(const float *x, size_t n, int32_t threshold, int32_t *columns, uint32_t *counts);
int32_t nc_row_magnitude(const float *x, size_t n);
nc_moments nc_central_moments(const float *x, size_t n, double mean);
uint64_t nc_count_from(const float *x, size_t n, int32_t threshold);
size_t nc_find_bins(const float *x, size_t n, int32_t first, int32_t bins, int32_t *places);
size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start);

#endif
