/* Ranks that hold the parts of a model on devices: their sums are operations of a pass, made from
 * device to device (NCCL); all else goes the way of the communicator that they come from, since it
 * is the host's. What NCCL is called by is the backend's business (kernels/device.h). */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "kernels/kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_NS = 20 * 1000 * 1000, LOOK_NS = 500 * 1000 };

typedef struct device_comm {
    dn_comm base;
    const dn_group_ops *ops;
    dn_device_group *group;
} device_comm;

static dn_status nccl_barrier(dn_comm *comm) {
    return dn_comm_barrier(comm->host);
}

static dn_status nccl_broadcast(dn_comm *comm, int root, void *bytes, size_t size) {
    return dn_comm_broadcast(comm->host, root, bytes, size);
}

static dn_status nccl_reduce(dn_comm *comm, dn_number type, dn_fold fold, void *values,
                             size_t count) {
    return dn_comm_reduce(comm->host, type, fold, values, count);
}

static dn_status nccl_gather(dn_comm *comm, int root, dn_span bytes, dn_parts *parts) {
    return dn_comm_gather(comm->host, root, bytes, parts);
}

static dn_status nccl_split(dn_comm *comm, int colour, dn_comm **group) {
    return dn_comm_split(comm->host, colour, group);
}

static dn_status nccl_duplicate(dn_comm *comm, dn_comm **copy) {
    return dn_comm_duplicate(comm->host, copy);
}

static dn_status nccl_reserve(dn_comm *comm, size_t count) {
    (void)comm, (void)count;
    return DN_OK;
}

static dn_status nccl_sum(dn_comm *comm, float *values, size_t count) {
    device_comm *own = (device_comm *)comm;
    own->ops->sum(own->group, values, count);
    return DN_OK;
}

/* Sums of two groups that the devices of their ranks begin in different order may wait for each
 * other for ever: one pass of this process at a time. The leader takes its turn before it tells the
 * others of a batch, they take theirs when they hear of it, so that no two wait for each other. */
static void nccl_turn(dn_comm *comm, bool take) {
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    (void)comm;
    if (take) {
        pthread_mutex_lock(&turn);
    } else {
        pthread_mutex_unlock(&turn);
    }
}

static void nccl_close(dn_comm *comm) {
    device_comm *own = (device_comm *)comm;
    own->ops->leave(own->group);
    free(own);
}

_Noreturn static void nccl_abort(dn_comm *comm, int exit_status) {
    comm->host->ops->abort(comm->host, exit_status);
}

static const dn_comm_ops nccl_ops = {
    .name = "nccl",
    .barrier = nccl_barrier,
    .broadcast = nccl_broadcast,
    .reduce = nccl_reduce,
    .gather = nccl_gather,
    .reserve = nccl_reserve,
    .sum = nccl_sum,
    .turn = nccl_turn,
    .split = nccl_split,
    .duplicate = nccl_duplicate,
    .close = nccl_close,
    .abort = nccl_abort,
};

/* ---- the beginning ---- */

static bool is_cancelled(const void *ctx) {
    const dn_comm *host = ctx;
    return atomic_load_explicit(&host->cancelled, memory_order_relaxed);
}

static const dn_group_card *card_of(const dn_parts *cards, int rank) {
    return (const dn_group_card *)dn_parts_get(cards, rank).ptr;
}

/* The same library for all, a device for each. */
static dn_status compare_cards(const dn_parts *cards) {
    for (int rank = 1; rank < cards->n; rank++) {
        const dn_group_card *first = card_of(cards, 0), *own = card_of(cards, rank);
        if (strcmp(first->library, own->library) != 0) {
            return DN_FAIL(
                CONFIG,
                "ranks disagree: rank 0 of the group has %s, rank %d has %s: give all of "
                "them the same",
                first->library, rank, own->library);
        }
        for (int other = 0; other < rank; other++) {
            if (strcmp(card_of(cards, other)->uuid, own->uuid) == 0) {
                return DN_FAIL(CONFIG,
                               "ranks %d and %d of a group have the same GPU (%s): a model that is "
                               "split needs one for each; start no more ranks on a host than it "
                               "has GPUs, or set backend: cpu (DN_BACKEND=cpu)",
                               other, rank, own->uuid);
            }
        }
    }
    return DN_OK;
}

static dn_status check_cards(dn_comm *host, const dn_group_ops *ops, dn_group_card *card) {
    dn_parts cards;
    DN_TRY(dn_comm_agree(host, ops->open(card)));
    DN_TRY(
        dn_comm_gather(host, DN_EVERY_RANK, (dn_span){(const char *)card, sizeof *card}, &cards));
    dn_status status = compare_cards(&cards);
    dn_parts_free(&cards);
    return status;
}

static dn_status share_id(dn_comm *host, const dn_group_ops *ops, char id[DN_GROUP_ID_BYTES]) {
    DN_TRY(dn_comm_agree(host, host->rank == 0 ? ops->make_id(id) : DN_OK));
    return dn_comm_broadcast(host, 0, id, DN_GROUP_ID_BYTES);
}

/* AGAIN when the others are still coming after a round's time. */
static dn_status wait_a_round(const device_comm *own) {
    int64_t end_ns = dn_mono_ns() + ROUND_NS;
    dn_status status;
    while ((status = own->ops->ready(own->group)) == DN_AGAIN && dn_mono_ns() < end_ns) {
        dn_sleep_until_ns(dn_mono_ns() + LOOK_NS);
    }
    return status;
}

/* In rounds after each of which all ranks know how it stands with all: whoever fails to join is not
 * waited for. */
static dn_status join(device_comm *own, const char id[DN_GROUP_ID_BYTES]) {
    dn_comm *host = own->base.host;
    dn_group_seat seat = {host->rank, host->size, is_cancelled, host};
    dn_status status = own->ops->join(id, &seat, &own->group);
    for (int64_t worst = DN_AGAIN; worst == DN_AGAIN;) {
        status = status == DN_OK || status == DN_AGAIN ? wait_a_round(own) : status;
        worst = status;
        DN_TRY(dn_comm_reduce(host, DN_N_I64, DN_FOLD_MAX, &worst, 1));
    }
    return dn_comm_agree(host, status == DN_AGAIN ? DN_OK : status);
}

dn_status dn_comm_over_devices(dn_comm *host, const struct dn_device_ops *device, dn_comm **out) {
    char id[DN_GROUP_ID_BYTES] = {0};
    dn_group_card card;
    DN_TRY(check_cards(host, device->group, &card));
    DN_TRY(share_id(host, device->group, id));
    device_comm *own = dn_alloc(sizeof *own);
    own->base.ops = &nccl_ops;
    own->base.rank = host->rank;
    own->base.size = host->size;
    own->base.local_rank = host->local_rank;
    own->base.local_size = host->local_size;
    own->base.host = host;
    own->ops = device->group;
    dn_status status = join(own, id);
    if (status != DN_OK) {
        nccl_close(&own->base);
        return status;
    }
    if (host->rank == 0) {
        dn_log(DN_LOG_INFO, "%d ranks add up from GPU to GPU, by %s", host->size, card.library);
    }
    *out = &own->base;
    return DN_OK;
}
