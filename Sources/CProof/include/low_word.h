// Tier 1 of the certified reference: exponentials in Double with a low word, for roundings to binary64.
#ifndef NC_LOW_WORD_H
#define NC_LOW_WORD_H

#include "certified.h"

/// (h + l) 2^k = exp(dh + dl) for each |dh| <= 2800, with a low word of some 22 bits; `table` is that of tier 2.
void nc_exponentials1(
    const double *dh, const double *dl, const double *table, double *h, double *l, double *k, long n);

/// The same for the differences (x[i] - m) / tau <= 0, which it leaves in dh and dl; returns the sum of those with k >= -900.
struct nc_pair nc_row1(
    const double *x, double m, double tau, const double *table, double *dh, double *dl, double *h, double *l, double *k,
    long n);

#endif
