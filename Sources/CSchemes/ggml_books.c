// For codes that are no point of a grid, ggml's encoders try the points at the smallest one, two or three distances, nearest first,
// and those equally near by index (`iq2xs_init_impl`, `iq3xs_init_impl`).

#include "ggml_books.h"

#include <pthread.h>
#include <stdlib.h>

#include "ggml_grids.h"

enum { most_codes = 0xAAAB, farthest = 8 * 49 };

static unsigned distance(unsigned a, unsigned b, int bits) {
  unsigned sum = 0;
  for (; a | b; a >>= bits, b >>= bits) {
    int d = (int)(a & ((1u << bits) - 1)) - (int)(b & ((1u << bits) - 1));
    sum += (unsigned)(d * d);
  }
  return sum;
}

// Whether codes have two bits an element that are never both set: of three levels the fourth is none.
static int is_reachable(unsigned code, int bits) { return bits == 3 || !(code & code >> 1 & 0x5555); }

// Puts the points at the `rings` smallest distances of `code` behind one another; returns how many. With no list it only counts.
static int near_points(
    const uint16_t *grid, int count, int bits, int rings, unsigned code, uint16_t *distances, uint16_t *list) {
  int filled[farthest + 1] = {0}, found = 0;
  for (int k = 0; k < count; k++) {
    distances[k] = (uint16_t)distance(grid[k], code, bits);
    filled[distances[k]]++;
  }
  for (int d = 0; d <= farthest && rings > 0; d++) {
    if (!filled[d]) continue;
    rings--;
    for (int k = 0; list && k < count; k++) {
      if (distances[k] == d) *list++ = (uint16_t)k;
    }
    found += filled[d];
  }
  return found;
}

static void make(nc_book *book, const uint16_t *grid, int count, int bits, int rings) {
  int codes = bits == 2 ? most_codes : 4096;
  int32_t *places = calloc((size_t)codes, sizeof *places);
  uint16_t *neighbours = NULL;
  uint16_t distances[2048];
  if (!places) return;
  for (int k = 0; k < count; k++) places[grid[k]] = k + 1;
  int total = 0;
  for (int pass = 0; pass < 2; pass++) {
    int next = 0;
    for (int code = 0; code < codes; code++) {
      if (places[code] > 0 || !is_reachable((unsigned)code, bits)) continue;
      uint16_t *list = pass ? neighbours + next + 1 : NULL;
      int found = near_points(grid, count, bits, rings, (unsigned)code, distances, list);
      if (pass) {
        neighbours[next] = (uint16_t)found;
        places[code] = -next;
      }
      next += found + 1;
    }
    if (pass) break;
    total = next;
    neighbours = malloc(sizeof *neighbours * (size_t)total);
    if (!neighbours) {
      free(places);
      return;
    }
  }
  // Points were counted from 1, so that 0 could be none.
  for (int code = 0; code < codes; code++) places[code]--;
  book->grid = grid;
  book->neighbours = neighbours;
  book->places = places;
}

#define BOOK(NAME, GRID, COUNT, BITS, RINGS)                     \
  static nc_book NAME##_book;                                    \
  static pthread_once_t NAME##_once = PTHREAD_ONCE_INIT;         \
  static void make_##NAME(void) { make(&NAME##_book, GRID, COUNT, BITS, RINGS); } \
  const nc_book *nc_##NAME##_book(void) {                        \
    pthread_once(&NAME##_once, make_##NAME);                     \
    return NAME##_book.places ? &NAME##_book : NULL;             \
  }

BOOK(iq2_xxs, nc_iq2_xxs_grid, 256, 2, 2)
BOOK(iq2_xs, nc_iq2_xs_grid, 512, 2, 2)
BOOK(iq2_s, nc_iq2_s_grid, 1024, 2, 1)
BOOK(iq3_xxs, nc_iq3_xxs_grid, 256, 3, 2)
BOOK(iq3_s, nc_iq3_s_grid, 512, 3, 3)
BOOK(iq1, nc_iq1_grid, 2048, 2, 3)
