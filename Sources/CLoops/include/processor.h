#ifndef NC_PROCESSOR_H
#define NC_PROCESSOR_H

#include <stdbool.h>

/// Whether this processor has what the build was compiled for (x86-64-v3: AVX2, FMA, F16C, BMI2).
bool nc_processor_suffices(void);

#endif
