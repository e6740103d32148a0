// Passes over a tensor for what stands out of it. Infinities and NaNs count only where it is said.
#ifndef NC_OUTLIERS_H
#define NC_OUTLIERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  double first, second, third, fourth;  // Σ(x − shift)^k
  size_t numbers;                       // how many are finite
} nc_sums;

typedef struct {
  float smallest, largest;  // +∞ and −∞ where there is no number
  int32_t tiny;             // bits of the smallest |x| > 0; 0x7fffffff where there is none
} nc_range;

typedef struct {
  int32_t lowest;       // the lowest exponent field above 0; 255 where there is none
  int32_t hasNegative;  // whether any has a sign, NaNs and zeros too
  int32_t hasPositive;  // whether any has none
  uint64_t zeroFields;  // how many have field 0: zeros and subnormal numbers
} nc_fields;

nc_sums nc_sum(const float *x, size_t n, double shift);
nc_range nc_find_range(const float *x, size_t n);
// `counts`: 256 counts by exponent field, NaNs and infinities too; `powers`: 256 of those with a zero fraction, but for zeros.
// n is at most 4096.
nc_fields nc_count_exponents(const float *x, size_t n, uint64_t *counts, uint64_t *powers);
// `octaves`: 23 counts by the place of the leading bit.
void nc_count_subnormals(const float *x, size_t n, uint64_t *octaves);
// n is at most 2^30, as for all counts here.
uint64_t nc_count_zeros(const float *x, size_t n);
// `bins`: 2 × 2^15 counts of the upper 15 bits of magnitudes, NaNs and infinities too; what belongs to one is to be added.
void nc_count_bins(const float *x, size_t n, uint32_t *bins);
// Raises `columns` to the magnitudes of a piece of a row and counts those from `threshold` on; returns the row's largest.
int32_t nc_scan_row(const float *x, size_t n, int32_t threshold, int32_t *columns, uint32_t *counts);
int32_t nc_row_magnitude(const float *x, size_t n);
// How many magnitudes have bits of at least `threshold`; infinities and NaNs have.
uint64_t nc_count_from(const float *x, size_t n, int32_t threshold);
// The magnitudes whose bits are `from` or up to `span` − 1 more, as bits beyond `from`, in their order; returns how many there
// are and adds to `below` how many are smaller. Infinities and NaNs count as the bits they have. Two places more than are found
// may be written.
size_t nc_find_between(
    const float *x, size_t n, int32_t from, int32_t span, int32_t *places, uint64_t *below);
// The first place from `start` on whose finite magnitude has bits of at least `threshold`; n if there is none.
size_t nc_find_from(const float *x, size_t n, int32_t threshold, size_t start);

#endif
