// Loops of the kernels: no proof calls them.
#ifndef NC_KERNELS_H
#define NC_KERNELS_H

#include "attention.h"

#endif
