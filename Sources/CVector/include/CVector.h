// Header-only vector functions for the few inner loops where Swift's SIMD types do not become vectors.
// Each is one expression over vectors; the numerics (bounds, choices, tables) stay in Swift.
#ifndef NUMCHECK_CVECTOR_H
#define NUMCHECK_CVECTOR_H

#include "certified.h"
#include "dots.h"
#include "ggml_blocks.h"
#include "light.h"
#include "pairs.h"
#include "processor.h"

#endif
