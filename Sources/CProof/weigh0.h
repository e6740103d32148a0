// What the first tiers of attention forward and backward share: weighted sums of rows, eight queries side by side
// (Documentation/CertifiedReference.md, section 12a).
#ifndef NC_WEIGH0_H
#define NC_WEIGH0_H

#include "products0.h"

enum { value_chain = 32 };

// --- Weighted sums: columns c to c + n of the rows, in chains of 32, then TwoSum to what came before

NC_INLINE void weigh(
    const double *e, const double *v, long count, long width, double *high, double *low, double *error, f64x8 first,
    f64x8 second, const double *peak, const double *length, const int n) {
  f64x8 total[rows];
  for (int r = 0; r < n; r++) total[r] = 0;
  for (long start = 0; start < count; start += value_chain) {
    f64x8 sum[rows];
    for (int r = 0; r < n; r++) sum[r] = 0;
    const long end = start + value_chain < count ? start + value_chain : count;
#pragma clang loop unroll_count(2)
    for (long j = start; j < end; j++) {
      const f64x8 x = load(e + j * nc_lanes);
      for (int r = 0; r < n; r++) sum[r] = fma8((f64x8)v[j * width + r], x, sum[r]);
    }
    for (int r = 0; r < n; r++) total[r] += sum[r];
  }
  for (int r = 0; r < n; r++) {
    const f64x8 old = load(high + r * nc_lanes);
    const f64x8 sum = old + total[r];
    const f64x8 z = sum - old;
    store(high + r * nc_lanes, sum);
    store(low + r * nc_lanes, load(low + r * nc_lanes) + ((old - (sum - z)) + (total[r] - z)));
    store(error + r * nc_lanes, load(error + r * nc_lanes) + min8(first * peak[r], second * length[r]));
  }
}

#endif
