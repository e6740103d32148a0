// What stands around attention as a shared library, and the same with one of the usual mistakes: cc -DMISTAKE=INTERLEAVED …
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numcheck_kernel.h"

enum {
  NONE, INTERLEAVED, NEXT_POSITION, RATIO_SLOPES, BASE_2, SMOOTHING_LEFT_OUT, SIGMOID_TWICE, BIAS_IN_WEIGHTS, NOT_SCALED,
  NOT_DIVIDED, SHORT_TOP_P
};
#ifndef MISTAKE
#define MISTAKE NONE
#endif
static const int mistake = MISTAKE;

NUMCHECK_EXPORT_ABI
NUMCHECK_EXPORT_NAME("around.c")

// Element (i, j) of a matrix, or i of a vector.
static int64_t place(const numcheck_array *a, int64_t i, int64_t j) {
  return i * a->strides[0] + (a->rank > 1 ? j * a->strides[1] : 0);
}

static double get(const numcheck_array *a, int64_t i, int64_t j) {
  int64_t k = place(a, i, j);
  return a->dtype == NUMCHECK_INT64 ? (double)((const int64_t *)a->data)[k]
    : a->dtype == NUMCHECK_F64 ? ((const double *)a->data)[k] : ((const float *)a->data)[k];
}

static void put(const numcheck_array *a, int64_t i, int64_t j, double x) {
  int64_t k = place(a, i, j);
  if (a->dtype == NUMCHECK_INT64) ((int64_t *)a->data)[k] = (int64_t)x;
  else if (a->dtype == NUMCHECK_F64) ((double *)a->data)[k] = x;
  else ((float *)a->data)[k] = (float)x;
}

static const numcheck_array *named(const numcheck_call *call, const char *name) {
  return numcheck_array_of(call->inputs, call->input_count, name);
}

static double number(const numcheck_call *call, const char *name) { return numcheck_parameter_of(call, name, 0); }

// θ of pair i of d dimensions; 0 where angles are scaled, which is not for this library.
static double theta(const numcheck_call *call, int64_t i, int64_t d) {
  return number(call, "scaling") != 0 ? 0 : pow(number(call, "base"), -2.0 * (double)i / (double)d);
}

static int rope(const numcheck_call *call) {
  const numcheck_array *x = named(call, "input"), *m = named(call, "positions"), *y = &call->results[0];
  int64_t d = x->shape[1];
  int pairs = (number(call, "interleaved") != 0) != (mistake == INTERLEAVED);
  if (theta(call, 0, d) == 0) return NUMCHECK_UNSUPPORTED;
  for (int64_t r = 0; r < x->shape[0]; r++) {
    for (int64_t i = 0; i < d / 2; i++) {
      double angle = (get(m, r, 0) + (mistake == NEXT_POSITION)) * theta(call, i, d);
      int64_t p = pairs ? 2 * i : i, q = pairs ? 2 * i + 1 : i + d / 2;
      double a = get(x, r, p), b = get(x, r, q);
      put(y, r, p, a * cos(angle) - b * sin(angle));
      put(y, r, q, b * cos(angle) + a * sin(angle));
    }
  }
  return NUMCHECK_DONE;
}

static int sinusoidal(const numcheck_call *call) {
  const numcheck_array *m = named(call, "positions"), *y = &call->results[0];
  int64_t d = y->shape[1];
  if (theta(call, 0, d) == 0) return NUMCHECK_UNSUPPORTED;
  for (int64_t r = 0; r < y->shape[0]; r++) {
    for (int64_t i = 0; i < d / 2; i++) {
      double angle = (get(m, r, 0) + (mistake == NEXT_POSITION)) * theta(call, i, d);
      put(y, r, 2 * i, sin(angle));
      put(y, r, 2 * i + 1, cos(angle));
    }
  }
  return NUMCHECK_DONE;
}

// 2^(−8(h + 1)/n) of 2^k heads; of others every other one of twice as many for the rest.
static double slope(int64_t h, int64_t n) {
  int64_t whole = 1;
  while (2 * whole <= n) whole *= 2;
  if (mistake == RATIO_SLOPES) return exp2(-8.0 * (double)(h + 1) / (double)n);
  return h < whole ? exp2(-8.0 * (double)(h + 1) / (double)whole)
    : exp2(-8.0 * (double)(2 * (h - whole) + 1) / (double)(2 * whole));
}

static int alibi(const numcheck_call *call) {
  const numcheck_array *m = named(call, "distances"), *y = &call->results[0];
  for (int64_t r = 0; r < y->shape[0]; r++) {
    for (int64_t h = 0; h < y->shape[1]; h++) put(y, r, h, -slope(h, y->shape[1]) * get(m, r, 0));
  }
  return NUMCHECK_DONE;
}

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }

static int elements(const numcheck_call *call) {
  const numcheck_array *x = named(call, "input"), *t = named(call, "targets"), *y = &call->results[0];
  const char *op = call->operation;
  for (int64_t r = 0; r < x->shape[0]; r++) {
    for (int64_t i = 0; i < x->shape[1]; i++) {
      double a = get(x, r, i), target = t ? t->rank > 1 ? get(t, r, i) : get(t, i, 0) : 0, z;
      if (!strcmp(op, "exp")) z = mistake == BASE_2 ? exp2(a) : exp(a);
      else if (!strcmp(op, "exp2")) z = exp2(a);
      else if (!strcmp(op, "bce")) z = (a > 0 ? a * (1 - target) : -a * target) + log1p(exp(-fabs(a)));
      else if (!strcmp(op, "bce-probabilities"))
        z = (target == 0 ? 0 : -target * log(a)) - (target == 1 ? 0 : (1 - target) * log1p(-a));
      else {
        if (mistake == SIGMOID_TWICE) a = sigmoid(a);
        z = sigmoid(a) * sigmoid(-a);
      }
      put(y, r, i, z);
    }
  }
  return NUMCHECK_DONE;
}

static double log_sum_exp(const numcheck_array *x, int64_t r) {
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < x->shape[1]; i++) top = fmax(top, get(x, r, i));
  for (int64_t i = 0; i < x->shape[1]; i++) sum += exp(get(x, r, i) - top);
  return top + log(sum);
}

static int row_losses(const numcheck_call *call) {
  const numcheck_array *x = named(call, "input"), *t = named(call, "target"), *y = &call->results[0];
  for (int64_t r = 0; r < x->shape[0]; r++) {
    double lse = log_sum_exp(x, r), mean = 0, eps = number(call, "smoothing");
    if (!t) {
      put(y, r, 0, number(call, "weight") * lse * lse);
    } else if (get(t, r, 0) == number(call, "ignore_index")) {
      put(y, r, 0, 0);
    } else {
      for (int64_t i = 0; i < x->shape[1]; i++) mean += get(x, r, i) / (double)x->shape[1];
      if (mistake == SMOOTHING_LEFT_OUT) eps = 0;
      put(y, r, 0, (lse - get(x, r, (int64_t)get(t, r, 0))) * (1 - eps) + eps * (lse - mean));
    }
  }
  return NUMCHECK_DONE;
}

static int routing(const numcheck_call *call) {
  const numcheck_array *x = named(call, "input"), *b = named(call, "bias"), *y = &call->results[0];
  int64_t n = x->shape[1], k = (int64_t)number(call, "top_k");
  double *score = malloc(sizeof(double) * 2 * (size_t)n), *biased = score + n;
  for (int64_t r = 0; r < x->shape[0]; r++) {
    double lse = log_sum_exp(x, r), sum = 0;
    for (int64_t i = 0; i < n; i++) {
      score[i] = number(call, "softmax") != 0 ? exp(get(x, r, i) - lse) : sigmoid(get(x, r, i));
      biased[i] = score[i] + (b ? get(b, i, 0) : 0);
      put(y, r, i, 0);
    }
    for (int pass = 0; pass < 2; pass++) {
      // The largest, the first of equal ones; on the second pass their weights are written.
      for (int64_t i = 0; i < n; i++) {
        int64_t before = 0;
        for (int64_t j = 0; j < n; j++) before += biased[j] > biased[i] || (biased[j] == biased[i] && j < i);
        double w = mistake == BIAS_IN_WEIGHTS ? biased[i] : score[i];
        if (before >= k) continue;
        if (pass == 0) sum += w;
        else put(y, r, i, number(call, "normalized") != 0 ? w / sum : w);
      }
    }
  }
  free(score);
  return NUMCHECK_DONE;
}

// Σ a[i] b[j][i], or of a column of b.
static double dot(const numcheck_array *a, int64_t i, const numcheck_array *b, int64_t j) {
  double sum = 0;
  for (int64_t d = 0; d < a->shape[1]; d++) sum += get(a, i, d) * get(b, j, d);
  return sum;
}

static int scores(const numcheck_call *call) {
  const numcheck_array *q = named(call, "input"), *k = named(call, "keys"), *y = &call->results[0];
  const numcheck_array *w = named(call, "query_matrix"), *u = named(call, "key_matrix"), *v = named(call, "combination");
  if (number(call, "weights") != 0) return NUMCHECK_UNSUPPORTED;
  for (int64_t r = 0; r < q->shape[0]; r++) {
    for (int64_t j = 0; j < k->shape[0]; j++) {
      double sum = 0;
      if (!w) {
        sum = dot(q, r, k, j);
      } else if (!v) {
        for (int64_t i = 0; i < q->shape[1]; i++) sum += get(q, r, i) * dot(w, i, k, j);
      } else {
        for (int64_t i = 0; i < v->shape[0]; i++) sum += get(v, i, 0) * tanh(dot(w, i, q, r) + dot(u, i, k, j));
      }
      put(y, r, j, sum);
    }
  }
  return NUMCHECK_DONE;
}

// Sums over keys, of values by weights that are positive.
static int sums(const numcheck_call *call, int is_linear) {
  const numcheck_array *q = named(call, "input"), *k = named(call, "keys"), *v = named(call, "values"), *y = &call->results[0];
  int causal = is_linear || number(call, "causal") != 0;
  int map = (int)number(call, "map");
  for (int64_t r = 0; r < q->shape[0]; r++) {
    for (int64_t e = 0; e < v->shape[1]; e++) {
      double sum = 0, whole = 0;
      for (int64_t j = 0; j < k->shape[0] && (!causal || j <= r); j++) {
        double weight = 0;
        for (int64_t d = 0; d < q->shape[1]; d++) {
          double a = get(q, r, d), b = get(k, j, d);
          if (!is_linear) weight += a * b;
          else if (map == 0) weight += (a > 0 ? a + 1 : exp(a)) * (b > 0 ? b + 1 : exp(b));
          else if (map == 1) weight += exp(a) * exp(b);
          else weight += fmax(a, 0) * fmax(b, 0);
        }
        if (!is_linear) weight = sigmoid(weight * (mistake == NOT_SCALED ? 1 : number(call, "scale")) + number(call, "bias"));
        sum += weight * get(v, j, e);
        whole += weight;
      }
      put(y, r, e, is_linear && mistake != NOT_DIVIDED ? sum / whole : sum);
    }
  }
  return NUMCHECK_DONE;
}

static const double *by_logit;
static int larger_first(const void *a, const void *b) {
  int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
  return by_logit[i] != by_logit[j] ? (by_logit[i] > by_logit[j] ? -1 : 1) : i < j ? -1 : 1;
}

// Temperature, top-k, top-p, min-p: probabilities of what is left, or the tokens where results are whole numbers.
static int sample(const numcheck_call *call) {
  const numcheck_array *x = named(call, "input"), *y = &call->results[0];
  int64_t n = x->shape[1], k = (int64_t)number(call, "top_k");
  double *z = malloc(sizeof(double) * 2 * (size_t)n), *p = z + n;
  int64_t *order = malloc(sizeof(int64_t) * (size_t)n);
  for (int64_t r = 0; r < x->shape[0]; r++) {
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++) {
      order[i] = i;
      z[i] = get(x, r, i) / number(call, "temperature");
      left += z[i] > -INFINITY;
    }
    by_logit = z;
    qsort(order, (size_t)n, sizeof(int64_t), larger_first);
    if (k > 0 && k < left) left = k;
    double sum = 0, before = 0;
    for (int64_t i = 0; i < left; i++) sum += p[i] = exp(z[order[i]] - z[order[0]]);
    int64_t kept = 0;
    for (; kept < left && before < number(call, "top_p") * sum; kept++) before += p[kept];
    if (mistake == SHORT_TOP_P && kept > 1 && number(call, "top_p") < 1) before -= p[--kept];
    for (sum = 0, left = 0; left < kept && p[left] >= number(call, "min_p"); left++) sum += p[left];
    int64_t width = y->shape[1];
    for (int64_t i = 0; i < width; i++) put(y, r, i, y->dtype == NUMCHECK_INT64 ? -1 : 0);
    for (int64_t i = 0; i < left; i++) {
      if (y->dtype == NUMCHECK_INT64) put(y, r, i, (double)order[i]);
      else put(y, r, order[i], p[i] / sum);
    }
  }
  free(z);
  free(order);
  return NUMCHECK_DONE;
}

NUMCHECK_EXPORT int numcheck_kernel(const numcheck_call *call) {
  for (int32_t a = 0; a < call->input_count + call->result_count; a++) {
    const numcheck_array *array = a < call->input_count ? &call->inputs[a] : &call->results[a - call->input_count];
    int32_t dtype = array->dtype;
    if (dtype != NUMCHECK_F32 && dtype != NUMCHECK_F64 && dtype != NUMCHECK_INT64) return NUMCHECK_UNSUPPORTED;
  }
  const char *op = call->operation;
  if (!strcmp(op, "rope")) return rope(call);
  if (!strcmp(op, "sinusoidal")) return sinusoidal(call);
  if (!strcmp(op, "alibi")) return alibi(call);
  if (!strcmp(op, "exp") || !strcmp(op, "exp2") || !strcmp(op, "sigmoid-gradient") || !strncmp(op, "bce", 3))
    return elements(call);
  if (!strcmp(op, "smoothed-crossentropy") || !strcmp(op, "z-loss")) return row_losses(call);
  if (!strcmp(op, "routing")) return routing(call);
  if (!strcmp(op, "scores")) return scores(call);
  if (!strcmp(op, "linear-attention")) return sums(call, 1);
  if (!strcmp(op, "sigmoid-attention")) return sums(call, 0);
  if (!strcmp(op, "sample")) return sample(call);
  return NUMCHECK_UNSUPPORTED;
}
