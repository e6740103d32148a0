// Softmax of rows as a shared library for `numcheck search`, right, and with faults that hardly a random row shows: cc -DFAULT=SENTINEL …
#include <math.h>
#include <stdint.h>

#include "numcheck_kernel.h"

enum {
  NONE,
  // Masks with a finite −5·10⁴, where the running maximum begins as well: rows below it come out as zeros.
  SENTINEL,
  // Counts elements in 16 bits: what is past 65,536 is never written to.
  LOST_TAIL,
  // A block's maximum leaves its last element out.
  STALE_MAXIMUM,
  // Adds in f16, where 2048 + 1 is 2048.
  F16_ACCUMULATOR,
  // Counts the largest once where it stands twice.
  RARE_TIE,
  // Takes the wrong power of two where the exponent is within 1.6·10⁻⁷ of half way between two.
  RARE_REDUCTION,
  // Takes a reciprocal apart, and gets the exponent wrong where the significand is within 2.5·10⁻⁵ of 2.
  RARE_SIGNIFICAND
};
#ifndef FAULT
#define FAULT NONE
#endif
static const int fault = FAULT;

NUMCHECK_EXPORT_ABI
NUMCHECK_EXPORT_NAME("kernels.c")

static float exponential(float d) {
  float turns = d * 1.44269504f;
  if (fault != RARE_REDUCTION || !(turns > -120)) return expf(d);
  float fraction = turns - floorf(turns);
  float e = expf(d);
  return fabsf(fraction - 0.5f) < 1.6e-7f ? 2 * e : e;
}

static float quotient(float p, float s) {
  int exponent;
  // In [1, 2).
  float m = 2 * frexpf(s, &exponent);
  return fault == RARE_SIGNIFICAND && m > 2 - 2.5e-5f ? p / s / 2 : p / s;
}

// p = softmax of n numbers, a block of 128 at a time with a running maximum.
static void softmax(const float *x, float *p, int64_t n) {
  enum { block = 128 };
  int64_t end = fault == LOST_TAIL && n > 65536 ? 65536 : n;
  float top = fault == SENTINEL ? -5e4f : -INFINITY;
  for (int64_t start = 0; start < end; start += block) {
    int64_t next = start + block < end ? start + block : end;
    int64_t seen = fault == STALE_MAXIMUM && next < end ? next - 1 : next;
    for (int64_t i = start; i < seen; i++) top = x[i] > top ? x[i] : top;
  }
  float sum = 0;
  _Float16 narrow = 0;
  int64_t tops = 0;
  for (int64_t i = 0; i < end; i++) {
    float v = fault == SENTINEL && x[i] == -INFINITY ? -5e4f : x[i];
    // What is above a stale maximum is clamped to it.
    p[i] = fault == STALE_MAXIMUM && v > top ? 1 : exponential(v - top);
    tops += v == top;
    if (fault == RARE_TIE && tops > 1 && v == top) continue;
    sum += p[i];
    narrow = (_Float16)(narrow + (_Float16)p[i]);
  }
  if (fault == F16_ACCUMULATOR) sum = (float)narrow;
  for (int64_t i = 0; i < n; i++)
    p[i] = i >= end ? 0 : fault == SENTINEL && sum == 0 ? 0 : quotient(p[i], sum);
}

NUMCHECK_EXPORT int numcheck_kernel(const numcheck_call *call) {
  if (call->abi != NUMCHECK_KERNEL_ABI || call->input_count != 1 || call->result_count != 1) return NUMCHECK_UNSUPPORTED;
  const numcheck_array *x = &call->inputs[0], *y = &call->results[0];
  const char *operation = call->operation, *wanted = "softmax";
  while (*operation && *operation == *wanted) operation++, wanted++;
  if (*operation != *wanted || x->dtype != NUMCHECK_F32 || y->dtype != NUMCHECK_F32 || x->rank != 2) return NUMCHECK_UNSUPPORTED;
  if (numcheck_parameter_of(call, "temperature", 1) != 1 || x->strides[1] != 1 || y->strides[1] != 1) return NUMCHECK_UNSUPPORTED;
  for (int64_t row = 0; row < x->shape[0]; row++)
    softmax((const float *)x->data + row * x->strides[0], (float *)y->data + row * y->strides[0], x->shape[1]);
  return NUMCHECK_DONE;
}
