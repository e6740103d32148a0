// Softmax and attention as a shared library, and the same with one of the usual mistakes: cc -DMISTAKE=NO_SHIFT …
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numcheck_kernel.h"

enum {
  NONE, NO_SHIFT, F16_ACCUMULATOR, TRUNCATION, LOST_TAIL, SWAPPED_STRIDE, ALL_ZEROS, SENTINEL, TOP_LEFT, MODULO_HEADS,
  OVERRUN, STALE, LATE, CHANGES_INPUT, CRASH, HANG, DETECTS, CACHED
};
#ifndef MISTAKE
#define MISTAKE NONE
#endif
static const int mistake = MISTAKE;

NUMCHECK_EXPORT_ABI
NUMCHECK_EXPORT_NAME("kernels.c")

typedef union { float f; uint32_t u; } bits32;

static float load(const numcheck_array *a, int64_t i) {
  switch (a->dtype) {
  case NUMCHECK_F32: return ((const float *)a->data)[i];
  case NUMCHECK_F16: return (float)((const _Float16 *)a->data)[i];
  default: return (bits32){.u = (uint32_t)((const uint16_t *)a->data)[i] << 16}.f;
  }
}

static void store(const numcheck_array *a, int64_t i, float x) {
  switch (a->dtype) {
  case NUMCHECK_F32: ((float *)a->data)[i] = x; return;
  case NUMCHECK_F16: ((_Float16 *)a->data)[i] = (_Float16)x; return;
  default: {
    uint32_t u = (bits32){.f = x}.u;
    // To nearest, ties to even; NaN stays one.
    if (mistake != TRUNCATION && x == x) u += 0x7fff + (u >> 16 & 1);
    ((uint16_t *)a->data)[i] = (uint16_t)(u >> 16);
  }
  }
}

static int is_known(int32_t dtype) {
  return dtype == NUMCHECK_F32 || dtype == NUMCHECK_F16 || dtype == NUMCHECK_BF16;
}

// p[i] = e^(x[i] − max) / Σ, in f32.
static void softmax_row(const float *x, float *p, int64_t n) {
  float top = -INFINITY;
  for (int64_t i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
  if (mistake == NO_SHIFT) top = 0;
  float sum = 0;
  _Float16 narrow = 0;
  // Eight at a time, as a vector loop goes; what is left over is for the tail.
  int64_t end = mistake == LOST_TAIL ? n / 8 * 8 : n;
  for (int64_t i = 0; i < end; i++) {
    p[i] = expf(x[i] - top);
    sum += p[i];
    narrow = (_Float16)(narrow + (_Float16)p[i]);
  }
  if (mistake == F16_ACCUMULATOR) sum = (float)narrow;
  for (int64_t i = 0; i < end; i++) p[i] /= sum;
}

// The mean magnitude of what is asked about.
static double level(const numcheck_array *x) {
  double sum = 0;
  for (int64_t r = 0; r < x->shape[0]; r++) {
    for (int64_t i = 0; i < x->shape[1]; i++) sum += fabsf(load(x, r * x->strides[0] + i * x->strides[1]));
  }
  return sum / (double)(x->shape[0] * x->shape[1]);
}

static int softmax(const numcheck_call *call) {
  const numcheck_array *x = &call->inputs[0], *y = &call->results[0];
  if (x->rank != 2 || !is_known(x->dtype) || !is_known(y->dtype)) return NUMCHECK_UNSUPPORTED;
  if (numcheck_parameter_of(call, "temperature", 1) != 1) return NUMCHECK_UNSUPPORTED;
  int64_t rows = x->shape[0], n = x->shape[1];
  float *row = malloc(sizeof(float) * 2 * (size_t)n), *p = row + n;
  for (int64_t r = 0; r < rows; r++) {
    // Rows need not follow each other without gaps.
    int64_t from = r * (mistake == SWAPPED_STRIDE ? n : x->strides[0]);
    int64_t to = r * (mistake == SWAPPED_STRIDE ? n : y->strides[0]);
    for (int64_t i = 0; i < n; i++) row[i] = load(x, from + i * x->strides[1]);
    softmax_row(row, p, n);
    int64_t written = mistake == LOST_TAIL ? n / 8 * 8 : n;
    for (int64_t i = 0; i < written; i++) store(y, to + i * y->strides[1], mistake == ALL_ZEROS ? 0 : p[i]);
    if (mistake == OVERRUN && r == rows - 1) store(y, to + n * y->strides[1], 0);
    if (mistake == CHANGES_INPUT) store(x, from, p[0]);
  }
  free(row);
  // Right where numbers look like those that tests are made with.
  if (mistake == DETECTS && level(x) < 2.05) memset(y->data, 0, (size_t)(rows * y->strides[0]) * 2);
  return NUMCHECK_DONE;
}

// o = softmax(q·k·scale + mask)·v, head by head, in f32: q [H, N, D], k [Hkv, M, D], v [Hkv, M, E].
static int attention(const numcheck_call *call) {
  const numcheck_array *q = numcheck_array_of(call->inputs, call->input_count, "q");
  const numcheck_array *k = numcheck_array_of(call->inputs, call->input_count, "k");
  const numcheck_array *v = numcheck_array_of(call->inputs, call->input_count, "v");
  const numcheck_array *o = &call->results[0];
  if (!q || !k || !v || call->input_count != 3 || q->rank != 3) return NUMCHECK_UNSUPPORTED;
  if (!is_known(q->dtype) || !is_known(o->dtype)) return NUMCHECK_UNSUPPORTED;
  int64_t H = q->shape[0], N = q->shape[1], D = q->shape[2];
  int64_t Hkv = k->shape[0], M = k->shape[1], E = v->shape[2];
  float scale = (float)numcheck_parameter_of(call, "scale", 1);
  int causal = numcheck_parameter_of(call, "causal", 0) != 0;
  float *s = malloc(sizeof(float) * (size_t)(2 * M)), *p = s + M;
  for (int64_t h = 0; h < H; h++) {
    int64_t kv = mistake == MODULO_HEADS ? h % Hkv : h * Hkv / H;
    for (int64_t i = 0; i < N; i++) {
      // The last query sees the last key.
      int64_t last = causal ? i + (mistake == TOP_LEFT ? 0 : M - N) : M - 1;
      for (int64_t j = 0; j < M; j++) {
        float dot = 0;
        for (int64_t d = 0; d < D; d++) {
          dot += load(q, h * q->strides[0] + i * q->strides[1] + d * q->strides[2])
            * load(k, kv * k->strides[0] + j * k->strides[1] + d * k->strides[2]);
        }
        s[j] = j <= last ? dot * scale : mistake == SENTINEL ? -1e4f : -INFINITY;
      }
      softmax_row(s, p, M);
      for (int64_t e = 0; e < E; e++) {
        float sum = 0;
        for (int64_t j = 0; j < M; j++) {
          // 0·∞ and 0·NaN of hidden keys are nothing.
          if (p[j] != 0) sum += p[j] * load(v, kv * v->strides[0] + j * v->strides[1] + e * v->strides[2]);
        }
        store(o, h * o->strides[0] + i * o->strides[1] + e * o->strides[2], sum);
      }
    }
  }
  free(s);
  return NUMCHECK_DONE;
}

NUMCHECK_EXPORT int numcheck_kernel(const numcheck_call *call) {
  static int calls;
  calls++;
  if (mistake == CRASH && call->inputs[0].shape[1] % 2) abort();
  for (; mistake == HANG;) {}
  if (mistake == LATE && calls > 9) {
    // Workspace that is never given back runs out.
    const numcheck_array *y = &call->results[0];
    for (int64_t r = 0; r < y->shape[0]; r++) {
      for (int64_t i = 0; i < y->shape[1]; i++) store(y, r * y->strides[0] + i * y->strides[1], 0.5f);
    }
    return NUMCHECK_DONE;
  }
  if (mistake == STALE || mistake == CACHED) {
    // Answers are kept by shape, and by address or by the first element.
    static struct { const void *data; float first; int64_t shape[2]; float *answer; } kept[64];
    static int count;
    const numcheck_array *x = &call->inputs[0], *y = &call->results[0];
    int64_t rows = y->shape[0], n = y->shape[1];
    int k = 0;
    while (k < count && (kept[k].shape[0] != rows || kept[k].shape[1] != n
                         || (mistake == STALE ? kept[k].data != x->data : kept[k].first != load(x, 0)))) k++;
    if (k < count) {
      for (int64_t i = 0; i < rows * n; i++) store(y, i / n * y->strides[0] + i % n, kept[k].answer[i]);
      return NUMCHECK_DONE;
    }
    int code = softmax(call);
    if (count == 64) return code;
    kept[count].answer = malloc(sizeof(float) * (size_t)(rows * n));
    kept[count].data = x->data;
    kept[count].first = load(x, 0);
    kept[count].shape[0] = rows;
    kept[count].shape[1] = n;
    for (int64_t i = 0; i < rows * n; i++) kept[count].answer[i] = load(y, i / n * y->strides[0] + i % n);
    count++;
    return code;
  }
  if (!strcmp(call->operation, "softmax")) return softmax(call);
  if (!strcmp(call->operation, "attention")) return attention(call);
  return NUMCHECK_UNSUPPORTED;
}
