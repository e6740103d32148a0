// Sums over x and x̂ in double precision, in 8 lanes each so that they become vectors; the caller adds up short stretches.
#ifndef NC_SCHEMES_MEASURE_H
#define NC_SCHEMES_MEASURE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  double squaredError, squares, decodedSquares, product, absoluteError, absolute, sum, largestError;
  double numbers, lostNumbers;  // pairs counted; finite x whose x̂ is not
} nc_error_sums;

typedef struct { double rounding, clipping, flush, scale; } nc_split_sums;

nc_error_sums nc_sum_errors(const float *x, const float *y, size_t n);
void nc_add_columns(const float *x, const float *y, size_t n, double *errors, double *squares);
size_t nc_worst_run(const float *x, const float *y, size_t n, size_t width, double *largest);
nc_split_sums nc_split_errors(const float *x, const float *y, const float *ideal, const float *low, const float *high,
                              size_t n);
// Counts, sums and sums of squares of the numbers in bins of their upper 20 bits, ordered like the numbers. `pages`: where in `bins`
// those of the same upper 9 bits begin, negative where they are not there. Returns the place of the first number that would be in
// one of those, and goes no further; n where there is none.
size_t nc_fill_bins(const float *x, size_t n, const int32_t *pages, double *bins);
double nc_log10(double x);
double nc_log2(double x);
double nc_exp2(double x);
double nc_cbrt(double x);
double nc_softmax_divergence(const float *x, const float *y, size_t n);

#endif
