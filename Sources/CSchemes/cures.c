#include "cures.h"

#include <math.h>

// y += a·x.
void nc_add_scaled(double *y, const double *x, double a, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

void nc_add_scaled_f(double *y, const float *x, double a, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * (double)x[i];
}

// The Walsh–Hadamard transform of a power of two of numbers, times n^−½: it is its own inverse.
void nc_walsh_hadamard(double *x, size_t n) {
  for (size_t h = 1; h < n; h *= 2) {
    for (size_t i = 0; i < n; i += 2 * h) {
      for (size_t j = i; j < i + h; j++) {
        double a = x[j], b = x[j + h];
        x[j] = a + b;
        x[j + h] = a - b;
      }
    }
  }
  double scale = 1 / sqrt((double)n);
  for (size_t i = 0; i < n; i++) x[i] *= scale;
}

// y = Σ xᵢ·(row i of m): x times the matrix m, n × n.
void nc_apply_matrix(const double *m, const float *x, double *y, size_t n) {
  for (size_t j = 0; j < n; j++) y[j] = 0;
  for (size_t i = 0; i < n; i++) nc_add_scaled(y, m + i * n, (double)x[i], n);
}

double nc_pow(double x, double y) { return pow(x, y); }
double nc_log(double x) { return log(x); }
double nc_tanh(double x) { return tanh(x); }
double nc_expm1(double x) { return expm1(x); }
double nc_log1p(double x) { return log1p(x); }
