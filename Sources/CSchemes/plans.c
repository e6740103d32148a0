#include "plans.h"

#include "loops.h"

nc_weighted_sums nc_weighted_errors(const float *x, const float *y, const float *h, size_t n) {
  double energy[8] = {0}, error[8] = {0};
  int64_t lost = 0;
  size_t i = 0;
#define NC_STEP(j, k)                                                          \
  int good = nc_is_number(x[k]), both = good & nc_is_number(y[k]);             \
  double a = both ? (double)x[k] : 0.0, e = both ? (double)y[k] - a : 0.0;     \
  double w = h ? (double)h[k] : 1.0;                                           \
  energy[j] += w * a * a; error[j] += w * e * e; lost += good & !both
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) { NC_STEP(j, i + j); }
  }
  for (size_t j = 0; i < n; i++, j++) { NC_STEP(j, i); }
#undef NC_STEP
  nc_weighted_sums sums = {0, 0, lost};
  for (int j = 0; j < 8; j++) { sums.energy += energy[j]; sums.error += error[j]; }
  return sums;
}

// Sixteen lanes of f32 over at most 256 elements, then double: differences of weights are exact or nearly so, and a dot product
// errs by some 2^-20 of its terms, which is nothing beside the error that is measured.
NC_INLINE double dot(const float *a, const float *b, size_t n) {
  double total = 0;
  for (size_t start = 0; start < n; start += 256) {
    size_t end = n - start < 256 ? n : start + 256;
    float lanes[16] = {0};
    size_t i = start;
    for (; i + 16 <= end; i += 16) {
      for (size_t j = 0; j < 16; j++) lanes[j] += a[i + j] * b[i + j];
    }
    for (size_t j = 0; i < end; i++, j++) lanes[j] += a[i] * b[i];
    double part = 0;
    for (int j = 0; j < 16; j++) part += (double)lanes[j];
    total += part;
  }
  return total;
}

NC_WIDE
double nc_product_energy(const float *x, size_t n, const float *a, size_t tokens) {
  double energy = 0;
  for (size_t t = 0; t < tokens; t++) {
    double y = dot(x, a + t * n, n);
    energy += y * y;
  }
  return energy;
}

NC_WIDE
nc_weighted_sums nc_product_errors(const float *x, const float *y, size_t n, const float *a, size_t tokens, float *e) {
  nc_weighted_sums sums = {0, 0, 0};
  for (size_t i = 0; i < n; i++) {
    int good = nc_is_number(x[i]), both = good & nc_is_number(y[i]);
    e[i] = both ? y[i] - x[i] : 0.0f;
    sums.lost += good & !both;
  }
  for (size_t t = 0; t < tokens; t++) {
    double d = dot(e, a + t * n, n);
    sums.error += d * d;
  }
  return sums;
}
