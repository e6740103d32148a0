// What drives the loops shares: numbers from a seed, and hashes of what comes out, by function.
#ifndef NUMCHECK_DRIVER_H
#define NUMCHECK_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LONGEST = 200 };

/// Numbers that depend on the seed and on nothing else (SplitMix64); no function of the platform's library is called.
struct source {
  uint64_t state;
};
uint64_t bits_from(struct source *s);
/// Below n.
long below(struct source *s, long n);
/// In [0, 1).
double uniform(struct source *s);
/// Of either sign, roughly normal with a deviation of 1.
double spread(struct source *s);
/// 2^k for -1074 <= k <= 1023.
double power_of_two(long k);
/// Any Double, NaN and infinities with their share.
double any_double(struct source *s);
float any_float(struct source *s);
/// How long a row is: mostly short ones, every remainder by 8, 32 and 64 among them.
long row_length(struct source *s);

/// From here on results are of this function.
void function(const char *name);
/// Results: hashed, and printed when a row is replayed. Every NaN is one: its bits are the processor's own.
void result(const char *name, double x);
void results(const char *name, const double *x, long n);
void float_results(const char *name, const float *x, long n);
void byte_results(const char *name, const uint8_t *x, long n);
void half_results(const char *name, const uint16_t *x, long n);
/// Arguments: printed when a row is replayed.
void argument(const char *name, double x);
void arguments(const char *name, const double *x, long n);
void float_arguments(const char *name, const float *x, long n);

/// 2^(j/1024) as pairs.
const double *table(void);

/// One row each, of one seed.
void drive_scans(struct source *s);
void drive_tier0(struct source *s);
void drive_light(struct source *s);
void drive_tier1(struct source *s);
void drive_tier2(struct source *s);
void drive_sigmoids(struct source *s);
void drive_dots(struct source *s);
void drive_errors(struct source *s);
void drive_kernels(struct source *s);

#endif
