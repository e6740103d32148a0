// What block schemes need beside casts: ranges, rounding to integers, code books, and packing of narrow codes.
#ifndef NC_SCHEMES_BLOCK_H
#define NC_SCHEMES_BLOCK_H

#include <stddef.h>
#include <stdint.h>

// Each is described where it is defined. Blocks are `width` long; arrays m, s, z have an entry for each element.
void nc_magnitudes(const float *x, size_t blocks, size_t width, int32_t *most);
void nc_finite_magnitudes(const float *x, size_t blocks, size_t width, int32_t *most);
void nc_magnitudes_without_nan(const float *x, size_t blocks, size_t width, int32_t *most);
void nc_extremes(const float *x, size_t blocks, size_t width, float *lowest, float *highest);
void nc_spread(const float *values, size_t stride, size_t blocks, size_t width, float *out);
void nc_integers(const float *x, const float *m, const float *z, size_t n, float low, float high,
                 uint8_t *codes, int form, int ties);
// Each number as the nearest bf16.
void nc_round_to_bf16(float *x, size_t n);
void nc_signed_values(const uint8_t *codes, const float *s, size_t n, int bits, float *x);
void nc_unsigned_values(const uint8_t *codes, const float *s, const float *z, size_t n, float *x);
void nc_offset_values(const uint8_t *codes, const float *s, const float *z, size_t n, float *x);
void nc_ratios(const float *a, const float *z, float m, size_t n, float *x);
void nc_book16(const float *x, const float *m, size_t n, const float *thresholds, uint8_t *codes);
void nc_book_fp4(const float *x, const float *m, size_t n, const float *thresholds, uint8_t *codes);
void nc_dynamic_codes(const float *x, const float *m, size_t n, const float *map, uint8_t *codes);
void nc_dynamic_table_codes(const float *x, const float *m, size_t n, const uint8_t *table, uint8_t *codes);
void nc_dynamic_values(const uint8_t *codes, const float *s, size_t n, const float *map, float *x);
void nc_book_values(const uint8_t *codes, const float *s, size_t n, const float *book, float *x);
void nc_pack(const uint8_t *codes, size_t n, int bits, int highFirst, uint8_t *bytes);
void nc_unpack(const uint8_t *bytes, size_t n, int bits, int highFirst, uint8_t *codes);

#endif
