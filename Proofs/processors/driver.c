// Runs each C loop of the proofs on rows made from seeds, and prints hashes of the results, so that two processors can be
// compared:
//   driver FIRST LAST           a line for each function and each thousand of rows below LAST: name, first row, hash
//   driver FUNCTION FIRST LAST  a line for each row: its hash
//   driver FUNCTION ROW         the row's arguments and results
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- Numbers

uint64_t bits_from(struct source *s) {
  uint64_t z = (s->state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

long below(struct source *s, long n) { return (long)(bits_from(s) % (uint64_t)n); }
double uniform(struct source *s) { return (double)(bits_from(s) >> 11) * 0x1p-53; }

double spread(struct source *s) {
  double sum = 0;
  for (int i = 0; i < 4; i++) sum += uniform(s) - 0.5;
  return sum * 0x1.bb67ae8584caap+0;  // sqrt(3)
}

double power_of_two(long k) {
  double x = 1;
  for (; k > 1023; k -= 1023) x *= 0x1p1023;
  for (; k < -1022; k += 1022) x *= 0x1p-1022;
  const uint64_t bits = (uint64_t)(k + 1023) << 52;
  double y;
  memcpy(&y, &bits, sizeof y);
  return x * y;
}

double any_double(struct source *s) {
  const uint64_t bits = bits_from(s);
  double x;
  memcpy(&x, &bits, sizeof x);
  const long kind = below(s, 16);
  return kind == 0 ? x - x : kind == 1 ? (x < 0 ? -1 / 0.0 : 1 / 0.0) : kind == 2 ? (x < 0 ? -0.0 : 0.0) : x;
}

float any_float(struct source *s) {
  const uint32_t bits = (uint32_t)(bits_from(s) >> 32);
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

long row_length(struct source *s) {
  const long kind = below(s, 16);
  return kind == 0 ? 1 + below(s, LONGEST) : kind < 4 ? 1 + below(s, 66) : 1 + below(s, 12);
}

// --- Results

enum { FUNCTIONS = 64, GROUP = 1000 };
static const char *names[FUNCTIONS];
static uint64_t hashes[FUNCTIONS];
static int count, current;
static const char *shown;

void function(const char *name) {
  for (current = 0; current < count; current++)
    if (!strcmp(names[current], name)) return;
  if (count == FUNCTIONS) abort();
  names[count] = name;
  hashes[count] = 0;
  current = count++;
}

static bool is_shown(void) { return shown && !strcmp(shown, names[current]); }

static void add(uint64_t bits) {
  uint64_t z = (hashes[current] ^ bits) * 0x9e3779b97f4a7c15;
  hashes[current] = z ^ (z >> 29);
}

static uint64_t canonical(double x) {
  if (x != x) return 0x7ff8000000000000;
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static void show(const char *kind, const char *name, long i, double x) {
  if (is_shown()) printf("%s %s[%ld] = %a (%.17g, %016llx)\n", kind, name, i, x, x, (unsigned long long)canonical(x));
}

static void element(const char *name, long i, double x) {
  add(canonical(x));
  show("result", name, i, x);
}

void result(const char *name, double x) { element(name, 0, x); }
void results(const char *name, const double *x, long n) {
  for (long i = 0; i < n; i++) element(name, i, x[i]);
}
void float_results(const char *name, const float *x, long n) {
  for (long i = 0; i < n; i++) element(name, i, x[i]);
}
void byte_results(const char *name, const uint8_t *x, long n) {
  for (long i = 0; i < n; i++) element(name, i, x[i]);
}
void half_results(const char *name, const uint16_t *x, long n) {
  // NaN of binary16 are one too.
  for (long i = 0; i < n; i++) element(name, i, (x[i] & 0x7fff) > 0x7c00 ? 0x7e00 : x[i]);
}
void argument(const char *name, double x) { show("argument", name, 0, x); }
void arguments(const char *name, const double *x, long n) {
  for (long i = 0; i < n; i++) show("argument", name, i, x[i]);
}
void float_arguments(const char *name, const float *x, long n) {
  for (long i = 0; i < n; i++) show("argument", name, i, x[i]);
}

// --- The table: square roots of 2 as pairs, and their products

struct two {
  double high, low;
};

static struct two product(struct two a, struct two b) {
  const double p = a.high * b.high;
  const double e = __builtin_fma(a.high, b.high, -p) + (a.high * b.low + a.low * b.high);
  const double s = p + e;
  return (struct two){s, e - (s - p)};
}

static struct two root(struct two a) {
  const double r = __builtin_sqrt(a.high);
  const double e = (__builtin_fma(-r, r, a.high) + a.low) / (2 * r);
  const double s = r + e;
  return (struct two){s, e - (s - r)};
}

const double *table(void) {
  static double t[2048];
  if (t[0] == 0) {
    struct two roots[10];
    roots[9] = root((struct two){2, 0});
    for (int b = 8; b >= 0; b--) roots[b] = root(roots[b + 1]);
    for (int j = 0; j < 1024; j++) {
      struct two p = {1, 0};
      for (int b = 0; b < 10; b++)
        if (j >> b & 1) p = product(p, roots[b]);
      t[2 * j] = p.high;
      t[2 * j + 1] = p.low;
    }
  }
  return t;
}

// --- Rows

static void drive(long row) {
  void (*const subjects[])(struct source *) = {drive_scans,    drive_tier0, drive_light,  drive_tier1,  drive_tier2,
                                               drive_sigmoids, drive_dots,  drive_errors, drive_kernels};
  for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
    struct source s = {(uint64_t)row * 64 + i};
    subjects[i](&s);
  }
}

int main(int n, char **words) {
  if (n == 3 && words[1][0] >= '0' && words[1][0] <= '9') {
    const long rows = atol(words[2]);
    for (long first = atol(words[1]); first < rows; first += GROUP) {
      for (int f = 0; f < count; f++) hashes[f] = 0;
      for (long row = first; row < first + GROUP && row < rows; row++) drive(row);
      for (int f = 0; f < count; f++) printf("%s %ld %016llx\n", names[f], first, (unsigned long long)hashes[f]);
    }
  } else if (n == 4) {
    for (long row = atol(words[2]); row <= atol(words[3]); row++) {
      for (int f = 0; f < count; f++) hashes[f] = 0;
      drive(row);
      for (int f = 0; f < count; f++)
        if (!strcmp(names[f], words[1])) printf("%ld %016llx\n", row, (unsigned long long)hashes[f]);
    }
  } else if (n == 3) {
    shown = words[1];
    drive(atol(words[2]));
  } else {
    fprintf(stderr, "driver: FIRST LAST, FUNCTION FIRST LAST, or FUNCTION ROW\n");
    return 2;
  }
  return 0;
}
