// Loops that measure errors.
#ifndef NC_JUDGING_H
#define NC_JUDGING_H

#include "errors.h"
#include "light_errors.h"
#include "sweep.h"

#endif
