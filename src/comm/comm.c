#include "comm/comm.h"

#include "comm/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *from_process(const char *name) {
    return getenv(name);
}

dn_status dn_comm_open(dn_comm **world) {
    dn_launch launch;
    DN_TRY(dn_launch_detect(from_process, &launch));
    return launch == DN_LAUNCH_MPI ? dn_comm_mpi_open(world) : dn_comm_self_open(world);
}

dn_status dn_comm_duplicate(dn_comm *comm, dn_comm **copy) {
    return comm->ops->duplicate(comm, copy);
}

dn_status dn_comm_barrier(dn_comm *comm) {
    return comm->ops->barrier(comm);
}

dn_status dn_comm_broadcast(dn_comm *comm, int root, void *bytes, size_t size) {
    return comm->ops->broadcast(comm, root, bytes, size);
}

dn_status dn_comm_reduce(dn_comm *comm, dn_number type, dn_fold fold, void *values, size_t count) {
    return comm->ops->reduce(comm, type, fold, values, count);
}

dn_status dn_comm_split(dn_comm *comm, int colour, dn_comm **group) {
    return comm->ops->split(comm, colour, group);
}

dn_status dn_comm_reserve(dn_comm *comm, size_t count) {
    return comm->ops->reserve(comm, count);
}

dn_status dn_comm_sum(dn_comm *comm, float *values, size_t count) {
    return comm->ops->sum(comm, values, count);
}

void dn_comm_begin_pass(dn_comm *comm) {
    if (comm->ops->turn) {
        comm->ops->turn(comm, true);
    }
}

void dn_comm_end_pass(dn_comm *comm) {
    if (comm->ops->turn) {
        comm->ops->turn(comm, false);
    }
}

void dn_comm_cancel(dn_comm *comm) {
    for (; comm; comm = comm->host) {
        atomic_store(&comm->cancelled, true);
    }
}

dn_status dn_comm_gather(dn_comm *comm, int root, dn_span bytes, dn_parts *parts) {
    *parts = (dn_parts){0};
    return comm->ops->gather(comm, root, bytes, parts);
}

dn_span dn_parts_get(const dn_parts *parts, int rank) {
    size_t begin = parts->offset[rank];
    return (dn_span){parts->bytes + begin, parts->offset[rank + 1] - begin};
}

void dn_parts_free(dn_parts *parts) {
    free(parts->bytes);
    free(parts->offset);
    *parts = (dn_parts){0};
}

/* A failure as it travels: without the pointer to its source file, which means nothing in another
 * process. */
typedef struct told_failure {
    int32_t error, line;
    char text[DN_FAILURE_TEXT];
} told_failure;

static dn_status share_failure(dn_comm *comm, int teller) {
    const dn_failure *own = dn_failure_last();
    told_failure told = {.error = own->error, .line = own->line};
    memcpy(told.text, own->text, sizeof told.text);
    DN_TRY(dn_comm_broadcast(comm, teller, &told, sizeof told));
    if (comm->rank != teller) {
        dn_failure heard = {.error = (dn_error)told.error, .line = told.line};
        snprintf(heard.text, sizeof heard.text, "rank %d: %.*s", teller, DN_FAILURE_TEXT - 32,
                 told.text);
        dn_failure_set(&heard);
    }
    return DN_OK;
}

dn_status dn_comm_agree(dn_comm *comm, dn_status status) {
    /* Status in the high half, so that the maximum is the worst status, told by the lowest rank
     * that has it. */
    int64_t vote = ((int64_t)status << 32) | (INT32_MAX - comm->rank);
    DN_TRY(dn_comm_reduce(comm, DN_N_I64, DN_FOLD_MAX, &vote, 1));
    dn_status worst = (dn_status)(vote >> 32);
    if (worst != DN_OK) {
        DN_TRY(share_failure(comm, INT32_MAX - (int32_t)(vote & INT32_MAX)));
    }
    return worst;
}

void dn_comm_close(dn_comm *comm) {
    if (comm) {
        comm->ops->close(comm);
    }
}

void dn_comm_abort(dn_comm *comm, int exit_status, const char *text) {
    fprintf(stderr, "dunlin: rank %d ends all ranks: %s\n", comm->rank, text);
    fflush(stderr);
    comm->ops->abort(comm, exit_status);
}
