#include "processor.h"

bool nc_processor_suffices(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
      && __builtin_cpu_supports("bmi2");
#else
  return true;
#endif
}

// By what arithmetic does, not by what a register of one processor says; volatile, for the compiler knows the right answers.
#define FAULT(NUMBER, UNIT, LEAST)                                                          \
  {                                                                                         \
    volatile NUMBER one = 1, below = UNIT / 4, above = 3 * (UNIT / 4);                      \
    if (one + below != 1 || one + above != 1 + UNIT) return nc_rounds_elsewhere;            \
    if (-one - below != -1 || -one - above != -1 - UNIT) return nc_rounds_elsewhere;        \
    volatile NUMBER normal = LEAST, half = 0.5f, two = 2;                                   \
    volatile NUMBER subnormal = normal * half;                                              \
    if (subnormal == 0 || subnormal * two != LEAST) return nc_flushes_subnormals;           \
  }

enum nc_fault nc_arithmetic_fault(void) {
  FAULT(double, 0x1p-52, 0x1p-1022)
  FAULT(float, 0x1p-23f, 0x1p-126f)
  return nc_no_fault;
}
