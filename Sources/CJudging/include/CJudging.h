// Loops that measure errors.
#ifndef NC_JUDGING_H
#define NC_JUDGING_H

#include "attention_errors.h"
#include "errors.h"
#include "light_errors.h"
#include "sweep.h"

#endif
