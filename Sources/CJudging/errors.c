#define LANES 4
#include "errors_lanes.h"
#include "errors_wide.h"

struct nc_row_errors nc_measure_row_narrow(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps) {
  return measure_row(y, rounded, high, low, tiny, bounds, slack, n, unit, ulps);
}

struct nc_row_errors nc_measure_row(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps) {
#ifdef NC_HAS_WIDE_ERRORS
  if (__builtin_cpu_supports("x86-64-v4")) {
    return nc_measure_row_wide(y, rounded, high, low, tiny, bounds, slack, n, unit, ulps);
  }
#endif
  return nc_measure_row_narrow(y, rounded, high, low, tiny, bounds, slack, n, unit, ulps);
}

// Its sum is rounded, in this order on every processor.
double nc_largest_share(
    const double *y, const double *high, const double *low, double share, double known, long n) {
  vf64 masses = {0}, most = (vf64)known;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    const vf64 t = magnitude(load(high, i, 0));
    masses += t < INFINITY ? t : (vf64)0;
  }
  double mass = sum_of(masses);
  for (; i < n; i++) mass += fabs(high[i]) < INFINITY ? fabs(high[i]) : 0;
  const double least = share * mass;
  for (i = 0; i + LANES <= n; i += LANES) {
    const vf64 p = load(high, i, 0), t = magnitude(p), v = load(y, i, 0);
    const vi64 carries = (t >= least) & (t > 0) & (t < INFINITY) & (magnitude(v) < INFINITY);
    const vf64 error = magnitude((v - p) - load(low, i, 0));
    if (any(carries & exceeds(error, most, t))) most = larger(most, carries ? error / t : (vf64)0);
  }
  double all = largest(most);
  for (; i < n; i++) {
    const double t = fabs(high[i]);
    if (!(t >= least && t > 0 && t < INFINITY && fabs(y[i]) < INFINITY)) continue;
    const double relative = fabs((y[i] - high[i]) - low[i]) / t;
    all = relative > all ? relative : all;
  }
  return all;
}

void nc_expm1_above(double *v, long n) {
  for (long i = 0; i < n; i++) {
    const double x = v[i] > 710 ? 710 : v[i];
    const double shifted = __builtin_fma(x, 0x1.71547652b82fep+0, 0x1.8p52), k = shifted - 0x1.8p52;
    const double r = __builtin_fma(-k, 0x1.abc9e3b39803fp-56, __builtin_fma(-k, 0x1.62e42fefa39efp-1, x));
    double p = 1.0 / 6227020800.0;
    p = __builtin_fma(p, r, 1.0 / 479001600.0);
    p = __builtin_fma(p, r, 1.0 / 39916800.0);
    p = __builtin_fma(p, r, 1.0 / 3628800.0);
    p = __builtin_fma(p, r, 1.0 / 362880.0);
    p = __builtin_fma(p, r, 1.0 / 40320.0);
    p = __builtin_fma(p, r, 1.0 / 5040.0);
    p = __builtin_fma(p, r, 1.0 / 720.0);
    p = __builtin_fma(p, r, 1.0 / 120.0);
    p = __builtin_fma(p, r, 1.0 / 24.0);
    p = __builtin_fma(p, r, 1.0 / 6.0);
    p = __builtin_fma(p, r, 0.5);
    p = __builtin_fma(p * r, r, r);
    // 2^(k - 1), for 2^1024 is none; the low bits of `shifted` are k.
    int64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (int64_t)((uint64_t)(bits + 1022) << 52);
    double half;
    memcpy(&half, &bits, 8);
    const double y = (2 * p * half + (2 * half - 1)) * (1 + 0x1p-47);
    v[i] = v[i] > 700 ? INFINITY : y;
  }
}
