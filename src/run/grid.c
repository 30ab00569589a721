#include "run/grid.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/shard.h"
#include "run/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dn_status check_tp(dn_comm *comm, int tp) {
    int64_t most = tp, least = tp;
    DN_TRY(dn_comm_reduce(comm, DN_N_I64, DN_FOLD_MAX, &most, 1));
    DN_TRY(dn_comm_reduce(comm, DN_N_I64, DN_FOLD_MIN, &least, 1));
    if (most != least) {
        return DN_FAIL(CONFIG,
                       "some ranks were started with --tp %lld, others with --tp %lld: give all of "
                       "them the same",
                       (long long)least, (long long)most);
    }
    if (comm->size % tp) {
        char divisors[128];
        dn_shard_list_divisors(comm->size, sizeof divisors, divisors);
        int more = (comm->size / tp + 1) * tp;
        return DN_FAIL(CONFIG,
                       "--tp %d: %d rank%s cannot be put in groups of %d: start %d ranks, or use "
                       "--tp %s",
                       tp, comm->size, comm->size == 1 ? "" : "s", tp, more, divisors);
    }
    return DN_OK;
}

/* Sums between hosts go over the network, in every layer of every batch. */
static void warn_of_hosts(const dn_grid *grid) {
    if (grid->row->local_size < grid->row->size) {
        dn_log(DN_LOG_WARN,
               "group %d spans hosts (%d of its %d ranks are on this one): its sums go over the "
               "network; put the ranks of a group on one host where you can",
               grid->group, grid->row->local_size, grid->row->size);
    }
}

dn_status dn_grid_make(dn_comm *comm, int tp, dn_grid *out) {
    *out = (dn_grid){.tp = tp};
    DN_TRY(check_tp(comm, tp));
    out->group = comm->rank / tp;
    out->part = comm->rank % tp;
    out->n_groups = comm->size / tp;
    if (tp > 1) {
        DN_TRY(dn_comm_split(comm, out->group, &out->row));
        if (out->part == 0) {
            warn_of_hosts(out);
        }
    }
    return DN_OK;
}

dn_status dn_grid_open(dn_grid *grid, dn_job *job) {
    for (int i = 0; i < job->n_pipelines && grid->row; i++) {
        dn_pipeline_plan *plan = &job->pipeline[i];
        for (int k = 0; k < plan->n_scorers; k++) {
            if (plan->scorer[k]->follow) {
                DN_TRY(dn_comm_duplicate(grid->row, &plan->group[k]));
                grid->opened[grid->n_opened++] = plan->group[k];
            }
        }
    }
    if (grid->row && grid->n_opened == 0) {
        return DN_FAIL(CONFIG, "--tp %d: no pipeline of job %s has a model to split", grid->tp,
                       job->conf.job);
    }
    return DN_OK;
}

/* What has to be equal, a line each: the job, then every model. */
static char *card_of(const dn_job *job, const char *resolved) {
    uint64_t hash = dn_hash64(dn_span_of(resolved), 0);
    char *card =
        dn_format("job %s as set here (%016llx)\n", job->conf.job, (unsigned long long)hash);
    for (int i = 0; i < job->n_pipelines; i++) {
        const dn_pipeline_plan *plan = &job->pipeline[i];
        for (int k = 0; k < plan->n_scorers; k++) {
            const dn_model_info *info = dn_plan_model(plan, k);
            if (info) {
                char *longer = dn_format("%s%s of pipeline %s, %s (sha256 %s, %s)\n", card,
                                         plan->scorer_name[k], plan->name, info->dir, info->sha256,
                                         dn_plan_kernels(plan, k)->precision);
                free(card);
                card = longer;
            }
        }
    }
    return card;
}

static dn_span next_line(dn_span *text) {
    const char *end = memchr(text->ptr, '\n', text->len);
    dn_span line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
    size_t step = line.len + (end != NULL);
    *text = (dn_span){text->ptr + step, text->len - step};
    return line;
}

static dn_status compare(const dn_parts *cards, int rank) {
    dn_span first = dn_parts_get(cards, 0), other = dn_parts_get(cards, rank);
    while (first.len || other.len) {
        dn_span a = next_line(&first), b = next_line(&other);
        if (a.len != b.len || memcmp(a.ptr, b.ptr, a.len) != 0) {
            return DN_FAIL(CONFIG,
                           "ranks disagree: rank 0 has %.*s; rank %d has %.*s: give all of them "
                           "the same files and options",
                           (int)a.len, a.ptr, rank, (int)b.len, b.ptr);
        }
    }
    return DN_OK;
}

dn_status dn_grid_check(dn_comm *comm, const dn_job *job, const char *resolved) {
    char *card = card_of(job, resolved);
    dn_parts cards;
    dn_status status = dn_comm_gather(comm, DN_EVERY_RANK, dn_span_of(card), &cards);
    free(card);
    for (int rank = 1; status == DN_OK && rank < comm->size; rank++) {
        status = compare(&cards, rank);
    }
    dn_parts_free(&cards);
    return status;
}

dn_status dn_grid_connect(const dn_grid *grid, const dn_job *job) {
    for (int i = 0; i < job->n_pipelines && grid->row; i++) {
        const dn_pipeline_plan *plan = &job->pipeline[i];
        for (int k = 0; k < plan->n_scorers; k++) {
            if (plan->group[k] && plan->scorer[k]->connect) {
                DN_TRY(plan->scorer[k]->connect(plan->scorer_conf[k]));
            }
        }
    }
    return DN_OK;
}

void dn_grid_log(const dn_grid *grid, const dn_job *job) {
    for (int i = 0; i < job->n_pipelines && grid->part == 0; i++) {
        const dn_pipeline_plan *plan = &job->pipeline[i];
        for (int k = 0; k < plan->n_scorers; k++) {
            if (plan->group[k]) {
                const dn_model_info *info = dn_plan_model(plan, k);
                dn_log(DN_LOG_INFO,
                       "group %d: %s of pipeline %s in %d parts, %.1f MB of weights here",
                       grid->group, plan->scorer_name[k], plan->name, info->n_parts,
                       (double)info->weight_bytes / 1e6);
            }
        }
    }
}

void dn_grid_close(dn_grid *grid) {
    for (int i = 0; i < grid->n_opened; i++) {
        dn_comm_close(grid->opened[i]);
    }
    dn_comm_close(grid->row);
    *grid = (dn_grid){0};
}
