// Inner loops of the simulated kernels. They share nothing with the certified ones: what those judge is made here.
#ifndef NC_KERNELS_H
#define NC_KERNELS_H

#include <stdint.h>

/// A format as rounding needs it: its smallest normal and largest numbers, and 1.5 2^(52 - fraction bits).
struct nc_grid {
  double smallest_normal, largest, factor;
};

/// e^v[i] or 2^v[i] in place, to a relative error of 2^-46; beyond e^(+-300), where every format that is simulated has long
/// over- or underflowed, some number that does so too. NaN stays.
void nc_row_exp(double *v, long n);
void nc_row_exp2(double *v, long n);

/// The same on binary16, correctly rounded.
void nc_row_exp_f16(uint16_t *v, long n);
void nc_row_exp2_f16(uint16_t *v, long n);

/// Adds terms to *sum one after the other, each addition rounded to nearest even in the format `g`, for as long as the
/// sum stays in the binade where it is; returns how many were added.
long nc_row_add(double *sum, const double *terms, long n, struct nc_grid g);
long nc_row_add_f16(double *sum, const uint16_t *terms, long n, struct nc_grid g);

/// What one look at a tensor shows: the largest finite magnitude, and whether anything is not finite.
struct nc_peak {
  double largest;
  int special;
};
struct nc_peak nc_row_peak(const double *v, long n);
struct nc_peak nc_row_peak_f32(const float *v, long n);
struct nc_peak nc_row_peak_f16(const uint16_t *v, long n);

/// The largest number, a zero of either sign where it is zero; NaN where there is one.
double nc_row_maximum(const double *v, long n);
double nc_row_maximum_f32(const float *v, long n);
double nc_row_maximum_f16(const uint16_t *v, long n);

#endif
