// Attention's backward pass as a shared library, and the same with one of the usual mistakes: cc -DMISTAKE=NO_LEVEL …
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numcheck_kernel.h"

enum { NONE, NO_LEVEL, STALE_LEVEL, NOT_SCALED, LAST_HEAD, NO_MASK };
#ifndef MISTAKE
#define MISTAKE NONE
#endif
static const int mistake = MISTAKE;

NUMCHECK_EXPORT_ABI
NUMCHECK_EXPORT_NAME("backward.c")

static float at(const numcheck_array *a, int64_t h, int64_t i, int64_t c) {
  return ((const float *)a->data)[h * a->strides[0] + i * a->strides[1] + c * a->strides[2]];
}

static void set(const numcheck_array *a, int64_t h, int64_t i, int64_t c, double x) {
  ((float *)a->data)[h * a->strides[0] + i * a->strides[1] + c * a->strides[2]] = (float)x;
}

static float dot(const numcheck_array *a, int64_t ha, int64_t i, const numcheck_array *b, int64_t hb, int64_t j) {
  float sum = 0;
  for (int64_t c = 0; c < a->shape[2]; c++) sum += at(a, ha, i, c) * at(b, hb, j, c);
  return sum;
}

// dq = scale·Σ dS·k, dk = scale·Σ dS·q, dv = Σ P·do with dS = P∘(do·v − D), D = Σ P∘(do·v), in f32.
NUMCHECK_EXPORT int numcheck_kernel(const numcheck_call *call) {
  const numcheck_array *in[4], *out[3];
  const char *names[7] = {"q", "k", "v", "do", "dq", "dk", "dv"};
  for (int x = 0; x < 4; x++) in[x] = numcheck_array_of(call->inputs, call->input_count, names[x]);
  for (int x = 0; x < 3; x++) out[x] = numcheck_array_of(call->results, call->result_count, names[4 + x]);
  if (strcmp(call->operation, "attention-backward") || call->input_count != 4) return NUMCHECK_UNSUPPORTED;
  for (int x = 0; x < 4; x++) {
    if (!in[x] || in[x]->dtype != NUMCHECK_F32) return NUMCHECK_UNSUPPORTED;
  }
  const numcheck_array *q = in[0], *k = in[1], *v = in[2], *g = in[3];
  int64_t H = q->shape[0], N = q->shape[1], D = q->shape[2], Hkv = k->shape[0], M = k->shape[1], E = v->shape[2];
  float scale = (float)numcheck_parameter_of(call, "scale", 1);
  float factor = mistake == NOT_SCALED ? 1 : scale;
  int causal = numcheck_parameter_of(call, "causal", 0) != 0;
  float *p = malloc(sizeof(float) * (size_t)(3 * M)), *dp = p + M, *s = dp + M;
  float *dk = malloc(sizeof(float) * (size_t)(M * (D + E))), *dv = dk + M * D;
  for (int64_t kv = 0; kv < Hkv; kv++) {
    memset(dk, 0, sizeof(float) * (size_t)(M * (D + E)));
    float before = 0;
    int isFirst = 1;
    for (int64_t h = kv * H / Hkv; h < (kv + 1) * H / Hkv; h++) {
      // Heads that share keys add up.
      if (mistake == LAST_HEAD) memset(dk, 0, sizeof(float) * (size_t)(M * (D + E)));
      for (int64_t i = 0; i < N; i++) {
        int64_t last = causal ? i + M - N : M - 1;
        float top = -INFINITY, sum = 0, level = 0;
        for (int64_t j = 0; j < M; j++) {
          s[j] = dot(q, h, i, k, kv, j) * scale;
          dp[j] = dot(g, h, i, v, kv, j);
          if (j <= last && s[j] > top) top = s[j];
        }
        for (int64_t j = 0; j <= last; j++) sum += expf(s[j] - top);
        float lse = top + logf(sum);
        for (int64_t j = 0; j < M; j++) {
          p[j] = j <= last || mistake == NO_MASK ? expf(s[j] - lse) : 0;
          if (j <= last) level += p[j] * dp[j];
        }
        float used = mistake == NO_LEVEL ? 0 : mistake == STALE_LEVEL && !isFirst ? before : level;
        before = level;
        isFirst = 0;
        for (int64_t c = 0; c < D; c++) {
          float own = 0;
          for (int64_t j = 0; j < M; j++) {
            float ds = p[j] * (dp[j] - used);
            own += ds * at(k, kv, j, c);
            dk[j * D + c] += ds * at(q, h, i, c);
          }
          set(out[0], h, i, c, own * factor);
        }
        for (int64_t j = 0; j < M; j++) {
          for (int64_t c = 0; c < E; c++) dv[j * E + c] += p[j] * at(g, h, i, c);
        }
      }
    }
    for (int64_t j = 0; j < M; j++) {
      for (int64_t c = 0; c < D; c++) set(out[1], kv, j, c, dk[j * D + c] * factor);
      for (int64_t c = 0; c < E; c++) set(out[2], kv, j, c, dv[j * E + c]);
    }
  }
  free(p);
  free(dk);
  return NUMCHECK_DONE;
}
