// What errors of weights cost where these are used: sums in double precision whose order depends on the length alone.
#ifndef NC_PLANS_H
#define NC_PLANS_H

#include <stddef.h>
#include <stdint.h>

typedef struct { double energy, error; int64_t lost; } nc_weighted_sums;

// Σ h x² and Σ h (y − x)² over finite x; h may be NULL, which is 1. A finite x whose y is not is counted and left out.
nc_weighted_sums nc_weighted_errors(const float *x, const float *y, const float *h, size_t n);

// Σ over tokens t of (x·a_t)² and (e·a_t)² for e = y − x, which is left in `e`; what is not finite in x or y is 0 in both.
nc_weighted_sums nc_product_errors(const float *x, const float *y, size_t n, const float *a, size_t tokens, float *e);

// Σ over tokens of (x·a_t)² alone.
double nc_product_energy(const float *x, size_t n, const float *a, size_t tokens);

#endif
