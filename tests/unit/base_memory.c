#include "base/memory.h"

#include "test.h"

enum { LARGE_PAGE = 2 << 20 };

static bool is_zero(const unsigned char *bytes, size_t n) {
    size_t i = 0;
    while (i < n && bytes[i] == 0) {
        i++;
    }
    return i == n;
}

/* Freed memory that held something is taken again, so zeros are no accident. */
CASE(large_memory_is_zeroed_and_on_the_border_of_a_large_page) {
    static const size_t sizes[] = {0, 1, 1000, LARGE_PAGE - 1, LARGE_PAGE, 5 * LARGE_PAGE + 77};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *memory = dn_alloc_large(sizes[i]);
            EXPECT(is_zero(memory, sizes[i]));
            EXPECT(sizes[i] < LARGE_PAGE || (uintptr_t)memory % LARGE_PAGE == 0);
            memset(memory, 7, sizes[i]);
            free(memory);
        }
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
