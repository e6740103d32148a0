// Codebooks that are learned, solved for, or built by a rule: any4's, TurboQuant's and QuIP#'s.

#include "codebooks.h"

#include <math.h>
#include <string.h>

#include "cures.h"

// The nearest of 16 ascending levels in f32, the first of equals.
static int nearest_level(const float *levels, float x) {
  int low = 0, high = 15;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (x < levels[middle]) {
      high = middle;
    } else {
      low = middle;
    }
  }
  int best = fabsf(x - levels[low]) <= fabsf(x - levels[high]) ? low : high;
  while (best > 0 && levels[best - 1] == levels[best]) best--;
  return best;
}

// Lloyd's iteration on the finite ones of n numbers from 16 equal steps between their ends: until no code changes, the levels move by
// less than 10⁻⁴ of the variance, or 300 times. `weights` may be NULL. Codes are those before the last move.
void nc_any4_fit(const float *x, const double *weights, size_t n, float *levels, uint8_t *codes) {
  float low = INFINITY, high = -INFINITY;
  double count = 0, mean = 0, variance = 0;
  for (size_t i = 0; i < n; i++) {
    codes[i] = 0;
    if (!isfinite(x[i])) continue;
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    mean += x[i];
    count++;
  }
  memset(levels, 0, 16 * sizeof *levels);
  if (count == 0) return;
  mean /= count;
  for (size_t i = 0; i < n; i++) {
    if (isfinite(x[i])) variance += (x[i] - mean) * (x[i] - mean);
  }
  double tolerance = variance / count * 1e-4;
  // torch.linspace: from both ends.
  float step = (high - low) / 15;
  for (int k = 0; k < 16; k++) levels[k] = k < 8 ? low + step * (float)k : high - step * (float)(15 - k);
  for (int turn = 0; turn < 300; turn++) {
    double sums[16] = {0}, totals[16] = {0}, plain[16] = {0}, members[16] = {0};
    int changed = 0;
    for (size_t i = 0; i < n; i++) {
      if (!isfinite(x[i])) continue;
      int code = nearest_level(levels, x[i]);
      changed |= code != codes[i];
      codes[i] = (uint8_t)code;
      double w = weights ? weights[i] : 1;
      sums[code] += w * x[i];
      totals[code] += w;
      plain[code] += x[i];
      members[code]++;
    }
    if (!changed) break;
    double moved = 0;
    for (int k = 0; k < 16; k++) {
      if (members[k] == 0) continue;
      float level = (float)(totals[k] == 0 ? plain[k] / members[k] : sums[k] / totals[k]);
      moved += (double)(level - levels[k]) * (level - levels[k]);
      levels[k] = level;
    }
    if (turn > 0 && sqrt(moved) < tolerance) break;
  }
  for (size_t i = 0; i < n; i++) {
    // What is no number has the code of the end that it is beyond.
    if (!isfinite(x[i])) codes[i] = x[i] > 0 ? 15 : 0;
  }
}

// The unscaled density of a coordinate of a random unit vector of d numbers, (1 − x²)^((d − 3)/2).
static double coordinate_density(double x, double power) { return x >= 1 ? 0 : nc_pow(1 - x * x, power); }

// ∫ of it, by Gauss and Legendre's rule of 8 points on 16 pieces.
static double coordinate_mass(double a, double b, double power) {
  static const double nodes[4] = {
      0.18343464249564980494, 0.52553240991632898582, 0.79666647741362673959, 0.96028985649753623168};
  static const double shares[4] = {
      0.36268378337836198297, 0.31370664587788728734, 0.22238103445337447054, 0.10122853629037625915};
  double sum = 0, half = (b - a) / 32;
  for (int piece = 0; piece < 16; piece++) {
    double middle = a + half * (2 * piece + 1);
    for (int k = 0; k < 4; k++) {
      sum += shares[k] * (coordinate_density(middle + half * nodes[k], power) +
                          coordinate_density(middle - half * nodes[k], power));
    }
  }
  return sum * half;
}

// The positive half of the 2·count levels that err least (Lloyd and Max) for a coordinate of a random unit vector of d numbers.
void nc_coordinate_levels(int d, int count, double *levels) {
  double power = (d - 3) * 0.5;
  // All but nothing of the density lies below, where d is large.
  double end = fmin(1, 12 / sqrt(d));
  for (int k = 0; k < count; k++) levels[k] = (k + 0.5) / count * fmin(1, 3 / sqrt(d));
  for (int turn = 0; turn < 20000; turn++) {
    double moved = 0, edge = 0;
    for (int k = 0; k < count; k++) {
      double next = k + 1 < count ? (levels[k] + levels[k + 1]) * 0.5 : end;
      // ∫ x(1 − x²)^p dx is known.
      double moment = (nc_pow(1 - edge * edge, power + 1) - (next < 1 ? nc_pow(1 - next * next, power + 1) : 0)) /
                      (2 * (power + 1));
      double level = moment / coordinate_mass(edge, next, power);
      moved = fmax(moved, fabs(level - levels[k]));
      // The edge above is taken of levels before they move.
      levels[k] = level;
      edge = next;
    }
    if (moved < 1e-15) break;
  }
}

// QuIP#'s E8P (Tseng et al., arXiv 2402.04396, §4.2): magnitudes of 8 numbers are one of 227 of norm² at most 10 with entries ½, 3/2, 5/2
// and of 29 of norm² 12, whose entries are 3/2 where these bits are set (the first number the lowest), else ½.
static const uint8_t e8p_twelve[29] = {
    0xF1, 0xF2, 0xF4, 0xF8, 0x37, 0x57, 0x67, 0x97, 0xA7, 0xC7, 0x3B, 0x5B, 0x6B, 0x9B, 0xAB,
    0xCB, 0x3D, 0x5D, 0x6D, 0x9D, 0xAD, 0xCE, 0x3E, 0x5E, 0x6E, 0x9E, 0xAE, 0xEC, 0x73};

// Twice the magnitudes of each index.
void nc_e8p_magnitudes(uint8_t *magnitudes) {
  int place = 0;
  // In lexical order.
  for (int word = 0; word < 6561; word++) {
    uint8_t entry[8];
    int norm = 0;
    for (int i = 7, rest = word; i >= 0; i--, rest /= 3) {
      entry[i] = (uint8_t)(2 * (rest % 3) + 1);
      norm += entry[i] * entry[i];
    }
    if (norm <= 40) memcpy(magnitudes + 8 * place++, entry, 8);
  }
  for (int k = 0; k < 29; k++, place++) {
    for (int i = 0; i < 8; i++) magnitudes[8 * place + i] = e8p_twelve[k] >> i & 1 ? 3 : 1;
  }
}

// Where the sign of each number is in a code.
static const uint8_t e8p_sign_bit[8] = {0, 4, 1, 5, 2, 6, 3, 7};

static int sum_is_odd(const uint8_t *magnitudes) {
  int sum = 0;
  for (int i = 0; i < 8; i++) sum += magnitudes[i];
  return sum / 2 & 1;
}

// A code: the index of the magnitudes, and 8 bits of signs, of which an odd number shifts by −¼, an even one by ¼.
void nc_e8p_values(const uint8_t *table, const uint16_t *codes, size_t count, float scale, float *x) {
  for (size_t k = 0; k < count; k++, x += 8) {
    const uint8_t *magnitudes = table + 8 * (codes[k] >> 8);
    unsigned signs = codes[k] & 255;
    unsigned parity = (unsigned)__builtin_popcount(signs) & 1;
    signs ^= parity | (unsigned)sum_is_odd(magnitudes) << 7;
    for (int i = 0; i < 8; i++) {
      float value = 0.5f * magnitudes[i] * (signs >> e8p_sign_bit[i] & 1 ? -1.0f : 1.0f);
      x[i] = (value + (parity ? -0.25f : 0.25f)) * scale;
    }
  }
}

// The nearest point with one of the shifts to x, which the shift has left: its code, and how far it is.
static uint16_t e8p_part(const uint8_t *table, const float *x, int parity, float *distance) {
  float part[8];
  unsigned negative = 0;
  for (int i = 0; i < 8; i++) {
    part[i] = fabsf(x[i]);
    negative |= (unsigned)(x[i] < 0) << i;
  }
  // Points have an even number of minus signs, but for those of an odd sum: the last number makes up for it.
  if (__builtin_popcount(negative) & 1) {
    part[7] = -part[7];
    negative ^= 0x80;
  }
  float best = -INFINITY;
  int index = 0;
  unsigned turned = 0;
  for (int k = 0; k < 256; k++) {
    const uint8_t *m = table + 8 * k;
    float dot = 0, norm = 0, least = INFINITY;
    int weakest = -1;
    for (int i = 0; i < 7; i++) {
      float a = 0.5f * m[i];
      dot += part[i] * a;
      norm += a * a;
      if (m[i] == 1 && part[i] < least) {
        least = part[i];
        weakest = i;
      }
    }
    float last = 0.5f * m[7];
    int odd = sum_is_odd(m);
    norm += last * last;
    for (int flips = 0; flips <= (weakest >= 0); flips++) {
      unsigned turn = (unsigned)(odd ^ flips) << 7 | (flips ? 1u << weakest : 0);
      float score = 2 * (dot - (flips ? least : 0) + part[7] * (turn & 0x80 ? -last : last)) - norm;
      if (score > best) {
        best = score;
        index = k;
        turned = turn;
      }
    }
  }
  unsigned signs = 0;
  float sum = 0;
  for (int i = 0; i < 8; i++) {
    unsigned minus = (negative ^ turned) >> i & 1;
    float value = 0.5f * table[8 * index + i] * (minus ? -1.0f : 1.0f);
    sum += (x[i] - value) * (x[i] - value);
    signs |= minus << e8p_sign_bit[i];
  }
  *distance = sum;
  signs ^= (unsigned)parity | (unsigned)sum_is_odd(table + 8 * index) << 7;
  return (uint16_t)(index << 8 | signs);
}

void nc_e8p_codes(const uint8_t *table, const float *x, size_t count, float factor, uint16_t *codes) {
  for (size_t k = 0; k < count; k++, x += 8) {
    float up[8], down[8], far_up, far_down;
    for (int i = 0; i < 8; i++) {
      up[i] = x[i] * factor + 0.25f;
      down[i] = x[i] * factor - 0.25f;
    }
    uint16_t with_less = e8p_part(table, up, 1, &far_up), with_more = e8p_part(table, down, 0, &far_down);
    codes[k] = far_up < far_down ? with_less : with_more;
  }
}
