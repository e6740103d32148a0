// Decoders of ggml's IQ1, IQ2, IQ3, Q1_0 and Q8_K, in the order of operations of its dequantize_row_*, so that every value is
// the same to the bit. Layouts: the structs block_* of ggml-common.h. All numbers are little-endian.

#include "ggml_read.h"

#include <string.h>

#include "ggml_grids.h"

static const float iq2_levels[4] = {8, 25, 43, 0};
static const float iq3_xxs_levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};

static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static uint32_t u32(const uint8_t *p) { return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16; }

static float half(uint16_t bits) {
  _Float16 h;
  memcpy(&h, &bits, 2);
  return (float)h;
}

// Seven stored signs; the eighth makes their number even.
static uint8_t even_signs(uint32_t stored) {
  return (uint8_t)(stored | (uint32_t)(__builtin_popcount(stored) & 1) << 7);
}

static inline void eight(float *x, float scale, uint16_t entry, uint8_t signs) {
  for (int j = 0; j < 8; j++) {
    float level = iq2_levels[entry >> 2 * j & 3];
    x[j] = scale * level * (signs >> j & 1 ? -1.0f : 1.0f);
  }
}

// d; for each 32 elements 4 indices of 8 bits, then 4 times 7 signs and a scale in the 4 highest bits.
void nc_iq2_xxs_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 66, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 8; i++) {
      const uint8_t *q = y + 2 + 8 * i;
      uint32_t rest = u32(q + 4);
      float scale = d * (0.5f + (float)(rest >> 28)) * 0.25f;
      for (int k = 0; k < 4; k++) {
        eight(x + 32 * i + 8 * k, scale, nc_iq2_xxs_grid[q[k]], even_signs(rest >> 7 * k & 127));
      }
    }
  }
}

// d; for each 8 elements an index of 9 bits and 7 signs; for each 16 a scale of 4 bits.
void nc_iq2_xs_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 74, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 32; i++) {
      uint16_t q = u16(y + 2 + 2 * i);
      int step = y[66 + i / 4] >> (i / 2 % 2 * 4) & 15;
      float scale = d * (0.5f + (float)step) * 0.25f;
      eight(x + 8 * i, scale, nc_iq2_xs_grid[q & 511], even_signs(q >> 9));
    }
  }
}

// d; for each 8 elements the low 8 bits of an index, 8 signs, and its 2 high bits; for each 16 a scale of 4 bits.
void nc_iq2_s_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 82, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 32; i++) {
      int index = y[2 + i] | (y[66 + i / 4] >> 2 * (i % 4) & 3) << 8;
      int step = y[74 + i / 4] >> (i / 2 % 2 * 4) & 15;
      float scale = d * (0.5f + (float)step) * 0.25f;
      eight(x + 8 * i, scale, nc_iq2_s_grid[index], y[34 + i]);
    }
  }
}

// d; for each 4 elements an index of 8 bits; for each 32, 4 times 7 signs and a scale in the 4 highest bits.
void nc_iq3_xxs_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 98, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 8; i++) {
      uint32_t rest = u32(y + 66 + 4 * i);
      float scale = d * (0.5f + (float)(rest >> 28)) * 0.5f;
      for (int k = 0; k < 4; k++) {
        uint8_t signs = even_signs(rest >> 7 * k & 127);
        for (int j = 0; j < 8; j++) {
          uint16_t entry = nc_iq3_xxs_grid[y[2 + 8 * i + 2 * k + j / 4]];
          float level = iq3_xxs_levels[entry >> 3 * (j % 4) & 7];
          x[32 * i + 8 * k + j] = scale * level * (signs >> j & 1 ? -1.0f : 1.0f);
        }
      }
    }
  }
}

// d; for each 4 elements an index of 8 bits and a ninth; a sign each; for each 32 a scale of 4 bits.
void nc_iq3_s_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 110, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 64; i++) {
      int index = y[2 + i] | (y[66 + i / 8] >> i % 8 & 1) << 8;
      int step = y[106 + i / 16] >> (i / 8 % 2 * 4) & 15;
      float scale = d * (float)(1 + 2 * step);
      uint16_t entry = nc_iq3_s_grid[index];
      int signs = y[74 + i / 2] >> i % 2 * 4;
      for (int j = 0; j < 4; j++) {
        float level = (float)(1 + 2 * (entry >> 3 * j & 7));
        x[4 * i + j] = scale * level * (signs >> j & 1 ? -1.0f : 1.0f);
      }
    }
  }
}

static inline void eight_ternary(float *x, float scale, uint16_t entry, float delta) {
  for (int j = 0; j < 8; j++) x[j] = scale * ((float)((entry >> 2 * j & 3) - 1) + delta);
}

// d; for each 8 elements the low 8 bits of an index; for each 32 a word of its high bits, a scale and the sign of ⅛.
void nc_iq1_s_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 50, x += 256) {
    float d = half(u16(y));
    for (int i = 0; i < 8; i++) {
      uint16_t word = u16(y + 34 + 2 * i);
      float scale = d * (float)(2 * (word >> 12 & 7) + 1);
      float delta = word & 0x8000 ? -0.125f : 0.125f;
      for (int k = 0; k < 4; k++) {
        int index = y[2 + 4 * i + k] | (word >> 3 * k & 7) << 8;
        eight_ternary(x + 32 * i + 8 * k, scale, nc_iq1_grid[index], delta);
      }
    }
  }
}

// The same with the high bits and the sign in 4 bits for each 8 elements, scales of 3 bits for each 16, and d spread over the
// highest 4 bits of the four words of scales.
void nc_iq1_m_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 56, x += 256) {
    const uint8_t *scales = y + 48;
    uint16_t bits = 0;
    for (int k = 0; k < 4; k++) bits |= (uint16_t)((u16(scales + 2 * k) >> 12) << 4 * k);
    float d = half(bits);
    for (int i = 0; i < 32; i++) {
      int high = y[32 + i / 2] >> i % 2 * 4 & 15;
      int step = u16(scales + 2 * (i / 8)) >> 3 * (i / 2 % 4) & 7;
      float delta = high & 8 ? -0.125f : 0.125f;
      eight_ternary(x + 8 * i, d * (float)(2 * step + 1), nc_iq1_grid[y[i] | (high & 7) << 8], delta);
    }
  }
}

// d and a bit for each of 128 elements: d or −d.
void nc_q1_0_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 18, x += 128) {
    float d = half(u16(y));
    for (int i = 0; i < 128; i++) x[i] = y[2 + i / 8] >> i % 8 & 1 ? d : -d;
  }
}

// d in f32, 256 signed bytes, and their sums by 16, which are not needed.
void nc_q8_k_values(const uint8_t *y, size_t blocks, float *x) {
  for (size_t b = 0; b < blocks; b++, y += 292, x += 256) {
    uint32_t bits = u32(y);
    float d;
    memcpy(&d, &bits, 4);
    for (int i = 0; i < 256; i++) x[i] = d * (float)(int8_t)y[4 + i];
  }
}
