/* MPI, with two rules of its own. Nothing blocks inside MPI: Open MPI waits by polling and would
 * burn a core that the model needs, so every operation is the non-blocking one, looked at with
 * growing sleeps. And counts are ints in MPI, so that large operations go in pieces. */
#include "base/clock.h"
#include "base/memory.h"
#include "comm/launch.h"

#include <mpi.h>

#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>

enum {
    EAGER_LOOKS = 200, /* about 20 us: what a small operation between running ranks takes */
    FIRST_SLEEP_NS = 20 * 1000,
    LONGEST_SLEEP_NS = 2 * 1000 * 1000,
    /* A rank of a group is as far as its partner but for a product or so; and a large message
     * needs both of them at each of its fragments: asleep, a sum of 0.1 ms took 10. */
    SUM_AWAKE_NS = 5 * 1000 * 1000,
    PIECE = 1 << 28,    /* elements of one MPI call */
    MOST_CHILDREN = 31, /* of a rank in a tree of as many ranks as an int can count */
    TAG_PART = 1,       /* messages of a sum, */
    TAG_SUM = 2,
    TAG_TREE = 3, /* and of a broadcast */
};

typedef struct mpi_comm {
    dn_comm base;
    MPI_Comm handle;
    bool is_world;
    float *parts;          /* of the other ranks, for sum; NULL before reserve */
    size_t room;           /* floats of each */
    MPI_Request *requests; /* two for each other rank */
} mpi_comm;

static const dn_comm_ops mpi_ops;

static const MPI_Datatype mpi_types[] = {MPI_INT64_T, MPI_DOUBLE, MPI_FLOAT};
static const size_t type_size[] = {sizeof(int64_t), sizeof(double), sizeof(float)};
static const MPI_Op mpi_folds[] = {MPI_SUM, MPI_MAX, MPI_MIN};

static dn_status check(int rc, const char *call) {
    if (rc == MPI_SUCCESS) {
        return DN_OK;
    }
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(rc, text, &length);
    return DN_FAIL(SYSTEM, "%s: %.*s", call, length, text);
}

/* Ends n operations that have begun: awake for `awake_ns`, leaving the core to others that want
 * it, then asleep. */
static dn_status finish_all(dn_comm *comm, int n, MPI_Request *requests, const char *call,
                            int64_t awake_ns) {
    int64_t sleep_ns = FIRST_SLEEP_NS, awake_until_ns = awake_ns ? dn_mono_ns() + awake_ns : 0;
    for (int looks = 0;; looks++) {
        int done = 0;
        DN_TRY(check(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE), call));
        if (done) {
            return DN_OK;
        }
        if (atomic_load_explicit(&comm->cancelled, memory_order_relaxed)) {
            return DN_FAIL_AS(DN_ABORT, DRAINED, "rank %d no longer waits for its group",
                              comm->rank);
        }
        int64_t now_ns = dn_mono_ns();
        if (now_ns < awake_until_ns) {
            sched_yield();
        } else if (looks >= EAGER_LOOKS) {
            dn_sleep_until_ns(now_ns + sleep_ns);
            sleep_ns = sleep_ns * 2 < LONGEST_SLEEP_NS ? sleep_ns * 2 : LONGEST_SLEEP_NS;
        }
    }
}

/* Ends an operation that `rc` says has begun. */
static dn_status finish(dn_comm *comm, int rc, MPI_Request *request, const char *call) {
    DN_TRY(check(rc, call));
    return finish_all(comm, 1, request, call, 0);
}

static MPI_Comm handle_of(dn_comm *comm) {
    return ((mpi_comm *)comm)->handle;
}

static int piece_of(size_t left) {
    return left < PIECE ? (int)left : PIECE;
}

static dn_status mpi_barrier(dn_comm *comm) {
    MPI_Request request;
    return finish(comm, MPI_Ibarrier(handle_of(comm), &request), &request, "MPI_Ibarrier");
}

/* A rank's part in a tree below `root`: it hears from the rank that lacks its lowest bit, counted
 * from the root, and tells those that have one bit more below that. */
static dn_status pass_on(dn_comm *comm, int root, char *bytes, int n) {
    MPI_Request requests[MOST_CHILDREN];
    MPI_Comm handle = handle_of(comm);
    int size = comm->size, place = (comm->rank - root + size) % size, bit = 1, n_children = 0;
    while (bit < size && !(place & bit)) {
        bit *= 2;
    }
    if (place > 0) {
        MPI_Request request;
        int rc = MPI_Irecv(bytes, n, MPI_BYTE, (comm->rank - bit + size) % size, TAG_TREE, handle,
                           &request);
        DN_TRY(finish(comm, rc, &request, "MPI_Irecv"));
    }
    for (bit /= 2; bit > 0; bit /= 2) {
        if (place + bit < size) {
            DN_TRY(check(MPI_Isend(bytes, n, MPI_BYTE, (comm->rank + bit) % size, TAG_TREE, handle,
                                   &requests[n_children++]),
                         "MPI_Isend"));
        }
    }
    return finish_all(comm, n_children, requests, "MPI_Isend", 0);
}

/* By messages: MPI_Ibcast plans anew at each call, with five allocations, and a group's batches
 * come this way. */
static dn_status mpi_broadcast(dn_comm *comm, int root, void *bytes, size_t size) {
    char *at = bytes;
    for (size_t done = 0; done < size; done += PIECE) {
        DN_TRY(pass_on(comm, root, at + done, piece_of(size - done)));
    }
    return DN_OK;
}

static dn_status mpi_reduce(dn_comm *comm, dn_number type, dn_fold fold, void *values,
                            size_t count) {
    char *at = values;
    for (size_t done = 0; done < count; done += PIECE) {
        MPI_Request request;
        int rc = MPI_Iallreduce(MPI_IN_PLACE, at + done * type_size[type], piece_of(count - done),
                                mpi_types[type], mpi_folds[fold], handle_of(comm), &request);
        DN_TRY(finish(comm, rc, &request, "MPI_Iallreduce"));
    }
    return DN_OK;
}

/* Every rank learns every size, so that all of them refuse alike. offset[] and count[] have room
 * for all ranks. */
static dn_status agree_on_sizes(dn_comm *comm, size_t own, size_t *offset, int *count) {
    int64_t mine = (int64_t)own;
    int64_t *all = dn_alloc_array((size_t)comm->size, sizeof *all);
    MPI_Request request;
    int rc = MPI_Iallgather(&mine, 1, MPI_INT64_T, all, 1, MPI_INT64_T, handle_of(comm), &request);
    dn_status status = finish(comm, rc, &request, "MPI_Iallgather");
    for (int r = 0; r < comm->size && status == DN_OK; r++) {
        offset[r + 1] = offset[r] + (size_t)all[r];
        count[r] = (int)all[r];
        if (offset[r + 1] > INT_MAX) {
            status = DN_FAIL(SYSTEM, "ranks 0 to %d hold %zu bytes to gather; the limit is 2 GiB",
                             r, offset[r + 1]);
        }
    }
    free(all);
    return status;
}

static dn_status exchange(dn_comm *comm, int root, dn_span bytes, const int *count,
                          const int *displacement, dn_parts *parts) {
    MPI_Request request;
    int size = (int)bytes.len;
    if (root == DN_EVERY_RANK) {
        int rc = MPI_Iallgatherv(bytes.ptr, size, MPI_BYTE, parts->bytes, count, displacement,
                                 MPI_BYTE, handle_of(comm), &request);
        return finish(comm, rc, &request, "MPI_Iallgatherv");
    }
    int rc = MPI_Igatherv(bytes.ptr, size, MPI_BYTE, parts->bytes, count, displacement, MPI_BYTE,
                          root, handle_of(comm), &request);
    return finish(comm, rc, &request, "MPI_Igatherv");
}

static dn_status mpi_gather(dn_comm *comm, int root, dn_span bytes, dn_parts *parts) {
    size_t n = (size_t)comm->size;
    bool receives = root == DN_EVERY_RANK || root == comm->rank;
    int *count = dn_alloc_array(n, sizeof *count);
    int *displacement = dn_alloc_array(n, sizeof *displacement);
    parts->offset = dn_alloc_array(n + 1, sizeof *parts->offset);
    dn_status status;
    DN_TRY_GO(agree_on_sizes(comm, bytes.len, parts->offset, count), done);
    for (size_t r = 0; r < n; r++) {
        displacement[r] = (int)parts->offset[r];
    }
    if (receives) {
        parts->bytes = dn_alloc(parts->offset[n] + 1);
    }
    DN_TRY_GO(exchange(comm, root, bytes, count, displacement, parts), done);
done:
    free(count);
    free(displacement);
    if (status != DN_OK || !receives) {
        dn_parts_free(parts);
    } else {
        parts->n = comm->size;
    }
    return status;
}

/* ---- the data path: reduce-scatter, then all-gather, by messages between any two ranks ---- */

static dn_status mpi_reserve(dn_comm *comm, size_t count) {
    mpi_comm *own = (mpi_comm *)comm;
    size_t others = (size_t)comm->size - 1, n = (size_t)comm->size;
    free(own->parts);
    free(own->requests);
    own->room = (count + n - 1) / n;
    own->parts = dn_alloc_array(n * own->room, sizeof *own->parts);
    own->requests = dn_alloc_array(2 * others + 1, sizeof(MPI_Request));
    return own->room <= INT_MAX ? DN_OK
                                : DN_FAIL(SYSTEM, "%zu floats are too many for a sum", count);
}

/* Which elements of a sum a rank adds up: [begin, begin + n). */
typedef struct slice {
    size_t begin;
    int n;
} slice;

static slice slice_of(const dn_comm *comm, int rank, size_t count) {
    size_t r = (size_t)rank, size = (size_t)comm->size;
    size_t begin = r * count / size, end = (r + 1) * count / size;
    return (slice){begin, (int)(end - begin)};
}

/* Every rank sends to every other: to each its part of my values, or my slice to all. */
typedef struct exchange_step {
    int tag;
    const char *call;
    bool scatter;
} exchange_step;

static dn_status exchange_floats(dn_comm *comm, float *values, size_t count,
                                 const exchange_step *step) {
    mpi_comm *own = (mpi_comm *)comm;
    slice mine = slice_of(comm, comm->rank, count);
    int n = 0;
    for (int r = 0; r < comm->size; r++) {
        slice theirs = slice_of(comm, r, count);
        slice in = step->scatter ? mine : theirs, out = step->scatter ? theirs : mine;
        float *to = step->scatter ? own->parts + (size_t)r * own->room : values + theirs.begin;
        if (r != comm->rank) {
            DN_TRY(check(
                MPI_Irecv(to, in.n, MPI_FLOAT, r, step->tag, own->handle, &own->requests[n++]),
                "MPI_Irecv"));
            DN_TRY(check(MPI_Isend(values + out.begin, out.n, MPI_FLOAT, r, step->tag, own->handle,
                                   &own->requests[n++]),
                         "MPI_Isend"));
        }
    }
    return finish_all(comm, n, own->requests, step->call, SUM_AWAKE_NS);
}

/* Adds up the own slice in the order of the ranks. */
static void add_parts(mpi_comm *own, float *values, size_t n) {
    const float *first = own->base.rank == 0 ? values : own->parts;
    for (int r = 1; r < own->base.size; r++) {
        const float *next = r == own->base.rank ? values : own->parts + (size_t)r * own->room;
        float *sum = r == own->base.size - 1 ? values : own->parts;
        for (size_t i = 0; i < n; i++) {
            sum[i] = first[i] + next[i];
        }
        first = sum;
    }
}

static dn_status mpi_sum(dn_comm *comm, float *values, size_t count) {
    static const exchange_step scatter = {TAG_PART, "reduce-scatter", true},
                               collect = {TAG_SUM, "all-gather", false};
    mpi_comm *own = (mpi_comm *)comm;
    slice mine = slice_of(comm, comm->rank, count);
    assert(count <= own->room * (size_t)comm->size); /* dn_comm_reserve */
    DN_TRY(exchange_floats(comm, values, count, &scatter));
    add_parts(own, values + mine.begin, (size_t)mine.n);
    return exchange_floats(comm, values, count, &collect);
}

/* ---- more communicators ---- */

static dn_status count_neighbours(dn_comm *comm) {
    MPI_Comm host;
    DN_TRY(check(MPI_Comm_split_type(handle_of(comm), MPI_COMM_TYPE_SHARED, comm->rank,
                                     MPI_INFO_NULL, &host),
                 "MPI_Comm_split_type"));
    MPI_Comm_rank(host, &comm->local_rank);
    MPI_Comm_size(host, &comm->local_size);
    return check(MPI_Comm_free(&host), "MPI_Comm_free");
}

/* What a fresh handle says of its ranks. */
static dn_status look_around(mpi_comm *own) {
    MPI_Comm_set_errhandler(own->handle, MPI_ERRORS_RETURN);
    MPI_Comm_rank(own->handle, &own->base.rank);
    MPI_Comm_size(own->handle, &own->base.size);
    return count_neighbours(&own->base);
}

static mpi_comm *new_comm(const dn_comm *like) {
    mpi_comm *fresh = dn_alloc(sizeof *fresh);
    fresh->base.ops = like->ops;
    fresh->base.rank = like->rank;
    fresh->base.size = like->size;
    fresh->base.local_rank = like->local_rank;
    fresh->base.local_size = like->local_size;
    return fresh;
}

static dn_status mpi_split(dn_comm *comm, int colour, dn_comm **group) {
    mpi_comm *fresh = new_comm(comm);
    dn_status status = check(MPI_Comm_split(handle_of(comm), colour, comm->rank, &fresh->handle),
                             "MPI_Comm_split");
    if (status == DN_OK) {
        status = look_around(fresh);
    }
    if (status != DN_OK) {
        free(fresh);
        return status;
    }
    *group = &fresh->base;
    return DN_OK;
}

static dn_status mpi_duplicate(dn_comm *comm, dn_comm **copy) {
    mpi_comm *fresh = new_comm(comm);
    MPI_Request request;
    int rc = MPI_Comm_idup(handle_of(comm), &fresh->handle, &request);
    dn_status status = finish(comm, rc, &request, "MPI_Comm_idup");
    if (status != DN_OK) {
        free(fresh);
        return status;
    }
    MPI_Comm_set_errhandler(fresh->handle, MPI_ERRORS_RETURN);
    *copy = &fresh->base;
    return DN_OK;
}

static void mpi_close(dn_comm *comm) {
    mpi_comm *own = (mpi_comm *)comm;
    MPI_Comm_free(&own->handle);
    if (own->is_world) {
        MPI_Finalize();
    }
    free(own->parts);
    free(own->requests);
    free(own);
}

_Noreturn static void mpi_abort(dn_comm *comm, int exit_status) {
    MPI_Abort(handle_of(comm), exit_status);
    _Exit(exit_status);
}

static const dn_comm_ops mpi_ops = {
    .name = "mpi",
    .barrier = mpi_barrier,
    .broadcast = mpi_broadcast,
    .reduce = mpi_reduce,
    .gather = mpi_gather,
    .reserve = mpi_reserve,
    .sum = mpi_sum,
    .split = mpi_split,
    .duplicate = mpi_duplicate,
    .close = mpi_close,
    .abort = mpi_abort,
};

static const char *from_process(const char *name) {
    return getenv(name);
}

/* A launcher that this MPI does not understand leaves every task alone in a world of its own: each
 * would write the same output. */
static dn_status check_size(int size) {
    int announced = dn_launch_size(from_process);
    if (size == 1 && announced > 1) {
        return DN_FAIL(
            CONFIG,
            "the launcher started %d ranks but MPI sees one: this MPI and the launcher do "
            "not speak the same protocol; use the mpirun of this MPI or srun --mpi=pmix",
            announced);
    }
    return DN_OK;
}

static dn_status fill_world(mpi_comm *own) {
    DN_TRY(check(MPI_Comm_dup(MPI_COMM_WORLD, &own->handle), "MPI_Comm_dup"));
    DN_TRY(look_around(own));
    return check_size(own->base.size);
}

dn_status dn_comm_mpi_open(dn_comm **world) {
    int provided = MPI_THREAD_SINGLE;
    DN_TRY(check(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread"));
    if (provided < MPI_THREAD_MULTIPLE) {
        MPI_Finalize();
        return DN_FAIL(SYSTEM, "this MPI library offers no MPI_THREAD_MULTIPLE: build or load one "
                               "that does");
    }
    mpi_comm *own = dn_alloc(sizeof *own);
    own->base.ops = &mpi_ops;
    own->is_world = true;
    dn_status status = fill_world(own);
    if (status != DN_OK) {
        MPI_Finalize();
        free(own);
        return status;
    }
    *world = &own->base;
    return DN_OK;
}

const char *dn_comm_version(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}
