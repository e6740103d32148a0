// The inner loop of an exhaustive sweep over pairs of logits.
#ifndef NC_SWEEP_H
#define NC_SWEEP_H

/// What a batch of pairs showed.
struct nc_sweep {
  /// The largest error in ulps, and the pair that has it.
  double max_ulp;
  long index;
  /// Pairs with a NaN, results that are infinite, results of zero that should round to more.
  long nan, overflow, underflow;
};

/// Holds y = (larger, smaller) probability of n pairs whose logits differ by d[i] <= 0 against 1/(1 + e^d) and e^d/(1 + e^d), in a
/// format of that many fraction bits and least exponent. The truth is off by at most 2^-50 of itself.
struct nc_sweep nc_pair_errors(
    const double *d, const double *larger, const double *smaller, long n, int fraction_bits, int min_exponent);

#endif
