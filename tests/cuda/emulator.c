/* The emulated GPU itself: what it must find in a wrong kernel, it finds. */
#include "test.h"

#include "emulate/control.h"
#include "emulator_kernels.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 64 };

/** Whether the outcome is the same in every order, and `*is_right` whether each thread got what
 * want(thread) says. */
static bool is_same_in_all_orders(int (*kernel)(int, int *), int has_barrier, bool *is_right,
                                  int (*want)(int)) {
    int first[THREADS], out[2 * THREADS];
    bool is_same = true;
    *is_right = true;
    for (int order = DN_EMULATE_FORWARD; order <= DN_EMULATE_SHUFFLED; order++) {
        dn_emulate_order(order, dn_random());
        EXPECT_INT(kernel(has_barrier, out), 0);
        if (order == DN_EMULATE_FORWARD) {
            memcpy(first, out, sizeof first);
        }
        is_same = is_same && memcmp(first, out, sizeof first) == 0;
        for (int i = 0; i < THREADS; i++) {
            *is_right = *is_right && out[i] == want(i);
        }
    }
    dn_emulate_order(DN_EMULATE_FORWARD, 0);
    return is_same;
}

static int other_warp(int thread) {
    return (thread + 32) % THREADS;
}
static int two_lanes_back(int thread) {
    return (thread & ~31) | ((thread - 2) & 31);
}

CASE(a_missing_barrier_shows) {
    bool is_right;
    int before = dn_emulate_races();
    EXPECT(is_same_in_all_orders(dn_try_give_to_next_warp, 1, &is_right, other_warp) && is_right);
    EXPECT(is_same_in_all_orders(dn_try_give_to_next_lane, 1, &is_right, two_lanes_back) &&
           is_right);
    EXPECT_INT(dn_emulate_races(), before);
    EXPECT(!is_same_in_all_orders(dn_try_give_to_next_warp, 0, &is_right, other_warp) && !is_right);
    EXPECT(dn_emulate_races() > before || !dn_emulate_watches());
    before = dn_emulate_races();
    is_same_in_all_orders(dn_try_give_to_next_lane, 0, &is_right, two_lanes_back);
    EXPECT(dn_emulate_races() > before || !dn_emulate_watches());
}

CASE(shared_memory_begins_as_nan) {
    int out[2 * THREADS], before = dn_emulate_races();
    EXPECT_INT(dn_try_read_unwritten(out), 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(out[i], -1);
    }
    EXPECT(dn_emulate_races() > before || !dn_emulate_watches());
}

CASE(a_kernel_awaits_what_came_before) {
    int *out = calloc(THREADS, sizeof *out), before = dn_emulate_races();
    EXPECT_INT(dn_try_rush(out), 0);
    EXPECT(dn_emulate_races() > before || !dn_emulate_watches());
    free(out);
}

CASE(a_copy_is_there_after_its_wait) {
    int *from = NULL, out[2 * THREADS];
    REQUIRE(posix_memalign((void **)&from, 64, sizeof(int) * 4 * THREADS) == 0);
    for (int i = 0; i < 4 * THREADS; i++) {
        from[i] = 1000 + i;
    }
    for (int waits = 1; waits <= 2; waits++) {
        EXPECT_INT(dn_try_copy_to_shared(waits, from, out), 0);
        for (int i = 0; i < THREADS; i++) {
            EXPECT_INT(out[i], i % 2 == 0 ? 1000 + 4 * i + 3 : 0);
            EXPECT_INT(out[THREADS + i], waits == 2 ? 1000 : -1);
        }
    }
    free(from);
}

CASE(fragments_are_those_of_the_isa) {
    float a[16 * 16], b[16 * 8], d[16 * 8], want[16 * 8];
    for (int i = 0; i < 16 * 16; i++) {
        a[i] = (float)(dn_random() % 64) - 32;
    }
    for (int i = 0; i < 16 * 8; i++) {
        b[i] = (float)(dn_random() % 64) - 32;
        want[i] = d[i] = (float)i;
    }
    for (int row = 0; row < 16; row++) {
        for (int column = 0; column < 8; column++) {
            for (int k = 0; k < 16; k++) {
                want[row * 8 + column] += a[row * 16 + k] * b[k * 8 + column];
            }
        }
    }
    EXPECT_INT(dn_try_multiply(a, b, d), 0);
    EXPECT(memcmp(d, want, sizeof d) == 0);
}

CASE(group_fragments_are_those_of_the_isa) {
    static float a[64 * 64], b[128 * 64], d[64 * 128];
    for (int i = 0; i < 128 * 64; i++) {
        a[i % (64 * 64)] = (float)(dn_random() % 16) - 8;
        b[i] = (float)(dn_random() % 16) - 8;
    }
    EXPECT_INT(dn_try_group_multiply(a, b, d), 0);
    for (int i = 0; i < 64 * 128; i++) {
        float want = 0;
        for (int k = 0; k < 64; k++) {
            want += a[i / 128 * 64 + k] * b[i % 128 * 64 + k];
        }
        EXPECT(d[i] == want);
    }
}

CASE(blocks_run_in_the_order_asked_for) {
    int last = -1;
    EXPECT_INT(dn_try_write_block_number(&last), 0);
    EXPECT_INT(last, 14);
    dn_emulate_order(DN_EMULATE_BACKWARD, 0);
    EXPECT_INT(dn_try_write_block_number(&last), 0);
    EXPECT_INT(last, 0);
    dn_emulate_order(DN_EMULATE_FORWARD, 0);
}

CASE(a_shape_that_a_gpu_refuses_is_refused) {
    int last = -1;
    EXPECT(dn_try_shape(2048, 0, &last) != 0);
    EXPECT(dn_try_shape(32, 228 * 1024, &last) != 0);
    EXPECT_INT(last, -1);
}

/** Each wrong kernel ends its process. */
CASE(what_a_gpu_leaves_undefined_ends_the_program) {
    for (int which = 0; which < DN_TRY_FAULTS; which++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            _Alignas(16) int out[2 * THREADS];
            signal(SIGABRT, SIG_DFL);
            dn_try_fault(which, out);
            _exit(0);
        }
        int status = 0;
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
