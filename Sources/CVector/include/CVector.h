// Inner loops in C that Swift's SIMD types do not reliably turn into vectors. Numerics beyond a loop (choices, bounds, tables)
// stay in Swift.
#ifndef NUMCHECK_CVECTOR_H
#define NUMCHECK_CVECTOR_H

#include "certified.h"
#include "cures.h"
#include "dots.h"
#include "errors.h"
#include "ggml_blocks.h"
#include "kernels.h"
#include "light.h"
#include "low_word.h"
#include "outliers.h"
#include "pairs.h"
#include "processor.h"
#include "schemes_block.h"
#include "schemes_cast.h"
#include "schemes_measure.h"
#include "sweep.h"

#endif
