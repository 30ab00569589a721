#include "run/place.h"

#include "base/memory.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_GPUS = 64, CHUNKS_BASE = 8, CHUNKS_A_THREAD = 4 };

/* What a rank tells the others of its host. */
typedef struct card {
    char host[DN_TOPO_HOST];
    int32_t local_rank;
    bool has_gpu;
    dn_device gpu;
    char allowed[DN_TOPO_LIST];
} card;

/* The rank's GPU, if it sees any; the backends of this process use it from now on. */
static void choose_gpu(card *me) {
    dn_gpu found[MAX_GPUS];
    int n = dn_kernels_gpus(found, MAX_GPUS);
    int own = dn_topo_device_index(getenv("CUDA_VISIBLE_DEVICES"), n, me->local_rank);
    if (own >= 0) {
        dn_kernels_use_gpu(own);
        me->has_gpu = true;
        snprintf(me->gpu.uuid, sizeof me->gpu.uuid, "%s", found[own].uuid);
        snprintf(me->gpu.pci, sizeof me->gpu.pci, "%s", found[own].pci);
    }
}

static const card *card_of(const dn_parts *parts, int rank) {
    return (const card *)dn_parts_get(parts, rank).ptr;
}

static dn_status plan_host(const dn_topo *topo, const dn_comm *comm, const dn_parts *parts,
                           const card *me, dn_topo_place *own) {
    const char **allowed = dn_alloc_array((size_t)comm->local_size, sizeof *allowed);
    dn_device *gpus = dn_alloc_array((size_t)comm->local_size, sizeof *gpus);
    int n_gpus = 0;
    for (int rank = 0; rank < parts->n; rank++) {
        const card *other = card_of(parts, rank);
        if (strcmp(other->host, me->host) == 0 && other->local_rank < comm->local_size) {
            allowed[other->local_rank] = other->allowed;
            gpus[other->local_rank] = other->gpu;
            n_gpus += other->has_gpu;
        }
    }
    dn_topo_place *places = dn_alloc_array((size_t)comm->local_size, sizeof *places);
    dn_topo_request request = {.host = me->host,
                               .n_ranks = comm->local_size,
                               .allowed = allowed,
                               .devices = gpus, /* each rank's own, however many it sees */
                               .n_devices = n_gpus == comm->local_size ? n_gpus : 0};
    dn_status status = dn_topo_plan(topo, &request, places);
    if (status == DN_OK) {
        *own = places[comm->local_rank];
        dn_topo_bind(topo, own);
    }
    free(places);
    free(gpus);
    free(allowed);
    return status;
}

static dn_status plan_own(dn_comm *comm, const dn_topo *topo, dn_topo_place *own) {
    card me = {.local_rank = comm->local_rank};
    gethostname(me.host, sizeof me.host - 1);
    dn_topo_allowed(topo, me.allowed);
    choose_gpu(&me);
    dn_parts parts;
    DN_TRY(dn_comm_gather(comm, DN_EVERY_RANK, (dn_span){(const char *)&me, sizeof me}, &parts));
    dn_status status = plan_host(topo, comm, &parts, &me, own);
    dn_parts_free(&parts);
    return status;
}

dn_status dn_placement_make(dn_comm *comm, int tp, dn_placement *out) {
    *out = (dn_placement){.n = comm->size};
    dn_topo *topo = NULL;
    dn_status status = dn_topo_load(NULL, &topo);
    DN_TRY(dn_comm_agree(comm, status));
    out->facts = dn_topo_look(topo);
    status = plan_own(comm, topo, &out->own);
    dn_topo_free(topo);
    DN_TRY(dn_comm_agree(comm, status));
    dn_parts parts;
    DN_TRY(dn_comm_gather(comm, DN_EVERY_RANK, (dn_span){(const char *)&out->own, sizeof out->own},
                          &parts));
    out->places = dn_alloc_array((size_t)comm->size, sizeof *out->places);
    memcpy(out->places, parts.bytes, (size_t)comm->size * sizeof *out->places);
    dn_parts_free(&parts);
    int *ranks = dn_alloc_array((size_t)comm->size, sizeof *ranks);
    for (int i = 0; i < comm->size; i++) {
        ranks[i] = i;
    }
    out->table = dn_topo_table(out->places, ranks, tp, comm->size);
    free(ranks);
    return DN_OK;
}

void dn_placement_free(dn_placement *placement) {
    free(placement->places);
    free(placement->table);
    *placement = (dn_placement){0};
}

void dn_placement_threads(const dn_placement *placement, dn_job *job) {
    int cores = placement->own.n_cores > 0 ? placement->own.n_cores : 1;
    for (int i = 0; i < job->n_pipelines; i++) {
        dn_job_set_threads(job, i, cores, CHUNKS_BASE, CHUNKS_A_THREAD);
    }
}

bool dn_placement_counts_gpu(const dn_placement *placement, int rank) {
    const dn_topo_place *own = &placement->places[rank];
    for (int other = 0; other < rank; other++) {
        const dn_topo_place *place = &placement->places[other];
        if (strcmp(place->host, own->host) == 0 && strcmp(place->uuid, own->uuid) == 0) {
            return false;
        }
    }
    return own->uuid[0] != '\0';
}
