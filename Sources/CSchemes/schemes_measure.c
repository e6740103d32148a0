#include "schemes_measure.h"

#include <math.h>

#include "loops.h"

// One stretch of at most a few thousand elements. Pairs with a non-finite member are left out of all sums.
nc_error_sums nc_sum_errors(const float *x, const float *y, size_t n) {
  double e2[8] = {0}, x2[8] = {0}, y2[8] = {0}, xy[8] = {0}, e1[8] = {0}, x1[8] = {0}, s[8] = {0}, m[8] = {0};
  int32_t numbers[8] = {0}, lost[8] = {0};
  size_t i = 0;
#define NC_STEP(j, k)                                                                     \
  int good = nc_is_number(x[k]), both = good & nc_is_number(y[k]);                        \
  double a = both ? (double)x[k] : 0.0, b = both ? (double)y[k] : 0.0, e = b - a;         \
  double size = __builtin_fabs(e);                                                        \
  e2[j] += e * e; x2[j] += a * a; y2[j] += b * b; xy[j] += a * b;                         \
  e1[j] += size; x1[j] += __builtin_fabs(a); s[j] += a; m[j] = size > m[j] ? size : m[j]; \
  numbers[j] += both; lost[j] += good & !both
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) { NC_STEP(j, i + j); }
  }
  for (size_t j = 0; i < n; i++, j++) { NC_STEP(j, i); }
#undef NC_STEP
  nc_error_sums t = {0};
  for (int j = 0; j < 8; j++) {
    t.squaredError += e2[j]; t.squares += x2[j]; t.decodedSquares += y2[j]; t.product += xy[j];
    t.absoluteError += e1[j]; t.absolute += x1[j]; t.sum += s[j];
    t.largestError = m[j] > t.largestError ? m[j] : t.largestError;
    t.numbers += numbers[j]; t.lostNumbers += lost[j];
  }
  return t;
}

// Adds the squared error and the squares of a row to those of its columns.
void nc_add_columns(const float *x, const float *y, size_t n, double *errors, double *squares) {
  for (size_t i = 0; i < n; i++) {
    int both = nc_is_number(x[i]) & nc_is_number(y[i]);
    double a = both ? (double)x[i] : 0.0, e = both ? (double)y[i] - (double)x[i] : 0.0;
    errors[i] += e * e;
    squares[i] += a * a;
  }
}


// The squared error of each run of `width`, the last of which may be shorter; returns the first of the largest.
size_t nc_worst_run(const float *x, const float *y, size_t n, size_t width, double *largest) {
  size_t worst = 0;
  *largest = 0;
  for (size_t start = 0; start < n; start += width) {
    size_t end = n - start < width ? n : start + width;
    double lanes[8] = {0};
    size_t i = start;
    for (; i + 8 <= end; i += 8) {
      for (size_t j = 0; j < 8; j++) {
        int both = nc_is_number(x[i + j]) & nc_is_number(y[i + j]);
        double e = both ? (double)y[i + j] - (double)x[i + j] : 0.0;
        lanes[j] += e * e;
      }
    }
    for (size_t j = 0; i < end; i++, j++) {
      int both = nc_is_number(x[i]) & nc_is_number(y[i]);
      double e = both ? (double)y[i] - (double)x[i] : 0.0;
      lanes[j] += e * e;
    }
    double sum = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    if (sum > *largest) { *largest = sum; worst = start; }
  }
  return worst;
}

// See ErrorSplit. `ideal` may be y itself: then nothing is due to the scale.
nc_split_sums nc_split_errors(const float *x, const float *y, const float *ideal, const float *low,
                              const float *high, size_t n) {
  double r[8] = {0}, c[8] = {0}, f[8] = {0}, s[8] = {0};
  size_t i = 0;
#define NC_STEP(j, k)                                                        \
  float v = x[k], w = y[k], u = ideal[k];                                    \
  int both = nc_is_number(v) & nc_is_number(w), known = nc_is_number(u);     \
  double e = both ? (double)w - (double)v : 0.0;                             \
  double e0 = (both & known) ? (double)u - (double)v : e;                      \
  /* A block that can say nothing but 0 loses its numbers to zero: it has no grid to clip to. */          \
  int empty = (low[k] == 0.0f) & (high[k] == 0.0f);                          \
  int clipped = ((v < low[k]) | (v > high[k])) & !empty, zero = w == 0.0f;   \
  double square = e * e, kept = (clipped | zero) ? 0.0 : e0 * e0;              \
  double rest = (clipped | zero) ? 0.0 : square;                               \
  c[j] += clipped ? square : 0.0;                                            \
  f[j] += (zero & !clipped) ? square : 0.0;                                  \
  r[j] += kept;                                                              \
  s[j] += rest - kept
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) { NC_STEP(j, i + j); }
  }
  for (size_t j = 0; i < n; i++, j++) { NC_STEP(j, i); }
#undef NC_STEP
  nc_split_sums t = {0};
  for (int j = 0; j < 8; j++) { t.rounding += r[j]; t.clipping += c[j]; t.flush += f[j]; t.scale += s[j]; }
  return t;
}

size_t nc_fill_bins(const float *x, size_t n, const int32_t *pages, double *bins) {
  for (size_t i = 0; i < n; i++) {
    if (!nc_is_number(x[i])) continue;
    int32_t u = nc_bits(x[i]);
    size_t bin = ((uint32_t)(u ^ ((u >> 31) & 0x7fffffff)) ^ 0x80000000u) >> 12;
    int32_t page = pages[bin >> 11];
    if (page < 0) return i;
    double *place = bins + page + 3 * (bin & 2047);
    place[0] += 1.0;
    place[1] += (double)x[i];
    place[2] += (double)x[i] * (double)x[i];
  }
  return n;
}

double nc_log10(double x) { return log10(x); }
double nc_log2(double x) { return log2(x); }
double nc_exp2(double x) { return exp2(x); }
double nc_cbrt(double x) { return cbrt(x); }

// Σ p (ln p − ln q) for p = softmax(x), q = softmax(y).
double nc_softmax_divergence(const float *x, const float *y, size_t n) {
  double a = -INFINITY, b = -INFINITY;
  for (size_t i = 0; i < n; i++) { a = x[i] > a ? x[i] : a; b = y[i] > b ? y[i] : b; }
  double p = 0, q = 0, t = 0;
  for (size_t i = 0; i < n; i++) {
    double w = exp((double)x[i] - a);
    p += w;
    q += exp((double)y[i] - b);
    t += w * (((double)x[i] - a) - ((double)y[i] - b));
  }
  return t / p - log(p) + log(q);
}
