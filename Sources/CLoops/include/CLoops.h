// What all loops in C share.
#ifndef NC_LOOPS_H
#define NC_LOOPS_H

#include "loops.h"
#include "processor.h"

#endif
