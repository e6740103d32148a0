// Encoders of ggml's IQ2 and IQ3, byte for byte (quantize_iq* of ggml 0.13): magnitudes of 8 or 4 neighbours are a point of a grid,
// their signs are kept beside.

#include "ggml_books.h"
#include "ggml_fits.h"
#include "ggml_weighted.h"

// How a type's groups are searched.
typedef struct {
  // Elements of a group, and of a point of the grid.
  int length, part;
  // Codes 0 ..< levels stand for 1, 3, 5 ….
  int levels;
  // Trial scales either side, and how far apart.
  int tries;
  float step;
  // Groups below it count as zero.
  float epsilon;
  // Only seven signs of eight are stored: their number is even.
  int is_even;
  // Trial scales start from a fit without the grid.
  int is_fitted;
  // The last turn moves every point, not just those that were off the grid.
  int moves_all;
  const nc_book *book;
} lattice;

// The point of the grid nearest to x among those near the rounded one, whose codes become its own.
static int nearest_point(
    const lattice *rule, unsigned rounded, const float *x, const float *roots, float scale, uint8_t *codes) {
  const nc_book *book = rule->book;
  int place = book->places[rounded];
  if (place >= 0) return place;
  const uint16_t *list = book->neighbours - place - 1;
  int best = list[1];
  float least = 3.40282346638528859812e+38f;
  int bits = rule->part == 8 ? 2 : 3;
  for (int k = 1; k <= list[0]; k++) {
    unsigned entry = book->grid[list[k]];
    float sum = 0;
    for (int i = 0; i < rule->part; i++) {
      float q = (float)(2 * (entry >> bits * i & ((1u << bits) - 1)) + 1);
      float difference = scale * q - x[i];
      sum += roots[i] * difference * difference;
    }
    if (sum < least) {
      least = sum;
      best = list[k];
    }
  }
  unsigned entry = book->grid[best];
  for (int i = 0; i < rule->part; i++) codes[i] = (uint8_t)(entry >> bits * i & ((1u << bits) - 1));
  return best;
}

static unsigned rounded(const lattice *rule, const float *x, float factor, uint8_t *codes) {
  unsigned u = 0;
  for (int i = 0; i < rule->part; i++) {
    int l = nc_clamp(nc_nearest(0.5f * (factor * x[i] - 1)), 0, rule->levels - 1);
    codes[i] = (uint8_t)l;
    u |= (unsigned)l << (rule->part == 8 ? 2 : 3) * i;
  }
  return u;
}

static void moments(const float *x, const float *w, const uint8_t *codes, int n, float *qx, float *qq) {
  *qx = *qq = 0;
  for (int i = 0; i < n; i++) {
    float q = (float)(2 * codes[i] + 1);
    *qx += w[i] * x[i] * q;
    *qq += w[i] * q * q;
  }
}

// The scale of a group and the places of its points; −1 for a group that counts as zero, of which nothing is stored.
static float fit(const lattice *rule, float *x, const float *w, uint8_t *signs, uint16_t *places) {
  int n = rule->length, part = rule->part, count = n / part, top = rule->levels;
  float roots[32], largest = x[0];
  uint8_t codes[32] = {0}, tried[32];
  uint8_t on_grid[8], tried_on_grid[8];
  for (int i = 0; i < n; i++) roots[i] = sqrtf(w[i]);
  for (int i = 1; i < n; i++) largest = largest > x[i] ? largest : x[i];
  if (rule->epsilon == 0 ? largest == 0 : largest < rule->epsilon) return -1;
  float span = largest, scale = largest / (float)(2 * top - 1), best = 0;
  if (rule->is_fitted) {
    scale = nc_positive_fit(x, w, n, top + 1, codes);
    span = scale * (float)top;
    if (span <= 0) return -1;
  }
  memset(on_grid, !rule->moves_all, sizeof on_grid);
  for (int trial = -rule->tries; trial <= rule->tries; trial++) {
    float factor = ((float)(2 * top - 1) + (float)trial * rule->step) / span;
    for (int k = 0; k < count; k++) {
      unsigned u = rounded(rule, x + part * k, factor, tried + part * k);
      tried_on_grid[k] = rule->book->places[u] >= 0;
      nearest_point(rule, u, x + part * k, roots + part * k, 1 / factor, tried + part * k);
    }
    float qx, qq;
    moments(x, w, tried, n, &qx, &qq);
    if (!(qq > 0 && qx * qx > best * qq)) continue;
    scale = qx / qq;
    best = scale * qx;
    memcpy(codes, tried, (size_t)n);
    memcpy(on_grid, tried_on_grid, sizeof on_grid);
  }
  int settled = 1;
  for (int k = 0; k < count; k++) settled &= on_grid[k];
  if ((!settled || rule->is_fitted) && scale > 0) {
    for (int k = 0; k < count; k++) {
      if (on_grid[k] && !rule->moves_all) continue;
      unsigned u = rounded(rule, x + part * k, 1 / scale, codes + part * k);
      nearest_point(rule, u, x + part * k, roots + part * k, scale, codes + part * k);
    }
    float qx, qq;
    moments(x, w, codes, n, &qx, &qq);
    if (qq > 0) scale = qx / qq;
  }
  if (scale < 0) {
    // Scales have no sign: those of the elements turn instead.
    scale = -scale;
    for (int k = 0; k < n / 8; k++) signs[k] = (uint8_t)(~signs[k] & (rule->is_even ? 127 : 255));
  }
  for (int k = 0; k < count; k++) {
    unsigned u = 0;
    for (int i = 0; i < part; i++) u |= (unsigned)codes[part * k + i] << (part == 8 ? 2 : 3) * i;
    int place = rule->book->places[u];
    places[k] = (uint16_t)(place < 0 ? 0 : place);
  }
  return scale;
}

// Magnitudes and signs of eight elements. Where only an even number of signs can be kept, that of the least element is wrong.
static uint8_t part_signs(const float *x, const float *w, int is_even, float *magnitudes) {
  unsigned signs = 0;
  for (int i = 0; i < 8; i++) {
    magnitudes[i] = x[i] >= 0 ? x[i] : -x[i];
    signs |= (unsigned)!(x[i] >= 0) << i;
  }
  if (!is_even) return (uint8_t)signs;
  if (__builtin_popcount(signs) % 2) {
    int least = 0;
    for (int i = 1; i < 8; i++) {
      if (w[i] * x[i] * x[i] < w[least] * x[least] * x[least]) least = i;
    }
    magnitudes[least] = -magnitudes[least];
    signs ^= 1u << least;
  }
  return (uint8_t)(signs & 127);
}

// What a super-block is made of.
typedef struct {
  float scales[16], largest;
  uint16_t places[64];
  uint8_t signs[32], steps[16];
  // Whether a group counts as zero.
  uint8_t is_zero[16];
} lattice_block;

// Fits a super-block's groups, and steps of 1/31 of the largest scale to theirs.
static void fit_block(
    const lattice *rule, const float *x, const float *importance, float spread, float own, lattice_block *found) {
  int n = rule->length;
  memset(found, 0, sizeof *found);
  for (int g = 0; g < 256 / n; g++) {
    float w[32], magnitudes[32];
    const float *group = x + n * g;
    if (importance) {
      nc_weigh(group, importance + n * g, spread, n, w);
    } else {
      for (int i = 0; i < n; i++) w[i] = own * spread + group[i] * group[i];
    }
    uint8_t signs[4];
    uint16_t places[8] = {0};
    for (int k = 0; k < n / 8; k++) {
      signs[k] = part_signs(group + 8 * k, w + 8 * k, rule->is_even, magnitudes + 8 * k);
    }
    float scale = fit(rule, magnitudes, w, signs, places);
    found->is_zero[g] = scale < 0;
    if (scale < 0) continue;
    found->scales[g] = scale;
    found->largest = found->largest > scale ? found->largest : scale;
    memcpy(found->places + n / rule->part * g, places, sizeof(uint16_t) * (size_t)(n / rule->part));
    memcpy(found->signs + n / 8 * g, signs, (size_t)(n / 8));
  }
  if (found->largest == 0) return;
  float factor = 1 / (found->largest / 31);
  for (int g = 0; g < 256 / n; g++) {
    found->steps[g] = (uint8_t)nc_clamp(nc_nearest(0.5f * (factor * found->scales[g] - 1)), 0, 15);
  }
}

// The book, or zeros in all of y where there is none.
static const nc_book *opened(const nc_book *book, size_t bytes, uint8_t *y) {
  if (!book) memset(y, 0, bytes);
  return book;
}

void nc_iq2_xxs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  size_t blocks = rows * columns / 256;
  lattice rule = {32, 8, 3, 6, 0.1f, NC_GROUP_EPSILON, 1, 1, 1, opened(nc_iq2_xxs_book(), 66 * blocks, y)};
  for (size_t b = 0; rule.book && b < blocks; b++, x += 256, y += 66) {
    lattice_block found;
    fit_block(&rule, x, importance + b * 256 % columns, nc_sum_of_squares(x, 256) / 256, 0, &found);
    nc_put_half(y, found.largest / 31);
    memset(y + 2, 0, 64);
    for (int g = 0; found.largest != 0 && g < 8; g++) {
      uint8_t *q = y + 2 + 8 * g;
      uint32_t rest = (uint32_t)found.steps[g] << 28;
      for (int k = 0; k < 4; k++) {
        q[k] = (uint8_t)found.places[4 * g + k];
        rest |= (uint32_t)found.signs[4 * g + k] << 7 * k;
      }
      for (int k = 0; k < 4; k++) q[4 + k] = (uint8_t)(rest >> 8 * k);
    }
  }
}

void nc_iq2_xs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  size_t blocks = rows * columns / 256;
  lattice rule = {16, 8, 3, 9, 0.1f, NC_GROUP_EPSILON, 1, 0, 0, opened(nc_iq2_xs_book(), 74 * blocks, y)};
  for (size_t b = 0; rule.book && b < blocks; b++, x += 256, y += 74) {
    lattice_block found;
    fit_block(&rule, x, importance + b * 256 % columns, nc_sum_of_squares(x, 256) / 256, 0, &found);
    nc_put_half(y, found.largest / 31);
    memset(y + 2, 0, 72);
    if (found.largest == 0) continue;
    for (int k = 0; k < 32; k++) {
      nc_put16(y + 2 + 2 * k, (uint16_t)(found.places[k] | found.signs[k] << 9));
    }
    for (int g = 0; g < 16; g++) y[66 + g / 2] |= (uint8_t)(found.steps[g] << g % 2 * 4);
  }
}

void nc_iq2_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  size_t blocks = rows * columns / 256;
  lattice rule = {16, 8, 3, 9, 0.1f, 1e-8f, 0, 0, 0, opened(nc_iq2_s_book(), 82 * blocks, y)};
  for (size_t b = 0; rule.book && b < blocks; b++, x += 256, y += 82) {
    lattice_block found;
    const float *qw = importance ? importance + b * 256 % columns : NULL;
    fit_block(&rule, x, qw, 2 * nc_sum_of_squares(x, 256) / 256, 0.25f, &found);
    nc_put_half(y, found.largest / 31 * 0.9875f);
    memset(y + 66, 0, 16);
    for (int k = 0; k < 32; k++) {
      y[2 + k] = (uint8_t)found.places[k];
      y[34 + k] = found.signs[k];
      y[66 + k / 4] |= (uint8_t)(found.places[k] >> 8 << 2 * (k % 4));
    }
    for (int g = 0; g < 16; g++) y[74 + g / 2] |= (uint8_t)(found.steps[g] << g % 2 * 4);
  }
}

void nc_iq3_xxs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  size_t blocks = rows * columns / 256;
  lattice rule = {32, 4, 8, 15, 0.2f, 1e-8f, 1, 0, 0, opened(nc_iq3_xxs_book(), 98 * blocks, y)};
  for (size_t b = 0; rule.book && b < blocks; b++, x += 256, y += 98) {
    lattice_block found;
    const float *qw = importance ? importance + b * 256 % columns : NULL;
    fit_block(&rule, x, qw, 2 * nc_sum_of_squares(x, 256) / 256, 0, &found);
    nc_put_half(y, found.largest / 31 * 1.0125f);
    memset(y + 2, 0, 96);
    if (found.largest == 0) continue;
    for (int k = 0; k < 64; k++) y[2 + k] = (uint8_t)found.places[k];
    for (int g = 0; g < 8; g++) {
      uint32_t rest = (uint32_t)found.steps[g] << 28;
      for (int k = 0; k < 4; k++) rest |= (uint32_t)found.signs[4 * g + k] << 7 * k;
      for (int k = 0; k < 4; k++) y[66 + 4 * g + k] = (uint8_t)(rest >> 8 * k);
    }
  }
}

void nc_iq3_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y) {
  size_t blocks = rows * columns / 256;
  lattice rule = {32, 4, 8, 9, 0.2f, 0, 0, 0, 1, opened(nc_iq3_s_book(), 110 * blocks, y)};
  for (size_t b = 0; rule.book && b < blocks; b++, x += 256, y += 110) {
    lattice_block found;
    const float *qw = importance ? importance + b * 256 % columns : NULL;
    fit_block(&rule, x, qw, 2 * nc_sum_of_squares(x, 256) / 256, 0, &found);
    nc_put_half(y, found.largest / 31 * 1.033f);
    memset(y + 2, 0, 108);
    // ggml's slip: a group of zeros takes no place, so that indices and signs of those behind it stand too far ahead; their ninth
    // bits and scales do not.
    int at = 0;
    for (int g = 0; g < 8; g++) {
      if (found.is_zero[g]) continue;
      for (int k = 0; k < 8; k++) {
        y[2 + 8 * at + k] = (uint8_t)found.places[8 * g + k];
        y[66 + g] |= (uint8_t)(found.places[8 * g + k] >> 8 << k);
      }
      memcpy(y + 74 + 4 * at, found.signs + 4 * g, 4);
      at++;
    }
    for (int g = 0; g < 8; g++) y[106 + g / 2] |= (uint8_t)(found.steps[g] << g % 2 * 4);
  }
}
