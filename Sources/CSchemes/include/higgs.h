// Grids of vectors for HIGGS. Each function is described where it is defined.
#ifndef NC_HIGGS_H
#define NC_HIGGS_H

#include <stddef.h>
#include <stdint.h>

const float *nc_higgs_grid(int p, int n);
void nc_higgs_codes(const float *y, size_t count, int p, int n, uint8_t *codes);
void nc_higgs_values(const uint8_t *codes, size_t count, int p, int n, double scale, double *y);

#endif
