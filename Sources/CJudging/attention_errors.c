#include "attention_errors.h"

#include <math.h>
#include <stdbool.h>

#include "loops.h"

typedef double lanes __attribute__((ext_vector_type(nc_judged_lanes), aligned(8)));
typedef float narrow_lanes __attribute__((ext_vector_type(nc_judged_lanes), aligned(4)));

NC_INLINE lanes load(const double *x) { return *(const lanes *)x; }
NC_INLINE void store(double *x, lanes v) { *(lanes *)x = v; }
NC_INLINE lanes magnitude(lanes x) { return __builtin_elementwise_abs(x); }

// --- Partial sums of products

/// `count` keys, whose sums run side by side.
NC_INLINE void partial_sums(
    const double *q, const double *k, long d, double first, double *partial, double *whole, const int count) {
  lanes s[2], p[2], w[2];
  for (int r = 0; r < count; r++) s[r] = p[r] = w[r] = 0;
  for (long i = 0; i < d; i++) {
    const lanes x = load(q + i * nc_judged_lanes);
    for (int r = 0; r < count; r++) {
      const lanes product = x * k[r * d + i];
      s[r] += product;
      w[r] += magnitude(product);
      p[r] += i == 0 ? first * magnitude(s[r]) : magnitude(s[r]);
    }
  }
  for (int r = 0; r < count; r++) {
    store(partial + r * nc_judged_lanes, p[r]);
    store(whole + r * nc_judged_lanes, w[r]);
  }
}

NC_WIDE void nc_partial_sums(
    const double *q, const double *k, long n, long d, int skip, double *partial, double *whole) {
  const double first = skip ? 0 : 1;
  long j = 0;
  for (; j + 2 <= n; j += 2) {
    partial_sums(q, k + j * d, d, first, partial + j * nc_judged_lanes, whole + j * nc_judged_lanes, 2);
  }
  if (j < n) partial_sums(q, k + j * d, d, first, partial + j * nc_judged_lanes, whole + j * nc_judged_lanes, 1);
}

// --- Weighted sums

/// Keys after which the next columns have their turn; their values are read so far ahead.
enum { STRETCH = 32 };

NC_INLINE double value_at(struct nc_values x, long i) { return x.narrow ? (double)x.narrow[i] : x.wide[i]; }

/// A vector of values; those of `ahead` are fetched.
NC_INLINE lanes values_at(struct nc_values x, long i, long ahead, const bool is_narrow) {
  if (is_narrow) {
    __builtin_prefetch(x.narrow + ahead);
    return __builtin_convertvector(*(const narrow_lanes *)(x.narrow + i), lanes);
  }
  __builtin_prefetch(x.wide + ahead);
  return load(x.wide + i);
}

struct output_sums {
  double *sum, *error, *bounds;
};

/// What a term of a column adds to its sum, what that is off by, and its bound.
#define ADD_TERM(T, MAGNITUDE, V, O, SUM, ERROR, BOUND)                                         \
  do {                                                                                          \
    const T value = (V), size = MAGNITUDE(value);                                               \
    const T e = ERROR + x.total * size, s = SUM + x.exact * value;                              \
    const T most = u * (MAGNITUDE(s) + e), term = x.upper * size;                               \
    const T rounding = most < term ? most : term, own = x.own * size + rounding;                \
    SUM = s;                                                                                    \
    ERROR = e + rounding;                                                                       \
    /* What the exact result is off by as a Double counts too. */                               \
    const T shared = x.shared * (MAGNITUDE(value - O) + 0x1p-52 * MAGNITUDE(O));                \
    BOUND += part == nc_all ? shared + own : part == nc_shared ? shared : own * own;            \
  } while (0)

/// Vectors of columns from c on, over the keys from `start` to `end`.
NC_INLINE void output_errors(
    const struct nc_weight *w, const unsigned char *starts, const long *keys, long start, long end, long n,
    struct nc_values values, const double *o, long width, double u, struct output_sums all, long c, const int vectors,
    const bool is_narrow, const enum nc_part part) {
  lanes sum[2], error[2], bounds[2], exact[2];
  for (int r = 0; r < vectors; r++) {
    const long at = c + r * nc_judged_lanes;
    sum[r] = load(all.sum + at);
    error[r] = load(all.error + at);
    bounds[r] = load(all.bounds + at);
    exact[r] = load(o + at);
  }
  for (long j = start; j < end; j++) {
    const struct nc_weight x = w[j];
    const long at = keys[j] * width + c, ahead = keys[j + STRETCH < n ? j + STRETCH : n - 1] * width + c;
    for (int r = 0; r < vectors; r++) {
      const lanes v = values_at(values, at + r * nc_judged_lanes, ahead + r * nc_judged_lanes, is_narrow);
      if (starts[j]) {
        sum[r] *= 0;
        error[r] *= 0;
      }
      ADD_TERM(lanes, magnitude, v, exact[r], sum[r], error[r], bounds[r]);
    }
  }
  for (int r = 0; r < vectors; r++) {
    const long at = c + r * nc_judged_lanes;
    store(all.sum + at, sum[r]);
    store(all.error + at, error[r]);
    store(all.bounds + at, bounds[r]);
  }
}

NC_INLINE void output_errors_of_all(
    const struct nc_weight *w, const unsigned char *starts, const long *keys, long n, struct nc_values values,
    const double *o, long width, double u, struct output_sums all, const bool is_narrow, const enum nc_part part) {
  for (long start = 0; start < n; start += STRETCH) {
    const long end = start + STRETCH < n ? start + STRETCH : n;
    long c = 0;
    for (; c + 2 * nc_judged_lanes <= width; c += 2 * nc_judged_lanes) {
      output_errors(w, starts, keys, start, end, n, values, o, width, u, all, c, 2, is_narrow, part);
    }
    for (; c + nc_judged_lanes <= width; c += nc_judged_lanes) {
      output_errors(w, starts, keys, start, end, n, values, o, width, u, all, c, 1, is_narrow, part);
    }
    for (; c < width; c++) {
      for (long j = start; j < end; j++) {
        const struct nc_weight x = w[j];
        if (starts[j]) {
          all.sum[c] *= 0;
          all.error[c] *= 0;
        }
        ADD_TERM(
            double, fabs, value_at(values, keys[j] * width + c), o[c], all.sum[c], all.error[c], all.bounds[c]);
      }
    }
  }
}

NC_WIDE void nc_output_errors(
    const struct nc_weight *w, const unsigned char *starts, const long *keys, long n, struct nc_values values,
    const double *o, long width, double u, enum nc_part part, double *bounds, double *scratch) {
  const struct output_sums all = {scratch, scratch + width, bounds};
  for (long c = 0; c < width; c++) bounds[c] = 0;
#define SUM_ALL(NARROW, PART) output_errors_of_all(w, starts, keys, n, values, o, width, u, all, NARROW, PART)
  if (part == nc_all) {
    if (values.narrow) SUM_ALL(true, nc_all);
    else SUM_ALL(false, nc_all);
  } else if (part == nc_shared) {
    if (values.narrow) SUM_ALL(true, nc_shared);
    else SUM_ALL(false, nc_shared);
  } else {
    if (values.narrow) SUM_ALL(true, nc_squares);
    else SUM_ALL(false, nc_squares);
  }
#undef SUM_ALL
}

NC_WIDE void nc_weighted_magnitudes(
    const struct nc_weight *w, const long *keys, long n, struct nc_values values, long width, double *sums) {
  for (long c = 0; c < width; c++) sums[c] = 0;
  for (long j = 0; j < n; j++) {
    const long at = keys[j] * width;
    if (values.narrow) {
      for (long c = 0; c < width; c++) sums[c] += w[j].exact * fabs((double)values.narrow[at + c]);
    } else {
      for (long c = 0; c < width; c++) sums[c] += w[j].exact * fabs(values.wide[at + c]);
    }
  }
}
