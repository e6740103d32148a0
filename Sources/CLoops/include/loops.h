// What the loops share.
#ifndef NC_LOOPS_H
#define NC_LOOPS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Products and sums are rounded apart, whatever the flags say.
#pragma STDC FP_CONTRACT OFF

#define NC_INLINE static inline __attribute__((always_inline))

// A loop that gains from vectors of 512 bits is compiled for them too, and chosen when the program starts. No operation
// is contracted or reordered, so both give the same answers. The choice is made before ThreadSanitizer can run.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NC_WIDE
#endif
#endif
#if defined(NC_WIDE)
#elif defined(__x86_64__) && defined(__ELF__)
#define NC_WIDE __attribute__((target_clones("arch=x86-64-v4", "default")))
#else
#define NC_WIDE
#endif

NC_INLINE int32_t nc_bits(float x) { int32_t u; memcpy(&u, &x, 4); return u; }
NC_INLINE float nc_float(int32_t u) { float x; memcpy(&x, &u, 4); return x; }
NC_INLINE int nc_is_number(float x) { return (nc_bits(x) & 0x7fffffff) < 0x7f800000; }

#endif
