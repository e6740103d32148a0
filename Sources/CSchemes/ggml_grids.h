// The grids of ggml's IQ types: levels of neighbouring elements, two bits each (three in the IQ3), the first lowest.
#ifndef NC_GGML_GRIDS_H
#define NC_GGML_GRIDS_H

#include <stdint.h>

// Levels 8, 25, 43.
extern const uint16_t nc_iq2_xxs_grid[256];
extern const uint16_t nc_iq2_xs_grid[512];
extern const uint16_t nc_iq2_s_grid[1024];
// Levels 4, 12, 20, 28, 36, 44, 52, 62.
extern const uint16_t nc_iq3_xxs_grid[256];
// Levels 1, 3, 5, 7, 9, 11, 13, 15.
extern const uint16_t nc_iq3_s_grid[512];
// Levels −1, 0, 1.
extern const uint16_t nc_iq1_grid[2048];

#endif
