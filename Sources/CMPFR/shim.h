// What Swift's importer cannot see of MPFR because it is a macro, and nothing else.
#ifndef NUMCHECK_CMPFR_SHIM_H
#define NUMCHECK_CMPFR_SHIM_H

#include <mpfr.h>

static inline int numcheck_mpfr_sgn(mpfr_srcptr x) { return mpfr_sgn(x); }
static inline int numcheck_mpfr_set(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t d) { return mpfr_set(r, x, d); }
static inline int numcheck_mpfr_is_nan(mpfr_srcptr x) { return mpfr_nan_p(x); }
static inline int numcheck_mpfr_is_inf(mpfr_srcptr x) { return mpfr_inf_p(x); }
static inline int numcheck_mpfr_is_zero(mpfr_srcptr x) { return mpfr_zero_p(x); }
static inline mpfr_exp_t numcheck_mpfr_get_exp(mpfr_srcptr x) { return mpfr_get_exp(x); }
static inline int numcheck_mpfr_cmp(mpfr_srcptr a, mpfr_srcptr b) { return mpfr_cmp(a, b); }
static inline int numcheck_mpfr_abs(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t d) { return mpfr_abs(r, x, d); }

#endif
