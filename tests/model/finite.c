/* The look at scores that must miss nothing and take nothing for what it is not. */
#include "model/finite.h"

#include "test.h"

#include <float.h>
#include <math.h>

enum { MOST = 80 };

CASE(each_place_is_looked_at) {
    const float bad[] = {INFINITY, -INFINITY, NAN, -NAN};
    for (size_t n = 1; n <= MOST; n++) {
        float x[MOST] = {0};
        for (size_t at = 0; at < n; at++) {
            for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
                x[at] = bad[b];
                EXPECT(!dn_all_finite(x, n));
                EXPECT(dn_all_finite(x, at));
            }
            x[at] = 0;
        }
    }
}

CASE(the_largest_and_the_smallest_numbers_are_finite) {
    const float x[] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f, -1e-45f, 1, -1};
    EXPECT(dn_all_finite(x, sizeof x / sizeof *x));
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
