#ifndef NC_PROCESSOR_H
#define NC_PROCESSOR_H

#include <stdbool.h>

/// Whether this processor has what the build was compiled for (x86-64-v3: AVX2, FMA, F16C, BMI2).
bool nc_processor_suffices(void);

/// What is wrong with this thread's arithmetic for proofs: it does not round to nearest even, or takes subnormal numbers
/// (arguments or results) for 0, as code compiled with -ffast-math makes whole processes do.
enum nc_fault { nc_no_fault, nc_rounds_elsewhere, nc_flushes_subnormals };
enum nc_fault nc_arithmetic_fault(void);

#endif
