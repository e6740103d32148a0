#include "plans.h"

#include "loops.h"

typedef int32_t i32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float f32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef double f64x8 __attribute__((ext_vector_type(8), aligned(8)));

typedef struct {
  f64x8 energy, error;
  i32x8 lost;
} nc_error_lanes;

// Adds 8 elements; where x or y is no number both count as 0. By address: no vector of 512 bits crosses a call.
NC_INLINE void nc_add_errors(nc_error_lanes *t, const float *x, const float *y, const float *h) {
  i32x8 a = *(const i32x8 *)x, b = *(const i32x8 *)y;
  i32x8 good = (a & 0x7fffffff) < 0x7f800000, both = good & ((b & 0x7fffffff) < 0x7f800000);
  f64x8 p = __builtin_convertvector((f32x8)(a & both), f64x8);
  f64x8 e = __builtin_convertvector((f32x8)(b & both), f64x8) - p;
  if (h) {
    f64x8 w = __builtin_convertvector(*(const f32x8 *)h, f64x8);
    t->energy += w * p * p;
    t->error += w * e * e;
  } else {
    t->energy += p * p;
    t->error += e * e;
  }
  t->lost -= good & ~both;
}

NC_INLINE nc_weighted_sums nc_weighted_loop(const float *x, const float *y, const float *h, size_t n) {
  nc_error_lanes t = {0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) nc_add_errors(&t, x + i, y + i, h ? h + i : 0);
  if (i < n) {
    float part[3][8] = {{0}};
    for (size_t j = 0; i + j < n; j++) {
      part[0][j] = x[i + j];
      part[1][j] = y[i + j];
      part[2][j] = h ? h[i + j] : 0;
    }
    nc_add_errors(&t, part[0], part[1], h ? part[2] : 0);
  }
  nc_weighted_sums sums = {0, 0, 0};
  for (int j = 0; j < 8; j++) {
    sums.energy += t.energy[j];
    sums.error += t.error[j];
    sums.lost += t.lost[j];
  }
  return sums;
}

NC_WIDE nc_weighted_sums nc_weighted_errors(const float *x, const float *y, const float *h, size_t n) {
  return h ? nc_weighted_loop(x, y, h, n) : nc_weighted_loop(x, y, 0, n);
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
