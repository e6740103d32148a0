#include "errors_wide.h"

#ifdef NC_HAS_WIDE_ERRORS
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#define LANES 8
#include "errors_lanes.h"

struct nc_row_errors nc_measure_row_wide(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps) {
  return measure_row(y, rounded, high, low, tiny, bounds, slack, n, unit, ulps);
}
#pragma clang attribute pop
#endif
