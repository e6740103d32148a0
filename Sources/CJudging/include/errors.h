// The inner loops of error measurement and of a-priori bounds.
#ifndef NC_ERRORS_H
#define NC_ERRORS_H

/// One ulp at t: 2^(max(floor(log2 |t|), min_exponent) - fraction_bits), or a step where `step` is not 0.
struct nc_unit {
  double step;
  int fraction_bits, min_exponent;
};

/// A sum of numbers below 2^26 as sums of their multiples of 2^-16, 2^-53 and 2^-90, each exact, so that it does not depend
/// on an order. What a number has below 2^-90 is rounded away.
struct nc_parts {
  double part[3];
};

/// What up to 1024 results showed.
struct nc_row_errors {
  /// 0 where something is not finite, an ulp is no normal Double or an error is 2^13 ulps or more: then nothing else is
  /// meant.
  int regular;
  /// Results of 0 that should not be, results above their bounds that are not what
  /// the exact ones round to.
  long underflow, above;
  /// The largest errors, and the largest |exact|.
  double ulp, bound_ulp, absolute, relative, scale;
  /// Of the errors in ulps and of their squares.
  struct nc_parts sum, squares;
};

/// The errors of n <= 1024 results y against high + low, which rounds to `rounded`. Puts the errors in ulps into `ulps`.
/// May be null: `tiny`, 1 where the exact result is too small for a Double and not 0; `bounds`, on the absolute errors, which
/// `slack` |exact| is added to: what high + low may itself be off by.
struct nc_row_errors nc_measure_row(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps);

/// The same by vectors of 256 bits, which processors without wider ones have.
struct nc_row_errors nc_measure_row_narrow(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps);

/// The largest error over |high| of the finite results y whose exact one, high + low, is finite and at least `share` of the sum of
/// all that are; `known` where that is more.
double nc_largest_share(
    const double *y, const double *high, const double *low, double share, double known, long n);

/// e^v[i] - 1 in place for v[i] >= 0, never below the exact value, and above it by less than 2^-46 of it. Infinity from
/// 700 on; NaN stays.
void nc_expm1_above(double *v, long n);

#endif
