// Decoders of ggml's IQ1, IQ2, IQ3, Q1_0 and Q8_K: `blocks` blocks at y, decoded into x.
#ifndef NC_GGML_READ_H
#define NC_GGML_READ_H

#include <stddef.h>
#include <stdint.h>

void nc_iq2_xxs_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq2_xs_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq2_s_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq3_xxs_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq3_s_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq1_s_values(const uint8_t *y, size_t blocks, float *x);
void nc_iq1_m_values(const uint8_t *y, size_t blocks, float *x);
void nc_q1_0_values(const uint8_t *y, size_t blocks, float *x);
void nc_q8_k_values(const uint8_t *y, size_t blocks, float *x);

#endif
