// Products of matrices in Double with a bound for each result: eight rows side by side. What is proven of it is in
// Documentation/CertifiedReference.md, section 10.
#ifndef NC_MATMUL0_H
#define NC_MATMUL0_H

#include <stdbool.h>

#include "attention0.h"

/// Vectors [count, size], and what bounds need of each: rho, norm and grain.
struct nc_vectors {
  const double *numbers;
  long count;
  long size;
  double *reach;
  double *norm;
  double *grain;
};

/// Fills in the bounds; false where a number is too large or too small for them, or not finite.
bool nc_matmul0_survey(const struct nc_vectors *x);

/// Lays the vectors first ..< first + count, 8 at most, side by side, [size, 8].
void nc_matmul0_pack(const struct nc_vectors *x, long first, long count, double *packed);

/// sums [n, 8]: the products of eight packed rows with the `n` columns from `first` on, or of their magnitudes.
void nc_matmul0_multiply(
    const double *packed, const struct nc_vectors *columns, long first, long n, bool magnitudes, double *sums);

/// Rounds the products of rows from `row` on with the columns from `first` on; results stand at row * stride + column of their
/// tensors, an error of 0 is that of an exact result.
void nc_matmul0_round(
    const double *sums, const struct nc_vectors *rows, long row, const struct nc_vectors *columns, long first, long n,
    struct nc_target target, struct nc_attention_results results);

#endif
