// The inner loops of the bounds on attention.
#ifndef NC_ATTENTION_ERRORS_H
#define NC_ATTENTION_ERRORS_H

/// Queries whose products are followed side by side.
enum { nc_judged_lanes = 8 };

/// Of eight queries q[i][lane] and each of n keys k[j][i], i < d: the sum over the magnitudes of the partial sums of q[i] k[i], in the order
/// of i, into partial[j][lane], and that over |q[i] k[i]| into `whole`. Where `skip` is not 0 the first partial sum, the first product itself,
/// is left out.
void nc_partial_sums(
    const double *q, const double *k, long n, long d, int skip, double *partial, double *whole);

/// What is known of a term of a weighted sum.
struct nc_weight {
  /// The exact weight, and at most what the computed one is.
  double exact, upper;
  /// How much the weight may be off by: in what it shares with the sum that is divided by, and in what it does not; and in all, the sum's own
  /// error counted, which the quotient of sums does not see and their partial sums do.
  double shared, own, total;
};

/// Numbers as they are held: one of the two is NULL.
struct nc_values {
  const double *wide;
  const float *narrow;
};

/// Of the bounds on weighted sums all, what weights share with their sum alone, or the sum of the squares of what each term adds beside that.
enum nc_part { nc_all, nc_shared, nc_squares };

/// Bounds on the error of sum w[j] v[j] in columns, divided by sum w[j], which errs by the same `shared`: into `bounds`, sum shared |v - o| +
/// own |v| and what rounding each partial sum adds, at most u of it and no more than the term; or a part of it. Where `starts[j]` is not 0 a
/// new sum begins. Rows of values are values + keys[j] width; scratch holds 2 width numbers: at the end the last sums, and what the computed
/// ones are off by.
void nc_output_errors(
    const struct nc_weight *w, const unsigned char *starts, const long *keys, long n, struct nc_values values,
    const double *o, long width, double u, enum nc_part part, double *bounds, double *scratch);

/// The sums over w[j] |v[j]| in columns.
void nc_weighted_magnitudes(
    const struct nc_weight *w, const long *keys, long n, struct nc_values values, long width, double *sums);

#endif
