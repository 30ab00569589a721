/* Who touched which byte of shared memory, and when. The kernels are compiled with
 * -fsanitize=thread but linked without its runtime: the calls that the compiler puts before every
 * load and store end here. A byte may be passed from one thread to another only over a barrier of
 * the block, or of the warp where both belong to it; and be read only after it was written; and no
 * memory before the launches that made it have ended. */
#include "emulate/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

namespace emulate {

/** An access: by whom, after how many barriers of its block and its warp. */
struct stamp {
    uint32_t block_epoch = 0, warp_epoch = 0;
    int thread = -1; /**< -1: never */
};

/** Of readers since the last write the first and the latest: with two threads in different orders
 * (grid.h) a third that matters is one of them in some run. */
struct shadow {
    stamp writer, first_reader, last_reader;
};

static std::vector<shadow> bytes_of_block;
static const unsigned char *begin;
static uint32_t block_epoch, warp_epoch[MAX_THREADS / WARP];
static int n_races;

static bool is_ordered(const stamp &before) {
    const place &me = here();
    return before.thread < 0 || before.thread == (int)me.thread ||
           before.block_epoch != block_epoch ||
           (before.thread / WARP == (int)me.warp && before.warp_epoch != warp_epoch[me.warp]);
}

static void report(const char *what, const stamp &other, size_t at) {
    if (n_races++ < 5) {
        fprintf(stderr, "shared memory, byte %zu: thread %u %s thread %d without a barrier\n", at,
                here().thread, what, other.thread);
    }
}

static void access_byte(size_t at, bool write) {
    shadow &s = bytes_of_block[at];
    stamp now = {block_epoch, warp_epoch[here().warp], (int)here().thread};
    if (!write) {
        if (s.writer.thread < 0) {
            if (n_races++ < 5) {
                fprintf(stderr, "shared memory, byte %zu: thread %u reads what nobody wrote\n", at,
                        here().thread);
            }
        } else if (!is_ordered(s.writer)) {
            report("reads what was written by", s.writer, at);
        }
        if (s.first_reader.thread < 0) {
            s.first_reader = now;
        }
        s.last_reader = now;
        return;
    }
    if (!is_ordered(s.writer)) {
        report("writes over", s.writer, at);
    } else if (!is_ordered(s.first_reader)) {
        report("writes under the read of", s.first_reader, at);
    } else if (!is_ordered(s.last_reader)) {
        report("writes under the read of", s.last_reader, at);
    }
    s = {now, {}, {}};
}

static void on_access(const void *at, size_t bytes, bool write) {
    if (is_running() && !has_awaited() && !is_on_stack(at) && n_races++ < 5) {
        fprintf(stderr, "thread %u touches memory before await_previous()\n", here().thread);
    }
    size_t first = (size_t)((const unsigned char *)at - begin);
    if (begin && (const unsigned char *)at >= begin && first < bytes_of_block.size()) {
        for (size_t i = first; i < first + bytes && i < bytes_of_block.size(); i++) {
            access_byte(i, write);
        }
    }
}

static void on_block(const void *shared, size_t bytes) {
    begin = static_cast<const unsigned char *>(shared);
    bytes_of_block.assign(bytes, shadow());
    block_epoch = 1;
    memset(warp_epoch, 0, sizeof warp_epoch);
}

static void on_block_barrier(void) {
    block_epoch++;
}
static void on_warp_barrier(unsigned warp) {
    warp_epoch[warp]++;
}

static const observer shadow_observer = {on_block, on_access, on_block_barrier, on_warp_barrier};
__attribute__((constructor)) static void begin_to_look(void) {
    observe(&shadow_observer);
}

} // namespace emulate

int dn_emulate_watches(void) {
    return 1;
}
int dn_emulate_races(void) {
    return emulate::n_races;
}

/* The compiler's side. */
#define DN_ACCESS(size)                                                                            \
    extern "C" void __tsan_read##size(void *at);                                                   \
    extern "C" void __tsan_read##size(void *at) {                                                  \
        emulate::touched(at, size, false);                                                         \
    }                                                                                              \
    extern "C" void __tsan_write##size(void *at);                                                  \
    extern "C" void __tsan_write##size(void *at) {                                                 \
        emulate::touched(at, size, true);                                                          \
    }                                                                                              \
    extern "C" void __tsan_unaligned_read##size(void *at);                                         \
    extern "C" void __tsan_unaligned_read##size(void *at) {                                        \
        emulate::touched(at, size, false);                                                         \
    }                                                                                              \
    extern "C" void __tsan_unaligned_write##size(void *at);                                        \
    extern "C" void __tsan_unaligned_write##size(void *at) {                                       \
        emulate::touched(at, size, true);                                                          \
    }
DN_ACCESS(1)
DN_ACCESS(2)
DN_ACCESS(4)
DN_ACCESS(8)
DN_ACCESS(16)
#undef DN_ACCESS

extern "C" {
void __tsan_init(void);
void __tsan_init(void) {
}
void __tsan_func_entry(void *);
void __tsan_func_entry(void *) {
}
void __tsan_func_exit(void);
void __tsan_func_exit(void) {
}
void __tsan_read_range(void *at, size_t bytes);
void __tsan_read_range(void *at, size_t bytes) {
    emulate::touched(at, bytes, false);
}
void __tsan_write_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes) {
    emulate::touched(at, bytes, true);
}
}
