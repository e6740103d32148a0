// The grids of ggml's IQ types as its encoders need them: where each point is, and which ones are near what is none.
#ifndef NC_GGML_BOOKS_H
#define NC_GGML_BOOKS_H

#include <stdint.h>

typedef struct {
  // The points: codes of 8 elements of two bits, or of 4 of three.
  const uint16_t *grid;
  // By codes: the index of the point, or −1 − the place in `neighbours` of a list that its length precedes.
  int32_t *places;
  uint16_t *neighbours;
} nc_book;

// Made at first use, in any thread; NULL where there is no memory.
const nc_book *nc_iq2_xxs_book(void);
const nc_book *nc_iq2_xs_book(void);
const nc_book *nc_iq2_s_book(void);
const nc_book *nc_iq3_xxs_book(void);
const nc_book *nc_iq3_s_book(void);
const nc_book *nc_iq1_book(void);

#endif
