// Loops of transforms and calibrations.
#ifndef NC_CURES_H
#define NC_CURES_H

#include <stddef.h>
#include <stdint.h>

void nc_add_scaled(double *y, const double *x, double a, size_t n);
void nc_add_scaled_f(double *y, const float *x, double a, size_t n);
void nc_walsh_hadamard(double *x, size_t n);
void nc_apply_matrix(const double *m, const float *x, double *y, size_t n);
double nc_pow(double x, double y);
double nc_log(double x);
double nc_tanh(double x);
double nc_expm1(double x);
double nc_log1p(double x);

#endif
