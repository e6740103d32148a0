#include "attention0.h"

#include <math.h>

#include "products0.h"
#include "weigh0.h"

bool nc_attention0_survey_tile(const struct nc_attention_keys *s, long t) {
  bool usable = true;
  const long start = t * nc_tile, end = start + nc_tile < s->count ? start + nc_tile : s->count;
  s->norm[t] = 0;
  s->grain[t] = INFINITY;
  double *peak = s->peak + t * s->value_size, *length = s->length + t * s->value_size;
  for (long c = 0; c < s->value_size; c++) peak[c] = length[c] = 0;
  for (long j = start; j < end; j++) {
    const struct reach r = reach_of(s->keys + (j - s->first) * s->head_size, s->head_size);
    usable = usable && r.usable;
    s->reach[j] = r.weighed;
    s->norm[t] = fmax(s->norm[t], r.squares);
    s->grain[t] = fmin(s->grain[t], r.grain);
    const double *v = s->values + (j - s->first) * s->value_size;
    for (long c = 0; c < s->value_size; c++) {
      const double size = fabs(v[c]);
      usable = usable && (size == 0 || (size > 0x1p-400 && size < 0x1p400));
      peak[c] = size > peak[c] ? size : peak[c];
      length[c] += size * size;
    }
  }
  for (long c = 0; c < s->value_size; c++) length[c] = sqrt(length[c]);
  return usable;
}

bool nc_attention0_survey(const struct nc_attention_keys *s) {
  bool usable = true;
  for (long t = 0; t * nc_tile < s->count; t++) usable = nc_attention0_survey_tile(s, t) && usable;
  return usable;
}

bool nc_attention0_pack(const double *q, long count, long d, double *packed, struct nc_attention_lanes *lanes) {
  bool usable = true;
  for (int i = 0; i < nc_lanes; i++) {
    if (i >= count) {
      for (long c = 0; c < d; c++) packed[c * nc_lanes + i] = 0;
      lanes->reach[i] = lanes->norm[i] = 0;
      lanes->grain[i] = 1;
      continue;
    }
    const struct reach r = reach_of(q + i * d, d);
    usable = usable && r.usable;
    lanes->reach[i] = r.weighed;
    lanes->norm[i] = r.squares;
    lanes->grain[i] = r.grain;
    for (long c = 0; c < d; c++) packed[c * nc_lanes + i] = q[i * d + c];
  }
  return usable;
}

void nc_attention0_start(struct nc_attention_lanes *lanes, long value_size, double *sums) {
  for (int i = 0; i < nc_lanes; i++) {
    lanes->top[i] = -INFINITY;
    lanes->sum_high[i] = lanes->sum_low[i] = lanes->sum_error[i] = 0;
  }
  if (sums) memset(sums, 0, sizeof(double) * 3 * (size_t)value_size * nc_lanes);
}

void nc_attention0_ask(struct nc_attention_lanes *lanes, int i, double first, double low, double high, const double *bias) {
  lanes->first[i] = first;
  lanes->low[i] = low;
  lanes->high[i] = high;
  lanes->bias[i] = bias;
  lanes->reference[i] = -INFINITY;
}

bool nc_attention0_lift(struct nc_attention_lanes *lanes) {
  bool any = false;
  for (int i = 0; i < nc_lanes; i++) {
    if (!(lanes->top[i] > nc_reach && lanes->top[i] < INFINITY)) continue;
    lanes->reference[i] += lanes->top[i];
    any = true;
  }
  return any;
}

struct nc_attention_sum nc_attention0_sum(const struct nc_attention_lanes *lanes, int i) {
  return (struct nc_attention_sum){
    lanes->reference[i], lanes->sum_high[i], lanes->sum_low[i], lanes->sum_error[i], lanes->top[i] <= nc_reach
  };
}

void nc_attention0_add(struct nc_attention_lanes *lanes, int i, double score) {
  if (lanes->reference[i] == -INFINITY) return;
  const double d = score - lanes->reference[i];
  // One that is far above all keys is left to the next tier.
  if (d > nc_reach) lanes->top[i] = d;
  const double w = d < -650 ? 0 : nc_exp0(d > 650 ? 650 : d);
  const double sum = lanes->sum_high[i] + w;
  const double z = sum - lanes->sum_high[i];
  lanes->sum_low[i] += (lanes->sum_high[i] - (sum - z)) + (w - z);
  lanes->sum_high[i] = sum;
  lanes->sum_error[i] += w * UNIT * (4 + 1.01 * fabs(d));
}

// --- A tile

/// tanh y for t = e^(-2y).
NC_ALWAYS
static inline f64x8 tanh0(f64x8 t) {
  const f64x8 n = 1 - t;
  const f64x8 m = 1 + t;
  const f64x8 y = n / m;
  return y;
}

/// What a tile may have beside products and a scale.
struct kind {
  bool masked, biased, capped;
};

/// The score of key j, -infinity where it is hidden; `product` is its part without the bias.
NC_INLINE f64x8 score(
    f64x8 dot, long j, const struct nc_attention_lanes *lanes, struct nc_attention_question question, const struct kind kind,
    f64x8 *product, i64x8 *seen) {
  f64x8 s = dot * question.scale;
  if (kind.capped) {
    const f64x8 size = abs8(s / question.cap);
    const f64x8 t = exp0(-2 * min8(size, (f64x8)300));
    const f64x8 capped = question.cap * tanh0(t);
    s = s < 0 ? -capped : capped;
  }
  *product = s;
  *seen = (i64x8)-1;
  if (kind.biased) {
    f64x8 b;
    for (int i = 0; i < nc_lanes; i++) b[i] = lanes->bias[i] ? lanes->bias[i][j] : 0;
    s = s + b;
    *seen = b != -INFINITY;
  }
  if (kind.masked) {
    const f64x8 x = (double)j;
    *seen &= (x < load(lanes->high)) & ((x >= load(lanes->low)) | (x < load(lanes->first)));
  }
  return kind.masked || kind.biased ? select8(*seen, s, (f64x8)-INFINITY) : s;
}

NC_INLINE void tile(
    struct nc_attention_lanes *lanes, const struct nc_attention_keys *keys, struct nc_attention_question question, long t,
    long start, long count, const double *packed, double *sums, double *e, double *scores, const struct kind kind) {
  const bool plain = !(kind.masked || kind.biased || kind.capped);
  const long d = keys->head_size, width = keys->value_size;
  const double *k = keys->keys + (start - keys->first) * d;
#define STEP(N) dots(packed, k + at * d, d, e + at * nc_lanes, N, false); at += N; left -= N
  GROUPS(count, STEP)
#undef STEP
  f64x8 reference = load(lanes->reference);
  f64x8 product;
  i64x8 seen;
  f64x8 top = -INFINITY;
  if (__builtin_reduce_or(reference == -INFINITY)) {
    for (long j = 0; j < count; j++) {
      top = max8(top, score(load(e + j * nc_lanes), start + j, lanes, question, kind, &product, &seen));
    }
    reference = select8(reference == -INFINITY, top, reference);
    store(lanes->reference, reference);
    top = -INFINITY;
  }
  const f64x8 shift = select8(reference == -INFINITY, (f64x8)0.0, reference);
  // Of what counts: the largest |x|, below -64 as 64; the largest product.
  f64x8 reach = 0, size = 0, squares = 0, tile_sum = 0, part = 0, far_sum = 0, far_squares = 0;
  f64x8 high = load(lanes->sum_high), low = load(lanes->sum_low);
  for (long j = 0; j < count; j++) {
    f64x8 x;
    if (plain) {
      x = fma8(load(e + j * nc_lanes), (f64x8)question.scale, -shift);
      seen = (i64x8)-1;
    } else {
      x = score(load(e + j * nc_lanes), start + j, lanes, question, kind, &product, &seen) - shift;
    }
    top = max8(top, x);
    if (kind.biased) size = max8(size, select8(x >= -650, abs8(product), (f64x8)0.0));
    const f64x8 near = x < -64 ? (f64x8)-64 : x;
    reach = max8(reach, select8(seen, abs8(near), (f64x8)0.0));
    f64x8 held = x < -650 ? (f64x8)-650 : x;
    held = held > 650 ? (f64x8)650 : held;
    const f64x8 w = select8(x < -650, (f64x8)0.0, exp0(held));
    store(e + j * nc_lanes, w);
    if (scores) store(scores + j * nc_lanes, x);
    part += w;
    squares = fma8(w, w, squares);
    const f64x8 far = w * keys->reach[start + j];
    far_sum += far;
    far_squares = fma8(far, far, far_squares);
    if ((j & 7) == 7 || j + 1 == count) {
      tile_sum += part;
      const f64x8 sum = high + part;
      const f64x8 z = sum - high;
      low += (high - (sum - z)) + (part - z);
      high = sum;
      part = 0;
    }
  }
  store(lanes->sum_high, high);
  store(lanes->sum_low, low);
  store(lanes->top, max8(load(lanes->top), top));
  // The exponent's error: of the dot product, unless all its partial sums are whole multiples of a grain; of scale and roundings.
  const f64x8 grain = (load(lanes->grain) * keys->grain[t]) * 0x1p53;
  f64x8 dot = 1.01 * UNIT * fabs(question.scale) * load(lanes->reach);
  dot = select8(grain > 1.01 * keys->norm[t] * load(lanes->norm), (f64x8)0.0, dot);
  const double inexact = kind.capped || question.is_exact ? 0 : 1;
  f64x8 rounding;
  if (kind.biased) {
    rounding = (1 + inexact) * size + 2 * reach + abs8(shift);
  } else if (kind.masked) {
    rounding = (2 + inexact) * reach + (1 + inexact) * abs8(shift);
  } else {
    rounding = (1 + inexact) * reach + inexact * abs8(shift);
  }
  if (kind.capped) rounding += 10 * question.cap;
  const f64x8 own = 40 * UNIT + (1.02 * UNIT) * rounding;
  const f64x8 worst = own + dot * keys->norm[t] * 0x1p10;
  // 0 times infinity, where a tile holds nothing that is seen, must not be NaN.
  const i64x8 lost = (tile_sum != 0) & !(worst < 0x1p-20);
  const f64x8 lift = select8(lost, (f64x8)INFINITY, (f64x8)0.0);
  const f64x8 first = 1.01 * (own * tile_sum + 1.01 * dot * far_sum) + lift;
  const f64x8 second =
      1.01 * (own * __builtin_elementwise_sqrt(squares) + 1.01 * dot * __builtin_elementwise_sqrt(far_squares)) + lift;
  store(lanes->sum_error, load(lanes->sum_error) + first);
  const i64x8 counts = tile_sum != 0;
  store(lanes->own, select8(counts, 1.01 * own + lift, (f64x8)0.0));
  store(lanes->dot, select8(counts, (1.01 * 1.01) * dot, (f64x8)0.0));
  if (!sums) return;
  const double *v = keys->values + (start - keys->first) * width;
  const double *peak = keys->peak + t * width, *length = keys->length + t * width;
  const long plane = width * nc_lanes;
#define STEP(N)                                                                                                      \
  weigh(e, v + at, count, width, sums + at * nc_lanes, sums + plane + at * nc_lanes, sums + 2 * plane + at * nc_lanes, \
        first, second, peak + at, length + at, N);                                                                   \
  at += N; left -= N
  GROUPS(width, STEP)
#undef STEP
}

NC_WIDE long nc_attention0_tile(
    struct nc_attention_lanes *lanes, const struct nc_attention_keys *keys, struct nc_attention_question question, long t,
    const double *packed, double *sums, double *scratch, double *scores) {
  const double start = (double)(t * nc_tile);
  double end = start + nc_tile < (double)keys->count ? start + nc_tile : (double)keys->count;
  double last = 0, least = INFINITY, low = 0, nearest = INFINITY, first = 0, first_least = INFINITY;
  for (int i = 0; i < nc_lanes; i++) {
    last = fmax(last, lanes->high[i]);
    least = fmin(least, lanes->high[i]);
    low = fmax(low, lanes->low[i]);
    nearest = fmin(nearest, lanes->low[i]);
    first = fmax(first, lanes->first[i]);
    first_least = fmin(first_least, lanes->first[i]);
  }
  end = fmin(end, last);
  if (end <= start || (nearest >= end && first <= start)) return 0;
  const long from = (long)start, count = (long)(end - start);
  const bool whole = least >= end && (low <= start || first_least >= end);
#define TILE(MASKED, BIASED, CAPPED) \
  tile(lanes, keys, question, t, from, count, packed, sums, scratch, scores, (struct kind){MASKED, BIASED, CAPPED})
  if (question.cap > 0) {
    if (lanes->bias[0]) TILE(true, true, true);
    else TILE(true, false, true);
  } else {
    if (lanes->bias[0]) TILE(true, true, false);
    else if (whole) TILE(false, false, false);
    else TILE(true, false, false);
  }
#undef TILE
  return count;
}

NC_WIDE void nc_attention0_magnitudes(
    const struct nc_attention_keys *keys, long t, const double *packed, double *magnitudes) {
  const long start = t * nc_tile, d = keys->head_size;
  const long count = start + nc_tile < keys->count ? nc_tile : keys->count - start;
  const double *k = keys->keys + (start - keys->first) * d;
#define STEP(N) dots(packed, k + at * d, d, magnitudes + at * nc_lanes, N, true); at += N; left -= N
  GROUPS(count, STEP)
#undef STEP
}

// --- Quotients and the rounding test

NC_INLINE void finish(
    const struct nc_attention_lanes *lanes, long width, const double *sums, const double *absolute, struct nc_target target,
    struct nc_attention_results results, const bool is_f32) {
  const long plane = width * nc_lanes;
  const f64x8 total = load(lanes->sum_high) + load(lanes->sum_low);
  const f64x8 relative = load(lanes->sum_error) / total + 12 * UNIT;
  const f64x8 usable = load(lanes->top);
  for (long c = 0; c < width; c++) {
    const double *at = sums + c * nc_lanes;
    const f64x8 o = (load(at) + load(at + plane)) / total;
    const f64x8 size = abs8(o);
    const f64x8 error = 1.01 * ((load(at + 2 * plane) + load(absolute)) / total + size * relative);
    const f64x8 y = rounded(o + error, target, is_f32);
    const i64x8 fine = (y == rounded(o - error, target, is_f32)) & (error <= results.needed * size) & (abs8(y) > 0)
        & (abs8(y) <= target.largest) & (size > 0x1p-900) & (usable <= nc_reach);
    for (long i = 0; i < results.count; i++) {
      const long place = i * results.stride + c;
      results.rounded[place] = y[i];
      results.open[place] = fine[i] == 0;
      if (results.value) {
        results.value[place] = o[i];
        results.error[place] = error[i] / size[i];
      }
    }
  }
}

NC_WIDE void nc_attention0_finish(
    const struct nc_attention_lanes *lanes, long value_size, const double *sums, const double *absolute, struct nc_target target,
    struct nc_attention_results results) {
  if (target.is_f32) finish(lanes, value_size, sums, absolute, target, results, true);
  else finish(lanes, value_size, sums, absolute, target, results, false);
}
