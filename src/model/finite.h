#ifndef DN_MODEL_FINITE_H
#define DN_MODEL_FINITE_H
/** Whether numbers are numbers: what overflows in a narrow type ends as infinity or NaN, and would
 * be written as a label with no score. */
#include <stdbool.h>
#include <stddef.h>

/** False where one of x[n] is infinite or NaN. Whole numbers and no branch, so that it costs a row
 * of 69 scores some 10 ns. */
bool dn_all_finite(const float *x, size_t n);

#endif
