// C peers of the benchmark, answering like the Swift worker: direct MPFR and Arb at 113 bits, and the softmax in plain
// double precision that certifies nothing (scalar exp of libm here; plain.c compiled with vector math beside it).
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef WITH_ARB
#include <arb.h>
#endif

enum { length = 4096, precision = 113 };
static float *rows;
static long count;
static double out64[length];
static float out32[length];

void scalar_f64(const float *x, double *y, long n);
void scalar_f32(const float *x, float *y, long n);
void vector_f64(const float *x, double *y, long n);
void vector_f32(const float *x, float *y, long n);
void native_f64(const float *x, double *y, long n);
void native_f32(const float *x, float *y, long n);
#ifdef __FLT16_MAX__
static _Float16 out16[length];
void scalar_f16(const float *x, _Float16 *y, long n);
void vector_f16(const float *x, _Float16 *y, long n);
void native_f16(const float *x, _Float16 *y, long n);
#endif

static void with_mpfr(const float *x, int lse) {
  static mpfr_t e[length], s, m;
  static int ready = 0;
  if (!ready) {
    for (int i = 0; i < length; i++) mpfr_init2(e[i], precision);
    mpfr_init2(s, precision);
    mpfr_init2(m, precision);
    ready = 1;
  }
  float top = x[0];
  for (int i = 1; i < length; i++) top = x[i] > top ? x[i] : top;
  mpfr_set_zero(s, 1);
  for (int i = 0; i < length; i++) {
    mpfr_set_d(e[i], x[i], MPFR_RNDN);
    mpfr_sub_d(e[i], e[i], top, MPFR_RNDN);
    mpfr_exp(e[i], e[i], MPFR_RNDN);
    mpfr_add(s, s, e[i], MPFR_RNDN);
  }
  if (lse) {
    mpfr_log(m, s, MPFR_RNDN);
    mpfr_add_d(m, m, top, MPFR_RNDN);
    out32[0] = mpfr_get_flt(m, MPFR_RNDN);
    return;
  }
  for (int i = 0; i < length; i++) {
    mpfr_div(m, e[i], s, MPFR_RNDN);
    out32[i] = mpfr_get_flt(m, MPFR_RNDN);
  }
}

#ifdef WITH_ARB
static void with_arb(const float *x, int lse) {
  static arb_t e[length], s, m;
  static int ready = 0;
  if (!ready) {
    for (int i = 0; i < length; i++) arb_init(e[i]);
    arb_init(s);
    arb_init(m);
    ready = 1;
  }
  float top = x[0];
  for (int i = 1; i < length; i++) top = x[i] > top ? x[i] : top;
  arb_set_d(m, top);
  arb_zero(s);
  for (int i = 0; i < length; i++) {
    arb_set_d(e[i], x[i]);
    arb_sub(e[i], e[i], m, precision);
    arb_exp(e[i], e[i], precision);
    arb_add(s, s, e[i], precision);
  }
  if (lse) {
    arb_log(s, s, precision);
    arb_add(s, s, m, precision);
    out32[0] = (float)arf_get_d(arb_midref(s), ARF_RND_NEAR);
    return;
  }
  for (int i = 0; i < length; i++) {
    arb_div(m, e[i], s, precision);
    out32[i] = (float)arf_get_d(arb_midref(m), ARF_RND_NEAR);
  }
}

/// Causal attention of one head of tokens x head size numbers a tensor: scores and weighted sums by arb_dot.
enum { tokens = 256, head = 64 };
static float attended[tokens * head];
static void attention_with_arb(void) {
  static arb_t q[tokens * head], k[tokens * head], v[tokens * head], e[tokens], s, x;
  static int ready = 0;
  if (!ready) {
    for (int i = 0; i < tokens * head; i++) {
      arb_init(q[i]);
      arb_init(k[i]);
      arb_init(v[i]);
    }
    for (int i = 0; i < tokens; i++) arb_init(e[i]);
    arb_init(s);
    arb_init(x);
    ready = 1;
  }
  for (int i = 0; i < tokens * head; i++) {
    arb_set_d(q[i], rows[i] / 10);
    arb_set_d(k[i], rows[i + tokens * head] / 10);
    // Columns together, for the sums over tokens.
    arb_set_d(v[i % head * tokens + i / head], rows[i + 2 * tokens * head] / 10);
  }
  for (int i = 0; i < tokens; i++) {
    arb_zero(s);
    for (int j = 0; j <= i; j++) {
      arb_dot(e[j], NULL, 0, q[i * head], 1, k[j * head], 1, head, precision);
      arb_mul_2exp_si(e[j], e[j], -3);
      arb_exp(e[j], e[j], precision);
      arb_add(s, s, e[j], precision);
    }
    for (int c = 0; c < head; c++) {
      arb_dot(x, NULL, 0, e[0], 1, v[c * tokens], 1, i + 1, precision);
      arb_div(x, x, s, precision);
      attended[i * head + c] = (float)arf_get_d(arb_midref(x), ARF_RND_NEAR);
    }
  }
}
#endif

static int one(const char *name, long i) {
  const float *x = rows + i * length;
  if (!strcmp(name, "mpfr.softmax")) with_mpfr(x, 0);
  else if (!strcmp(name, "mpfr.lse")) with_mpfr(x, 1);
#ifdef WITH_ARB
  else if (!strcmp(name, "arb.softmax")) with_arb(x, 0);
  else if (!strcmp(name, "arb.lse")) with_arb(x, 1);
  else if (!strcmp(name, "arb.attention")) attention_with_arb();
#endif
  else if (!strcmp(name, "libm.f64")) scalar_f64(x, out64, length);
  else if (!strcmp(name, "libm.f32")) scalar_f32(x, out32, length);
  else if (!strcmp(name, "libmvec.f64")) vector_f64(x, out64, length);
  else if (!strcmp(name, "libmvec.f32")) vector_f32(x, out32, length);
  else if (!strcmp(name, "libmvec-native.f64")) native_f64(x, out64, length);
  else if (!strcmp(name, "libmvec-native.f32")) native_f32(x, out32, length);
#ifdef __FLT16_MAX__
  else if (!strcmp(name, "libm.f16")) scalar_f16(x, out16, length);
  else if (!strcmp(name, "libmvec.f16")) vector_f16(x, out16, length);
  else if (!strcmp(name, "libmvec-native.f16")) native_f16(x, out16, length);
#endif
  else return 0;
  return 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 2;
  fseek(file, 0, SEEK_END);
  count = ftell(file) / 4 / length;
  rewind(file);
  rows = malloc(sizeof(float) * length * (count + 1));
  if (!rows || fread(rows, sizeof(float) * length, count, file) != (size_t)count) return 2;
  printf("mpfr.softmax\tmpfr.lse"
#ifdef WITH_ARB
         "\tarb.softmax\tarb.lse\tarb.attention"
#endif
         "\tlibm.f64\tlibm.f32\tlibmvec.f64\tlibmvec.f32\tlibmvec-native.f64\tlibmvec-native.f32"
#ifdef __FLT16_MAX__
         "\tlibm.f16\tlibmvec.f16\tlibmvec-native.f16"
#endif
         "\n");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    int slow = !strncmp(line, "mpfr", 4) || !strncmp(line, "arb", 3);
    double least = 1e300, start = now();
    for (int calls = 0; calls < 3 || now() - start < 40e6; calls++) {
      long n = slow ? 1 : count;
      double t = now();
      for (long i = 0; i < n; i++) if (!one(line, i)) { puts("unknown"); fflush(stdout); goto next; }
      double numbers = (double)n * length;
#ifdef WITH_ARB
      if (!strcmp(line, "arb.attention")) numbers = tokens * head;
#endif
      t = (now() - t) / numbers;
      least = t < least ? t : least;
    }
    printf("%.6g\n", least);
    fflush(stdout);
  next:;
  }
}
