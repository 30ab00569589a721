#ifndef DN_COMM_COMM_H
#define DN_COMM_COMM_H
/** What ranks tell each other: start-up agreement, the final merge, and, where a model is split
 * over the ranks of a group, the batches and partial sums of its forward pass.
 *
 *   dn_comm *world;
 *   DN_TRY(dn_comm_open(&world));              self without a launcher, MPI under one
 *   DN_TRY(dn_comm_duplicate(world, &mine));   one communicator per thread that talks
 *   ...
 *   status = dn_comm_agree(mine, status);      every rank leaves with the worst status of all
 *   dn_comm_close(mine);
 *   dn_comm_close(world);                      ends MPI
 *
 * A group of a sharded model (ranks 2 and 3 of four, say):
 *
 *   DN_TRY(dn_comm_split(world, world->rank / 2, &group));
 *   DN_TRY(dn_comm_reserve(group, n_tokens * hidden));
 *   DN_TRY(dn_comm_broadcast(group, 0, batch, size));     the leader's next batch
 *   DN_TRY(dn_comm_sum(group, partial, n));               twice a layer
 *
 * Every function below except abort is collective: all ranks of the communicator call it, in the
 * same order, with the same arguments where a rank, a count or a type is named. A communicator
 * belongs to one thread at a time; two threads take two duplicates. A waiting rank sleeps between
 * looks and burns no core. A rank that dies takes the job with it. */
#include "base/span.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum dn_number { DN_N_I64, DN_N_F64, DN_N_F32 } dn_number;
typedef enum dn_fold { DN_FOLD_SUM, DN_FOLD_MAX, DN_FOLD_MIN } dn_fold;

enum { DN_EVERY_RANK = -1 };

typedef struct dn_comm dn_comm;

/** Variable-sized parts, one per rank: part r is bytes[offset[r] .. offset[r + 1]). */
typedef struct dn_parts {
    int n;
    char *bytes;
    size_t *offset; /**< n + 1 */
} dn_parts;

/** One way to connect ranks: self, mpi, nccl. `sum` works where the activations live: in host
 * memory for the first two, on the device for the third, whose other calls go the way of the
 * communicator that it was made from. Callers use the functions below. */
typedef struct dn_comm_ops {
    const char *name;
    dn_status (*barrier)(dn_comm *comm);
    dn_status (*broadcast)(dn_comm *comm, int root, void *bytes, size_t size);
    dn_status (*reduce)(dn_comm *comm, dn_number type, dn_fold fold, void *values, size_t count);
    dn_status (*gather)(dn_comm *comm, int root, dn_span bytes, dn_parts *parts);
    dn_status (*reserve)(dn_comm *comm, size_t count);
    dn_status (*sum)(dn_comm *comm, float *values, size_t count);
    void (*turn)(dn_comm *comm, bool take); /**< NULL: all may add up at once */
    dn_status (*split)(dn_comm *comm, int colour, dn_comm **group);
    dn_status (*duplicate)(dn_comm *comm, dn_comm **copy);
    void (*close)(dn_comm *comm);
    void (*abort)(dn_comm *comm, int exit_status) __attribute__((noreturn));
} dn_comm_ops;

struct dn_comm {
    const dn_comm_ops *ops;
    int rank, size;
    int local_rank, local_size; /**< among the ranks of this host */
    _Atomic bool cancelled;     /**< by dn_comm_cancel */
    dn_comm *host;              /**< that the calls of the host go by; NULL: this one */
};

/** Connects the ranks that the launcher started: MPI (MPI_THREAD_MULTIPLE) when
 * OMPI_COMM_WORLD_SIZE, PMIX_RANK or PMI_RANK says that there is one, else a communicator of one
 * rank that never touches MPI (0.3 s faster). DN_COMM=self or DN_COMM=mpi decides instead. errors
 * CONFIG: several Slurm tasks without MPI between them, DN_COMM unknown; SYSTEM: MPI refuses
 *  ownership  gives; dn_comm_close      thread  main, once per process      blocks  yes */
dn_status dn_comm_open(dn_comm **world);

/** A communicator of the same ranks whose messages never meet those of `comm`.       ownership
 * gives */
dn_status dn_comm_duplicate(dn_comm *comm, dn_comm **copy);

/** Makes of all ranks that give the same colour a communicator of their own, in their order.
 *  errors  SYSTEM      ownership  gives; dn_comm_close */
dn_status dn_comm_split(dn_comm *comm, int colour, dn_comm **group);

struct dn_device_ops;
/** A communicator of the same ranks for a model whose parts lie on `device` of each: dn_comm_sum
 * takes the backend's elements there, and is an operation of the pass that the thread is in. All
 * ranks return alike, with the failure of the first that has one.
 *  requires  device->group      errors  DEVICE: the library is missing, too old, or adds up wrong;
 *  CONFIG: two ranks on one device, or with different libraries; DEVICE_FAULT
 *  ownership  gives; dn_comm_close, after the lanes that used it; lends host until then */
dn_status dn_comm_over_devices(dn_comm *host, const struct dn_device_ops *device, dn_comm **out);

/** Around each pass that adds up over devices: passes of several communicators of a process take
 * turns. The leader's begins before it sends the batch, a follower's when it has received it.
 *  collective  no      blocks  while another pass is under way */
void dn_comm_begin_pass(dn_comm *comm);
void dn_comm_end_pass(dn_comm *comm);

/** Returns when every rank has called it. */
dn_status dn_comm_barrier(dn_comm *comm);

/** Copies root's bytes to every rank.     errors  SYSTEM (MPI) */
dn_status dn_comm_broadcast(dn_comm *comm, int root, void *bytes, size_t size);

/** Folds values[i] over all ranks, in place and the same bits on all of them. */
dn_status dn_comm_reduce(dn_comm *comm, dn_number type, dn_fold fold, void *values, size_t count);

/** Buffers for dn_comm_sum of up to `count` floats; at set-up.      collective  no */
dn_status dn_comm_reserve(dn_comm *comm, size_t count);

/** The all-reduce of the data path: adds values[i] over all ranks, in place, in the order of the
 * ranks. So the bits are the same on all of them, and an element's do not depend on `count` nor on
 * its place (over devices: of two ranks; of more, the order is NCCL's). Nothing is allocated here.
 *  requires  dn_comm_reserve of at least as many      errors  SYSTEM; ABORT after dn_comm_cancel */
dn_status dn_comm_sum(dn_comm *comm, float *values, size_t count);

/** Whoever waits on this communicator, now or later, gets ABORT; only close and abort are left for
 * it then.      thread  any      collective  no */
void dn_comm_cancel(dn_comm *comm);

/** Collects each rank's bytes, of any size, on root or on DN_EVERY_RANK. On other ranks parts->n is
 * 0. errors  SYSTEM, on all ranks: more than 2 GiB together      ownership  gives; dn_parts_free */
dn_status dn_comm_gather(dn_comm *comm, int root, dn_span bytes, dn_parts *parts);
dn_span dn_parts_get(const dn_parts *parts, int rank);
void dn_parts_free(dn_parts *parts);

/** The worst status of all ranks. Where it is not OK, the failure of the lowest rank that has it
 * becomes every rank's last failure, so that any rank can report it. */
dn_status dn_comm_agree(dn_comm *comm, dn_status status);

/** Frees a duplicate (collective); for the world ends MPI. NULL is allowed. */
void dn_comm_close(dn_comm *comm);

/** Name and version of the MPI library, whether or not this run uses it. */
const char *dn_comm_version(void);

/** Ends all ranks at once with this exit status: for a rank that cannot take part in agree any
 * more. `text` goes to standard error, since nobody is left to forward it to.      collective  no
 */
void dn_comm_abort(dn_comm *comm, int exit_status, const char *text) __attribute__((noreturn));

#endif
