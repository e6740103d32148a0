/* The interface of a kernel in a shared library that `numcheck verify OP --plugin LIB.so` judges.
 *
 * A library exports two functions, in C's calling convention:
 *
 *     NUMCHECK_EXPORT_ABI                         // states which version of this header it was built with
 *     NUMCHECK_EXPORT int numcheck_kernel(const numcheck_call *call) { … return NUMCHECK_DONE; }
 *
 * and may export a third, NUMCHECK_EXPORT_NAME("what reports call it"). It is loaded in a process of its own and called there from
 * one thread, again and again, with other contents, shapes, strides and addresses: whatever a call is given, it may remember
 * nothing of the calls before. Inputs are read only. Every element of every result is written; nothing between or around them is.
 * Memory is valid until the function returns. This file depends on no other of numcheck and may be copied into any project. */
#ifndef NUMCHECK_KERNEL_H
#define NUMCHECK_KERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. */
#define NUMCHECK_KERNEL_ABI 1

/* What an element is. Formats of 8 bits and less take a byte each, the code in its lowest bits. */
enum {
  NUMCHECK_F64 = 1,
  NUMCHECK_F32 = 2,
  NUMCHECK_F16 = 3,
  NUMCHECK_BF16 = 4,
  NUMCHECK_F8E4M3FN = 5,
  NUMCHECK_F8E5M2 = 6,
  NUMCHECK_F8E4M3FNUZ = 7,
  NUMCHECK_F8E5M2FNUZ = 8,
  NUMCHECK_F8E3M4 = 9,
  NUMCHECK_F6E3M2 = 10,
  NUMCHECK_F6E2M3 = 11,
  NUMCHECK_F4E2M1 = 12,
  NUMCHECK_INT8 = 32,
  NUMCHECK_UINT8 = 33,
  NUMCHECK_INT32 = 34,
  NUMCHECK_INT64 = 35,
  NUMCHECK_BOOL = 36
};

/* An array. Element (i, j, …) is at data + (i·strides[0] + j·strides[1] + …) elements; strides are positive, and rows need not
 * follow each other without gaps. `data` is aligned to 64 bytes, other rows only to their elements. */
typedef struct {
  const char *name;       /* "input", "q", "k", "v", "do", "mask", "a", "b", "weight", "bias"; of results "results", "lse", "dq" … */
  void *data;
  int32_t dtype;
  int32_t rank;
  const int64_t *shape;   /* rank of them, outermost first */
  const int64_t *strides; /* in elements */
} numcheck_array;

/* A number that the question has beside its arrays: "scale", "causal" (0, 1), "temperature", "epsilon", … */
typedef struct {
  const char *name;
  double value;
} numcheck_parameter;

/* One call. */
typedef struct {
  uint32_t abi;          /* NUMCHECK_KERNEL_ABI of the caller */
  uint32_t size;         /* sizeof(numcheck_call) of the caller: what a later version adds comes at the end */
  const char *operation; /* "softmax", "logsoftmax", "lse", "attention", "attention-backward", "matmul", … */
  int32_t input_count;
  int32_t result_count;
  int32_t parameter_count;
  int32_t reserved;
  const numcheck_array *inputs;
  const numcheck_array *results;
  const numcheck_parameter *parameters;
} numcheck_call;

/* What the function returns. Anything else is an error of its own, which is reported by its number. */
#define NUMCHECK_DONE 0
/* This operation, dtype, shape, stride or parameter is none that the kernel answers; nothing was computed. */
#define NUMCHECK_UNSUPPORTED 1

#if defined(_WIN32)
#define NUMCHECK_VISIBLE __declspec(dllexport)
#elif defined(__GNUC__)
#define NUMCHECK_VISIBLE __attribute__((visibility("default")))
#else
#define NUMCHECK_VISIBLE
#endif
#ifdef __cplusplus
#define NUMCHECK_EXPORT extern "C" NUMCHECK_VISIBLE
#else
#define NUMCHECK_EXPORT NUMCHECK_VISIBLE
#endif

#define NUMCHECK_EXPORT_ABI \
  NUMCHECK_EXPORT uint32_t numcheck_kernel_abi(void); \
  NUMCHECK_EXPORT uint32_t numcheck_kernel_abi(void) { return NUMCHECK_KERNEL_ABI; }
#define NUMCHECK_EXPORT_NAME(text) \
  NUMCHECK_EXPORT const char *numcheck_kernel_name(void); \
  NUMCHECK_EXPORT const char *numcheck_kernel_name(void) { return text; }

/* The number of that name, or `otherwise` where there is none. */
static inline double numcheck_parameter_of(const numcheck_call *call, const char *name, double otherwise) {
  for (int32_t k = 0; k < call->parameter_count; k++) {
    const char *a = call->parameters[k].name, *b = name;
    while (*a && *a == *b) a++, b++;
    if (*a == *b) return call->parameters[k].value;
  }
  return otherwise;
}

/* The array of that name among `count`, or a null pointer. */
static inline const numcheck_array *numcheck_array_of(const numcheck_array *arrays, int32_t count, const char *name) {
  for (int32_t k = 0; k < count; k++) {
    const char *a = arrays[k].name, *b = name;
    while (*a && *a == *b) a++, b++;
    if (*a == *b) return &arrays[k];
  }
  return 0;
}

#ifdef __cplusplus
}
#endif
#endif
