// Encoders of ggml's types of 4 and 5 bits, K-quants and IQ4 with an importance matrix: what its quantize_* write where they are
// given one, byte for byte. A row's importances are those of its columns.

#include "ggml_weighted.h"

#include "ggml_fits.h"

static void legacy(
    const float *x, size_t rows, size_t columns, const float *importance, int bits, int affine, uint8_t *y) {
  for (size_t row = 0; row < rows; row++, x += columns) {
    float spread = nc_sum_of_squares(x, columns) / (float)columns;
    for (size_t first = 0; first < columns; first += 32) {
      float w[32], minimum = 0;
      uint8_t codes[32];
      nc_weigh(x + first, importance + first, spread, 32, w);
      float d = affine ? nc_affine_fit(x + first, w, 32, (1 << bits) - 1, codes, &minimum)
                       : nc_symmetric_fit(x + first, w, 32, 1 << (bits - 1), codes);
      nc_put_half(y, d);
      y += 2;
      if (affine) {
        nc_put_half(y, -minimum);
        y += 2;
      }
      if (bits == 5) {
        uint32_t high = 0;
        for (int i = 0; i < 32; i++) high |= (uint32_t)(codes[i] >> 4 & 1) << i;
        for (int i = 0; i < 4; i++) *y++ = (uint8_t)(high >> 8 * i);
      }
      for (int i = 0; i < 16; i++) *y++ = (uint8_t)((codes[i] & 15) | codes[i + 16] << 4);
    }
  }
}

void nc_q4_0_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  legacy(x, rows, columns, importance, 4, 0, y);
}

void nc_q4_1_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  legacy(x, rows, columns, importance, 4, 1, y);
}

void nc_q5_0_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  legacy(x, rows, columns, importance, 5, 0, y);
}

void nc_q5_1_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  legacy(x, rows, columns, importance, 5, 1, y);
}

// The low two bits of four elements to a byte: of each 128 those 32 apart.
static void pack_two_bits(const uint8_t *codes, uint8_t *y) {
  for (int j = 0; j < 64; j++) {
    const uint8_t *c = codes + j / 32 * 128 + j % 32;
    y[j] = (uint8_t)((c[0] & 3) | (c[32] & 3) << 2 | (c[64] & 3) << 4 | (c[96] & 3) << 6);
  }
}

// Codes of a group under the scale and minimum as they are stored; those of the search where there is no scale.
static void restate(const float *x, int n, float d, float minimum, int low, int high, uint8_t *codes) {
  if (d == 0) return;
  for (int i = 0; i < n; i++) {
    codes[i] = (uint8_t)(nc_clamp(nc_nearest((x[i] + minimum) / d), low, high) - low);
  }
}

// What a super-block's groups of `length` are fitted with: scales and minima, the codes, and each group's weight.
typedef struct {
  float scales[16], minima[16], weights[16];
  uint8_t codes[256];
} affine_groups;

static void fit_groups(
    const float *x, const float *importance, float spread, int length, int top, affine_groups *found) {
  for (int g = 0; g < 256 / length; g++) {
    float w[32], sum = 0;
    nc_weigh(x + g * length, importance + g * length, spread, length, w);
    for (int i = 0; i < length; i++) sum += w[i];
    found->weights[g] = sum;
    found->scales[g] =
        nc_affine_fit(x + g * length, w, length, top, found->codes + g * length, found->minima + g);
  }
}

void nc_q2_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  for (size_t b = 0; b < rows * columns / 256; b++, x += 256, y += 84) {
    affine_groups found;
    uint8_t scales[16], minima[16];
    float spread = nc_sum_of_squares(x, 256) / 256;
    fit_groups(x, importance + b * 256 % columns, spread, 16, 3, &found);
    float d = nc_put_half(y + 80, nc_positive_fit(found.scales, found.weights, 16, 15, scales));
    float m = nc_put_half(y + 82, nc_positive_fit(found.minima, found.weights, 16, 15, minima));
    for (int g = 0; g < 16; g++) {
      y[g] = (uint8_t)(scales[g] | minima[g] << 4);
      restate(x + 16 * g, 16, d * (float)(y[g] & 15), m * (float)(y[g] >> 4), 0, 3, found.codes + 16 * g);
    }
    pack_two_bits(found.codes, y + 16);
  }
}

void nc_q3_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  for (size_t b = 0; b < rows * columns / 256; b++, x += 256, y += 110) {
    const float *qw = importance + b * 256 % columns;
    float scales[16], weights[16];
    uint8_t codes[256], fields[16];
    float spread = 2 * nc_sum_of_squares(x, 256) / 256;
    for (int g = 0; g < 16; g++) {
      float w[16], sum = 0;
      nc_weigh(x + 16 * g, qw + 16 * g, spread, 16, w);
      for (int i = 0; i < 16; i++) sum += w[i];
      weights[g] = sum;
      scales[g] = nc_symmetric_fit(x + 16 * g, w, 16, 4, codes + 16 * g);
    }
    float d = nc_put_half(y + 108, nc_symmetric_fit(scales, weights, 16, 32, fields));
    memset(y + 96, 0, 12);
    for (int g = 0; g < 16; g++) {
      y[96 + g % 8] |= (uint8_t)((fields[g] & 15) << (g < 8 ? 0 : 4));
      y[104 + g % 4] |= (uint8_t)(fields[g] >> 4 << 2 * (g / 4));
      restate(x + 16 * g, 16, d * (float)(fields[g] - 32), 0, -4, 3, codes + 16 * g);
    }
    memset(y, 0, 32);
    for (int i = 0; i < 256; i++) y[i % 32] |= (uint8_t)((codes[i] >> 2) << i / 32);
    pack_two_bits(codes, y + 32);
  }
}

// Scales and minima of 6 bits in 12 bytes: the first four of each whole, of the others the low nibbles, and their high bits above
// the first ones.
static void pack_six_bits(const uint8_t *scales, const uint8_t *minima, uint8_t *y) {
  for (int g = 0; g < 4; g++) {
    y[g] = (uint8_t)(scales[g] | scales[g + 4] >> 4 << 6);
    y[g + 4] = (uint8_t)(minima[g] | minima[g + 4] >> 4 << 6);
    y[g + 8] = (uint8_t)((scales[g + 4] & 15) | (minima[g + 4] & 15) << 4);
  }
}

static void affine_k(
    const float *x, size_t blocks, size_t columns, const float *importance, int bits, uint8_t *y) {
  size_t size = bits == 4 ? 144 : 176;
  for (size_t b = 0; b < blocks; b++, x += 256, y += size) {
    affine_groups found;
    uint8_t scales[8], minima[8];
    float spread = 2 * nc_sum_of_squares(x, 256) / 256;
    fit_groups(x, importance + b * 256 % columns, spread, 32, (1 << bits) - 1, &found);
    float d = nc_put_half(y, nc_positive_fit(found.scales, found.weights, 8, 63, scales));
    float m = nc_put_half(y + 2, nc_positive_fit(found.minima, found.weights, 8, 63, minima));
    pack_six_bits(scales, minima, y + 4);
    for (int g = 0; g < 8; g++) {
      restate(
          x + 32 * g, 32, d * (float)(scales[g] & 63), m * (float)(minima[g] & 63), 0, (1 << bits) - 1,
          found.codes + 32 * g);
    }
    uint8_t *q = y + 16;
    if (bits == 5) {
      memset(q, 0, 32);
      for (int i = 0; i < 256; i++) q[i % 32] |= (uint8_t)((found.codes[i] >> 4) << i / 32);
      q += 32;
    }
    for (int j = 0; j < 128; j++) {
      const uint8_t *c = found.codes + j / 32 * 64 + j % 32;
      q[j] = (uint8_t)((c[0] & 15) | c[32] << 4);
    }
  }
}

void nc_q4_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  affine_k(x, rows * columns / 256, columns, importance, 4, y);
}

void nc_q5_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  affine_k(x, rows * columns / 256, columns, importance, 5, y);
}

// Here an importance alone is the weight.
void nc_q6_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  for (size_t b = 0; b < rows * columns / 256; b++, x += 256, y += 210) {
    const float *qw = importance + b * 256 % columns;
    float scales[16], largest = 0, extreme = 0;
    uint8_t codes[256];
    for (int g = 0; g < 16; g++) {
      scales[g] = nc_symmetric_fit(x + 16 * g, qw + 16 * g, 16, 32, codes + 16 * g);
      if (fabsf(scales[g]) > largest) {
        largest = fabsf(scales[g]);
        extreme = scales[g];
      }
    }
    memset(y, 0, 210);
    if (largest < NC_GROUP_EPSILON) continue;
    float factor = -128.0f / extreme;
    float d = nc_put_half(y + 208, 1 / factor);
    for (int g = 0; g < 16; g++) {
      int l = nc_nearest(factor * scales[g]);
      int8_t field = (int8_t)(l < 127 ? l : 127);
      y[192 + g] = (uint8_t)field;
      restate(x + 16 * g, 16, d * (float)field, 0, -32, 31, codes + 16 * g);
    }
    for (int j = 0; j < 128; j++) {
      const uint8_t *c = codes + j / 64 * 128 + j % 64;
      y[j] = (uint8_t)((c[0] & 15) | (c[64] & 15) << 4);
    }
    for (int j = 0; j < 64; j++) {
      const uint8_t *c = codes + j / 32 * 128 + j % 32;
      y[128 + j] = (uint8_t)(c[0] >> 4 | c[32] >> 4 << 2 | c[64] >> 4 << 4 | c[96] >> 4 << 6);
    }
  }
}

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// The index of the nearest level, of two equally near the higher.
static int iq4_code(float x) {
  if (x <= iq4_levels[0]) return 0;
  if (x >= iq4_levels[15]) return 15;
  int low = 0, high = 15;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (x < iq4_levels[middle]) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return x - iq4_levels[low] < iq4_levels[high] - x ? low : high;
}

// The best of 16 trial scales of 32 elements.
static float iq4_fit(const float *x, const float *w) {
  float largest = 0, extreme = 0;
  for (int i = 0; i < 32; i++) {
    if (fabsf(x[i]) > largest) {
      largest = fabsf(x[i]);
      extreme = x[i];
    }
  }
  if (largest < NC_GROUP_EPSILON) return 0;
  float d = 0, best = 0;
  for (int trial = -8; trial <= 7; trial++) {
    int first = trial == -8;
    float factor = first ? 1 / (-extreme / iq4_levels[0]) : (float)(trial + iq4_levels[0]) / extreme;
    float qx = 0, qq = 0;
    for (int i = 0; i < 32; i++) {
      float q = iq4_levels[iq4_code(factor * x[i])];
      qx += w[i] * q * x[i];
      qq += w[i] * q * q;
    }
    if (first) {
      d = qq > 0 ? qx / qq : 0;
      best = d * qx;
    } else if (qq > 0 && qx * qx > best * qq) {
      d = qx / qq;
      best = d * qx;
    }
  }
  return d;
}

static void iq4_pack(const float *x, float d, uint8_t *y) {
  float factor = d == 0 ? 0 : 1 / d;
  for (int i = 0; i < 16; i++) {
    y[i] = (uint8_t)(iq4_code(factor * x[i]) | iq4_code(factor * x[i + 16]) << 4);
  }
}

void nc_iq4_nl_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  for (size_t b = 0; b < rows * columns / 32; b++, x += 32, y += 18) {
    float w[32];
    float spread = nc_sum_of_squares(x, 32);
    spread *= 2.0f / 32;
    nc_weigh(x, importance + b * 32 % columns, spread, 32, w);
    float d = iq4_fit(x, w);
    nc_put_half(y, d);
    iq4_pack(x, d, y + 2);
  }
}

void nc_iq4_xs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  for (size_t b = 0; b < rows * columns / 256; b++, x += 256, y += 136) {
    float scales[8], largest = 0, extreme = 0;
    float spread = nc_sum_of_squares(x, 256);
    spread *= 2.0f / 256;
    for (int g = 0; g < 8; g++) {
      float w[32];
      nc_weigh(x + 32 * g, importance + b * 256 % columns + 32 * g, spread, 32, w);
      scales[g] = iq4_fit(x + 32 * g, w);
      if (fabsf(scales[g]) > largest) {
        largest = fabsf(scales[g]);
        extreme = scales[g];
      }
    }
    // Codes follow from the scale before it is rounded.
    float d = -extreme / 32;
    float factor = d == 0 ? 0 : 1 / d;
    uint16_t high = 0;
    nc_put_half(y, d);
    memset(y + 4, 0, 4);
    for (int g = 0; g < 8; g++) {
      int l = nc_clamp(nc_nearest(factor * scales[g]), -32, 31);
      iq4_pack(x + 32 * g, d * (float)l, y + 8 + 16 * g);
      y[4 + g / 2] |= (uint8_t)((l + 32 & 15) << g % 2 * 4);
      high |= (uint16_t)((l + 32) >> 4 << 2 * g);
    }
    nc_put16(y + 2, high);
  }
}
