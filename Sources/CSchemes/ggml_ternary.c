// Encoders of ggml's IQ1_S and IQ1_M, byte for byte (ggml 0.13): of all ways to cut a group's sorted numbers into three runs, −1, 0 and
// 1 with ⅛ added or taken, the best; then eight at a time the nearest point of a grid.

#include "ggml_books.h"
#include "ggml_fits.h"
#include "ggml_weighted.h"

#define NC_LOWEST (-3.40282346638528859812e+38f)

// The three levels, with ⅛ added (0) or taken (1).
static const float shifted[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

// The indices of numbers in ascending order, equals as they come.
static void sort(const float *x, int n, uint8_t *order) {
  for (int i = 0; i < n; i++) {
    int k = i;
    for (; k > 0 && x[i] < x[order[k - 1]]; k--) order[k] = order[k - 1];
    order[k] = (uint8_t)i;
  }
}

// Three runs of the sorted numbers, and which shifts the halves of the group have.
typedef struct {
  float scale;
  int first, second, shifts;
} cuts;

// Codes of the runs; where the scale is negative they turn round, and with them the shifts.
static void spread(const uint8_t *order, int n, cuts *found, uint8_t *codes) {
  for (int j = 0; j < n; j++) codes[order[j]] = j < found->first ? 0 : j < found->second ? 1 : 2;
  if (found->scale < 0) {
    for (int j = 0; j < n; j++) codes[j] = 2 - codes[j];
    found->scale = -found->scale;
    found->shifts = 3 - found->shifts;
  }
}

static const float *levels_of(int shifts, int part, int parts) {
  // Bit 1: the first half's shift, bit 0: the second's.
  return shifted[part < parts / 2 ? shifts >> 1 : shifts & 1];
}

// The place of each eight codes' point, the nearest under the scale; the scale anew where not all were points.
static void place(
    const nc_book *book, const float *x, const float *w, int n, const uint8_t *codes, cuts *found, uint16_t *places) {
  int on_grid = 1;
  for (int k = 0; k < n / 8; k++) {
    const float *levels = levels_of(found->shifts, k, n / 8);
    unsigned u = 0;
    for (int i = 0; i < 8; i++) u |= (unsigned)codes[8 * k + i] << 2 * i;
    int at = book->places[u];
    if (at < 0) {
      on_grid = 0;
      const uint16_t *list = book->neighbours - at - 1;
      float least = -NC_LOWEST;
      at = list[1];
      for (int j = 1; j <= list[0]; j++) {
        float sum = 0;
        for (int i = 0; i < 8; i++) {
          float q = levels[book->grid[list[j]] >> 2 * i & 3];
          float difference = found->scale * q - x[8 * k + i];
          sum += w[8 * k + i] * difference * difference;
        }
        if (sum < least) {
          least = sum;
          at = list[j];
        }
      }
    }
    places[k] = (uint16_t)at;
  }
  if (on_grid) return;
  float qx = 0, qq = 0;
  for (int i = 0; i < n; i++) {
    float q = levels_of(found->shifts, i / 8, n / 8)[book->grid[places[i / 8]] >> 2 * (i % 8) & 3];
    qx += w[i] * q * x[i];
    qq += w[i] * q * q;
  }
  if (qx > 0 && qq > 0) found->scale = qx / qq;
}

static float largest_of(const float *x, int n) {
  float largest = fabsf(x[0]);
  for (int i = 1; i < n; i++) largest = largest > fabsf(x[i]) ? largest : fabsf(x[i]);
  return largest;
}

static int improves(float qx, float qq, float *best, float *scale) {
  if (!(qq > 0 && qx * qx > *best * qq)) return 0;
  *scale = qx / qq;
  *best = *scale * qx;
  return 1;
}

// Cuts of 32 numbers under one shift, by sums from the start.
static int cut_32(const float *x, const float *w, const uint8_t *order, cuts *found) {
  float sum_x[33] = {0}, sum_w[33] = {0}, best = NC_LOWEST;
  int is_found = 0;
  for (int j = 0; j < 32; j++) {
    int i = order[j];
    sum_x[j + 1] = sum_x[j] + w[i] * x[i];
    sum_w[j + 1] = sum_w[j] + w[i];
  }
  for (int a = 0; a <= 32; a++) {
    for (int b = a; b <= 32; b++) {
      for (int shift = 0; shift < 2; shift++) {
        const float *l = shifted[shift];
        float qx = (sum_x[a] - sum_x[0]) * l[0] + (sum_x[b] - sum_x[a]) * l[1] + (sum_x[32] - sum_x[b]) * l[2];
        float qq = (sum_w[a] - sum_w[0]) * l[0] * l[0] + (sum_w[b] - sum_w[a]) * l[1] * l[1] +
                   (sum_w[32] - sum_w[b]) * l[2] * l[2];
        if (!improves(qx, qq, &best, &found->scale)) continue;
        is_found = 1;
        found->first = a;
        found->second = b;
        found->shifts = 3 * shift;
      }
    }
  }
  return is_found;
}

void nc_iq1_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  const nc_book *book = nc_iq1_book();
  memset(y, 0, rows * columns / 256 * 50);
  for (size_t b = 0; book && b < rows * columns / 256; b++, x += 256, y += 50) {
    float largest = 0, scales[8] = {0};
    uint16_t words[8] = {0};
    float spread_x = 2 * nc_sum_of_squares(x, 256) / 256;
    for (int g = 0; g < 8; g++) {
      const float *group = x + 32 * g;
      float w[32];
      uint8_t order[32], codes[32];
      cuts found;
      nc_weigh(group, importance + b * 256 % columns + 32 * g, spread_x, 32, w);
      if (largest_of(group, 32) < 1e-12f) continue;
      sort(group, 32, order);
      if (!cut_32(group, w, order, &found)) continue;
      uint16_t places[4];
      spread(order, 32, &found, codes);
      place(book, group, w, 32, codes, &found, places);
      for (int k = 0; k < 4; k++) {
        y[2 + 4 * g + k] = (uint8_t)places[k];
        words[g] |= (uint16_t)(places[k] >> 8 << 3 * k);
      }
      if (found.shifts) words[g] |= 0x8000;
      scales[g] = found.scale;
      largest = largest > found.scale ? largest : found.scale;
    }
    float d = largest / 15;
    if (largest != 0) nc_put_half(y, d * 1.125f);
    for (int g = 0; g < 8; g++) {
      int l = nc_clamp(nc_nearest(0.5f * (1 / d * scales[g] - 1)), 0, 7);
      // Where nothing has a scale, shifts are not kept either.
      nc_put16(y + 34 + 2 * g, largest == 0 ? words[g] & 0xFFF : (uint16_t)(words[g] | l << 12));
    }
  }
}

// Cuts of 16 numbers under four pairs of shifts. ggml adds the sorted numbers up anew for each.
static int cut_16(const float *x, const float *w, const uint8_t *order, cuts *found) {
  float qx_of[2][3][16], qq_of[2][3][16], best = NC_LOWEST;
  int is_found = 0;
  for (int shift = 0; shift < 2; shift++) {
    for (int level = 0; level < 3; level++) {
      float q = shifted[shift][level];
      for (int j = 0; j < 16; j++) {
        qx_of[shift][level][j] = w[order[j]] * q * x[order[j]];
        qq_of[shift][level][j] = w[order[j]] * q * q;
      }
    }
  }
  for (int a = 0; a <= 16; a++) {
    for (int b = a; b <= 16; b++) {
      float qx[4] = {0}, qq[4] = {0};
      for (int j = 0; j < 16; j++) {
        int level = j < a ? 0 : j < b ? 1 : 2;
        for (int shifts = 0; shifts < 4; shifts++) {
          int shift = order[j] < 8 ? shifts >> 1 : shifts & 1;
          qx[shifts] += qx_of[shift][level][j];
          qq[shifts] += qq_of[shift][level][j];
        }
      }
      for (int shifts = 0; shifts < 4; shifts++) {
        if (!improves(qx[shifts], qq[shifts], &best, &found->scale)) continue;
        is_found = 1;
        found->first = a;
        found->second = b;
        found->shifts = shifts;
      }
    }
  }
  return is_found;
}

void nc_iq1_m_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  static const uint8_t masks[4] = {0x00, 0x80, 0x08, 0x88};
  const nc_book *book = nc_iq1_book();
  memset(y, 0, rows * columns / 256 * 56);
  for (size_t b = 0; book && b < rows * columns / 256; b++, x += 256, y += 56) {
    float largest = 0, scales[16] = {0}, w[256];
    int shifts[16] = {0};
    // A group without a cut keeps the grid's first point.
    uint16_t places[32] = {0};
    float spread_x = 2 * nc_sum_of_squares(x, 256) / 256;
    if (importance) {
      nc_weigh(x, importance + b * 256 % columns, spread_x, 256, w);
    } else {
      for (int i = 0; i < 256; i++) w[i] = x[i] * x[i];
    }
    for (int g = 0; g < 16; g++) {
      const float *group = x + 16 * g;
      uint8_t order[16], codes[16];
      cuts found;
      if (largest_of(group, 16) < 1e-7f) continue;
      sort(group, 16, order);
      if (!cut_16(group, w + 16 * g, order, &found)) continue;
      spread(order, 16, &found, codes);
      place(book, group, w + 16 * g, 16, codes, &found, places + 2 * g);
      y[2 * g] = (uint8_t)places[2 * g];
      y[2 * g + 1] = (uint8_t)places[2 * g + 1];
      y[32 + g] = (uint8_t)(places[2 * g] >> 8 | places[2 * g + 1] >> 8 << 4);
      scales[g] = found.scale;
      shifts[g] = found.shifts;
      largest = largest > found.scale ? largest : found.scale;
    }
    if (largest == 0) continue;
    float d = largest / 15, factor = 1 / d, qx = 0, qq = 0;
    uint16_t words[4] = {0};
    for (int g = 0; g < 16; g++) {
      int l = nc_clamp(nc_nearest(0.5f * (factor * scales[g] - 1)), 0, 7);
      words[g / 4] |= (uint16_t)(l << 3 * (g % 4));
      y[32 + g] |= masks[shifts[g]];
      for (int i = 0; i < 16; i++) {
        float level = levels_of(shifts[g], i / 8, 2)[book->grid[places[2 * g + i / 8]] >> 2 * (i % 8) & 3];
        float q = level * (float)(2 * l + 1);
        qx += w[16 * g + i] * q * x[16 * g + i];
        qq += w[16 * g + i] * q * q;
      }
    }
    if (qq > 0) d = qx / qq;
    uint16_t bits = nc_half_bits(d * 1.1125f);
    for (int k = 0; k < 4; k++) nc_put16(y + 48 + 2 * k, (uint16_t)(words[k] | (bits >> 4 * k & 15) << 12));
  }
}
