// Sums of products as pairs (double-doubles), with what their error bounds need. What is proven of each is in
// Documentation/CertifiedReference.md, section 10.
#ifndef NC_DOTS_H
#define NC_DOTS_H

/// A sum of products as high + low, and the sum of their magnitudes, rounded.
struct nc_dot {
  double high;
  double low;
  double magnitude;
};

/// The sum of the a[i] b[i].
struct nc_dot nc_dot2(const double *a, const double *b, long n);

/// For each of `width` columns k: the sum over i of (h[i] + l[i]) v[i * stride + k], and of the magnitudes; h >= 0.
void nc_weighted2(
    const double *h, const double *l, const double *v, long n, long width, long stride, double *high, double *low,
    double *magnitude);

/// h[i] and l[i] times 2^k[i], 0 where k[i] < -900.
void nc_scale2(double *h, double *l, const double *k, long n);

#endif
