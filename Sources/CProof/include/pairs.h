// Pairs (double-doubles) by the row with their rounding tests: logarithms of a softmax, sigmoids. What is proven of each is in
// Documentation/CertifiedReference.md, sections 8 and 9.
#ifndef NC_PAIRS_H
#define NC_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "certified.h"

/// Where results are rounded to; f64 has no rounding of its own, its test is whether the high word stands.
struct nc_format {
  struct nc_rounding rounding;
  bool is_f64;
  double largest;
};

struct nc_settled {
  /// Whether every result is proven.
  bool all;
  /// The smallest magnitude of those that are.
  double smallest;
};

/// high + low = d[i] - (log_high + log_low) for d <= 0 and log >= 0, known to a + 2^-101 |high|, and y its rounding; marks in
/// `open` the blocks of 64 that hold a result whose rounding is not proven, is 0 or overflows, whose error is above `needed`
/// |high|, or whose d stands for -inf.
struct nc_settled nc_logarithms2(
    const double *dh, const double *dl, double log_high, double log_low, double a, double needed, struct nc_format f,
    double *high, double *low, double *y, uint8_t *open, long n);

/// The pairs -|x[i]| / tau, held at -2^29.
void nc_sigmoid_arguments2(const double *x, double tau, double *dh, double *dl, long n);

/// high + low = 1 / (1 + exp(-z)) from (h + l) 2^k = exp(-|z|), dh the high word of -|z| and x of the sign of z; known to a
/// relative c + q |dh|; y and `open` as before, open also where the result needs an exponent, and where x is 0 or not finite.
struct nc_settled nc_sigmoids2(
    const double *x, const double *dh, const double *h, const double *l, const double *k, double c, double q,
    struct nc_format f, double *high, double *low, double *y, uint8_t *open, long n);

#endif
