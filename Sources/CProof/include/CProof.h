// Loops of the proofs: no kernel calls them.
#ifndef NC_PROOF_H
#define NC_PROOF_H

#include "attention0.h"
#include "backward0.h"
#include "certified.h"
#include "dots.h"
#include "light.h"
#include "low_word.h"
#include "matmul0.h"
#include "pairs.h"

#endif
