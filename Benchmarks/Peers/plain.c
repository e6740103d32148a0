// Softmax in plain double precision, no bound known: compiled with NAME(x) = scalar_x, vector_x or native_x and the flags
// that give libm's scalar exp or libmvec's.
#include <math.h>

#define SOFTMAX(T, suffix) \
  void NAME(suffix)(const float *restrict x, T *restrict y, long n) { \
    static double e[4096]; \
    float m = x[0]; \
    for (long i = 1; i < n; i++) m = x[i] > m ? x[i] : m; \
    double s = 0; \
    for (long i = 0; i < n; i++) e[i] = exp((double)x[i] - m); \
    for (long i = 0; i < n; i++) s += e[i]; \
    double r = 1 / s; \
    for (long i = 0; i < n; i++) y[i] = (T)(VIA)(e[i] * r); \
  }

#define VIA double
SOFTMAX(double, f64)
SOFTMAX(float, f32)
#ifdef __FLT16_MAX__
// By way of float: from double straight to f16 is a library call, which would be what is measured.
#undef VIA
#define VIA float
SOFTMAX(_Float16, f16)
#endif
