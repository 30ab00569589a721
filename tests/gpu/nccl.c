/* NCCL made up of shared memory, a library with its names and its ways: libnccl.so.2 for the ranks
 * of one host, whose GPUs are that of gpu.c. A communicator does not block, sums are work on a
 * stream that is done when every rank has come to it, and a recorded one keeps the communicator.
 *
 * What can go wrong does on demand, on the rank (of the world) that DN_TEST_NCCL names, or all:
 *
 *    DN_TEST_NCCL="rank=1 fault=6 after=20"
 *
 *    version=N   ncclGetVersion says so          join=E   the call to join fails, with the error E
 *    late=E      joining fails after the call    stays=1  it never ends
 *    wrong=1     sums are wrong
 *    after=N     in sum N: fault=E the communicator has failed, refuse=E the call to add up fails,
 *                dies=1 the process is killed, sleeps=1 it takes no part any more */
#include "kernels/cuda/nccl.h"
#include "elements.h"
#include "gpu.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RANKS = 8, ROOM = 4 << 20, VERSION = 22809 };
enum { SYSTEM_ERROR = 2, INVALID_USAGE = 5 };

#define F(type, name, arguments) type nccl##name arguments;
DN_NCCL_FUNCTIONS(F)
#undef F

static struct {
    int rank, version, join, late, stays, wrong, after, fault, refuse, dies, sleeps;
} wanted = {.rank = -1, .version = VERSION};

__attribute__((constructor)) static void read_environment(void) {
    static const struct {
        const char *name;
        int *number;
    } fields[] = {
        {"rank", &wanted.rank},   {"version", &wanted.version}, {"join", &wanted.join},
        {"late", &wanted.late},   {"stays", &wanted.stays},     {"wrong", &wanted.wrong},
        {"after", &wanted.after}, {"fault", &wanted.fault},     {"refuse", &wanted.refuse},
        {"dies", &wanted.dies},   {"sleeps", &wanted.sleeps}};
    const char *text = getenv("DN_TEST_NCCL"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char word[32];
    int value;
    for (int used = 0; text && sscanf(text, " %31[a-z]=%d%n", word, &value, &used) == 2;
         text += used) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            if (strcmp(word, fields[i].name) == 0) {
                *fields[i].number = value;
            }
        }
    }
    if (wanted.rank >= 0 && (!rank || atoi(rank) != wanted.rank)) {
        wanted = (__typeof__(wanted)){.version = VERSION};
    }
}

/* ---- what ranks share ---- */

typedef struct seat {
    _Atomic long arrived, taken; /**< number of the sum whose part lies here, and was added up */
    size_t n;
    int type;
    unsigned char part[ROOM];
} seat;

typedef struct board {
    atomic_int n_joined, n_left;
    seat seat[MAX_RANKS];
} board;

struct ncclComm {
    board *board;
    dn_nccl_id name; /**< of the board, until all have joined */
    int rank, size;
    long n_sums;     /**< done */
    int n_called;    /**< calls to add up */
    int n_works;     /**< on streams and in recordings */
    int looks;       /**< until the last call is done */
    bool has_failed; /**< as DN_TEST_NCCL wants it */
    bool leaves, aborted, sleeps;
};

/** NULL: it is gone, since another rank has given up. */
static board *map_board(const dn_nccl_id *id, int flags) {
    int file = shm_open(id->bytes, flags, 0600);
    if (file < 0 || ((flags & O_CREAT) && ftruncate(file, sizeof(board)) != 0)) {
        return NULL;
    }
    board *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return shared == MAP_FAILED ? NULL : shared;
}

int ncclGetVersion(int *version) {
    *version = wanted.version;
    return 0;
}

int ncclGetUniqueId(dn_nccl_id *id) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(id->bytes, sizeof id->bytes, "/dunlin-test-nccl-%d-%ld", (int)getpid(), now.tv_nsec);
    board *shared = map_board(id, O_RDWR | O_CREAT | O_EXCL);
    return shared && munmap(shared, sizeof *shared) == 0 ? 0 : SYSTEM_ERROR;
}

/** The last to join takes the name away. */
int ncclCommInitRankConfig(dn_nccl_comm *out, int size, dn_nccl_id id, int rank,
                           dn_nccl_conf *conf) {
    const dn_nccl_conf right = DN_NCCL_CONF;
    if (memcmp(conf, &right, sizeof right) != 0 || size > MAX_RANKS || rank >= size) {
        return INVALID_USAGE;
    }
    board *shared = map_board(&id, O_RDWR);
    if (!shared) {
        return SYSTEM_ERROR;
    }
    *out = calloc(1, sizeof **out);
    **out = (struct ncclComm){.name = id, .rank = rank, .size = size, .looks = 2, .board = shared};
    if (wanted.join) {
        ncclCommAbort(*out);
        *out = NULL;
        return wanted.join;
    }
    if (!wanted.stays && atomic_fetch_add(&shared->n_joined, 1) == size - 1) {
        shm_unlink(id.bytes);
    }
    return DN_NCCL_AT_WORK;
}

int ncclCommGetAsyncError(dn_nccl_comm comm, int *result) {
    bool is_here = atomic_load(&comm->board->n_joined) == comm->size;
    bool is_gone = !comm->leaves || atomic_load(&comm->board->n_left) == comm->size;
    bool is_done = comm->looks == 0 || --comm->looks == 0;
    *result = wanted.late || comm->has_failed ? (wanted.late ? wanted.late : wanted.fault)
              : is_here && is_gone && is_done ? DN_NCCL_OK
                                              : DN_NCCL_AT_WORK;
    return 0;
}

/* ---- sums ---- */

typedef struct work {
    test_gpu_work base;
    dn_nccl_comm comm;
    void *x;
    size_t n;
    int type;
    bool has_arrived;
} work;

static dn_cuda_type type_of(int type) {
    return type == DN_NCCL_BF16 ? DN_CUDA_BF16 : type == DN_NCCL_F16 ? DN_CUDA_F16 : DN_CUDA_F32;
}

static size_t bytes_of(const work *w) {
    return w->n * (w->type == DN_NCCL_F32 ? 4 : 2);
}

static bool all_have(const struct ncclComm *comm, bool taken, long sum) {
    for (int r = 0; r < comm->size; r++) {
        const seat *s = &comm->board->seat[r];
        if (atomic_load(taken ? &s->taken : &s->arrived) < sum) {
            return false;
        }
    }
    return true;
}

static void put_part(const work *w, seat *own, long sum) {
    own->n = w->n;
    own->type = w->type;
    memcpy(own->part, w->x, bytes_of(w));
    atomic_store(&own->arrived, sum);
}

/** In the order of the ranks, in fp32, rounded once. */
static void add_parts(const work *w) {
    dn_cuda_type type = type_of(w->type);
    float *sum = calloc(w->n + 1, sizeof *sum), *part = calloc(w->n + 1, sizeof *part);
    for (int r = 0; r < w->comm->size; r++) {
        const seat *s = &w->comm->board->seat[r];
        if (s->n != w->n || s->type != w->type) {
            fprintf(stderr, "made-up NCCL: rank %d adds up %zu numbers, rank %d %zu\n",
                    w->comm->rank, w->n, r, s->n);
            abort();
        }
        test_elements_get(type, s->part, w->n, part);
        for (size_t i = 0; i < w->n; i++) {
            sum[i] += part[i] + (float)(wanted.wrong && i == 0);
        }
    }
    test_elements_put(type, sum, w->n, w->x);
    free(sum);
    free(part);
}

/** What was asked for happens in its place in the sequence. */
static bool takes_part(dn_nccl_comm comm, long sum) {
    if (!wanted.after || sum < wanted.after) {
        return true;
    }
    if (wanted.dies) {
        raise(SIGKILL);
    }
    if (wanted.sleeps && !comm->sleeps) {
        comm->sleeps = true;
        fprintf(stderr, "made-up NCCL: rank %d sleeps\n", comm->rank);
    }
    comm->has_failed = wanted.fault != 0;
    return !wanted.fault && !wanted.sleeps;
}

static int run_sum(test_gpu_work *base) {
    work *w = (work *)base;
    dn_nccl_comm comm = w->comm;
    long sum = comm->n_sums + 1;
    if (comm->aborted) {
        return 0;
    }
    if (!w->has_arrived) {
        if (!takes_part(comm, sum) || !all_have(comm, true, sum - 1)) {
            return TEST_GPU_BUSY;
        }
        put_part(w, &comm->board->seat[comm->rank], sum);
        w->has_arrived = true;
    }
    if (!all_have(comm, false, sum)) {
        return TEST_GPU_BUSY;
    }
    add_parts(w);
    w->has_arrived = false;
    comm->n_sums = sum;
    atomic_store(&comm->board->seat[comm->rank].taken, sum);
    return 0;
}

static void free_comm(dn_nccl_comm comm) {
    if (comm->n_works == 0) {
        munmap(comm->board, sizeof *comm->board);
        free(comm);
    }
}

static void release_work(test_gpu_work *base) {
    dn_nccl_comm comm = ((work *)base)->comm;
    comm->n_works--;
    free(base);
    if (comm->aborted) {
        free_comm(comm);
    }
}

int ncclAllReduce(const void *from, void *to, size_t n, int type, int fold, dn_nccl_comm comm,
                  cudaStream_t stream) {
    comm->n_called++;
    if (wanted.refuse && comm->n_called >= wanted.after) {
        return wanted.refuse;
    }
    work *w = calloc(1, sizeof *w);
    *w = (work){.base = {run_sum, release_work}, .comm = comm, .x = to, .n = n, .type = type};
    if (from != to || fold != DN_NCCL_SUM || bytes_of(w) > ROOM || comm->looks) {
        free(w);
        return INVALID_USAGE;
    }
    comm->n_works++;
    comm->looks = 2;
    return stream->enqueue(stream, &w->base) ? 1 : DN_NCCL_AT_WORK;
}

/* ---- the end ---- */

int ncclCommFinalize(dn_nccl_comm comm) {
    comm->leaves = true;
    atomic_fetch_add(&comm->board->n_left, 1);
    return DN_NCCL_AT_WORK;
}

/** The real one waits for ever for recordings that hold it. */
int ncclCommDestroy(dn_nccl_comm comm) {
    if (comm->n_works || !comm->leaves) {
        fprintf(stderr, "made-up NCCL: %d sums outlive their communicator\n", comm->n_works);
        abort();
    }
    free_comm(comm);
    return 0;
}

int ncclCommAbort(dn_nccl_comm comm) {
    comm->aborted = true;
    shm_unlink(comm->name.bytes);
    free_comm(comm);
    return 0;
}

const char *ncclGetErrorString(int result) {
    static const char *const texts[] = {"no error",
                                        "unhandled cuda error",
                                        "unhandled system error",
                                        "internal error",
                                        "invalid argument",
                                        "invalid usage",
                                        "remote process exited or there was a network error"};
    return result >= 0 && result < 7 ? texts[result] : "unknown result code";
}

const char *ncclGetLastError(dn_nccl_comm comm) {
    return comm && comm->has_failed ? "the made-up reason" : "";
}
