// What Swift's importer cannot see of MPFR and GMP because it is a macro, and nothing else.
#ifndef NC_CMPFR_SHIM_H
#define NC_CMPFR_SHIM_H

#include <mpfr.h>

static inline int nc_mpfr_sgn(mpfr_srcptr x) { return mpfr_sgn(x); }
static inline int nc_mpfr_set(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t d) { return mpfr_set(r, x, d); }
static inline int nc_mpfr_is_zero(mpfr_srcptr x) { return mpfr_zero_p(x); }
static inline mpfr_exp_t nc_mpfr_get_exp(mpfr_srcptr x) { return mpfr_get_exp(x); }
static inline int nc_mpfr_cmp(mpfr_srcptr a, mpfr_srcptr b) { return mpfr_cmp(a, b); }

static inline void nc_mpq_init(mpq_ptr q) { mpq_init(q); }
static inline void nc_mpq_clear(mpq_ptr q) { mpq_clear(q); }
static inline void nc_mpq_set_d(mpq_ptr q, double x) { mpq_set_d(q, x); }
static inline void nc_mpq_set_si(mpq_ptr q, long n) { mpq_set_si(q, n, 1); }
static inline void nc_mpq_add(mpq_ptr r, mpq_srcptr a, mpq_srcptr b) { mpq_add(r, a, b); }
static inline void nc_mpq_sub(mpq_ptr r, mpq_srcptr a, mpq_srcptr b) { mpq_sub(r, a, b); }
static inline void nc_mpq_mul(mpq_ptr r, mpq_srcptr a, mpq_srcptr b) { mpq_mul(r, a, b); }
static inline void nc_mpq_div(mpq_ptr r, mpq_srcptr a, mpq_srcptr b) { mpq_div(r, a, b); }
static inline int nc_mpq_cmp(mpq_srcptr a, mpq_srcptr b) { return mpq_cmp(a, b); }
static inline int nc_mpq_equal(mpq_srcptr a, mpq_srcptr b) { return mpq_equal(a, b); }
static inline int nc_mpq_sgn(mpq_srcptr q) { return mpq_sgn(q); }
static inline double nc_mpq_get_d(mpq_srcptr q) { return mpq_get_d(q); }
// The root of a rational square; 0 where q >= 0 is none.
static inline int nc_mpq_root(mpq_ptr r, mpq_srcptr q) {
  if (!mpz_perfect_square_p(mpq_numref(q)) || !mpz_perfect_square_p(mpq_denref(q))) return 0;
  mpz_sqrt(mpq_numref(r), mpq_numref(q));
  mpz_sqrt(mpq_denref(r), mpq_denref(q));
  return 1;
}

#endif
