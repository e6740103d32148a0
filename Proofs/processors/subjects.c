// A row for each loop: arguments as the callers in Swift make them, edges among them.
#include <math.h>
#include <string.h>

#include "certified.h"
#include "dots.h"
#include "driver.h"
#include "errors.h"
#include "rows.h"
#include "light.h"
#include "low_word.h"
#include "pairs.h"
#include "sweep.h"

typedef double numbers[LONGEST];
typedef float floats[LONGEST];
typedef uint8_t marks[LONGEST / 64 + 1];

/// Logits: ordinary ones, far ones, equal ones, tiny ones, masked ones.
static void logits(struct source *s, double *x, long n) {
  const long kind = below(s, 8);
  const double scale = kind == 0 ? 300 : kind == 1 ? power_of_two(below(s, 60) - 50) : kind == 2 ? 0 : 10;
  const double offset = kind == 3 ? 1000 * spread(s) : 0;
  const bool masked = below(s, 4) == 0, halves = below(s, 4) == 0;
  for (long i = 0; i < n; i++) {
    x[i] = scale * spread(s) + offset;
    if (halves) x[i] = (double)(long)(x[i] * 2) / 2;
    if (masked && below(s, 3) == 0) x[i] = -INFINITY;
  }
  if (kind == 2) x[below(s, n)] = 0;
}

static double largest(const double *x, long n) {
  double m = -INFINITY;
  for (long i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
  return m == -INFINITY ? 0 : m;
}

static double temperature(struct source *s) { return below(s, 2) ? 1 : 0.25 + 3 * uniform(s); }

static void narrow(const double *x, float *y, long n) {
  for (long i = 0; i < n; i++) y[i] = (float)x[i];
}

struct target {
  int fraction_bits, least, most;
  double largest;
};
/// f16, bf16, e4m3, e5m2, tf32, f32.
static struct target target(struct source *s) {
  static const struct target all[] = {{10, -14, 15, 65504},           {7, -126, 127, 0x1.fep127},   {3, -6, 8, 448},
                                      {2, -14, 15, 57344},            {10, -126, 127, 0x1.ffcp127}, {23, -126, 127, 0x1.fffffep127}};
  return all[below(s, 6)];
}
static struct nc_rounding rounding(struct target t) {
  return (struct nc_rounding){t.fraction_bits, t.least, t.most};
}

static void pair(const char *name, struct nc_pair p) {
  result(name, p.high);
  result(name, p.low);
}

void drive_scans(struct source *s) {
  floats f;
  const long n = row_length(s);
  const bool ordinary = below(s, 2);
  for (long i = 0; i < n; i++) f[i] = ordinary ? (float)(10 * spread(s)) : any_float(s);

  function("nc_extent_f32");
  float_arguments("x", f, n);
  const struct nc_extent c = nc_extent_f32(f, n);
  result("nan", c.nan);
  if (!c.nan) result("maximum", c.maximum);
}

void drive_tier0(struct source *s) {
  numbers x, e, p, y;
  marks open;
  const long n = row_length(s), blocks = (n + 63) / 64;

  function("nc_exp0");
  const double d = below(s, 2) ? 700 * (2 * uniform(s) - 1) : spread(s) * power_of_two(-below(s, 80));
  argument("d", d);
  result("e", nc_exp0(d));

  logits(s, x, n);
  const double m = largest(x, n), tau = temperature(s);
  function("nc_exponentials0");
  arguments("x", x, n);
  argument("tau", tau);
  const struct nc_pair sum = nc_exponentials0(x, m, tau, e, n);
  results("e", e, n);
  pair("sum", sum);

  // Wide margins leave some open.
  const double c = below(s, 4) ? 0x1p-49 : 0x1p-12, k = 0x1p-53 / tau, r = 1 / sum.high;
  const struct target t = target(s);
  function("nc_quotients0");
  arguments("x", x, n);
  arguments("e", e, n);
  argument("c", c);
  argument("fraction bits", t.fraction_bits);
  result("all", nc_quotients0(e, x, m, r, c, k, rounding(t), p, y, open, n));
  results("p", p, n);
  results("y", y, n);
  byte_results("open", open, blocks);
}

void drive_light(struct source *s) {
  numbers wide, e;
  floats x, y;
  marks open;
  const long n = row_length(s), blocks = (n + 63) / 64;
  logits(s, wide, n);
  narrow(wide, x, n);
  for (long i = 0; i < n; i++) wide[i] = x[i];
  const double m = largest(wide, n), tau = temperature(s);
  const struct target t = target(s);
  const struct nc_target f = {rounding(t), t.fraction_bits == 23, t.largest};
  const double c = below(s, 4) ? 0x1p-46 : 0x1p-12;

  function("nc_light_exponentials");
  float_arguments("x", x, n);
  argument("tau", tau);
  const struct nc_pair sum = nc_light_exponentials(x, m, tau, e, n);
  results("e", e, n);
  pair("sum", sum);

  function("nc_light_quotients");
  arguments("e", e, n);
  argument("c", c);
  argument("fraction bits", t.fraction_bits);
  result("all", nc_light_quotients(e, 1 / sum.high, c, f, y, open, n));
  float_results("y", y, n);
  byte_results("open", open, blocks);

  // Any number near the logarithm will do.
  const double log = 10 * uniform(s);
  function("nc_light_logarithms");
  float_arguments("x", x, n);
  argument("tau", tau);
  argument("log", log);
  argument("c", c);
  argument("fraction bits", t.fraction_bits);
  result("all", nc_light_logarithms(x, m, tau, log, c, 4 * 0x1p-53, -INFINITY, f, y, open, n));
  float_results("y", y, n);
  byte_results("open", open, blocks);

  if (below(s, 8) == 0) x[below(s, n)] = below(s, 2) ? NAN : INFINITY;
  function("nc_light_sigmoids");
  float_arguments("x", x, n);
  argument("tau", tau);
  argument("c", c);
  argument("fraction bits", t.fraction_bits);
  result("all", nc_light_sigmoids(x, tau, c, 0x1p-53, f, y, open, n));
  float_results("y", y, n);
  byte_results("open", open, blocks);
}

void drive_tier1(struct source *s) {
  numbers x, dh, dl, h, l, k;
  const long n = row_length(s);
  for (long i = 0; i < n; i++) {
    dh[i] = below(s, 4) ? -2800 * uniform(s) : spread(s) * power_of_two(-below(s, 80));
    dl[i] = dh[i] * 0x1p-54 * uniform(s);
  }
  function("nc_exponentials1");
  arguments("dh", dh, n);
  arguments("dl", dl, n);
  nc_exponentials1(dh, dl, table(), h, l, k, n);
  results("h", h, n);
  results("l", l, n);
  results("k", k, n);

  logits(s, x, n);
  const double m = largest(x, n), tau = temperature(s);
  for (long i = 0; i < n; i++) x[i] = x[i] == -INFINITY ? m - 600 : x[i];
  function("nc_row1");
  arguments("x", x, n);
  argument("tau", tau);
  pair("sum", nc_row1(x, m, tau, table(), dh, dl, h, l, k, n));
  results("dh", dh, n);
  results("dl", dl, n);
  results("h", h, n);
  results("l", l, n);
  results("k", k, n);
}

void drive_tier2(struct source *s) {
  numbers x, dh, dl, h, l, k, high, low, y;
  marks open;
  const long n = row_length(s), blocks = (n + 63) / 64;
  logits(s, x, n);
  // Far ones reach the end of what is proven.
  if (below(s, 8) == 0)
    for (long i = 0; i < n; i++) x[i] *= power_of_two(below(s, 20));
  const double m = largest(x, n), tau = temperature(s);

  function("nc_differences2");
  arguments("x", x, n);
  argument("tau", tau);
  nc_differences2(x, m, tau, dh, dl, n);
  results("dh", dh, n);
  results("dl", dl, n);

  function("nc_exponentials2");
  arguments("dh", dh, n);
  arguments("dl", dl, n);
  nc_exponentials2(dh, dl, table(), h, l, k, n);
  results("h", h, n);
  results("l", l, n);
  results("k", k, n);

  function("nc_sum2");
  arguments("h", h, n);
  arguments("k", k, n);
  const struct nc_pair sum = nc_sum2(h, l, k, n);
  pair("sum", sum);

  const double r = 1 / sum.high, rl = fma(-r, sum.high, 1) * r, c = below(s, 4) ? 0x1p-97 : 0x1p-56;
  function("nc_quotients2");
  arguments("h", h, n);
  arguments("dh", dh, n);
  argument("c", c);
  result("all", nc_quotients2(h, l, k, dh, r, rl, c, 0x1p-101, high, low, open, n));
  results("high", high, n);
  results("low", low, n);
  byte_results("open", open, blocks);

  const struct target t = target(s);
  const struct nc_format f = {rounding(t), below(s, 2), t.largest};
  const double log = 10 * uniform(s), logl = log * 0x1p-54 * spread(s), a = below(s, 4) ? 0x1p-94 : 0x1p-50;
  function("nc_logarithms2");
  arguments("dh", dh, n);
  arguments("dl", dl, n);
  argument("log", log);
  argument("a", a);
  argument("fraction bits", f.is_f64 ? 52 : t.fraction_bits);
  const struct nc_settled settled =
      nc_logarithms2(dh, dl, log, logl, a, 0x1p-36, f, high, low, y, open, n);
  result("all", settled.all);
  result("smallest", settled.smallest);
  results("high", high, n);
  results("low", low, n);
  results("y", y, n);
  byte_results("open", open, blocks);
}

void drive_sigmoids(struct source *s) {
  numbers x, dh, dl, h, l, k, high, low, y;
  marks open;
  const long n = row_length(s), blocks = (n + 63) / 64;
  for (long i = 0; i < n; i++) {
    const long kind = below(s, 16);
    x[i] = kind == 0 ? any_double(s) : kind == 1 ? 800 * spread(s) : kind == 2 ? spread(s) * power_of_two(-60) : 20 * spread(s);
  }
  const double tau = temperature(s);
  function("nc_sigmoid_arguments2");
  arguments("x", x, n);
  argument("tau", tau);
  nc_sigmoid_arguments2(x, tau, dh, dl, n);
  results("dh", dh, n);
  results("dl", dl, n);

  nc_exponentials2(dh, dl, table(), h, l, k, n);
  const struct target t = target(s);
  const struct nc_format f = {rounding(t), below(s, 2), t.largest};
  const double c = below(s, 4) ? 0x1p-98 : 0x1p-54;
  function("nc_sigmoids2");
  arguments("x", x, n);
  arguments("h", h, n);
  argument("c", c);
  argument("fraction bits", f.is_f64 ? 52 : t.fraction_bits);
  const struct nc_settled settled =
      nc_sigmoids2(x, dh, h, l, k, c, 0x1p-102, f, high, low, y, open, n);
  result("all", settled.all);
  result("smallest", settled.smallest);
  results("high", high, n);
  results("low", low, n);
  results("y", y, n);
  byte_results("open", open, blocks);
}

void drive_dots(struct source *s) {
  static double v[LONGEST * 24];
  numbers a, b, h, l, k;
  double high[24], low[24], magnitude[24];
  const long n = row_length(s), width = 1 + below(s, 20), stride = width + below(s, 4);
  const bool extreme = below(s, 8) == 0;
  for (long i = 0; i < n; i++) {
    a[i] = spread(s) * (extreme ? power_of_two(below(s, 900) - 450) : 1);
    b[i] = spread(s) * (extreme ? power_of_two(below(s, 900) - 500) : 1);
  }
  if (below(s, 3) == 0 && n > 1) a[n - 1] = -a[0], b[n - 1] = b[0];
  function("nc_dot2");
  arguments("a", a, n);
  arguments("b", b, n);
  const struct nc_dot dot = nc_dot2(a, b, n);
  result("high", dot.high);
  result("low", dot.low);
  result("magnitude", dot.magnitude);

  for (long i = 0; i < n; i++) {
    h[i] = 1 + uniform(s);
    l[i] = h[i] * 0x1p-54 * spread(s);
    k[i] = -(double)below(s, below(s, 2) ? 1100 : 20);
  }
  function("nc_scale2");
  arguments("h", h, n);
  arguments("k", k, n);
  nc_scale2(h, l, k, n);
  results("h", h, n);
  results("l", l, n);

  // A row in eight, for it costs as much as all others together.
  function("nc_weighted2");
  if (below(s, 8)) return;
  for (long i = 0; i < n * stride; i++) v[i] = spread(s);
  arguments("h", h, n);
  arguments("v", v, n * stride);
  nc_weighted2(h, l, v, n, width, stride, high, low, magnitude);
  results("high", high, width);
  results("low", low, width);
  results("magnitude", magnitude, width);
}

void drive_errors(struct source *s) {
  numbers y, rounded, high, low, tiny, bounds, ulps, d, larger, smaller;
  const long n = row_length(s);
  const struct target t = target(s);
  const bool special = below(s, 8) == 0;
  for (long i = 0; i < n; i++) {
    high[i] = uniform(s) * power_of_two(-below(s, 20));
    low[i] = high[i] * 0x1p-54 * spread(s);
    rounded[i] = (double)(float)high[i];
    y[i] = rounded[i] * (1 + spread(s) * power_of_two(-t.fraction_bits));
    tiny[i] = below(s, 30) == 0;
    bounds[i] = high[i] * power_of_two(1 - t.fraction_bits) * uniform(s);
    if (special && below(s, 5) == 0) y[i] = any_double(s);
  }
  const struct nc_unit unit = {below(s, 4) ? 0 : 0x1p-7, t.fraction_bits, t.least};
  const double *const given = below(s, 2) ? tiny : NULL, *const limits = below(s, 2) ? bounds : NULL;
  function("nc_measure_row");
  arguments("y", y, n);
  arguments("high", high, n);
  argument("step", unit.step);
  argument("fraction bits", unit.fraction_bits);
  const struct nc_row_errors e = nc_measure_row(y, rounded, high, low, given, limits, 0x1p-90, n, unit, ulps);
  result("regular", e.regular);
  // Otherwise nothing else is meant.
  if (e.regular) {
    const double figures[] = {(double)e.underflow, (double)e.above, e.ulp, e.bound_ulp, e.absolute, e.relative, e.scale};
    results("figures", figures, 7);
    results("sum", e.sum.part, 3);
    results("squares", e.squares.part, 3);
    results("ulps", ulps, n);
  }

  for (long i = 0; i < n; i++) d[i] = below(s, 8) ? uniform(s) * power_of_two(-below(s, 60)) : 800 * uniform(s);
  if (special) d[below(s, n)] = below(s, 2) ? NAN : INFINITY;
  function("nc_expm1_above");
  arguments("v", d, n);
  nc_expm1_above(d, n);
  results("v", d, n);

  for (long i = 0; i < n; i++) {
    d[i] = -(below(s, 4) ? 20 * uniform(s) : 600 * uniform(s));
    larger[i] = 1 - 0x1p-8 * uniform(s);
    smaller[i] = 0x1p-8 * uniform(s) * (double)below(s, 2);
    if (special && below(s, 5) == 0) larger[i] = any_double(s);
  }
  function("nc_pair_errors");
  arguments("d", d, n);
  arguments("larger", larger, n);
  arguments("smaller", smaller, n);
  const struct nc_sweep w = nc_pair_errors(d, larger, smaller, n, t.fraction_bits, t.least);
  const double counts[] = {w.max_ulp, (double)w.index, (double)w.nan, (double)w.overflow, (double)w.underflow};
  results("figures", counts, 5);
}

typedef uint16_t halves[LONGEST];

static void peak(const char *name, struct nc_peak p) {
  function(name);
  result("largest", p.largest);
  result("special", p.special);
}

void drive_kernels(struct source *s) {
  numbers x, v;
  floats f;
  halves h, g;
  const long n = row_length(s);
  const bool special = below(s, 8) == 0;
  for (long i = 0; i < n; i++) {
    x[i] = special && below(s, 8) == 0 ? any_double(s) : (below(s, 8) ? 10 : 400) * spread(s);
    f[i] = special ? any_float(s) : (float)x[i];
    h[i] = (uint16_t)(special ? bits_from(s) : bits_from(s) & 0xcbff);
  }

  memcpy(v, x, sizeof v);
  function("nc_row_exp");
  arguments("v", v, n);
  nc_row_exp(v, n);
  results("v", v, n);

  memcpy(v, x, sizeof v);
  function("nc_row_exp2");
  arguments("v", v, n);
  nc_row_exp2(v, n);
  results("v", v, n);

  memcpy(g, h, sizeof g);
  function("nc_row_exp_f16");
  for (long i = 0; i < n; i++) argument("bits of v", g[i]);
  nc_row_exp_f16(g, n);
  half_results("v", g, n);

  memcpy(g, h, sizeof g);
  function("nc_row_exp2_f16");
  for (long i = 0; i < n; i++) argument("bits of v", g[i]);
  nc_row_exp2_f16(g, n);
  half_results("v", g, n);

  peak("nc_row_peak", nc_row_peak(x, n));
  peak("nc_row_peak_f32", nc_row_peak_f32(f, n));
  peak("nc_row_peak_f16", nc_row_peak_f16(h, n));

  function("nc_row_maximum");
  arguments("v", x, n);
  result("maximum", nc_row_maximum(x, n));
  function("nc_row_maximum_f32");
  float_arguments("v", f, n);
  result("maximum", nc_row_maximum_f32(f, n));
  function("nc_row_maximum_f16");
  for (long i = 0; i < n; i++) argument("bits of v", h[i]);
  result("maximum", nc_row_maximum_f16(h, n));

  const struct target t = target(s);
  const struct nc_grid grid = {
      power_of_two(t.least), t.largest, 1.5 * power_of_two(52 - t.fraction_bits)};
  for (long i = 0; i < n; i++) {
    v[i] = spread(s) * power_of_two(-below(s, 24));
    g[i] = (uint16_t)(bits_from(s) & 0xbfff);
  }
  double sum = below(s, 8) ? (double)below(s, 8) : -0.0;
  function("nc_row_add");
  argument("sum", sum);
  arguments("terms", v, n);
  result("added", (double)nc_row_add(&sum, v, n, grid));
  result("sum", sum);
  sum = 1;
  const struct nc_grid half = {0x1p-14, 65504, 0x1.8p42};
  function("nc_row_add_f16");
  for (long i = 0; i < n; i++) argument("bits of a term", g[i]);
  result("added", (double)nc_row_add_f16(&sum, g, n, half));
  result("sum", sum);
}
