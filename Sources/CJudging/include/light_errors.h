// Whether a row of results is well within what a kernel may err by, without its bound.
#ifndef NC_LIGHT_ERRORS_H
#define NC_LIGHT_ERRORS_H

/// Sum of p[i] (n - i), less 1: for p that sum to 1 no more than the partial sums come to when they are added one after the other.
double nc_additions(const double *p, long n);

/// Whether |y - p| <= max(p (constant + slope (m - x)), least) for all n.
int nc_within(
    const double *y, const double *x, const double *p, double m, double constant, double slope, double least, long n);

#endif
