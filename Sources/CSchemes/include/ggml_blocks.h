// Vectors of 8 and of 32 floats for the block schemes: one operation a function, so that nothing is ever fused.
#ifndef NC_GGML_BLOCKS_H
#define NC_GGML_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NC_INLINE static inline __attribute__((always_inline))

// A vector of 32 floats is wider than a register; all of this is inlined, so no calling convention is at stake.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

typedef float nc_f32x8 __attribute__((ext_vector_type(8)));
typedef int32_t nc_i32x8 __attribute__((ext_vector_type(8)));
typedef float nc_f32x32 __attribute__((ext_vector_type(32)));
typedef int32_t nc_i32x32 __attribute__((ext_vector_type(32)));
typedef uint8_t nc_u8x32 __attribute__((ext_vector_type(32)));
typedef int8_t nc_i8x32 __attribute__((ext_vector_type(32)));
typedef uint8_t nc_u8x16 __attribute__((ext_vector_type(16)));

// 1.5 · 2²³: adding it rounds to an integer, half to even, and leaves that integer in the low bits.
#define NC_ROUNDER 12582912.0f

#define NC_VECTOR(W)                                                                                           \
  NC_INLINE nc_f32x##W nc_load_f##W(const float *p) {                                                          \
    nc_f32x##W v;                                                                                              \
    memcpy(&v, p, sizeof v);                                                                                   \
    return v;                                                                                                  \
  }                                                                                                            \
  NC_INLINE void nc_store_f##W(float *p, nc_f32x##W v) { memcpy(p, &v, sizeof v); }                            \
  NC_INLINE nc_f32x##W nc_splat_f##W(float s) { return (nc_f32x##W)s; }                                        \
  NC_INLINE nc_i32x##W nc_splat_i##W(int32_t s) { return (nc_i32x##W)s; }                                      \
  NC_INLINE nc_f32x##W nc_add_f##W(nc_f32x##W a, nc_f32x##W b) { return a + b; }                               \
  NC_INLINE nc_f32x##W nc_sub_f##W(nc_f32x##W a, nc_f32x##W b) { return a - b; }                               \
  NC_INLINE nc_f32x##W nc_mul_f##W(nc_f32x##W a, nc_f32x##W b) { return a * b; }                               \
  NC_INLINE nc_f32x##W nc_div_f##W(nc_f32x##W a, nc_f32x##W b) { return a / b; }                               \
  /* a < b ? a : b, so b where either is NaN */                                                                \
  NC_INLINE nc_f32x##W nc_min_f##W(nc_f32x##W a, nc_f32x##W b) { return a < b ? a : b; }                       \
  NC_INLINE nc_f32x##W nc_max_f##W(nc_f32x##W a, nc_f32x##W b) { return a > b ? a : b; }                       \
  NC_INLINE nc_i32x##W nc_less_f##W(nc_f32x##W a, nc_f32x##W b) { return a < b; }                              \
  NC_INLINE nc_i32x##W nc_equal_f##W(nc_f32x##W a, nc_f32x##W b) { return a == b; }                            \
  NC_INLINE nc_i32x##W nc_bits_f##W(nc_f32x##W a) { return (nc_i32x##W)a; }                                    \
  NC_INLINE nc_f32x##W nc_float_bits_i##W(nc_i32x##W a) { return (nc_f32x##W)a; }                              \
  NC_INLINE nc_f32x##W nc_round_f##W(nc_f32x##W a) {                                                           \
    return (a + NC_ROUNDER) - NC_ROUNDER;                                                                      \
  }                                                                                                            \
  NC_INLINE nc_i32x##W nc_round_bits_f##W(nc_f32x##W a) {                                                      \
    return (nc_i32x##W)(a + NC_ROUNDER);                                                                       \
  }                                                                                                            \
  /* toward zero; the caller keeps a within Int32 */                                                           \
  NC_INLINE nc_i32x##W nc_truncate_f##W(nc_f32x##W a) {                                                        \
    return __builtin_convertvector(a, nc_i32x##W);                                                             \
  }                                                                                                            \
  NC_INLINE nc_f32x##W nc_float_i##W(nc_i32x##W a) {                                                           \
    return __builtin_convertvector(a, nc_f32x##W);                                                             \
  }                                                                                                            \
  NC_INLINE nc_f32x##W nc_select_f##W(nc_i32x##W m, nc_f32x##W a, nc_f32x##W b) {                              \
    return m ? a : b;                                                                                          \
  }                                                                                                            \
  NC_INLINE nc_i32x##W nc_select_i##W(nc_i32x##W m, nc_i32x##W a, nc_i32x##W b) {                              \
    return m ? a : b;                                                                                          \
  }                                                                                                            \
  NC_INLINE nc_i32x##W nc_add_i##W(nc_i32x##W a, nc_i32x##W b) { return a + b; }                               \
  NC_INLINE nc_i32x##W nc_sub_i##W(nc_i32x##W a, nc_i32x##W b) { return a - b; }                               \
  NC_INLINE nc_i32x##W nc_and_i##W(nc_i32x##W a, nc_i32x##W b) { return a & b; }                               \
  NC_INLINE nc_i32x##W nc_or_i##W(nc_i32x##W a, nc_i32x##W b) { return a | b; }                                \
  NC_INLINE nc_i32x##W nc_less_i##W(nc_i32x##W a, nc_i32x##W b) { return a < b; }                              \
  NC_INLINE nc_i32x##W nc_min_i##W(nc_i32x##W a, nc_i32x##W b) {                                               \
    return __builtin_elementwise_min(a, b);                                                                    \
  }                                                                                                            \
  NC_INLINE nc_i32x##W nc_max_i##W(nc_i32x##W a, nc_i32x##W b) {                                               \
    return __builtin_elementwise_max(a, b);                                                                    \
  }                                                                                                            \
  NC_INLINE int32_t nc_reduce_max_i##W(nc_i32x##W a) { return __builtin_reduce_max(a); }                       \
  NC_INLINE bool nc_any_i##W(nc_i32x##W m) { return __builtin_reduce_or(m) != 0; }                             \
  NC_INLINE bool nc_all_i##W(nc_i32x##W m) { return __builtin_reduce_and(m) != 0; }

NC_VECTOR(8)
NC_VECTOR(32)
#undef NC_VECTOR

NC_INLINE nc_f32x8 nc_square_root_f8(nc_f32x8 a) { return __builtin_elementwise_sqrt(a); }

NC_INLINE int32_t nc_reduce_add_i32(nc_i32x32 a) { return __builtin_reduce_add(a); }

// The greatest of the first, of the last 16.
NC_INLINE int32_t nc_reduce_max_low_i32(nc_i32x32 a) { return __builtin_reduce_max(a.lo); }
NC_INLINE int32_t nc_reduce_max_high_i32(nc_i32x32 a) { return __builtin_reduce_max(a.hi); }
NC_INLINE nc_f32x32 nc_splat_halves_f32(float low, float high) {
  nc_f32x32 v;
  v.lo = low;
  v.hi = high;
  return v;
}

// The least and the greatest of 32 numbers (no NaN); which zero is found among zeros is open.
#define NC_REDUCE(NAME, OP)                                                                                    \
  NC_INLINE float nc_reduce_##NAME##_f32(nc_f32x32 a) {                                                        \
    float __attribute__((ext_vector_type(16))) b = a.lo OP a.hi ? a.lo : a.hi;                                 \
    nc_f32x8 c = b.lo OP b.hi ? b.lo : b.hi;                                                                   \
    float __attribute__((ext_vector_type(4))) d = c.lo OP c.hi ? c.lo : c.hi;                                  \
    float __attribute__((ext_vector_type(2))) e = d.lo OP d.hi ? d.lo : d.hi;                                  \
    return e.x OP e.y ? e.x : e.y;                                                                             \
  }
NC_REDUCE(min, <)
NC_REDUCE(max, >)
#undef NC_REDUCE

// One bit a lane of a mask, lane 0 the lowest.
NC_INLINE uint32_t nc_mask_i32(nc_i32x32 m) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f = __builtin_convertvector(m, flags);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

NC_INLINE nc_u8x32 nc_splat_b32(uint8_t s) { return (nc_u8x32)s; }
NC_INLINE nc_u8x32 nc_load_b32(const void *p) {
  nc_u8x32 v;
  memcpy(&v, p, sizeof v);
  return v;
}
NC_INLINE nc_u8x16 nc_load_b16(const void *p) {
  nc_u8x16 v;
  memcpy(&v, p, sizeof v);
  return v;
}
NC_INLINE void nc_store_b32(void *p, nc_u8x32 v) { memcpy(p, &v, sizeof v); }
NC_INLINE void nc_store_b16(void *p, nc_u8x16 v) { memcpy(p, &v, sizeof v); }

// The low byte of every lane.
NC_INLINE nc_u8x32 nc_narrow_i32(nc_i32x32 a) { return __builtin_convertvector(a, nc_u8x32); }
NC_INLINE nc_i32x32 nc_widen_b32(nc_u8x32 a) { return __builtin_convertvector(a, nc_i32x32); }
// Lanes as signed bytes.
NC_INLINE nc_i32x32 nc_widen_s32(nc_u8x32 a) {
  return __builtin_convertvector((nc_i8x32)a, nc_i32x32);
}

// Bytes of integers within −128 ... 127; of the halves, rounded away from zero, of integers within ±255; and of floats
// within ±127.4 rounded half to even. Packing with saturation needs one permutation where truncation needs three.
#if defined(__AVX2__)
typedef int32_t nc_pack_i __attribute__((vector_size(32)));
typedef int16_t nc_pack_s __attribute__((vector_size(32)));
typedef float nc_pack_f __attribute__((vector_size(32)));
NC_INLINE nc_u8x32 nc_pack_shorts(nc_pack_s low, nc_pack_s high) {
  nc_pack_i mixed = (nc_pack_i)__builtin_ia32_packsswb256(low, high);
  return (nc_u8x32)__builtin_ia32_permvarsi256(mixed, (nc_pack_i){0, 4, 1, 5, 2, 6, 3, 7});
}
NC_INLINE nc_pack_s nc_pack_ints(nc_i32x8 a, nc_i32x8 b) {
  return __builtin_ia32_packssdw256((nc_pack_i)a, (nc_pack_i)b);
}
NC_INLINE nc_u8x32 nc_narrow_small_i32(nc_i32x32 a) {
  return nc_pack_shorts(nc_pack_ints(a.lo.lo, a.lo.hi), nc_pack_ints(a.hi.lo, a.hi.hi));
}
NC_INLINE nc_u8x32 nc_narrow_halves_i32(nc_i32x32 a) {
  nc_pack_s low = nc_pack_ints(a.lo.lo, a.lo.hi), high = nc_pack_ints(a.hi.lo, a.hi.hi);
  return nc_pack_shorts((low + 1 + (low >> 15)) >> 1, (high + 1 + (high >> 15)) >> 1);
}
NC_INLINE nc_i32x8 nc_convert_even(nc_f32x8 a) {
  return (nc_i32x8)__builtin_ia32_cvtps2dq256((nc_pack_f)a);
}
NC_INLINE nc_u8x32 nc_narrow_rounded_f32(nc_f32x32 a) {
  return nc_pack_shorts(
      nc_pack_ints(nc_convert_even(a.lo.lo), nc_convert_even(a.lo.hi)),
      nc_pack_ints(nc_convert_even(a.hi.lo), nc_convert_even(a.hi.hi)));
}
#else
NC_INLINE nc_u8x32 nc_narrow_small_i32(nc_i32x32 a) { return nc_narrow_i32(a); }
NC_INLINE nc_u8x32 nc_narrow_halves_i32(nc_i32x32 a) {
  return nc_narrow_i32((a + 1 + (a >> 31)) >> 1);
}
NC_INLINE nc_u8x32 nc_narrow_rounded_f32(nc_f32x32 a) {
  return nc_narrow_i32(nc_round_bits_f32(a));
}
#endif

NC_INLINE nc_u8x32 nc_min_b32(nc_u8x32 a, uint8_t b) {
  return __builtin_elementwise_min(a, (nc_u8x32)b);
}
// |a| of signed bytes; all ones where a signed byte is less than `b`, zero elsewhere.
NC_INLINE nc_u8x32 nc_abs_s32(nc_u8x32 a) {
  return (nc_u8x32)__builtin_elementwise_abs((nc_i8x32)a);
}
NC_INLINE nc_u8x32 nc_less_s32(nc_u8x32 a, int8_t b) {
  return (nc_u8x32)((nc_i8x32)a < (nc_i8x32)b);
}
NC_INLINE nc_u8x32 nc_and_b32(nc_u8x32 a, uint8_t b) { return a & b; }
NC_INLINE nc_u8x32 nc_or_b32(nc_u8x32 a, nc_u8x32 b) { return a | b; }
NC_INLINE nc_u8x32 nc_sub_b32(nc_u8x32 a, uint8_t b) { return a - b; }
NC_INLINE nc_u8x32 nc_mul_b32(nc_u8x32 a, uint8_t b) { return a * b; }
NC_INLINE nc_u8x32 nc_add_b32(nc_u8x32 a, nc_u8x32 b) { return a + b; }
NC_INLINE nc_u8x32 nc_shift_left_b32(nc_u8x32 a, uint8_t n) { return a << n; }
NC_INLINE nc_u8x32 nc_shift_right_b32(nc_u8x32 a, uint8_t n) { return a >> n; }

// Two nibbles a byte: lane j is the low one of byte j, lane j + 16 the high one.
NC_INLINE nc_u8x16 nc_pack_nibbles(nc_u8x32 a) { return a.lo | (a.hi << 4); }
NC_INLINE nc_u8x32 nc_unpack_nibbles(nc_u8x16 a) {
  nc_u8x32 v;
  v.lo = a & 15;
  v.hi = a >> 4;
  return v;
}

// The same in two runs of 16 lanes: lane j with lane j + 8, and lane j + 16 with lane j + 24.
NC_INLINE nc_u8x16 nc_pack_nibbles_of_16(nc_u8x32 a) {
  nc_u8x16 low = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  nc_u8x16 high = __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  return low | (high << 4);
}
NC_INLINE nc_u8x32 nc_unpack_nibbles_of_16(nc_u8x16 a) {
  return __builtin_shufflevector(
      a & 15, a >> 4, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25,
      26, 27, 28, 29, 30, 31);
}

// One bit a lane, of the bit `n` of every byte; and back, 0 or 1 a lane.
NC_INLINE uint32_t nc_gather_bit(nc_u8x32 a, uint8_t n) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f = __builtin_convertvector((a >> n) & 1, flags);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}
NC_INLINE nc_u8x32 nc_scatter_bit(uint32_t bits) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f;
  memcpy(&f, &bits, sizeof bits);
  return __builtin_convertvector(f, nc_u8x32);
}

// table[index], index < 16.
NC_INLINE nc_u8x32 nc_lookup(nc_u8x16 table, nc_u8x32 index) {
#if defined(__AVX2__)
  typedef char bytes __attribute__((vector_size(32)));
  nc_u8x32 both;
  both.lo = table;
  both.hi = table;
  return (nc_u8x32)__builtin_ia32_pshufb256((bytes)both, (bytes)index);
#else
  nc_u8x32 v;
  for (int i = 0; i < 32; i++) v[i] = table[index[i] & 15];
  return v;
#endif
}

// Columns of 8 rows that begin `stride` floats apart, 8 columns: to[j] holds element j of every row.
NC_INLINE void nc_transpose_8x8(const float *from, intptr_t stride, float *to) {
  nc_f32x8 a = nc_load_f8(from), b = nc_load_f8(from + stride);
  nc_f32x8 c = nc_load_f8(from + 2 * stride), d = nc_load_f8(from + 3 * stride);
  nc_f32x8 e = nc_load_f8(from + 4 * stride), f = nc_load_f8(from + 5 * stride);
  nc_f32x8 g = nc_load_f8(from + 6 * stride), h = nc_load_f8(from + 7 * stride);
#define NC_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define NC_HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define NC_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define NC_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define NC_LOW4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define NC_HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
  nc_f32x8 ab0 = NC_LOW(a, b), ab1 = NC_HIGH(a, b), cd0 = NC_LOW(c, d), cd1 = NC_HIGH(c, d);
  nc_f32x8 ef0 = NC_LOW(e, f), ef1 = NC_HIGH(e, f), gh0 = NC_LOW(g, h), gh1 = NC_HIGH(g, h);
  nc_f32x8 p0 = NC_LOW2(ab0, cd0), p1 = NC_HIGH2(ab0, cd0);
  nc_f32x8 p2 = NC_LOW2(ab1, cd1), p3 = NC_HIGH2(ab1, cd1);
  nc_f32x8 q0 = NC_LOW2(ef0, gh0), q1 = NC_HIGH2(ef0, gh0);
  nc_f32x8 q2 = NC_LOW2(ef1, gh1), q3 = NC_HIGH2(ef1, gh1);
  nc_store_f8(to, NC_LOW4(p0, q0));
  nc_store_f8(to + 8, NC_LOW4(p1, q1));
  nc_store_f8(to + 16, NC_LOW4(p2, q2));
  nc_store_f8(to + 24, NC_LOW4(p3, q3));
  nc_store_f8(to + 32, NC_HIGH4(p0, q0));
  nc_store_f8(to + 40, NC_HIGH4(p1, q1));
  nc_store_f8(to + 48, NC_HIGH4(p2, q2));
  nc_store_f8(to + 56, NC_HIGH4(p3, q3));
#undef NC_LOW
#undef NC_HIGH
#undef NC_LOW2
#undef NC_HIGH2
#undef NC_LOW4
#undef NC_HIGH4
}

// Lane g: the greatest of the magnitudes of 32 floats, as bits, of the g-th of 8 consecutive runs.
NC_INLINE nc_i32x8 nc_magnitudes_of_8(const float *p) {
  float partial[64], columns[64];
  for (int g = 0; g < 8; g++) {
    nc_i32x32 bits = (nc_i32x32)nc_load_f32(p + 32 * g) & 0x7FFFFFFF;
    nc_i32x8 low = nc_max_i8(bits.lo.lo, bits.lo.hi), high = nc_max_i8(bits.hi.lo, bits.hi.hi);
    nc_store_f8(partial + 8 * g, (nc_f32x8)nc_max_i8(low, high));
  }
  nc_transpose_8x8(partial, 8, columns);
  nc_i32x8 greatest = (nc_i32x8)nc_load_f8(columns);
  for (int j = 1; j < 8; j++) greatest = nc_max_i8(greatest, (nc_i32x8)nc_load_f8(columns + 8 * j));
  return greatest;
}

// Lane g: the least, and the greatest, of 32 floats (no NaN) of the g-th of 8 consecutive runs.
#define NC_OF_8(NAME)                                                                                          \
  NC_INLINE nc_f32x8 nc_##NAME##_of_8(const float *p) {                                                        \
    float partial[64], columns[64];                                                                            \
    for (int g = 0; g < 8; g++) {                                                                              \
      nc_f32x32 v;                                                                                             \
      memcpy(&v, p + 32 * g, sizeof v);                                                                        \
      nc_f32x8 low = nc_##NAME##_f8(v.lo.lo, v.lo.hi), high = nc_##NAME##_f8(v.hi.lo, v.hi.hi);                \
      nc_store_f8(partial + 8 * g, nc_##NAME##_f8(low, high));                                                 \
    }                                                                                                          \
    nc_transpose_8x8(partial, 8, columns);                                                                     \
    nc_f32x8 r = nc_load_f8(columns);                                                                          \
    for (int j = 1; j < 8; j++) r = nc_##NAME##_f8(r, nc_load_f8(columns + 8 * j));                            \
    return r;                                                                                                  \
  }
NC_OF_8(min)
NC_OF_8(max)
#undef NC_OF_8

// Float16 bits, rounded to nearest even.
typedef uint16_t nc_u16x8 __attribute__((ext_vector_type(8)));
NC_INLINE nc_u16x8 nc_half_f8(nc_f32x8 a) {
  typedef _Float16 halves __attribute__((ext_vector_type(8)));
  return (nc_u16x8)__builtin_convertvector(a, halves);
}

#pragma clang diagnostic pop

#endif
