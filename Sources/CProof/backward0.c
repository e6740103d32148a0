#include "backward0.h"

#include <math.h>

#include "products0.h"
#include "weigh0.h"

enum { planes = 4 };

long nc_backward0_padded(long width) { return (width + nc_lanes - 1) / nc_lanes * nc_lanes; }

/// Products of numbers that are nearer to 1 leave room for all that follows.
NC_INLINE bool is_near(const double *x, long n) {
  bool near = true;
  for (long i = 0; i < n; i++) {
    const double size = fabs(x[i]);
    near = near && (size == 0 || (size > 0x1p-150 && size < 0x1p150));
  }
  return near;
}

bool nc_backward0_survey(const struct nc_backward_keys *s) {
  const struct nc_attention_keys *f = &s->forward;
  bool usable = nc_attention0_survey(f) && is_near(f->keys, f->count * f->head_size)
      && is_near(f->values, f->count * f->value_size);
  for (long start = 0, t = 0; start < f->count; start += nc_tile, t++) {
    const long end = start + nc_tile < f->count ? start + nc_tile : f->count;
    s->norm[t] = 0;
    s->grain[t] = INFINITY;
    double *peak = s->peak + t * f->head_size, *length = s->length + t * f->head_size;
    for (long c = 0; c < f->head_size; c++) peak[c] = length[c] = 0;
    for (long j = start; j < end; j++) {
      const struct reach r = reach_of(f->values + j * f->value_size, f->value_size);
      s->reach[j] = r.weighed;
      s->norm[t] = fmax(s->norm[t], r.squares);
      s->grain[t] = fmin(s->grain[t], r.grain);
      const double *k = f->keys + j * f->head_size;
      for (long c = 0; c < f->head_size; c++) {
        peak[c] = fmax(peak[c], fabs(k[c]));
        length[c] += k[c] * k[c];
      }
    }
    for (long c = 0; c < f->head_size; c++) length[c] = sqrt(length[c]);
  }
  return usable;
}

/// Rows of x, padded with zeros to a multiple of eight and to a whole block; behind them each column's largest magnitude and norm.
static void lay(const double *x, long count, long size, double *rows) {
  const long wide = nc_backward0_padded(size);
  memset(rows, 0, sizeof(double) * (size_t)(wide * (nc_backward_rows + 2)));
  double *peak = rows + nc_backward_rows * wide, *length = peak + wide;
  for (long i = 0; i < count; i++) {
    memcpy(rows + i * wide, x + i * size, sizeof(double) * (size_t)size);
    for (long c = 0; c < size; c++) {
      const double a = fabs(x[i * size + c]);
      peak[c] = fmax(peak[c], a);
      length[c] += a * a;
    }
  }
  for (long c = 0; c < size; c++) length[c] = sqrt(length[c]);
}

bool nc_backward0_pack(
    const struct nc_backward_keys *keys, const double *q, const double *g, long count, struct nc_backward_lanes *lanes,
    struct nc_backward_room room) {
  const long d = keys->forward.head_size, width = keys->forward.value_size;
  bool usable = is_near(q, count * d) && is_near(g, count * width);
  for (long at = 0, group = 0; at < count; at += nc_lanes, group++) {
    const long n = count - at < nc_lanes ? count - at : nc_lanes;
    struct nc_attention_lanes dO;
    usable = nc_attention0_pack(q + at * d, n, d, room.queries + group * d * nc_lanes, &lanes[group].forward) && usable;
    usable = nc_attention0_pack(g + at * width, n, width, room.gradients + group * width * nc_lanes, &dO) && usable;
    memcpy(lanes[group].reach, dO.reach, sizeof dO.reach);
    memcpy(lanes[group].norm, dO.norm, sizeof dO.norm);
    memcpy(lanes[group].grain, dO.grain, sizeof dO.grain);
  }
  lay(q, count, d, room.query_rows);
  lay(g, count, width, room.gradient_rows);
  return usable;
}

// --- First pass: weights, products with dO, S and D

/// What g·v errs by, less rho of the value: 0 where every partial sum is a whole multiple of a grain.
NC_INLINE f64x8 product_error(const struct nc_backward_lanes *lanes, const struct nc_backward_keys *keys, long t) {
  const f64x8 grain = (load(lanes->grain) * keys->grain[t]) * 0x1p53;
  return select8(grain > 1.01 * keys->norm[t] * load(lanes->norm), (f64x8)0.0, 1.01 * UNIT * load(lanes->reach));
}

NC_INLINE void center(
    struct nc_backward_lanes *lanes, const struct nc_backward_keys *keys, long t, long count, const double *packed,
    const double *w, double *products, double *bounds) {
  const struct nc_attention_keys *f = &keys->forward;
  const long start = t * nc_tile, size = f->value_size;
#define STEP(N) dots(packed, f->values + (start + at) * size, size, products + at * nc_lanes, N, false); at += N; left -= N
  GROUPS(count, STEP)
#undef STEP
  const f64x8 own = load(lanes->forward.own), dot = load(lanes->forward.dot), gap = product_error(lanes, keys, t);
  store(bounds, own);
  store(bounds + nc_lanes, dot);
  store(bounds + 2 * nc_lanes, gap);
  f64x8 high = load(lanes->high), low = load(lanes->low), error = load(lanes->error), part = 0;
  for (long j = 0; j < count; j++) {
    const f64x8 x = load(w + j * nc_lanes), g = load(products + j * nc_lanes);
    part = fma8(x, g, part);
    const f64x8 relative = own + dot * f->reach[start + j];
    error += x * fma8(relative, abs8(g), 1.01 * gap * keys->reach[start + j]);
    if ((j & 7) == 7 || j + 1 == count) {
      const f64x8 sum = high + part;
      const f64x8 z = sum - high;
      low += (high - (sum - z)) + (part - z);
      high = sum;
      part = 0;
    }
  }
  store(lanes->high, high);
  store(lanes->low, low);
  // A bound of infinity times a weight of 0 is no number, and not known either.
  store(lanes->error, error == error ? error : (f64x8)INFINITY);
}

NC_WIDE static void center_tile(
    struct nc_backward_lanes *lanes, const struct nc_backward_keys *keys, long t, long count, const double *packed,
    const double *w, double *products, double *bounds) {
  center(lanes, keys, t, count, packed, w, products, bounds);
}

static void weigh_group(
    struct nc_backward_lanes *lanes, const struct nc_backward_keys *keys, struct nc_attention_question question,
    const double *queries, const double *gradients, double *weights, double *products, double *bounds, long *counts) {
  const struct nc_attention_keys *f = &keys->forward;
  const long tiles = (f->count + nc_tile - 1) / nc_tile, size = nc_tile * nc_lanes;
  nc_attention0_start(&lanes->forward, 0, NULL);
  memset(lanes->high, 0, sizeof lanes->high);
  memset(lanes->low, 0, sizeof lanes->low);
  memset(lanes->error, 0, sizeof lanes->error);
  for (long t = 0; t < tiles; t++) {
    double *w = weights + t * size, *p = products + t * size;
    counts[t] = nc_attention0_tile(&lanes->forward, f, question, t, queries, NULL, w, NULL);
    if (counts[t] == 0) continue;
    center_tile(lanes, keys, t, counts[t], gradients, w, p, bounds + t * 3 * nc_lanes);
  }
}

void nc_backward0_weigh(
    struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys, struct nc_attention_question question,
    struct nc_backward_room room) {
  const struct nc_attention_keys *f = &keys->forward;
  const long tiles = (f->count + nc_tile - 1) / nc_tile, size = nc_tile * nc_lanes;
  for (long g = 0; g < groups; g++) {
    for (int again = 0; again < 2; again++) {
      weigh_group(
          &lanes[g], keys, question, room.queries + g * f->head_size * nc_lanes,
          room.gradients + g * f->value_size * nc_lanes, room.weights + g * tiles * size, room.products + g * tiles * size,
          room.bounds + g * tiles * 3 * nc_lanes, room.counts + g * tiles);
      if (again || !nc_attention0_lift(&lanes[g].forward)) break;
    }
  }
}

bool nc_backward0_center(struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys) {
  const struct nc_attention_keys *f = &keys->forward;
  double longest = 0;
  for (long t = 0; t * nc_tile < f->count; t++) longest = fmax(longest, keys->norm[t]);
  bool known = true;
  for (long g = 0; g < groups; g++) {
    struct nc_backward_lanes *l = &lanes[g];
    for (int i = 0; i < nc_lanes; i++) {
      const double sum = l->forward.sum_high[i] + l->forward.sum_low[i];
      l->largest[i] = 1.01 * l->norm[i] * longest;
      if (l->forward.reference[i] == -INFINITY || sum == 0) {
        // It sees nothing.
        l->inverse[i] = l->relative[i] = l->center[i] = l->center_error[i] = 0;
        continue;
      }
      const double inverse = 1 / sum;
      l->inverse[i] = inverse;
      l->relative[i] = 1.02 * l->forward.sum_error[i] * inverse + 12 * UNIT;
      l->center[i] = (l->high[i] + l->low[i]) * inverse;
      l->center_error[i] = 1.01 * (l->error[i] * inverse + fabs(l->center[i]) * (l->relative[i] + 4 * UNIT))
          + (double)f->count * 0x1p-130 * l->largest[i];
      known = known && sum > 0.5 && l->forward.top[i] <= nc_reach && l->relative[i] < 0x1p-20
          && l->center_error[i] < INFINITY;
    }
  }
  return known;
}

// --- Second pass: p and dS with their bounds, then their sums

/// Puts p in place of the weights and dS in place of the products of a tile; adds the lanes' Σ of bounds on dS, and of their squares, to
/// `lane_bounds`, and those of each key, of p and of dS, to `key_bounds` [keys, 4, 8].
NC_INLINE void derive(
    const struct nc_backward_lanes *lanes, const struct nc_backward_keys *keys, double scale, long t, long count,
    const double *bounds, double *w, double *products, f64x8 *first, f64x8 *second, double *key_bounds) {
  const long start = t * nc_tile;
  const f64x8 inverse = load(lanes->inverse), middle = load(lanes->center), size = fabs(scale);
  // |p̂ − p| ≤ p̂ (base + slope rho); |ŝ − dS| ≤ |F| p̂ (|E| (base + slope rho + 8u) + gap rho' + Δ).
  const f64x8 base = 1.01 * (load(bounds) + load(lanes->relative)) + 8 * UNIT;
  const f64x8 slope = 1.01 * load(bounds + nc_lanes);
  const f64x8 gap = 1.01 * load(bounds + 2 * nc_lanes), delta = load(lanes->center_error);
  f64x8 sum = 0, squares = 0;
  for (long j = 0; j < count; j++) {
    const f64x8 p = load(w + j * nc_lanes) * inverse;
    const f64x8 e = load(products + j * nc_lanes) - middle;
    const f64x8 s = (p * scale) * e;
    const f64x8 relative = fma8(slope, (f64x8)keys->forward.reach[start + j], base);
    const f64x8 of_p = p * relative;
    const f64x8 of_s =
        1.02 * (size * p) * fma8(abs8(e), relative, fma8(gap, (f64x8)keys->reach[start + j], delta));
    store(w + j * nc_lanes, p);
    store(products + j * nc_lanes, s);
    sum += of_s;
    squares = fma8(of_s, of_s, squares);
    double *k = key_bounds + j * planes * nc_lanes;
    store(k, load(k) + of_p);
    store(k + nc_lanes, fma8(of_p, of_p, load(k + nc_lanes)));
    store(k + 2 * nc_lanes, load(k + 2 * nc_lanes) + of_s);
    store(k + 3 * nc_lanes, fma8(of_s, of_s, load(k + 3 * nc_lanes)));
  }
  *first = 1.01 * sum;
  *second = 1.01 * __builtin_elementwise_sqrt(squares);
}

/// Adds Σ x_i z_i over the block's rows to `n` keys' sums, eight columns of them, in chains of 32.
NC_INLINE void gather(
    const double *z, long groups, long stride, const double *x, long wide, double *sums, long plane, const double *first,
    const double *second, f64x8 peak, f64x8 length, const int n) {
  f64x8 total[rows];
  for (int r = 0; r < n; r++) total[r] = 0;
  for (long from = 0; from < groups; from += 4) {
    f64x8 sum[rows];
    for (int r = 0; r < n; r++) sum[r] = 0;
    const long to = from + 4 < groups ? from + 4 : groups;
    for (long g = from; g < to; g++) {
      const double *at = z + g * stride, *row = x + g * nc_lanes * wide;
#pragma clang loop unroll_count(2)
      for (long i = 0; i < nc_lanes; i++) {
        const f64x8 v = load(row + i * wide);
        for (int r = 0; r < n; r++) sum[r] = fma8((f64x8)at[r * nc_lanes + i], v, sum[r]);
      }
    }
    for (int r = 0; r < n; r++) total[r] += sum[r];
  }
  for (int r = 0; r < n; r++) {
    double *high = sums + r * wide, *low = high + plane, *error = low + plane;
    const f64x8 old = load(high);
    const f64x8 sum = old + total[r];
    const f64x8 y = sum - old;
    store(high, sum);
    store(low, load(low) + ((old - (sum - y)) + (total[r] - y)));
    store(error, load(error) + min8(first[r] * peak, second[r] * length));
  }
}

NC_INLINE void gather_all(
    const double *z, long groups, long stride, long start, long count, const double *x, struct nc_backward_sums to,
    const double *first, const double *second) {
  const long wide = to.width, plane = to.rows * wide;
  const double *peak = x + nc_backward_rows * wide, *length = peak + wide;
  for (long c = 0; c < wide; c += nc_lanes) {
#define STEP(N)                                                                                                     \
  gather(z + at * nc_lanes, groups, stride, x + c, wide, to.sums + (start + at) * wide + c, plane, first + at,        \
         second + at, load(peak + c), load(length + c), N);                                                         \
  at += N; left -= N
    GROUPS(count, STEP)
#undef STEP
  }
}

NC_INLINE void tile(
    struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys, double scale,
    struct nc_backward_room room, struct nc_backward_sums dk, struct nc_backward_sums dv, long t) {
  const struct nc_attention_keys *f = &keys->forward;
  const long tiles = (f->count + nc_tile - 1) / nc_tile, size = nc_tile * nc_lanes, stride = tiles * size;
  const long d = f->head_size, plane = d * nc_lanes, start = t * nc_tile;
  long count = 0;
  for (long g = 0; g < groups; g++) count = room.counts[g * tiles + t] > count ? room.counts[g * tiles + t] : count;
  if (count == 0) return;
  double *kept = room.key_bounds;
  memset(kept, 0, sizeof(double) * (size_t)(count * planes * nc_lanes));
  for (long g = 0; g < groups; g++) {
    const long own = room.counts[g * tiles + t];
    double *w = room.weights + g * stride + t * size, *products = room.products + g * stride + t * size;
    f64x8 first, second;
    derive(&lanes[g], keys, scale, t, own, room.bounds + (g * tiles + t) * 3 * nc_lanes, w, products, &first, &second, kept);
    // What this group does not see others may.
    memset(w + own * nc_lanes, 0, sizeof(double) * (size_t)((count - own) * nc_lanes));
    memset(products + own * nc_lanes, 0, sizeof(double) * (size_t)((count - own) * nc_lanes));
    if (own == 0) continue;
    double *sums = room.sums + g * 3 * plane;
    const double *peak = keys->peak + t * d, *length = keys->length + t * d, *k = f->keys + start * d;
#define STEP(N)                                                                                                         \
  weigh(products, k + at, own, d, sums + at * nc_lanes, sums + plane + at * nc_lanes, sums + 2 * plane + at * nc_lanes,   \
        first, second, peak + at, length + at, N);                                                                      \
  at += N; left -= N
    GROUPS(d, STEP)
#undef STEP
  }
  double bounds[planes][nc_tile];
  for (long j = 0; j < count; j++)
    for (int i = 0; i < planes; i++) {
      double sum = 0;
      for (int lane = 0; lane < nc_lanes; lane++) sum += kept[(j * planes + i) * nc_lanes + lane];
      bounds[i][j] = 1.01 * (i & 1 ? sqrt(sum) : sum);
    }
  gather_all(
      room.weights + t * size, groups, stride, start, count, room.gradient_rows, dv, bounds[0], bounds[1]);
  gather_all(room.products + t * size, groups, stride, start, count, room.query_rows, dk, bounds[2], bounds[3]);
}

NC_WIDE void nc_backward0_differentiate(
    struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys, struct nc_attention_question question,
    struct nc_backward_room room, struct nc_backward_sums dk, struct nc_backward_sums dv) {
  const long d = keys->forward.head_size;
  memset(room.sums, 0, sizeof(double) * (size_t)(groups * 3 * d * nc_lanes));
  for (long t = 0; t * nc_tile < keys->forward.count; t++) tile(lanes, groups, keys, question.scale, room, dk, dv, t);
}

// --- The rounding test

NC_INLINE f64x8 settle(
    f64x8 high, f64x8 low, f64x8 error, double absolute, struct nc_target target, double needed, f64x8 *value, f64x8 *relative,
    i64x8 *known, const bool is_f32) {
  const f64x8 x = high + low, size = abs8(x);
  const f64x8 bound = 1.01 * (error + absolute + 4 * UNIT * size);
  const f64x8 y = rounded(x + bound, target, is_f32);
  *known = (y == rounded(x - bound, target, is_f32)) & (bound <= needed * size) & (abs8(y) > 0)
      & (abs8(y) <= target.largest) & (size > 0x1p-900);
  *value = x;
  *relative = bound / size;
  return y;
}

NC_INLINE void finish_queries(
    const double *sums, long d, double absolute, struct nc_target target, struct nc_attention_results results,
    const bool is_f32) {
  const long plane = d * nc_lanes;
  for (long c = 0; c < d; c++) {
    const double *at = sums + c * nc_lanes;
    f64x8 value, relative;
    i64x8 known;
    const f64x8 y = settle(
        load(at), load(at + plane), load(at + 2 * plane), absolute, target, results.needed, &value, &relative, &known, is_f32);
    for (long i = 0; i < results.count; i++) {
      const long place = i * results.stride + c;
      results.rounded[place] = y[i];
      results.open[place] = known[i] == 0;
      if (results.value) {
        results.value[place] = value[i];
        results.error[place] = relative[i];
      }
    }
  }
}

NC_WIDE void nc_backward0_finish_queries(
    const double *sums, long head_size, double absolute, struct nc_target target, struct nc_attention_results results) {
  if (target.is_f32) finish_queries(sums, head_size, absolute, target, results, true);
  else finish_queries(sums, head_size, absolute, target, results, false);
}

NC_INLINE void finish_keys(
    struct nc_backward_sums s, long first, long n, long count, double absolute, struct nc_target target,
    struct nc_attention_results results, const bool is_f32) {
  const long plane = s.rows * s.width;
  for (long j = 0; j < n; j++)
    for (long c = 0; c < count; c += nc_lanes) {
      const double *at = s.sums + (first + j) * s.width + c;
      f64x8 value, relative;
      i64x8 known;
      const f64x8 y = settle(
          load(at), load(at + plane), load(at + 2 * plane), absolute, target, results.needed, &value, &relative, &known,
          is_f32);
      for (long i = 0; i < nc_lanes && c + i < count; i++) {
        const long place = j * results.stride + c + i;
        results.rounded[place] = y[i];
        results.open[place] = known[i] == 0;
        if (results.value) {
          results.value[place] = value[i];
          results.error[place] = relative[i];
        }
      }
    }
}

NC_WIDE void nc_backward0_finish_keys(
    struct nc_backward_sums sums, long first, long n, long count, double absolute, struct nc_target target,
    struct nc_attention_results results) {
  if (target.is_f32) finish_keys(sums, first, n, count, absolute, target, results, true);
  else finish_keys(sums, first, n, count, absolute, target, results, false);
}
