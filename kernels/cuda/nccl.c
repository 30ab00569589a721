/* Sums over the devices of a group of ranks, by NCCL, which is opened when the first group is made.
 *
 * A communicator does not block (ncclConfig_t.blocking 0): a call returns at once, and its end is
 * waited for by looks, between which the rank may be told to give up. Whatever ends a group ends it
 * by ncclCommAbort, since kernels of a group whose other rank is gone would wait for ever and the
 * stream with them. */
#include "kernels/cuda/nccl.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/libraries.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROOF = 1024, NS_PER_S = 1000000000 };
/* A pass takes milliseconds, and a rank that is asked for its part has nothing else to do: who has
 * not come after this long does not come. */
enum { LIMIT_S = 120, FAREWELL_S = 10 };
enum { AWAKE_NS = 1000000, SLEEP_NS = 50000 };

static struct {
#define F(type, name, arguments) type(*name) arguments;
    DN_NCCL_FUNCTIONS(F)
#undef F
    int version; /**< 0: not opened */
} nccl;

/** How far a fresh group has come. */
typedef enum progress { JOINING, ADDING, PROVING, READY } progress;

struct dn_device_group {
    dn_nccl_comm comm; /**< NULL: ended */
    int rank, size;
    bool (*cancelled)(const void *ctx);
    const void *ctx;
    int64_t limit_ns, begun_ns; /**< of any wait for the others; of the first */
    progress progress;
    cudaStream_t stream; /**< and the others: of the proof */
    dn_cuda_event added;
    float *numbers;
};

/* ---- the library ---- */

static void tell_version(int version, char *out, size_t bytes) {
    snprintf(out, bytes, "NCCL %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

static dn_status find_functions(void *library) {
    void *symbol;
#define F(type, name, arguments)                                                                   \
    symbol = dlsym(library, "nccl" #name);                                                         \
    if (!symbol) {                                                                                 \
        return DN_FAIL(DEVICE, "%s has no function nccl%s: it is too old or no NCCL",              \
                       DN_NCCL_FILE, #name);                                                       \
    }                                                                                              \
    memcpy(&nccl.name, &symbol, sizeof symbol);
    DN_NCCL_FUNCTIONS(F)
#undef F
    return DN_OK;
}

static dn_status load(void) {
    char why[512], text[32];
    int version = 0;
    void *library = dn_cuda_library(DN_NCCL_FILE, why, sizeof why);
    if (!library) {
        return DN_FAIL(DEVICE, "a model that is split over GPUs needs NCCL, and %s", why);
    }
    DN_TRY(find_functions(library));
    (void)nccl.GetVersion(&version);
    if (version < DN_NCCL_OLDEST) {
        tell_version(version, text, sizeof text);
        return DN_FAIL(DEVICE, "%s is too old to split a model over GPUs: it takes 2.14 or newer",
                       text);
    }
    nccl.version = version;
    return DN_OK;
}

static dn_status open_library(dn_group_card *out) {
    if (!nccl.version) {
        DN_TRY(load());
    }
    *out = (dn_group_card){0};
    tell_version(nccl.version, out->library, sizeof out->library);
    snprintf(out->uuid, sizeof out->uuid, "%s", dn_cuda.properties.uuid);
    return DN_OK;
}

static dn_status make_id(char id[DN_GROUP_ID_BYTES]) {
    dn_nccl_id fresh;
    int result = nccl.GetUniqueId(&fresh);
    if (result != DN_NCCL_OK) {
        return DN_FAIL(DEVICE, "NCCL cannot begin a group: %s; NCCL_DEBUG=INFO says more",
                       nccl.GetErrorString(result));
    }
    memcpy(id, fresh.bytes, DN_GROUP_ID_BYTES);
    return DN_OK;
}

/* ---- waiting ---- */

void dn_group_abort(dn_device_group *group) {
    if (group->comm) {
        (void)nccl.CommAbort(group->comm);
        group->comm = NULL;
    }
}

static dn_status fail(dn_device_group *group, int result, const char *what) {
    const char *more = nccl.GetLastError(group->comm);
    dn_status status = DN_FAIL(
        DEVICE_FAULT,
        "%s: %s%s%s (NCCL %d, rank %d of a group of %d, GPU %d, %s at %s); NCCL_DEBUG=INFO "
        "says more",
        what, nccl.GetErrorString(result), more && *more ? ": " : "", more ? more : "", result,
        group->rank, group->size, dn_cuda.device, dn_cuda.properties.name, dn_cuda.properties.pci);
    dn_group_abort(group);
    return status;
}

/** OK, AGAIN while NCCL is at work on a call, or how the group ended. */
static dn_status look(dn_device_group *group) {
    int result = DN_NCCL_OK;
    if (group->comm && group->cancelled(group->ctx)) {
        dn_group_abort(group);
    }
    if (!group->comm) {
        return DN_FAIL_AS(DN_ABORT, DRAINED, "rank %d no longer waits for its group", group->rank);
    }
    int error = nccl.CommGetAsyncError(group->comm, &result);
    result = error ? error : result;
    return result == DN_NCCL_OK        ? DN_OK
           : result == DN_NCCL_AT_WORK ? DN_AGAIN
                                       : fail(group, result, "a sum over GPUs");
}

static dn_status check_limit(dn_device_group *group, int64_t waited_ns) {
    if (waited_ns <= group->limit_ns) {
        return DN_OK;
    }
    dn_group_abort(group);
    return DN_FAIL(DEVICE_FAULT,
                   "rank %d of a group of %d has waited %lld s for the others to add up: one has "
                   "stopped, or the GPUs do not reach each other; NCCL_DEBUG=INFO says more, "
                   "DN_GROUP_TIMEOUT=SECONDS sets the limit",
                   group->rank, group->size, (long long)(group->limit_ns / NS_PER_S));
}

dn_status dn_group_moment(dn_device_group *group, int64_t since_ns, bool *at_work) {
    int64_t now_ns = dn_mono_ns();
    dn_status status = look(group);
    *at_work = status == DN_AGAIN;
    if (status != DN_OK && status != DN_AGAIN) {
        return status;
    }
    DN_TRY(check_limit(group, now_ns - since_ns));
    if (now_ns - since_ns < AWAKE_NS) {
        sched_yield();
    } else {
        dn_sleep_until_ns(now_ns + SLEEP_NS);
    }
    return DN_OK;
}

/** Waits until NCCL has done with a call that gave `result`. */
static dn_status settle(dn_device_group *group, int result, const char *what) {
    int64_t begun_ns = dn_mono_ns();
    bool at_work = result == DN_NCCL_AT_WORK;
    if (result != DN_NCCL_OK && !at_work) {
        return fail(group, result, what);
    }
    while (at_work) {
        DN_TRY(dn_group_moment(group, begun_ns, &at_work));
    }
    return DN_OK;
}

/* ---- sums ---- */

static int add_up(dn_device_group *group, dn_cuda_type type, void *x, size_t n,
                  cudaStream_t stream) {
    static const int types[] = {
        [DN_CUDA_F32] = DN_NCCL_F32, [DN_CUDA_BF16] = DN_NCCL_BF16, [DN_CUDA_F16] = DN_NCCL_F16};
    return nccl.AllReduce(x, x, n, types[type], DN_NCCL_SUM, group->comm, stream);
}

dn_status dn_group_sum(dn_device_group *group, dn_cuda_type type, void *x, size_t n,
                       cudaStream_t stream) {
    bool at_work;
    DN_TRY(dn_group_moment(group, dn_mono_ns(), &at_work)); /* has it ended? */
    return settle(group, add_up(group, type, x, n, stream), "a sum over GPUs");
}

/* ---- the beginning ---- */

static int64_t limit_of_environment(void) {
    const char *text = getenv("DN_GROUP_TIMEOUT");
    int64_t seconds = text ? atoll(text) : 0;
    return (seconds > 0 ? seconds : LIMIT_S) * NS_PER_S;
}

static dn_status join(const char id[DN_GROUP_ID_BYTES], const dn_group_seat *seat,
                      dn_device_group **out) {
    dn_nccl_conf conf = DN_NCCL_CONF;
    dn_nccl_id key;
    DN_TRY(dn_cuda_enter());
    dn_device_group *group = dn_alloc(sizeof *group);
    *group = (dn_device_group){.rank = seat->rank,
                               .size = seat->size,
                               .cancelled = seat->cancelled,
                               .ctx = seat->ctx,
                               .limit_ns = limit_of_environment(),
                               .begun_ns = dn_mono_ns()};
    memcpy(key.bytes, id, sizeof key.bytes);
    int result = nccl.CommInitRankConfig(&group->comm, group->size, key, group->rank, &conf);
    if (result != DN_NCCL_OK && result != DN_NCCL_AT_WORK) {
        dn_status status = fail(group, result, "joining a group of GPUs");
        free(group);
        return status;
    }
    *out = group;
    return DN_OK;
}

/** What every rank puts in, so that the sum is known. */
static dn_status begin_proof(dn_device_group *group) {
    float numbers[PROOF];
    for (int i = 0; i < PROOF; i++) {
        numbers[i] = (float)(group->rank + 1);
    }
    int error = dn_cuda.api->stream_new(&group->stream);
    error = error ? error : dn_cuda.api->event_new(false, &group->added);
    if (error) {
        return dn_cuda_fault(error, "making a stream");
    }
    DN_TRY(dn_cuda_reserve(DN_CUDA_F32, DN_ELEMENTS, PROOF, &group->numbers));
    DN_TRY(dn_cuda_upload(DN_CUDA_F32, DN_ELEMENTS, numbers, PROOF, group->numbers));
    int result = add_up(group, DN_CUDA_F32, group->numbers, PROOF, group->stream);
    return result == DN_NCCL_OK || result == DN_NCCL_AT_WORK
               ? DN_OK
               : fail(group, result, "a first sum over GPUs");
}

static dn_status end_proof(dn_device_group *group) {
    float sum = (float)group->size * (float)(group->size + 1) / 2, numbers[PROOF];
    DN_TRY(
        dn_cuda_download(DN_CUDA_F32, DN_ELEMENTS, group->numbers, PROOF, group->stream, numbers));
    for (int i = 0; i < PROOF; i++) {
        if (numbers[i] != sum) {
            return DN_FAIL(DEVICE,
                           "the GPUs of a group of %d do not add up (%g where %g is right): what "
                           "one writes does not reach the other as it is; try NCCL_P2P_DISABLE=1, "
                           "and see NCCL's notes on PCI Access Control Services",
                           group->size, (double)numbers[i], (double)sum);
        }
    }
    return DN_OK;
}

/** 0, or what a proof that is under way says; NOT_READY when it is. */
static dn_status advance(dn_device_group *group) {
    int error;
    switch (group->progress) {
    case JOINING:
        DN_TRY(begin_proof(group));
        break;
    case ADDING:
        error = dn_cuda.api->event_record(group->added, group->stream, false);
        if (error) {
            return dn_cuda_fault(error, "a first sum over GPUs");
        }
        break;
    case PROVING:
        error = dn_cuda.api->event_query(group->added);
        if (error) {
            return error == DN_CUDA_NOT_READY ? DN_AGAIN
                                              : dn_cuda_fault(error, "a first sum over GPUs");
        }
        DN_TRY(end_proof(group));
        break;
    case READY:
        return DN_OK;
    }
    group->progress++;
    return group->progress == READY ? DN_OK : DN_AGAIN;
}

static dn_status ready(dn_device_group *group) {
    if (group->progress == READY) {
        return DN_OK;
    }
    DN_TRY(check_limit(group, dn_mono_ns() - group->begun_ns));
    DN_TRY(look(group));
    return advance(group);
}

/* ---- the end ---- */

static void leave(dn_device_group *group) {
    if (!group) {
        return;
    }
    group->limit_ns = (int64_t)FAREWELL_S * NS_PER_S;
    if (group->progress != READY) {
        dn_group_abort(group);
    }
    if (group->comm && settle(group, nccl.CommFinalize(group->comm), "leaving a group") == DN_OK) {
        (void)nccl.CommDestroy(group->comm);
    }
    if (group->stream) {
        (void)dn_cuda.api->stream_finish(group->stream);
        dn_cuda.api->stream_free(group->stream);
    }
    if (group->added) {
        dn_cuda.api->event_free(group->added);
    }
    dn_cuda_release(group->numbers);
    free(group);
}

static void sum(dn_device_group *group, float *elements, size_t n) {
    dn_steps_sum(dn_lane_steps(), group, elements, n);
}

const dn_group_ops dn_cuda_groups = {.name = "nccl",
                                     .open = open_library,
                                     .make_id = make_id,
                                     .join = join,
                                     .ready = ready,
                                     .sum = sum,
                                     .leave = leave};
