#ifndef DN_EMULATE_GRID_H
#define DN_EMULATE_GRID_H
/** A CUDA grid on one thread of the host, for tests of the kernels' arithmetic, addresses and
 * barriers on machines without a GPU. Says nothing about speed.
 *
 * Blocks run one after the other; the threads of a block are fibers that run until they need one
 * another. The order of blocks and of threads is chosen (order()): a kernel whose result depends on
 * it lacks a barrier. Shared memory has exactly the launch's size and is filled with NaN before
 * each block. What a GPU leaves undefined ends the program with a sentence: lanes that meet at
 * different instructions, a lane that ended before its warp's shuffle, threads that wait for ever,
 * copies under way at the end. */
#include "emulate/control.h"

#include <stddef.h>
#include <stdint.h>

namespace emulate {

enum { WARP = 32, GROUP = 128, MAX_THREADS = 1024, MAX_SHARED_BYTES = 227 * 1024 };

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {
    }
};

/** Of the thread that runs. */
extern dim3 threadIdx, blockIdx, blockDim, gridDim;
struct place {
    unsigned thread, warp, lane;
};
const place &here(void);

struct launch {
    dim3 grid, block;
    size_t shared_bytes;
};
/** Runs body(context) as every thread of the grid. False: a GPU would refuse the shape. */
bool run(const launch &shape, void (*body)(void *context), void *context);

/** The block's shared memory. */
void *shared(void);

void block_barrier(void);
void warp_barrier(unsigned mask);
unsigned ballot(unsigned mask, bool predicate);
unsigned shuffle(unsigned mask, unsigned value, unsigned from_lane);

/** One thread's part in an instruction of its whole warp, or of its group of four warps: its
 * operands and results. */
typedef void joint_instruction(void *const *part);
/** Brings `mine`; the last to arrive runs `all` over the 32 (128), then each goes on. */
void together(joint_instruction *all, void *mine);
void group_together(joint_instruction *all, void *mine);

/** Copies that were started and not waited for; ended by thread, oldest first. With threads
 * backward a copy is there at once, else it comes at its wait: hardware may do either. */
void copy_start(void *to, const void *from, bool real);
void copy_commit(void);
void copy_wait(unsigned newest_groups_left);
/** Warpgroup products see what a thread copied only after this. */
void publish(void);
bool is_published(const void *at);

/** What a kernel must do before it touches memory: whether this thread has. */
void await_previous(void);
bool has_awaited(void);
/** Whether a thread of the grid runs, and whether that is on its stack or the host's. */
bool is_running(void);
bool is_on_stack(const void *at);

/** Looks at accesses to shared memory (races.h); NULL: nobody. */
struct observer {
    void (*block_begins)(const void *shared, size_t bytes);
    void (*access)(const void *at, size_t bytes, bool write);
    void (*block_barrier)(void);
    void (*warp_barrier)(unsigned warp);
};
void observe(const observer *);
/** Instructions that touch shared memory on a thread's behalf say so here. */
void touched(const void *at, size_t bytes, bool write);

/** Ends the program, naming block and thread. */
[[noreturn]] void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

} // namespace emulate

#endif
