#include "emulate/grid.h"
#include "emulate/fiber.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace emulate {

enum { MAX_COPIES = 64 };

/** A copy under way; `group` counts the commits before it. */
struct copy {
    void *to;
    const void *from;
    bool real;
    unsigned group;
};

struct thread {
    fiber stack;
    place where;
    dim3 index;
    const uint64_t *gate; /**< what it waits for: runnable once *gate != gate_was; NULL: nothing */
    uint64_t gate_was;
    copy copies[MAX_COPIES];
    unsigned n_copies, n_groups;
    bool has_awaited;
};

/** Threads that execute an instruction together: a warp or a group of four. */
struct meeting {
    uint64_t passed; /**< instructions done */
    unsigned arrived;
    joint_instruction *instruction;
    void *part[GROUP];
};

static meeting warps[MAX_THREADS / WARP], groups[MAX_THREADS / GROUP];
dim3 threadIdx, blockIdx, blockDim, gridDim;
static thread threads[MAX_THREADS];
static thread *self;
static struct {
    unsigned n_threads, n_alive, arrived;
    uint64_t passed; /**< block barriers done */
    unsigned char *shared;
    size_t shared_bytes;
    uint16_t unpublished_by[MAX_SHARED_BYTES / 16]; /**< thread + 1 that copied there */
} now;
static const observer *looking;
static int order = DN_EMULATE_FORWARD;
static uint64_t random_state;

const place &here(void) {
    return self->where;
}
void *shared(void) {
    return now.shared;
}
void observe(const observer *who) {
    looking = who;
}
void touched(const void *at, size_t bytes, bool write) {
    if (looking) {
        looking->access(at, bytes, write);
    }
}

void fault(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "emulated GPU: ");
    vfprintf(stderr, format, args);
    va_end(args);
    if (self) {
        fprintf(stderr, " (block %u %u %u of %u %u %u, thread %u, warp %u, lane %u)", blockIdx.x,
                blockIdx.y, blockIdx.z, gridDim.x, gridDim.y, gridDim.z, self->where.thread,
                self->where.warp, self->where.lane);
    }
    fprintf(stderr, "\n");
    abort();
}

void await_previous(void) {
    self->has_awaited = true;
}
bool has_awaited(void) {
    return self->has_awaited;
}
bool is_running(void) {
    return self != NULL;
}

bool is_on_stack(const void *at) {
    static const char *begin;
    static size_t bytes;
    if (!begin) {
        pthread_attr_t attributes;
        void *low = NULL;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &low, &bytes);
        pthread_attr_destroy(&attributes);
        begin = static_cast<const char *>(low);
    }
    const char *p = static_cast<const char *>(at),
               *mine = static_cast<const char *>(self->stack.stack);
    return (p >= begin && p < begin + bytes) || (p >= mine && p < mine + self->stack.bytes);
}

static void wait_at(const uint64_t *gate) {
    self->gate = gate;
    self->gate_was = *gate;
    fiber_leave();
}

static void open_block_barrier(void) {
    now.arrived = 0;
    now.passed++;
    if (looking) {
        looking->block_barrier();
    }
}

void block_barrier(void) {
    if (++now.arrived < now.n_alive) {
        wait_at(&now.passed);
    } else {
        open_block_barrier();
    }
}

static void meet(meeting *m, unsigned size, joint_instruction *all, void *mine) {
    if (m->arrived > 0 && m->instruction != all) {
        fault("lanes of one warp meet at different instructions");
    }
    m->instruction = all;
    m->part[self->where.thread % size] = mine;
    if (++m->arrived < size) {
        wait_at(&m->passed);
        return;
    }
    m->arrived = 0;
    all(m->part);
    m->passed++;
}

void together(joint_instruction *all, void *mine) {
    meet(&warps[self->where.warp], WARP, all, mine);
}
void group_together(joint_instruction *all, void *mine) {
    if (now.n_threads % GROUP != 0) {
        fault("an instruction of four warps in a block of %u threads", now.n_threads);
    }
    meet(&groups[self->where.thread / GROUP], GROUP, all, mine);
}

static void need_all_lanes(unsigned mask) {
    if (mask != ~0u) {
        fault("a warp instruction with mask %08x: only whole warps are emulated", mask);
    }
}

static void all_have_arrived(void *const *) {
    if (looking) {
        looking->warp_barrier(self->where.warp);
    }
}

void warp_barrier(unsigned mask) {
    need_all_lanes(mask);
    together(all_have_arrived, NULL);
}

struct vote {
    bool mine;
    unsigned all;
};

unsigned ballot(unsigned mask, bool predicate) {
    need_all_lanes(mask);
    vote v = {predicate, 0};
    together(
        [](void *const *lane) {
            unsigned all = 0;
            for (unsigned i = 0; i < WARP; i++) {
                all |= (unsigned)static_cast<vote *>(lane[i])->mine << i;
            }
            for (unsigned i = 0; i < WARP; i++) {
                static_cast<vote *>(lane[i])->all = all;
            }
        },
        &v);
    return v.all;
}

struct parcel {
    unsigned mine, from, got;
};

unsigned shuffle(unsigned mask, unsigned value, unsigned from_lane) {
    need_all_lanes(mask);
    parcel p = {value, from_lane % WARP, 0};
    together(
        [](void *const *lane) {
            for (unsigned i = 0; i < WARP; i++) {
                parcel *to = static_cast<parcel *>(lane[i]);
                to->got = static_cast<parcel *>(lane[to->from])->mine;
            }
        },
        &p);
    return p.got;
}

static size_t piece_of(const void *at) {
    return (size_t)((const unsigned char *)at - now.shared) / 16;
}

static void land(const copy *c) {
    touched(c->to, 16, true);
    if (c->real) {
        memcpy(c->to, c->from, 16);
    } else {
        memset(c->to, 0, 16);
    }
    now.unpublished_by[piece_of(c->to)] = (uint16_t)(self->where.thread + 1);
}

void copy_start(void *to, const void *from, bool real) {
    if (self->n_copies == MAX_COPIES) {
        fault("more than %d copies under way", MAX_COPIES);
    }
    copy *c = &self->copies[self->n_copies++];
    *c = {to, from, real, self->n_groups};
    touched(to, 16, true);
    if (order == DN_EMULATE_BACKWARD) {
        land(c);
    }
}

void copy_commit(void) {
    self->n_groups++;
}

void copy_wait(unsigned newest_groups_left) {
    unsigned n = 0;
    for (unsigned i = 0; i < self->n_copies; i++) {
        copy *c = &self->copies[i];
        if (c->group + newest_groups_left >= self->n_groups) {
            self->copies[n++] = *c;
        } else if (order != DN_EMULATE_BACKWARD) {
            land(c);
        }
    }
    self->n_copies = n;
}

void publish(void) {
    for (size_t i = 0; i < now.shared_bytes / 16; i++) {
        if (now.unpublished_by[i] == self->where.thread + 1) {
            now.unpublished_by[i] = 0;
        }
    }
}

bool is_published(const void *at) {
    return now.unpublished_by[piece_of(at)] == 0;
}

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/** place[] becomes an order of 0 .. n - 1. */
static void arrange(unsigned n, unsigned *at) {
    for (unsigned i = 0; i < n; i++) {
        at[i] = order == DN_EMULATE_BACKWARD ? n - 1 - i : i;
    }
    for (unsigned i = n; order == DN_EMULATE_SHUFFLED && i > 1; i--) {
        unsigned j = (unsigned)(next_random() % i), keep = at[i - 1];
        at[i - 1] = at[j], at[j] = keep;
    }
}

static dim3 unfold(unsigned i, const dim3 &size) {
    return dim3(i % size.x, i / size.x % size.y, i / size.x / size.y);
}

static void start_block(const launch &shape, unsigned block, void (*body)(void *), void *context) {
    blockIdx = unfold(block, shape.grid);
    memset(now.shared, 0xff, now.shared_bytes);
    now.n_alive = now.n_threads;
    now.arrived = 0;
    memset(warps, 0, sizeof warps);
    memset(groups, 0, sizeof groups);
    memset(now.unpublished_by, 0, sizeof now.unpublished_by);
    for (unsigned i = 0; i < now.n_threads; i++) {
        thread *t = &threads[i];
        t->where = {i, i / WARP, i % WARP};
        t->index = unfold(i, shape.block);
        t->gate = NULL;
        t->n_copies = t->n_groups = 0;
        t->has_awaited = false;
        fiber_start(&t->stack, body, context);
    }
    if (looking) {
        looking->block_begins(now.shared, now.shared_bytes);
    }
}

static void end_thread(void) {
    if (self->n_copies > 0) {
        fault("ends with %u copies under way", self->n_copies);
    }
    if (warps[self->where.warp].arrived > 0 || groups[self->where.thread / GROUP].arrived > 0) {
        fault("ends while its warp waits for it");
    }
    now.n_alive--;
    if (now.n_alive > 0 && now.arrived == now.n_alive) {
        open_block_barrier();
    }
}

/** Enters every thread that can go on, once. Returns how many did. */
static unsigned run_round(const unsigned *turn) {
    unsigned n_ran = 0;
    for (unsigned i = 0; i < now.n_threads; i++) {
        thread *t = &threads[turn[i]];
        if (t->stack.done || (t->gate && *t->gate == t->gate_was)) {
            continue;
        }
        t->gate = NULL;
        self = t;
        threadIdx = t->index;
        fiber_enter(&t->stack);
        if (t->stack.done) {
            end_thread();
        }
        n_ran++;
    }
    return n_ran;
}

static void run_block(void) {
    unsigned turn[MAX_THREADS];
    while (now.n_alive > 0) {
        arrange(now.n_threads, turn);
        if (run_round(turn) == 0) {
            fault("%u of %u threads wait for ever", now.n_alive, now.n_threads);
        }
    }
    self = NULL;
}

bool run(const launch &shape, void (*body)(void *), void *context) {
    unsigned n_blocks = shape.grid.x * shape.grid.y * shape.grid.z;
    now.n_threads = shape.block.x * shape.block.y * shape.block.z;
    if (n_blocks == 0 || shape.grid.y > 65535 || shape.grid.z > 65535 || now.n_threads == 0 ||
        now.n_threads > MAX_THREADS || shape.shared_bytes > MAX_SHARED_BYTES) {
        return false;
    }
    if (now.n_threads % WARP != 0) {
        fault("a block of %u threads: only whole warps are emulated", now.n_threads);
    }
    gridDim = shape.grid, blockDim = shape.block;
    now.shared_bytes = shape.shared_bytes;
    void *memory = NULL;
    if (posix_memalign(&memory, 128, shape.shared_bytes ? shape.shared_bytes : 1) != 0) {
        abort();
    }
    now.shared = static_cast<unsigned char *>(memory);
    unsigned *turn = static_cast<unsigned *>(malloc(n_blocks * sizeof *turn));
    arrange(n_blocks, turn);
    for (unsigned i = 0; i < n_blocks; i++) {
        start_block(shape, turn[i], body, context);
        run_block();
    }
    free(turn);
    free(memory);
    return true;
}

} // namespace emulate

void dn_emulate_order(int wanted, uint64_t seed) {
    emulate::order = wanted;
    emulate::random_state = seed * 2 + 1;
}
