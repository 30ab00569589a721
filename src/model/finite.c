#include "model/finite.h"

#include <stdint.h>
#include <string.h>

/** Of infinity and NaN every bit of the exponent is set, and one more carries into the sign's
 * place. */
bool dn_all_finite(const float *x, size_t n) {
    const uint32_t exponent = 0x7f800000u, one = 0x00800000u;
    uint32_t carried = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        carried |= (bits & exponent) + one;
    }
    return !(carried >> 31);
}
