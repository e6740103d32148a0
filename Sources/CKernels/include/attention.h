// Attention's sums in f32, many side by side, each in its own order: every number is what one fused multiply-add after the other
// gives.
#ifndef NC_KERNEL_ATTENTION_H
#define NC_KERNEL_ATTENTION_H

#include <stdint.h>

/// Keys side by side in a panel.
enum { nc_panel = 16 };

/// products[i * stride + j] = Σ q[i * size + c] key[j][c] over c, from 0 on and in rising order, for each of `queries` queries
/// and the keys from ..< to; keys are panels of 16, each [size, 16], the last one filled up.
void nc_attention_products_f32(
    const float *q, long queries, long size, const float *panels, long from, long to, float *products, long stride);

/// total[c] += p[j] values[j * width + c] for rising j < count; where `used` is not NULL, for those with used[j] != 0.
void nc_attention_weigh_f32(
    const float *p, const uint8_t *used, const float *values, long count, long width, float *total);

/// The same without `used` for several rows at once: totals[i][c] += p[i][j] values[j * width + c].
void nc_attention_weigh_rows_f32(
    const float *const *p, float *const *totals, long rows, const float *values, long count, long width);

#endif
