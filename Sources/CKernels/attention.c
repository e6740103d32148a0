#include "attention.h"

#include <math.h>

#include "loops.h"

typedef float f32x16 __attribute__((ext_vector_type(16), aligned(4)));

enum { lanes = nc_panel, rows = 6, keys_at_once = 64 };

NC_INLINE f32x16 load(const float *p) { return *(const f32x16 *)p; }
NC_INLINE void store(float *p, f32x16 x) { *(f32x16 *)p = x; }
NC_INLINE f32x16 fma16(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

/// `n` queries against sixteen keys, [size, 16] in `panel`.
NC_INLINE void multiply(
    const float *q, long stride, const float *panel, long size, float *sums, long sum_stride, const int n) {
  f32x16 s[rows];
  for (int r = 0; r < n; r++) s[r] = 0;
#pragma clang loop unroll_count(2)
  for (long c = 0; c < size; c++) {
    const f32x16 k = load(panel + c * lanes);
    for (int r = 0; r < n; r++) s[r] = fma16((f32x16)q[r * stride + c], k, s[r]);
  }
  for (int r = 0; r < n; r++) store(sums + r * sum_stride, s[r]);
}

NC_INLINE void products_of(
    const float *q, long queries, long size, const float *panels, long from, long to, float *products, long stride) {
  float sums[rows * lanes];
  for (long start = from / lanes * lanes; start < to; start += lanes) {
    const float *panel = panels + start * size;
    // Of the panel's keys those that are asked for.
    const long first = start < from ? from - start : 0, last = to - start < lanes ? to - start : lanes;
    for (long i = 0; i < queries;) {
      const long left = queries - i;
      const long m = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const float *x = q + i * size;
      if (m == 6) multiply(x, size, panel, size, sums, lanes, 6);
      else if (m == 4) multiply(x, size, panel, size, sums, lanes, 4);
      else if (m == 2) multiply(x, size, panel, size, sums, lanes, 2);
      else multiply(x, size, panel, size, sums, lanes, 1);
      for (long r = 0; r < m; r++) {
        float *out = products + (i + r) * stride + start;
        if (last - first == lanes) store(out, load(sums + r * lanes));
        else memcpy(out + first, sums + r * lanes + first, (size_t)(last - first) * sizeof(float));
      }
      i += m;
    }
  }
}

NC_WIDE void nc_attention_products_f32(
    const float *q, long queries, long size, const float *panels, long from, long to, float *products, long stride) {
  products_of(q, queries, size, panels, from, to, products, stride);
}

NC_INLINE void weigh(
    const float *p, const uint8_t *used, const float *values, long count, long width, float *total, const int n) {
  f32x16 s[4];
  for (int r = 0; r < n; r++) s[r] = load(total + r * lanes);
  for (long j = 0; j < count; j++) {
    if (used && !used[j]) continue;
    const f32x16 x = p[j];
    for (int r = 0; r < n; r++) s[r] = fma16(x, load(values + j * width + r * lanes), s[r]);
  }
  for (int r = 0; r < n; r++) store(total + r * lanes, s[r]);
}

NC_WIDE void nc_attention_weigh_f32(
    const float *p, const uint8_t *used, const float *values, long count, long width, float *total) {
  long c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) weigh(p, used, values + c, count, width, total + c, 4);
  for (; c + lanes <= width; c += lanes) weigh(p, used, values + c, count, width, total + c, 1);
  for (; c < width; c++) {
    float s = total[c];
    for (long j = 0; j < count; j++)
      if (!used || used[j]) s = fmaf(p[j], values[j * width + c], s);
    total[c] = s;
  }
}

/// `n` rows, sixteen columns.
NC_INLINE void weigh_rows(
    const float *const *p, float *const *totals, long from, const float *values, long count, long width, long column,
    const int n) {
  f32x16 s[rows];
  for (int r = 0; r < n; r++) s[r] = load(totals[r] + column);
#pragma clang loop unroll_count(2)
  for (long j = 0; j < count; j++) {
    const f32x16 v = load(values + j * width + column);
    for (int r = 0; r < n; r++) s[r] = fma16((f32x16)p[r][from + j], v, s[r]);
  }
  for (int r = 0; r < n; r++) store(totals[r] + column, s[r]);
}

NC_WIDE void nc_attention_weigh_rows_f32(
    const float *const *p, float *const *totals, long n, const float *values, long count, long width) {
  const long whole = width / lanes * lanes;
  for (long from = 0; from < count; from += keys_at_once) {
    const long m = count - from < keys_at_once ? count - from : keys_at_once;
    const float *v = values + from * width;
    for (long i = 0; i < n;) {
      const long left = n - i, k = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      for (long c = 0; c < whole; c += lanes) {
        if (k == 6) weigh_rows(p + i, totals + i, from, v, m, width, c, 6);
        else if (k == 4) weigh_rows(p + i, totals + i, from, v, m, width, c, 4);
        else if (k == 2) weigh_rows(p + i, totals + i, from, v, m, width, c, 2);
        else weigh_rows(p + i, totals + i, from, v, m, width, c, 1);
      }
      for (long r = i; r < i + k; r++)
        for (long c = whole; c < width; c++) {
          float s = totals[r][c];
          for (long j = 0; j < m; j++) s = fmaf(p[r][from + j], v[j * width + c], s);
          totals[r][c] = s;
        }
      i += k;
    }
  }
}
