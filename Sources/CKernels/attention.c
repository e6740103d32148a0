#include "attention.h"

#include <math.h>

#include "loops.h"

typedef float f32x16 __attribute__((ext_vector_type(16), aligned(4)));

enum { lanes = 16, rows = 6, depth = 256 };

NC_INLINE f32x16 load(const float *p) { return *(const f32x16 *)p; }
NC_INLINE void store(float *p, f32x16 x) { *(f32x16 *)p = x; }
NC_INLINE f32x16 fma16(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

/// `n` queries against sixteen keys, [size, 16] in `panel`; sums go on from where they are.
NC_INLINE void multiply(
    const float *q, long stride, const float *panel, long size, float *sums, long sum_stride, const int n) {
  f32x16 s[rows];
  for (int r = 0; r < n; r++) s[r] = load(sums + r * sum_stride);
#pragma clang loop unroll_count(2)
  for (long c = 0; c < size; c++) {
    const f32x16 k = load(panel + c * lanes);
    for (int r = 0; r < n; r++) s[r] = fma16((f32x16)q[r * stride + c], k, s[r]);
  }
  for (int r = 0; r < n; r++) store(sums + r * sum_stride, s[r]);
}

NC_INLINE void products_of(
    const float *q, long queries, long size, const float *keys, long count, long from, long to, float *products, long stride) {
  float panel[depth * lanes], sums[rows * lanes];
  for (long j = from; j < to; j += lanes) {
    const long n = to - j < lanes ? to - j : lanes;
    for (long start = 0; start < size; start += depth) {
      const long deep = size - start < depth ? size - start : depth;
      for (long c = 0; c < deep; c++) {
        const float *k = keys + (start + c) * count + j;
        if (n == lanes) {
          store(panel + c * lanes, load(k));
        } else {
          for (long i = 0; i < lanes; i++) panel[c * lanes + i] = i < n ? k[i] : 0;
        }
      }
      for (long i = 0; i < queries;) {
        const long left = queries - i;
        const long m = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        float *out = products + i * stride + j;
        for (long r = 0; r < m; r++) {
          if (start == 0) store(sums + r * lanes, (f32x16)0.0f);
          else memcpy(sums + r * lanes, out + r * stride, (size_t)n * sizeof(float));
        }
        const float *x = q + i * size + start;
        if (m == 6) multiply(x, size, panel, deep, sums, lanes, 6);
        else if (m == 4) multiply(x, size, panel, deep, sums, lanes, 4);
        else if (m == 2) multiply(x, size, panel, deep, sums, lanes, 2);
        else multiply(x, size, panel, deep, sums, lanes, 1);
        for (long r = 0; r < m; r++) memcpy(out + r * stride, sums + r * lanes, (size_t)n * sizeof(float));
        i += m;
      }
    }
  }
}

NC_WIDE void nc_attention_products_f32(
    const float *q, long queries, long size, const float *keys, long count, long from, long to, float *products, long stride) {
  products_of(q, queries, size, keys, count, from, to, products, stride);
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
