// The first tier of attention's backward pass: blocks of queries against all keys of their head, in Double with bounds that run
// along. What is proven of it is in Documentation/CertifiedReference.md, section 13a, whose symbols the comments use.
#ifndef NC_BACKWARD0_H
#define NC_BACKWARD0_H

#include <stdbool.h>
#include <stdint.h>

#include "attention0.h"

/// Queries that are differentiated together: so many groups of `nc_lanes`.
enum { nc_backward_groups = 16, nc_backward_rows = nc_backward_groups * nc_lanes };

/// A head's keys and values, and what bounds need of them.
struct nc_backward_keys {
  struct nc_attention_keys forward;
  /// Of values as they meet dO: each one's rho; of a tile's the largest norm, and the least grain.
  double *reach;
  double *norm;
  double *grain;
  /// Of a tile's keys, column by column [tiles, head_size]: the largest magnitude, and the norm.
  double *peak;
  double *length;
};

/// Eight queries: their scores, dO, and what is known of D = sum p g·v.
struct nc_backward_lanes {
  struct nc_attention_lanes forward;
  double reach[nc_lanes];
  double norm[nc_lanes];
  double grain[nc_lanes];
  double high[nc_lanes];
  double low[nc_lanes];
  double error[nc_lanes];
  /// 1/S and its relative error, D and its absolute one, a bound on every |g·v|.
  double inverse[nc_lanes];
  double relative[nc_lanes];
  double center[nc_lanes];
  double center_error[nc_lanes];
  double largest[nc_lanes];
};

/// Sums [rows, width], width padded to a multiple of eight: high + low to within `error`, plane after plane of `rows * width`.
struct nc_backward_sums {
  double *sums;
  long rows;
  long width;
};

/// Where a block works. Per group: packed queries [head_size, 8] and dO [value_size, 8], weights and products [tiles, nc_tile, 8],
/// the bounds of each tile [tiles, 3, 8], keys counted [tiles], and sums for dQ [3, head_size, 8]. Of all: queries and dO row by row,
/// padded, with each column's largest magnitude and norm behind them, and room for a tile's bounds.
struct nc_backward_room {
  double *queries;
  double *gradients;
  double *weights;
  double *products;
  double *bounds;
  long *counts;
  double *sums;
  double *query_rows;
  double *gradient_rows;
  double *key_bounds;
};

/// How many numbers a width takes that is padded.
long nc_backward0_padded(long width);

/// Fills in the bounds of all tiles; false where a number is too large or too small for them.
bool nc_backward0_survey(const struct nc_backward_keys *keys);

/// Lays `count` <= 64 queries and their dO side by side, in groups; false as above. What lanes see is asked for them apart.
bool nc_backward0_pack(
    const struct nc_backward_keys *keys, const double *q, const double *g, long count, struct nc_backward_lanes *lanes,
    struct nc_backward_room room);

/// Weights and products of all tiles for `groups` groups, and the sums S and D. A group whose scores were beyond reach is done anew.
void nc_backward0_weigh(
    struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys, struct nc_attention_question question,
    struct nc_backward_room room);

/// Makes 1/S and D of their sums, sinks included; false where a lane is not known well enough.
bool nc_backward0_center(struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys);

/// Differentiates: dQ of the block into its room, and its share of dK and dV.
void nc_backward0_differentiate(
    struct nc_backward_lanes *lanes, long groups, const struct nc_backward_keys *keys, struct nc_attention_question question,
    struct nc_backward_room room, struct nc_backward_sums dk, struct nc_backward_sums dv);

/// Rounds what sums prove: dQ of one group, whose lanes' sums err by `absolute` more; results as in attention.
void nc_backward0_finish_queries(
    const double *sums, long head_size, double absolute, struct nc_target target, struct nc_attention_results results);

/// The same of `n` rows of dK or dV from `first` on, `count` columns each.
void nc_backward0_finish_keys(
    struct nc_backward_sums sums, long first, long n, long count, double absolute, struct nc_target target,
    struct nc_attention_results results);

#endif
