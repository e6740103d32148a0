#include "light_errors.h"

#include <math.h>

#include "loops.h"

typedef double f64x4 __attribute__((ext_vector_type(4), aligned(8)));

double nc_additions(const double *p, long n) {
  f64x4 s[2] = {0, 0};
  f64x4 left = {(double)n, (double)n - 1, (double)n - 2, (double)n - 3};
  long i = 0;
  for (; i + 8 <= n; i += 8) {
    s[0] += *(const f64x4 *)(p + i) * left;
    s[1] += *(const f64x4 *)(p + i + 4) * (left - 4);
    left -= 8;
  }
  const f64x4 t = s[0] + s[1];
  double sum = (t[0] + t[1]) + (t[2] + t[3]);
  for (; i < n; i++) sum += p[i] * (double)(n - i);
  // Of the first element, too, n − 1 additions; what is rounded here is less than the margin of who asks.
  return sum > 1 ? sum - 1 : 0;
}

int nc_within(
    const double *y, const double *x, const double *p, double m, double constant, double slope, double least, long n) {
  long bad = 0;
  for (long i = 0; i < n; i++) {
    const double relative = p[i] * (constant + slope * (m - x[i]));
    const double bound = relative > least ? relative : least;
    // A NaN is within nothing.
    bad += !(fabs(y[i] - p[i]) <= bound);
  }
  return bad == 0;
}
