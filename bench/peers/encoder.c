/* Our side of encoders.py: scores one set of token ids again and again, a pass for every line of
 * standard input, which names a backend; answers with the pass's wall and CPU time.
 *
 *   usage: peer_encoder MODEL_DIR IDS_FILE BATCH_TOKENS THREADS
 *   IDS_FILE: a text a line, ids separated by spaces. */
#include "base/clock.h"
#include "base/memory.h"
#include "model/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { MAX_TEXTS = 1 << 16, MAX_TOKENS = 1 << 22, MAX_LINE = 1 << 16, MAX_OPEN = 16 };

static int32_t token[MAX_TOKENS], text_start[MAX_TEXTS + 1];
static int n_texts;

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "peer_encoder: %s\n", dn_failure_last()->text);
        exit(dn_error_get(dn_failure_last()->error)->exit_status);
    }
}

static void read_ids(const char *path) {
    static char line[MAX_LINE];
    FILE *file = fopen(path, "r");
    int n = 0;
    while (file && n_texts < MAX_TEXTS && fgets(line, sizeof line, file)) {
        char *at = line, *end;
        for (long id = strtol(at, &end, 10); end != at && n < MAX_TOKENS;
             at = end, id = strtol(at, &end, 10)) {
            token[n++] = (int32_t)id;
        }
        text_start[++n_texts] = n;
    }
    if (!file || n_texts == 0) {
        fprintf(stderr, "peer_encoder: %s holds no texts\n", path);
        exit(EX_NOINPUT);
    }
    fclose(file);
}

/** A model on one backend, opened when it is first named. */
typedef struct opened {
    char backend[64];
    dn_model *model;
} opened;

static dn_model *model_of(const char *dir, const char *backend) {
    static opened all[MAX_OPEN];
    for (int i = 0; i < MAX_OPEN; i++) {
        if (!all[i].model) {
            const dn_kernels *kernels;
            must(dn_kernels_select(backend, &kernels));
            must(dn_model_open(dir, kernels, &all[i].model));
            snprintf(all[i].backend, sizeof all[i].backend, "%s", backend);
        }
        if (strcmp(all[i].backend, backend) == 0) {
            return all[i].model;
        }
    }
    fprintf(stderr, "peer_encoder: more than %d backends\n", MAX_OPEN);
    exit(EX_USAGE);
}

typedef struct lane {
    pthread_t thread;
    const dn_model *model;
    int batch_tokens, first, step; /**< scores the batches first, first + step, ... */
} lane;

/** Batches of up to batch_tokens, in the order of the file. */
static void *run_lane(void *lane_) {
    lane *l = lane_;
    dn_workspace *space;
    must(dn_workspace_new(l->model, l->batch_tokens, l->batch_tokens, &space));
    size_t width = (size_t)dn_model_describe(l->model)->score_width;
    float *score = dn_alloc_array((size_t)l->batch_tokens * width, sizeof *score);
    int32_t *start = dn_alloc_array((size_t)l->batch_tokens + 1, sizeof *start);
    for (int batch = 0, begin = 0, end; begin < n_texts; begin = end, batch++) {
        for (end = begin;
             end < n_texts && text_start[end + 1] - text_start[begin] <= l->batch_tokens; end++) {
            start[end - begin + 1] = text_start[end + 1] - text_start[begin];
        }
        dn_batch rows = {end - begin, start[end - begin], token + text_start[begin], start};
        if (batch % l->step == l->first) {
            must(dn_model_score(l->model, space, &rows, score));
        }
    }
    free(score), free(start);
    dn_workspace_free(space);
    return NULL;
}

static int64_t process_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void run_pass(const dn_model *model, int batch_tokens, int n_threads) {
    lane lanes[64];
    int64_t wall_ns = dn_mono_ns(), cpu_ns = process_cpu_ns();
    for (int i = 0; i < n_threads; i++) {
        lanes[i] =
            (lane){.model = model, .batch_tokens = batch_tokens, .first = i, .step = n_threads};
        pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]);
    }
    for (int i = 0; i < n_threads; i++) {
        pthread_join(lanes[i].thread, NULL);
    }
    printf("%lld %lld\n", (long long)(dn_mono_ns() - wall_ns),
           (long long)(process_cpu_ns() - cpu_ns));
    fflush(stdout);
}

int main(int argc, char **argv) {
    char backend[64];
    int batch_tokens = argc == 5 ? atoi(argv[3]) : 0, n_threads = argc == 5 ? atoi(argv[4]) : 0;
    if (batch_tokens < 128 || n_threads < 1 || n_threads > 64) {
        fputs("usage: peer_encoder MODEL_DIR IDS_FILE BATCH_TOKENS THREADS\n", stderr);
        return EX_USAGE;
    }
    read_ids(argv[2]);
    while (fgets(backend, sizeof backend, stdin)) {
        backend[strcspn(backend, "\n")] = '\0';
        run_pass(model_of(argv[1], backend), batch_tokens, n_threads);
    }
    return EX_OK;
}
