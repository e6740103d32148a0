// Attention's first tier: eight queries side by side, in Double with a bound that runs along. What is proven of it is in
// Documentation/CertifiedReference.md, section 12a, whose symbols the comments use.
#ifndef NC_ATTENTION0_H
#define NC_ATTENTION0_H

#include <stdbool.h>
#include <stdint.h>

#include "certified.h"
#include "light.h"

/// Queries side by side, and keys a tile.
enum { nc_lanes = 8, nc_tile = 96 };

/// How far above its reference a score may lie.
enum { nc_reach = 300 };

/// A head's keys [count, head_size] and values [count, value_size], and what bounds need of each tile.
struct nc_attention_keys {
  /// From key `first` on: all of them, or those of the tile that is asked for.
  const double *keys;
  const double *values;
  long first;
  long count;
  long head_size;
  long value_size;
  /// Each key's rho; of a tile's keys the largest norm, and the least grain.
  double *reach;
  double *norm;
  double *grain;
  /// Of a tile's values, column by column [tiles, value_size]: the largest magnitude, and the norm.
  double *peak;
  double *length;
};

/// What is asked of all: scores are dot·scale, or cap·tanh(dot·scale/cap).
struct nc_attention_question {
  double scale;
  /// Whether the scale meant is that Double.
  bool is_exact;
  /// 0 for none.
  double cap;
};

/// Eight queries and what is known of them so far. A lane that asks for nothing has high = first = 0.
struct nc_attention_lanes {
  double reach[nc_lanes];
  double norm[nc_lanes];
  double grain[nc_lanes];
  /// Key j is seen where j < high and (j >= low or j < first).
  double first[nc_lanes];
  double low[nc_lanes];
  double high[nc_lanes];
  /// What is added to each key's score; NULL for all lanes or for none.
  const double *bias[nc_lanes];
  /// What is taken from scores before the exponential; -infinity as long as no key was seen.
  double reference[nc_lanes];
  /// The largest score less the reference.
  double top[nc_lanes];
  /// The sum of weights, and what it may err by.
  double sum_high[nc_lanes];
  double sum_low[nc_lanes];
  double sum_error[nc_lanes];
  /// Of the tile added last: the weight of key j errs by a relative own + dot·reach[j], its part of a sum counted.
  double own[nc_lanes];
  double dot[nc_lanes];
};

/// Where results go: row after row of value_size, lane i's at i * stride.
struct nc_attention_results {
  double *rounded;
  /// The value before rounding, and its relative error; NULL if nobody asks.
  double *value;
  double *error;
  /// 1 where the rounding is not proven, or the relative error is above `needed`.
  uint8_t *open;
  double needed;
  long stride;
  /// Lanes that are asked for.
  long count;
};

/// A lane's sum of weights: high + low, times e^reference, and a bound on its absolute error.
struct nc_attention_sum {
  double reference;
  double high;
  double low;
  double error;
  /// Whether no score was beyond reach.
  bool is_known;
};

/// Fills in the bounds of a tile, or of all; false where a number is too large or too small for them.
bool nc_attention0_survey_tile(const struct nc_attention_keys *keys, long tile);
bool nc_attention0_survey(const struct nc_attention_keys *keys);

/// Lays `count` <= 8 queries side by side, [head_size, 8] in `packed`; false as above.
bool nc_attention0_pack(
    const double *q, long count, long head_size, double *packed, struct nc_attention_lanes *lanes);

/// Says what lane `i` sees, and what is added to its scores (NULL for nothing, for all lanes that see something alike).
void nc_attention0_ask(struct nc_attention_lanes *lanes, int i, double first, double low, double high, const double *bias);

/// Puts references where the largest scores were, if those were beyond reach; returns whether any was.
bool nc_attention0_lift(struct nc_attention_lanes *lanes);

/// What lane `i` knows of its weights.
struct nc_attention_sum nc_attention0_sum(const struct nc_attention_lanes *lanes, int i);

/// Adds e^score to the weights of lane `i`: a sink.
void nc_attention0_add(struct nc_attention_lanes *lanes, int i, double score);

/// Forgets what is known but not what is asked; sums [3, value_size, 8] are set to 0.
void nc_attention0_start(struct nc_attention_lanes *lanes, long value_size, double *sums);

/// Adds the keys of one tile and returns how many of them, from its first on, any lane may see. `scratch` is [nc_tile, 8]; their weights
/// are left there, scores less the reference in `scores` where that is not NULL. Without `sums` no values are weighed.
long nc_attention0_tile(
    struct nc_attention_lanes *lanes, const struct nc_attention_keys *keys, struct nc_attention_question question, long tile,
    const double *packed, double *sums, double *scratch, double *scores);

/// Σ|q||k| of a tile's keys, [nc_tile, 8].
void nc_attention0_magnitudes(
    const struct nc_attention_keys *keys, long tile, const double *packed, double *magnitudes);

/// Rounds what a lane's sums prove: `absolute` [8] is what a numerator may err by beside what ran along.
void nc_attention0_finish(
    const struct nc_attention_lanes *lanes, long value_size, const double *sums, const double *absolute, struct nc_target target,
    struct nc_attention_results results);

#endif
