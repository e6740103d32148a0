// Tier 0 alone, from rows of Float to results in Float: nothing but the roundings and where they are not proven. What is
// proven of each is in Documentation/CertifiedReference.md, section 7.
#ifndef NC_LIGHT_H
#define NC_LIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "certified.h"

/// What a result is rounded to, and what of it leaves the loop.
struct nc_target {
  struct nc_rounding rounding;
  /// Whether it is f32, for which the processor's own conversion rounds.
  bool is_f32;
  /// Results above this are left open.
  double largest;
};

/// The largest element, and whether there is a NaN.
struct nc_extent {
  double maximum;
  bool nan;
};

struct nc_extent nc_extent_f32(const float *x, long n);

/// e[i] = exp((x[i] - m) / tau) by tier 0, 0 where the exponent is below -650; returns their sum.
struct nc_pair nc_light_exponentials(const float *x, double m, double tau, double *e, long n);

/// q[i] = e[i] r, and that rounded to f32; returns the least q[i].
double nc_light_answers(const double *e, double r, double *q, double *rounded, long n);

/// y[i] = e[i] r rounded, where a relative error of c cannot change it; else marks its block of 64 in `open`. Returns whether
/// none is open.
bool nc_light_quotients(
    const double *e, double r, double c, struct nc_target f, float *y, uint8_t *open, long n);

/// y[i] = (x[i] - m) / tau - log rounded, where an error of a + b |y| cannot change it. `masked` stands for x[i] = -inf.
bool nc_light_logarithms(
    const float *x, double m, double tau, double log, double a, double b, double masked, struct nc_target f,
    float *y, uint8_t *open, long n);

/// y[i] = 1 / (1 + exp(-x[i] / tau)) rounded, where a relative error of c + k |x[i]| / tau cannot change it.
bool nc_light_sigmoids(
    const float *x, double tau, double c, double k, struct nc_target f, float *y, uint8_t *open, long n);

#endif
