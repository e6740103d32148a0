// any4's, TurboQuant's and QuIP#'s codebooks. Each function is described where it is defined.
#ifndef NC_CODEBOOKS_H
#define NC_CODEBOOKS_H

#include <stddef.h>
#include <stdint.h>

void nc_any4_fit(const float *x, const double *weights, size_t n, float *levels, uint8_t *codes);
void nc_coordinate_levels(int d, int count, double *levels);
void nc_e8p_magnitudes(uint8_t *magnitudes);
void nc_e8p_values(const uint8_t *table, const uint16_t *codes, size_t count, float scale, float *x);
void nc_e8p_codes(const uint8_t *table, const float *x, size_t count, float factor, uint16_t *codes);

#endif
