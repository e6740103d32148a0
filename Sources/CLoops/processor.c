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
