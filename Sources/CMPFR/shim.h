// What Swift's importer cannot see of MPFR because it is a macro, and nothing else.
#ifndef NC_CMPFR_SHIM_H
#define NC_CMPFR_SHIM_H

#include <mpfr.h>

static inline int nc_mpfr_sgn(mpfr_srcptr x) { return mpfr_sgn(x); }
static inline int nc_mpfr_set(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t d) { return mpfr_set(r, x, d); }
static inline int nc_mpfr_is_zero(mpfr_srcptr x) { return mpfr_zero_p(x); }
static inline mpfr_exp_t nc_mpfr_get_exp(mpfr_srcptr x) { return mpfr_get_exp(x); }
static inline int nc_mpfr_cmp(mpfr_srcptr a, mpfr_srcptr b) { return mpfr_cmp(a, b); }

#endif
