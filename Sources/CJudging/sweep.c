#include "sweep.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "certified.h"

/// 2^-(spacing exponent) at p >= 0.
static inline double inverse_ulp(double p, int fraction_bits, int min_exponent) {
  int64_t bits;
  memcpy(&bits, &p, sizeof bits);
  int64_t e = (bits >> 52) - 1023;
  e = e < min_exponent ? min_exponent : e;
  bits = (fraction_bits - e + 1023) << 52;
  double scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

struct nc_sweep nc_pair_errors(
    const double *d, const double *larger, const double *smaller, long n, int fraction_bits, int min_exponent) {
  struct nc_sweep s = {0, 0, 0, 0, 0};
  double e[64];
  for (long block = 0; block < n; block += 64) {
    const long count = n - block < 64 ? n - block : 64;
    nc_exponentials0(d + block, 0, 1, e, count);
    double worst[64];
    for (long i = 0; i < count; i++) {
      const double p = 1 / (1 + e[i]), q = e[i] * p;
      const double a = fabs(larger[block + i] - p) * inverse_ulp(p, fraction_bits, min_exponent);
      const double b = fabs(smaller[block + i] - q) * inverse_ulp(q, fraction_bits, min_exponent);
      // Comparisons with NaN are false: such pairs are counted, not measured.
      worst[i] = a > b ? a : b;
      s.nan += (larger[block + i] != larger[block + i]) | (smaller[block + i] != smaller[block + i]);
      s.overflow += isinf(larger[block + i]) + isinf(smaller[block + i]);
      s.underflow += (smaller[block + i] == 0) & (q * inverse_ulp(q, fraction_bits, min_exponent) > 0.5);
    }
    for (long i = 0; i < count; i++) {
      if (worst[i] > s.max_ulp && worst[i] < INFINITY) {
        s.max_ulp = worst[i];
        s.index = block + i;
      }
    }
  }
  return s;
}
