// Loops of quantization schemes, cures and profiles.
#ifndef NC_SCHEMES_H
#define NC_SCHEMES_H

#include "codebooks.h"
#include "cures.h"
#include "ggml_blocks.h"
#include "ggml_read.h"
#include "ggml_weighted.h"
#include "higgs.h"
#include "outliers.h"
#include "plans.h"
#include "schemes_block.h"
#include "schemes_cast.h"
#include "schemes_measure.h"

#endif
