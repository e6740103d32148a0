// Inner loops of the certified reference: exponentials of a row, their sum, quotients with a rounding test. What is proven
// of each is in Documentation/CertifiedReference.md, whose numbering the comments use.
#ifndef NC_CERTIFIED_H
#define NC_CERTIFIED_H

#include <stdbool.h>
#include <stdint.h>

/// A sum as an unevaluated pair.
struct nc_pair {
  double high;
  double low;
};

/// A rounding to nearest even that keeps `fraction_bits` bits below the leading one, down to a fixed least exponent.
struct nc_rounding {
  int fraction_bits;
  int min_exponent;
  int max_exponent;
};

/// One exponential of tier 0, for -700 <= d <= 0 (and up to 700).
double nc_exp0(double d);

/// e[i] = exp((x[i] - m) / tau) by tier 0, 0 where the exponent is below -650; returns their sum.
struct nc_pair nc_exponentials0(const double *x, double m, double tau, double *e, long n);

/// p[i] = e[i] * r and its rounding to a format, results as exact doubles; returns whether every rounding is proven, and otherwise
/// marks the blocks of 64 that hold one that is not, a byte each, in `open`. The relative error of p[i] is at most
/// c + k |x[i] - m|.
bool nc_quotients0(
    const double *e, const double *x, double m, double r, double c, double k, struct nc_rounding f,
    double *p, double *y, uint8_t *open, long n);

/// Tier 2: (h + l) 2^k = exp(dh + dl) as a double-double for each (dh, dl) <= 0, with |dh| <= 2^29; `table` holds 1024 pairs,
/// 2^(j/1024).
void nc_exponentials2(
    const double *dh, const double *dl, const double *table, double *h, double *l, double *k, long n);

/// The exact differences x[i] - m as pairs, divided by tau where that is not 1; -2^29 where x[i] is -inf.
void nc_differences2(const double *x, double m, double tau, double *dh, double *dl, long n);

/// The sum of the (h + l) 2^k with k >= -900, as a pair.
struct nc_pair nc_sum2(const double *h, const double *l, const double *k, long n);

/// (ph + pl) = (h + l) (rh + rl) 2^k where k >= -900; marks the blocks of 64 that hold a smaller one, or one whose rounding to
/// f64 a relative error of c + q |dh| could change, a byte each, in `open`. Returns whether there are none.
bool nc_quotients2(
    const double *h, const double *l, const double *k, const double *dh, double rh, double rl, double c, double q,
    double *ph, double *pl, uint8_t *open, long n);

#endif
