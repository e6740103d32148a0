#include "attention_errors.h"

#include <math.h>

#include "loops.h"

enum { KEYS = 4 };

NC_WIDE void nc_partial_sums(
    const double *q, const double *k, const long *keys, long n, long d, int skip, double *partial, double *whole) {
  for (long j = 0; j < n; j += KEYS) {
    // Sums of several keys run side by side; the last one stands in for those that are not there.
    const double *row[KEYS];
    for (int l = 0; l < KEYS; l++) row[l] = k + keys[j + l < n ? j + l : n - 1] * d;
    double s[KEYS] = {0}, p[KEYS] = {0}, w[KEYS] = {0};
    for (long i = 0; i < d; i++) {
      const double x = q[i];
      const double counts = skip && i == 0 ? 0 : 1;
      for (int l = 0; l < KEYS; l++) {
        const double product = x * row[l][i];
        s[l] += product;
        w[l] += fabs(product);
        p[l] += counts * fabs(s[l]);
      }
    }
    for (int l = 0; l < KEYS && j + l < n; l++) {
      partial[j + l] = p[l];
      whole[j + l] = w[l];
    }
  }
}

NC_WIDE void nc_output_errors(
    const struct nc_weight *w, const unsigned char *starts, const long *keys, long n, const double *values,
    const double *o, long width, double u, double *bounds, double *scratch) {
  double *sum = scratch, *error = scratch + width;
  for (long c = 0; c < width; c++) bounds[c] = 0;
  for (long j = 0; j < n; j++) {
    const double *v = values + keys[j] * width;
    const struct nc_weight x = w[j];
    const double keep = starts[j] ? 0 : 1;
    for (long c = 0; c < width; c++) {
      const double size = fabs(v[c]);
      const double e = keep * error[c] + x.total * size;
      const double s = keep * sum[c] + x.exact * v[c];
      const double most = u * (fabs(s) + e), term = x.upper * size;
      const double rounding = most < term ? most : term;
      sum[c] = s;
      error[c] = e + rounding;
      // What the exact result is off by as a Double counts too.
      bounds[c] += x.shared * (fabs(v[c] - o[c]) + 0x1p-52 * fabs(o[c])) + x.own * size + rounding;
    }
  }
}

NC_WIDE void nc_weighted_magnitudes(
    const struct nc_weight *w, const long *keys, long n, const double *values, long width, double *sums) {
  for (long c = 0; c < width; c++) sums[c] = 0;
  for (long j = 0; j < n; j++) {
    const double *v = values + keys[j] * width;
    for (long c = 0; c < width; c++) sums[c] += w[j].exact * fabs(v[c]);
  }
}
