// Vectors of 8 and of 32 floats for the block schemes: one operation a function, so that nothing is ever fused.
#ifndef NUMCHECK_CVECTOR_GGML_BLOCKS_H
#define NUMCHECK_CVECTOR_GGML_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NUMCHECK_INLINE static inline __attribute__((always_inline))

// A vector of 32 floats is wider than a register; all of this is inlined, so no calling convention is at stake.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

typedef float numcheck_f8 __attribute__((ext_vector_type(8)));
typedef int32_t numcheck_i8 __attribute__((ext_vector_type(8)));
typedef float numcheck_f32 __attribute__((ext_vector_type(32)));
typedef int32_t numcheck_i32 __attribute__((ext_vector_type(32)));
typedef uint8_t numcheck_b32 __attribute__((ext_vector_type(32)));
typedef int8_t numcheck_s32 __attribute__((ext_vector_type(32)));
typedef uint8_t numcheck_b16 __attribute__((ext_vector_type(16)));

// 1.5 · 2²³: adding it rounds to an integer, half to even, and leaves that integer in the low bits.
#define NUMCHECK_ROUNDER 12582912.0f

#define NUMCHECK_VECTOR(W)                                                                                     \
  NUMCHECK_INLINE numcheck_f##W numcheck_load_f##W(const float *p) {                                           \
    numcheck_f##W v;                                                                                           \
    memcpy(&v, p, sizeof v);                                                                                   \
    return v;                                                                                                  \
  }                                                                                                            \
  NUMCHECK_INLINE void numcheck_store_f##W(float *p, numcheck_f##W v) { memcpy(p, &v, sizeof v); }             \
  NUMCHECK_INLINE numcheck_f##W numcheck_splat_f##W(float s) { return (numcheck_f##W)s; }                      \
  NUMCHECK_INLINE numcheck_i##W numcheck_splat_i##W(int32_t s) { return (numcheck_i##W)s; }                    \
  NUMCHECK_INLINE numcheck_f##W numcheck_add_f##W(numcheck_f##W a, numcheck_f##W b) { return a + b; }          \
  NUMCHECK_INLINE numcheck_f##W numcheck_sub_f##W(numcheck_f##W a, numcheck_f##W b) { return a - b; }          \
  NUMCHECK_INLINE numcheck_f##W numcheck_mul_f##W(numcheck_f##W a, numcheck_f##W b) { return a * b; }          \
  NUMCHECK_INLINE numcheck_f##W numcheck_div_f##W(numcheck_f##W a, numcheck_f##W b) { return a / b; }          \
  /* a < b ? a : b, so b where either is NaN */                                                                \
  NUMCHECK_INLINE numcheck_f##W numcheck_min_f##W(numcheck_f##W a, numcheck_f##W b) { return a < b ? a : b; }  \
  NUMCHECK_INLINE numcheck_f##W numcheck_max_f##W(numcheck_f##W a, numcheck_f##W b) { return a > b ? a : b; }  \
  NUMCHECK_INLINE numcheck_i##W numcheck_less_f##W(numcheck_f##W a, numcheck_f##W b) { return a < b; }         \
  NUMCHECK_INLINE numcheck_i##W numcheck_equal_f##W(numcheck_f##W a, numcheck_f##W b) { return a == b; }       \
  NUMCHECK_INLINE numcheck_i##W numcheck_bits_f##W(numcheck_f##W a) { return (numcheck_i##W)a; }               \
  NUMCHECK_INLINE numcheck_f##W numcheck_float_bits_i##W(numcheck_i##W a) { return (numcheck_f##W)a; }         \
  NUMCHECK_INLINE numcheck_f##W numcheck_round_f##W(numcheck_f##W a) {                                         \
    return (a + NUMCHECK_ROUNDER) - NUMCHECK_ROUNDER;                                                          \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_i##W numcheck_round_bits_f##W(numcheck_f##W a) {                                    \
    return (numcheck_i##W)(a + NUMCHECK_ROUNDER);                                                              \
  }                                                                                                            \
  /* toward zero; the caller keeps a within Int32 */                                                           \
  NUMCHECK_INLINE numcheck_i##W numcheck_truncate_f##W(numcheck_f##W a) {                                      \
    return __builtin_convertvector(a, numcheck_i##W);                                                          \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_f##W numcheck_float_i##W(numcheck_i##W a) {                                         \
    return __builtin_convertvector(a, numcheck_f##W);                                                          \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_f##W numcheck_select_f##W(numcheck_i##W m, numcheck_f##W a, numcheck_f##W b) {      \
    return m ? a : b;                                                                                          \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_i##W numcheck_select_i##W(numcheck_i##W m, numcheck_i##W a, numcheck_i##W b) {      \
    return m ? a : b;                                                                                          \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_i##W numcheck_add_i##W(numcheck_i##W a, numcheck_i##W b) { return a + b; }          \
  NUMCHECK_INLINE numcheck_i##W numcheck_sub_i##W(numcheck_i##W a, numcheck_i##W b) { return a - b; }          \
  NUMCHECK_INLINE numcheck_i##W numcheck_and_i##W(numcheck_i##W a, numcheck_i##W b) { return a & b; }          \
  NUMCHECK_INLINE numcheck_i##W numcheck_or_i##W(numcheck_i##W a, numcheck_i##W b) { return a | b; }           \
  NUMCHECK_INLINE numcheck_i##W numcheck_less_i##W(numcheck_i##W a, numcheck_i##W b) { return a < b; }         \
  NUMCHECK_INLINE numcheck_i##W numcheck_min_i##W(numcheck_i##W a, numcheck_i##W b) {                          \
    return __builtin_elementwise_min(a, b);                                                                    \
  }                                                                                                            \
  NUMCHECK_INLINE numcheck_i##W numcheck_max_i##W(numcheck_i##W a, numcheck_i##W b) {                          \
    return __builtin_elementwise_max(a, b);                                                                    \
  }                                                                                                            \
  NUMCHECK_INLINE int32_t numcheck_reduce_max_i##W(numcheck_i##W a) { return __builtin_reduce_max(a); }        \
  NUMCHECK_INLINE bool numcheck_any_i##W(numcheck_i##W m) { return __builtin_reduce_or(m) != 0; }  \
  NUMCHECK_INLINE bool numcheck_all_i##W(numcheck_i##W m) { return __builtin_reduce_and(m) != 0; }

NUMCHECK_VECTOR(8)
NUMCHECK_VECTOR(32)
#undef NUMCHECK_VECTOR

NUMCHECK_INLINE numcheck_f8 numcheck_square_root_f8(numcheck_f8 a) { return __builtin_elementwise_sqrt(a); }

NUMCHECK_INLINE int32_t numcheck_reduce_add_i32(numcheck_i32 a) { return __builtin_reduce_add(a); }

// The greatest of the first, of the last 16.
NUMCHECK_INLINE int32_t numcheck_reduce_max_low_i32(numcheck_i32 a) { return __builtin_reduce_max(a.lo); }
NUMCHECK_INLINE int32_t numcheck_reduce_max_high_i32(numcheck_i32 a) { return __builtin_reduce_max(a.hi); }
NUMCHECK_INLINE numcheck_f32 numcheck_splat_halves_f32(float low, float high) {
  numcheck_f32 v;
  v.lo = low;
  v.hi = high;
  return v;
}

// The least and the greatest of 32 numbers (no NaN); which zero is found among zeros is open.
#define NUMCHECK_REDUCE(NAME, OP)                                                                              \
  NUMCHECK_INLINE float numcheck_reduce_##NAME##_f32(numcheck_f32 a) {                                         \
    float __attribute__((ext_vector_type(16))) b = a.lo OP a.hi ? a.lo : a.hi;                                 \
    numcheck_f8 c = b.lo OP b.hi ? b.lo : b.hi;                                                                \
    float __attribute__((ext_vector_type(4))) d = c.lo OP c.hi ? c.lo : c.hi;                                  \
    float __attribute__((ext_vector_type(2))) e = d.lo OP d.hi ? d.lo : d.hi;                                  \
    return e.x OP e.y ? e.x : e.y;                                                                             \
  }
NUMCHECK_REDUCE(min, <)
NUMCHECK_REDUCE(max, >)
#undef NUMCHECK_REDUCE

// One bit a lane of a mask, lane 0 the lowest.
NUMCHECK_INLINE uint32_t numcheck_mask_i32(numcheck_i32 m) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f = __builtin_convertvector(m, flags);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

NUMCHECK_INLINE numcheck_b32 numcheck_splat_b32(uint8_t s) { return (numcheck_b32)s; }
NUMCHECK_INLINE numcheck_b32 numcheck_load_b32(const void *p) {
  numcheck_b32 v;
  memcpy(&v, p, sizeof v);
  return v;
}
NUMCHECK_INLINE numcheck_b16 numcheck_load_b16(const void *p) {
  numcheck_b16 v;
  memcpy(&v, p, sizeof v);
  return v;
}
NUMCHECK_INLINE void numcheck_store_b32(void *p, numcheck_b32 v) { memcpy(p, &v, sizeof v); }
NUMCHECK_INLINE void numcheck_store_b16(void *p, numcheck_b16 v) { memcpy(p, &v, sizeof v); }

// The low byte of every lane.
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_i32(numcheck_i32 a) { return __builtin_convertvector(a, numcheck_b32); }
NUMCHECK_INLINE numcheck_i32 numcheck_widen_b32(numcheck_b32 a) { return __builtin_convertvector(a, numcheck_i32); }
// Lanes as signed bytes.
NUMCHECK_INLINE numcheck_i32 numcheck_widen_s32(numcheck_b32 a) {
  return __builtin_convertvector((numcheck_s32)a, numcheck_i32);
}

// Bytes of integers within −128 ... 127; of the halves, rounded away from zero, of integers within ±255; and of floats
// within ±127.4 rounded half to even. Packing with saturation needs one permutation where truncation needs three.
#if defined(__AVX2__)
typedef int32_t numcheck_pack_i __attribute__((vector_size(32)));
typedef int16_t numcheck_pack_s __attribute__((vector_size(32)));
typedef float numcheck_pack_f __attribute__((vector_size(32)));
NUMCHECK_INLINE numcheck_b32 numcheck_pack_shorts(numcheck_pack_s low, numcheck_pack_s high) {
  numcheck_pack_i mixed = (numcheck_pack_i)__builtin_ia32_packsswb256(low, high);
  return (numcheck_b32)__builtin_ia32_permvarsi256(mixed, (numcheck_pack_i){0, 4, 1, 5, 2, 6, 3, 7});
}
NUMCHECK_INLINE numcheck_pack_s numcheck_pack_ints(numcheck_i8 a, numcheck_i8 b) {
  return __builtin_ia32_packssdw256((numcheck_pack_i)a, (numcheck_pack_i)b);
}
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_small_i32(numcheck_i32 a) {
  return numcheck_pack_shorts(numcheck_pack_ints(a.lo.lo, a.lo.hi), numcheck_pack_ints(a.hi.lo, a.hi.hi));
}
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_halves_i32(numcheck_i32 a) {
  numcheck_pack_s low = numcheck_pack_ints(a.lo.lo, a.lo.hi), high = numcheck_pack_ints(a.hi.lo, a.hi.hi);
  return numcheck_pack_shorts((low + 1 + (low >> 15)) >> 1, (high + 1 + (high >> 15)) >> 1);
}
NUMCHECK_INLINE numcheck_i8 numcheck_convert_even(numcheck_f8 a) {
  return (numcheck_i8)__builtin_ia32_cvtps2dq256((numcheck_pack_f)a);
}
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_rounded_f32(numcheck_f32 a) {
  return numcheck_pack_shorts(
      numcheck_pack_ints(numcheck_convert_even(a.lo.lo), numcheck_convert_even(a.lo.hi)),
      numcheck_pack_ints(numcheck_convert_even(a.hi.lo), numcheck_convert_even(a.hi.hi)));
}
#else
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_small_i32(numcheck_i32 a) { return numcheck_narrow_i32(a); }
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_halves_i32(numcheck_i32 a) {
  return numcheck_narrow_i32((a + 1 + (a >> 31)) >> 1);
}
NUMCHECK_INLINE numcheck_b32 numcheck_narrow_rounded_f32(numcheck_f32 a) {
  return numcheck_narrow_i32(numcheck_round_bits_f32(a));
}
#endif

NUMCHECK_INLINE numcheck_b32 numcheck_min_b32(numcheck_b32 a, uint8_t b) {
  return __builtin_elementwise_min(a, (numcheck_b32)b);
}
// |a| of signed bytes; all ones where a signed byte is less than `b`, zero elsewhere.
NUMCHECK_INLINE numcheck_b32 numcheck_abs_s32(numcheck_b32 a) {
  return (numcheck_b32)__builtin_elementwise_abs((numcheck_s32)a);
}
NUMCHECK_INLINE numcheck_b32 numcheck_less_s32(numcheck_b32 a, int8_t b) {
  return (numcheck_b32)((numcheck_s32)a < (numcheck_s32)b);
}
NUMCHECK_INLINE numcheck_b32 numcheck_and_b32(numcheck_b32 a, uint8_t b) { return a & b; }
NUMCHECK_INLINE numcheck_b32 numcheck_or_b32(numcheck_b32 a, numcheck_b32 b) { return a | b; }
NUMCHECK_INLINE numcheck_b32 numcheck_sub_b32(numcheck_b32 a, uint8_t b) { return a - b; }
NUMCHECK_INLINE numcheck_b32 numcheck_mul_b32(numcheck_b32 a, uint8_t b) { return a * b; }
NUMCHECK_INLINE numcheck_b32 numcheck_add_b32(numcheck_b32 a, numcheck_b32 b) { return a + b; }
NUMCHECK_INLINE numcheck_b32 numcheck_shift_left_b32(numcheck_b32 a, uint8_t n) { return a << n; }
NUMCHECK_INLINE numcheck_b32 numcheck_shift_right_b32(numcheck_b32 a, uint8_t n) { return a >> n; }

// Two nibbles a byte: lane j is the low one of byte j, lane j + 16 the high one.
NUMCHECK_INLINE numcheck_b16 numcheck_pack_nibbles(numcheck_b32 a) { return a.lo | (a.hi << 4); }
NUMCHECK_INLINE numcheck_b32 numcheck_unpack_nibbles(numcheck_b16 a) {
  numcheck_b32 v;
  v.lo = a & 15;
  v.hi = a >> 4;
  return v;
}

// The same in two runs of 16 lanes: lane j with lane j + 8, and lane j + 16 with lane j + 24.
NUMCHECK_INLINE numcheck_b16 numcheck_pack_nibbles_of_16(numcheck_b32 a) {
  numcheck_b16 low = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  numcheck_b16 high = __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  return low | (high << 4);
}
NUMCHECK_INLINE numcheck_b32 numcheck_unpack_nibbles_of_16(numcheck_b16 a) {
  return __builtin_shufflevector(
      a & 15, a >> 4, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25,
      26, 27, 28, 29, 30, 31);
}

// One bit a lane, of the bit `n` of every byte; and back, 0 or 1 a lane.
NUMCHECK_INLINE uint32_t numcheck_gather_bit(numcheck_b32 a, uint8_t n) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f = __builtin_convertvector((a >> n) & 1, flags);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}
NUMCHECK_INLINE numcheck_b32 numcheck_scatter_bit(uint32_t bits) {
  typedef bool flags __attribute__((ext_vector_type(32)));
  flags f;
  memcpy(&f, &bits, sizeof bits);
  return __builtin_convertvector(f, numcheck_b32);
}

// table[index], index < 16.
NUMCHECK_INLINE numcheck_b32 numcheck_lookup(numcheck_b16 table, numcheck_b32 index) {
#if defined(__AVX2__)
  typedef char bytes __attribute__((vector_size(32)));
  numcheck_b32 both;
  both.lo = table;
  both.hi = table;
  return (numcheck_b32)__builtin_ia32_pshufb256((bytes)both, (bytes)index);
#else
  numcheck_b32 v;
  for (int i = 0; i < 32; i++) v[i] = table[index[i] & 15];
  return v;
#endif
}

// Columns of 8 rows that begin `stride` floats apart, 8 columns: to[j] holds element j of every row.
NUMCHECK_INLINE void numcheck_transpose_8x8(const float *from, intptr_t stride, float *to) {
  numcheck_f8 a = numcheck_load_f8(from), b = numcheck_load_f8(from + stride);
  numcheck_f8 c = numcheck_load_f8(from + 2 * stride), d = numcheck_load_f8(from + 3 * stride);
  numcheck_f8 e = numcheck_load_f8(from + 4 * stride), f = numcheck_load_f8(from + 5 * stride);
  numcheck_f8 g = numcheck_load_f8(from + 6 * stride), h = numcheck_load_f8(from + 7 * stride);
#define NUMCHECK_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define NUMCHECK_HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define NUMCHECK_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define NUMCHECK_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define NUMCHECK_LOW4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define NUMCHECK_HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
  numcheck_f8 ab0 = NUMCHECK_LOW(a, b), ab1 = NUMCHECK_HIGH(a, b), cd0 = NUMCHECK_LOW(c, d), cd1 = NUMCHECK_HIGH(c, d);
  numcheck_f8 ef0 = NUMCHECK_LOW(e, f), ef1 = NUMCHECK_HIGH(e, f), gh0 = NUMCHECK_LOW(g, h), gh1 = NUMCHECK_HIGH(g, h);
  numcheck_f8 p0 = NUMCHECK_LOW2(ab0, cd0), p1 = NUMCHECK_HIGH2(ab0, cd0);
  numcheck_f8 p2 = NUMCHECK_LOW2(ab1, cd1), p3 = NUMCHECK_HIGH2(ab1, cd1);
  numcheck_f8 q0 = NUMCHECK_LOW2(ef0, gh0), q1 = NUMCHECK_HIGH2(ef0, gh0);
  numcheck_f8 q2 = NUMCHECK_LOW2(ef1, gh1), q3 = NUMCHECK_HIGH2(ef1, gh1);
  numcheck_store_f8(to, NUMCHECK_LOW4(p0, q0));
  numcheck_store_f8(to + 8, NUMCHECK_LOW4(p1, q1));
  numcheck_store_f8(to + 16, NUMCHECK_LOW4(p2, q2));
  numcheck_store_f8(to + 24, NUMCHECK_LOW4(p3, q3));
  numcheck_store_f8(to + 32, NUMCHECK_HIGH4(p0, q0));
  numcheck_store_f8(to + 40, NUMCHECK_HIGH4(p1, q1));
  numcheck_store_f8(to + 48, NUMCHECK_HIGH4(p2, q2));
  numcheck_store_f8(to + 56, NUMCHECK_HIGH4(p3, q3));
#undef NUMCHECK_LOW
#undef NUMCHECK_HIGH
#undef NUMCHECK_LOW2
#undef NUMCHECK_HIGH2
#undef NUMCHECK_LOW4
#undef NUMCHECK_HIGH4
}

// Lane g: the greatest of the magnitudes of 32 floats, as bits, of the g-th of 8 consecutive runs.
NUMCHECK_INLINE numcheck_i8 numcheck_magnitudes_of_8(const float *p) {
  float partial[64], columns[64];
  for (int g = 0; g < 8; g++) {
    numcheck_i32 bits = (numcheck_i32)numcheck_load_f32(p + 32 * g) & 0x7FFFFFFF;
    numcheck_i8 low = numcheck_max_i8(bits.lo.lo, bits.lo.hi), high = numcheck_max_i8(bits.hi.lo, bits.hi.hi);
    numcheck_store_f8(partial + 8 * g, (numcheck_f8)numcheck_max_i8(low, high));
  }
  numcheck_transpose_8x8(partial, 8, columns);
  numcheck_i8 greatest = (numcheck_i8)numcheck_load_f8(columns);
  for (int j = 1; j < 8; j++) greatest = numcheck_max_i8(greatest, (numcheck_i8)numcheck_load_f8(columns + 8 * j));
  return greatest;
}

// Lane g: the least, and the greatest, of 32 floats (no NaN) of the g-th of 8 consecutive runs.
#define NUMCHECK_OF_8(NAME)                                                                                    \
  NUMCHECK_INLINE numcheck_f8 numcheck_##NAME##_of_8(const float *p) {                                         \
    float partial[64], columns[64];                                                                            \
    for (int g = 0; g < 8; g++) {                                                                              \
      numcheck_f32 v = numcheck_load_f32(p + 32 * g);                                                          \
      numcheck_f8 low = numcheck_##NAME##_f8(v.lo.lo, v.lo.hi), high = numcheck_##NAME##_f8(v.hi.lo, v.hi.hi); \
      numcheck_store_f8(partial + 8 * g, numcheck_##NAME##_f8(low, high));                                     \
    }                                                                                                          \
    numcheck_transpose_8x8(partial, 8, columns);                                                               \
    numcheck_f8 r = numcheck_load_f8(columns);                                                                 \
    for (int j = 1; j < 8; j++) r = numcheck_##NAME##_f8(r, numcheck_load_f8(columns + 8 * j));                \
    return r;                                                                                                  \
  }
NUMCHECK_OF_8(min)
NUMCHECK_OF_8(max)
#undef NUMCHECK_OF_8

// Float16 bits, rounded to nearest even.
typedef uint16_t numcheck_h8 __attribute__((ext_vector_type(8)));
NUMCHECK_INLINE numcheck_h8 numcheck_half_f8(numcheck_f8 a) {
  typedef _Float16 halves __attribute__((ext_vector_type(8)));
  return (numcheck_h8)__builtin_convertvector(a, halves);
}

#pragma clang diagnostic pop

#endif
