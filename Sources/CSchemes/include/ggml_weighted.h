// ggml's encoders with an importance matrix: `rows` rows at x, the importance of each column, into y.
#ifndef NC_GGML_WEIGHTED_H
#define NC_GGML_WEIGHTED_H

#include <stddef.h>
#include <stdint.h>

void nc_q4_0_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q4_1_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q5_0_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q5_1_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q2_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q3_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q4_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q5_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_q6_k_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq4_nl_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq4_xs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);

// The same of types that have no other encoder. Without importances (NULL; IQ2_S, IQ3 and IQ1_M take that) an element's own size is
// its weight.
void nc_iq2_xxs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq2_xs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq2_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq3_xxs_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq3_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq1_s_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);
void nc_iq1_m_weighted(const float *x, size_t rows, size_t columns, const float *importance, uint8_t *y);

#endif
