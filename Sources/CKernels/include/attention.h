// Attention's sums in f32, many side by side, each in its own order: every number is what one fused multiply-add after the other
// gives.
#ifndef NC_KERNEL_ATTENTION_H
#define NC_KERNEL_ATTENTION_H

#include <stdint.h>

/// products[i * stride + j] = Σ q[i * size + c] keys[c * count + j] over c, from 0 on and in rising order, for each of `queries` queries
/// and the keys from ..< to; keys are [size, count].
void nc_attention_products_f32(
    const float *q, long queries, long size, const float *keys, long count, long from, long to, float *products, long stride);

/// total[c] += p[j] values[j * width + c] for rising j < count; where `used` is not NULL, for those with used[j] != 0.
void nc_attention_weigh_f32(
    const float *p, const uint8_t *used, const float *values, long count, long width, float *total);

#endif
