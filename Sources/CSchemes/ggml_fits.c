// Scales of ggml's blocks under weights, in the order of operations of ggml-quants.c (ggml 0.13).

#include "ggml_fits.h"

float nc_symmetric_fit(const float *x, const float *w, int n, int levels, uint8_t *codes) {
  float largest = 0, extreme = 0;
  for (int i = 0; i < n; i++) {
    if (fabsf(x[i]) > largest) {
      largest = fabsf(x[i]);
      extreme = x[i];
    }
  }
  if (largest < NC_GROUP_EPSILON) {
    memset(codes, 0, (size_t)n);
    return 0;
  }
  float scale = 0, best = 0;
  for (int trial = -10; trial <= 9; trial++) {
    // The plain scale comes first, and counts whatever it is.
    if (trial == 0) continue;
    int first = trial == -10;
    float factor = first ? -(float)levels / extreme : -((float)levels + 0.1f * (float)trial) / extreme;
    float lx = 0, ll = 0;
    for (int i = 0; i < n; i++) {
      float l = (float)nc_clamp(nc_nearest(factor * x[i]), -levels, levels - 1);
      lx += w[i] * x[i] * l;
      ll += w[i] * l * l;
    }
    if (!first && !(ll > 0 && lx * lx > best * ll)) continue;
    scale = first && ll == 0 ? 0 : lx / ll;
    best = scale * lx;
    for (int i = 0; i < n; i++) {
      codes[i] = (uint8_t)(levels + nc_clamp(nc_nearest(factor * x[i]), -levels, levels - 1));
    }
  }
  return scale;
}

static float affine_error(
    const float *x, const float *w, int n, const uint8_t *codes, float scale, float offset) {
  float sum = 0;
  for (int i = 0; i < n; i++) {
    float difference = scale * (float)codes[i] + offset - x[i];
    sum += w[i] * (difference * difference);
  }
  return sum;
}

float nc_affine_fit(const float *x, const float *w, int n, int top, uint8_t *codes, float *minimum) {
  float low = x[0], high = x[0];
  float sum_w = w[0], sum_x = w[0] * x[0];
  for (int i = 1; i < n; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    sum_w += w[i];
    sum_x += w[i] * x[i];
  }
  if (low > 0) low = 0;
  *minimum = -low;
  if (high <= low) {
    memset(codes, 0, (size_t)n);
    return 0;
  }
  uint8_t tried[32];
  float offset = low;
  float factor = (float)top / (high - low);
  float scale = 1 / factor;
  for (int i = 0; i < n; i++) codes[i] = (uint8_t)nc_clamp(nc_nearest(factor * (x[i] - low)), 0, top);
  float best = affine_error(x, w, n, codes, scale, low);
  for (int trial = 0; trial <= 36; trial++) {
    // A better line's offset is where the next trial starts from.
    factor = (-0.9f + 0.05f * (float)trial + (float)top) / (high - offset);
    float l1 = 0, l2 = 0, lx = 0;
    for (int i = 0; i < n; i++) {
      int l = nc_clamp(nc_nearest(factor * (x[i] - offset)), 0, top);
      tried[i] = (uint8_t)l;
      l1 += w[i] * (float)l;
      l2 += w[i] * (float)l * (float)l;
      lx += w[i] * (float)l * x[i];
    }
    float determinant = sum_w * l2 - l1 * l1;
    if (!(determinant > 0)) continue;
    float new_scale = (sum_w * lx - sum_x * l1) / determinant;
    float new_offset = (l2 * sum_x - l1 * lx) / determinant;
    if (new_offset > 0) {
      new_offset = 0;
      new_scale = lx / l2;
    }
    float error = affine_error(x, w, n, tried, new_scale, new_offset);
    if (!(error < best)) continue;
    memcpy(codes, tried, (size_t)n);
    best = error;
    scale = new_scale;
    offset = new_offset;
  }
  *minimum = -offset;
  return scale;
}

float nc_positive_fit(const float *x, const float *w, int n, int top, uint8_t *codes) {
  float largest = 0;
  for (int i = 0; i < n; i++) largest = largest > x[i] ? largest : x[i];
  if (largest < NC_GROUP_EPSILON) {
    memset(codes, 0, (size_t)n);
    return 0;
  }
  float factor = (float)top / largest;
  float step = 1 / factor, best = 0;
  for (int i = 0; i < n; i++) {
    float difference = x[i] - step * (float)(uint8_t)nc_nearest(factor * x[i]);
    best += w[i] * difference * difference;
  }
  for (int trial = -4; trial <= 4; trial++) {
    if (trial == 0) continue;
    float other = (0.1f * (float)trial + (float)top) / largest;
    float error = 0;
    step = 1 / other;
    for (int i = 0; i < n; i++) {
      int l = nc_nearest(other * x[i]);
      float difference = x[i] - step * (float)(l < top ? l : top);
      error += w[i] * difference * difference;
    }
    if (error < best) {
      best = error;
      factor = other;
    }
  }
  float sum_lx = 0, sum_ll = 0;
  for (int i = 0; i < n; i++) {
    int l = nc_nearest(factor * x[i]);
    l = l < top ? l : top;
    codes[i] = (uint8_t)l;
    sum_lx += w[i] * x[i] * (float)l;
    sum_ll += w[i] * (float)l * (float)l;
  }
  for (int turn = 0; turn < 5; turn++) {
    int changed = 0;
    for (int i = 0; i < n; i++) {
      float code = (float)codes[i];
      float lx = sum_lx - w[i] * x[i] * code;
      float ll = sum_ll - w[i] * code * code;
      if (!(lx > 0 && ll > 0)) continue;
      int l = nc_nearest(x[i] * ll / lx);
      l = l < top ? l : top;
      if (l == codes[i]) continue;
      lx += w[i] * x[i] * (float)l;
      ll += w[i] * (float)l * (float)l;
      if (lx * lx * sum_ll > sum_lx * sum_lx * ll) {
        codes[i] = (uint8_t)l;
        sum_lx = lx;
        sum_ll = ll;
        changed = 1;
      }
    }
    if (!changed) break;
  }
  return sum_ll > 0 ? sum_lx / sum_ll : 0;
}
