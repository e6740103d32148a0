#include "matmul0.h"

#include "products0.h"

bool nc_matmul0_survey(const struct nc_vectors *x) {
  bool usable = true;
  for (long i = 0; i < x->count; i++) {
    const struct reach r = reach_of(x->numbers + i * x->size, x->size);
    x->reach[i] = r.weighed;
    x->norm[i] = r.squares;
    x->grain[i] = r.grain;
    usable = usable && r.usable;
  }
  return usable;
}

void nc_matmul0_pack(const struct nc_vectors *x, long first, long count, double *packed) {
  const double *from = x->numbers + first * x->size;
  for (long c = 0; c < x->size; c++)
    for (long i = 0; i < nc_lanes; i++) packed[c * nc_lanes + i] = i < count ? from[i * x->size + c] : 0;
}

NC_INLINE void multiply(
    const double *packed, const double *columns, long d, long n, double *sums, const bool magnitudes) {
#define STEP(N) dots(packed, columns + at * d, d, sums + at * nc_lanes, N, magnitudes); at += N; left -= N
  GROUPS(n, STEP)
#undef STEP
}

NC_WIDE void nc_matmul0_multiply(
    const double *packed, const struct nc_vectors *columns, long first, long n, bool magnitudes, double *sums) {
  const double *from = columns->numbers + first * columns->size;
  if (magnitudes) multiply(packed, from, columns->size, n, sums, true);
  else multiply(packed, from, columns->size, n, sums, false);
}

NC_INLINE void round_all(
    const double *sums, const struct nc_vectors *rows, long row, const struct nc_vectors *columns, long first, long n,
    struct nc_target target, struct nc_attention_results results, const bool is_f32) {
  double reach_of_lane[nc_lanes], norm_of_lane[nc_lanes], grain_of_lane[nc_lanes];
  for (long i = 0; i < nc_lanes; i++) {
    const long place = row + (i < results.count ? i : 0);
    reach_of_lane[i] = rows->reach[place];
    norm_of_lane[i] = rows->norm[place];
    grain_of_lane[i] = rows->grain[place];
  }
  const f64x8 reach = load(reach_of_lane), norm = load(norm_of_lane), grain = load(grain_of_lane);
  for (long j = 0; j < n; j++) {
    const f64x8 x = load(sums + j * nc_lanes), size = abs8(x);
    const i64x8 exact = (grain * columns->grain[first + j]) * 0x1p53 > 1.01 * norm * columns->norm[first + j];
    const f64x8 error = select8(exact, (f64x8)0.0, (1.01 * UNIT) * reach * columns->reach[first + j]);
    const f64x8 y = rounded(x + error, target, is_f32);
    const i64x8 known = (y == rounded(x - error, target, is_f32)) & (abs8(y) <= target.largest)
        & (exact | ((error <= results.needed * size) & (abs8(y) > 0)));
    for (long i = 0; i < results.count; i++) {
      const long place = i * results.stride + first + j;
      results.rounded[place] = y[i];
      results.open[place] = known[i] == 0;
      if (results.value) {
        results.value[place] = x[i];
        results.error[place] = exact[i] ? 0 : error[i] / size[i];
      }
    }
  }
}

NC_WIDE void nc_matmul0_round(
    const double *sums, const struct nc_vectors *rows, long row, const struct nc_vectors *columns, long first, long n,
    struct nc_target target, struct nc_attention_results results) {
  if (target.is_f32) round_all(sums, rows, row, columns, first, n, target, results, true);
  else round_all(sums, rows, row, columns, first, n, target, results, false);
}
