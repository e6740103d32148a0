// nc_measure_row for processors with vectors of 512 bits.
#ifndef NC_ERRORS_WIDE_H
#define NC_ERRORS_WIDE_H

#include "errors.h"

#if defined(__x86_64__)
#define NC_HAS_WIDE_ERRORS
struct nc_row_errors nc_measure_row_wide(
    const double *y, const double *rounded, const double *high, const double *low, const double *tiny,
    const double *bounds, double slack, long n, struct nc_unit unit, double *ulps);
#endif

#endif
