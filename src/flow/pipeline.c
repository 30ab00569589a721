/** Set-up and tear-down of a pipeline. */
#include "flow/pipeline.h"

#include "base/memory.h"
#include "flow/pipeline_parts.h"

#include <stdlib.h>

enum { RING_CHUNKS = 8 };

/* ---- binding ---- */

static dn_status name_part(dn_status status, const char *pipeline, const char *part) {
    if (status == DN_FATAL) {
        dn_failure failure = *dn_failure_last();
        return dn_fail(status, failure.error, failure.file, failure.line, "pipeline %s, %s: %s",
                       pipeline, part, failure.text);
    }
    return status;
}

#define BIND(ops, conf)                                                                            \
    DN_TRY(name_part((ops)->bind ? (ops)->bind(conf, &bind) : DN_OK, plan->name, (ops)->name))

dn_status dn_pipeline_bind(dn_pipeline_plan *plan, const dn_bind *job_bind) {
    dn_bind bind = *job_bind;
    bind.schema = &plan->schema;
    bind.pipeline = plan->name;
    plan->bound = true;
    BIND(plan->source, plan->source_conf);
    for (int i = 0; i < plan->n_stages; i++) {
        BIND(plan->stage[i], plan->stage_conf[i]);
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        bind.group = plan->group[i];
        DN_TRY(name_part(plan->scorer[i]->bind(plan->scorer_conf[i], &bind), plan->name,
                         plan->scorer_name[i]));
    }
    bind.group = NULL;
    for (int i = 0; i < plan->n_sinks; i++) {
        BIND(plan->sink[i], plan->sink_conf[i]);
    }
    BIND(plan->letters, plan->letters_conf);
    return DN_OK;
}

#undef BIND

void dn_pipeline_unbind(dn_pipeline_plan *plan) {
    if (!plan->bound) {
        return;
    }
    plan->bound = false;
    if (plan->source->unbind) {
        plan->source->unbind(plan->source_conf);
    }
    for (int i = 0; i < plan->n_stages; i++) {
        if (plan->stage[i]->unbind) {
            plan->stage[i]->unbind(plan->stage_conf[i]);
        }
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        if (plan->scorer[i]->unbind) {
            plan->scorer[i]->unbind(plan->scorer_conf[i]);
        }
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        if (plan->sink[i]->unbind) {
            plan->sink[i]->unbind(plan->sink_conf[i]);
        }
    }
    if (plan->letters->unbind) {
        plan->letters->unbind(plan->letters_conf);
    }
}

/* ---- opening ---- */

dn_status dn_pipeline_identity(const dn_pipeline_plan *plan, char out[17]) {
    uint64_t identity;
    out[0] = '\0';
    if (plan->source->identity) {
        DN_TRY(name_part(plan->source->identity(plan->source_conf, &identity), plan->name,
                         plan->source->name));
        snprintf(out, 17, "%016llx", (unsigned long long)identity);
    }
    return DN_OK;
}

static dn_status open_sinks(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    dn_sink_env env = {
        .job = plan->job,
        .pipeline = plan->name,
        .output = pipeline->env.output,
        .run_id = pipeline->env.run_id,
        .resolved_job = pipeline->env.resolved_job,
        .model_sha256 = pipeline->env.model_sha256,
        .schema = &plan->schema,
        .source_identity = pipeline->identity,
        .topic = pipeline->topic,
        .topic_in_kafka = plan->source->in_kafka,
        .rank = pipeline->env.rank,
        .size = pipeline->env.size,
        .n_partitions = pipeline->n_partitions,
        .kafka = pipeline->env.kafka,
    };
    pipeline->letters_env = env;
    for (int i = 0; i < plan->n_sinks; i++) {
        pipeline->sink_env[i] = env;
        pipeline->sink_env[i].bus = pipeline->env.sink_bus[i];
        for (int k = 0; k < i; k++) {
            pipeline->sink_env[i].n_before += plan->sink[k] == plan->sink[i];
        }
        DN_TRY(name_part(
            plan->sink[i]->open(plan->sink_conf[i], &pipeline->sink_env[i], &pipeline->sink[i]),
            plan->name, plan->sink[i]->name));
    }
    return plan->letters->open(plan->letters_conf, &pipeline->letters_env, &pipeline->letters);
}

int64_t dn_pipeline_lowest_cursor(const dn_pipeline *pipeline, int partition) {
    int64_t lowest = INT64_MAX;
    for (int i = 0; i < pipeline->plan->n_sinks; i++) {
        int64_t cursor = pipeline->cursor[i * pipeline->n_partitions + partition];
        lowest = cursor < lowest ? cursor : lowest;
    }
    return lowest;
}

/* Each partition begins at the lowest cursor of the sinks; a sink without one wants the whole. */
static void find_start(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    for (int p = 0; p < pipeline->n_partitions; p++) {
        bool own = p % pipeline->env.size == pipeline->env.rank;
        for (int i = 0; i < plan->n_sinks; i++) {
            pipeline->cursor[i * pipeline->n_partitions + p] =
                own ? plan->sink[i]->cursor(pipeline->sink[i], p) : DN_CURSOR_NONE;
        }
        pipeline->start[p] = dn_pipeline_lowest_cursor(pipeline, p);
        pipeline->reported[p] = pipeline->start[p];
    }
}

static dn_status open_source(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    pipeline->source_env = (dn_source_env){
        .job = plan->job,
        .pipeline = plan->name,
        .output = pipeline->env.output,
        .rank = pipeline->env.rank,
        .size = pipeline->env.size,
        .n_partitions = pipeline->n_partitions,
        .start = pipeline->start,
        .bounded = pipeline->env.bounded,
        .kafka = pipeline->env.kafka,
        .fed = pipeline->env.fed,
        .fed_ctx = pipeline->env.fed_ctx,
        .bus = pipeline->env.source_bus,
    };
    return name_part(
        plan->source->open(plan->source_conf, &pipeline->source_env, &pipeline->source), plan->name,
        plan->source->name);
}

static dn_station *add_station(dn_pipeline *pipeline, const char *name, void *(*body)(void *),
                               int n_crew, bool ordered) {
    dn_station *station = &pipeline->station[pipeline->n_stations++];
    station->pipeline = pipeline;
    snprintf(station->name, sizeof station->name, "%s", name);
    station->in = dn_ring_new(RING_CHUNKS);
    station->body = body;
    station->n_crew = n_crew;
    station->crew = dn_alloc_array((size_t)n_crew, sizeof *station->crew);
    for (int i = 0; i < n_crew; i++) {
        station->crew[i].station = station;
        station->crew[i].index = i;
    }
    if (ordered) {
        station->reorder = dn_reorder_new(pipeline->n_partitions);
    }
    if (pipeline->n_stations > 1) {
        station[-1].next = station;
    }
    return station;
}

/* Stages of one kind in a row share a station. */
static void add_text_stations(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    dn_station *station = NULL;
    for (int i = 0; i < plan->n_stages; i++) {
        bool ordered = plan->stage[i]->order == DN_ORDERED;
        if (!station || ordered != (station->reorder != NULL)) {
            station = add_station(pipeline, ordered ? "ordered" : "text", dn_text_body,
                                  ordered ? 1 : plan->text_threads, ordered);
        }
        station->step[station->n_steps++] =
            (dn_step){plan->stage[i], plan->stage_conf[i], &pipeline->stage_meter[i]};
    }
}

static void add_prepare_station(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    dn_station *station = NULL;
    for (int i = 0; i < plan->n_sinks; i++) {
        if (plan->sink[i]->prepare) {
            station = station ? station
                              : add_station(pipeline, "prepare", dn_text_body,
                                            plan->prepare_threads, false);
            station->step[station->n_steps++] =
                (dn_step){plan->sink[i]->prepare, plan->sink_conf[i], &pipeline->prepare_meter[i]};
        }
    }
}

/** The first restores the order of each partition's chunks, and the others get them in it. */
static void add_sink_stations(dn_pipeline *pipeline) {
    for (int i = 0; i < pipeline->plan->n_sinks; i++) {
        dn_station *station = add_station(pipeline, "sink", dn_sink_body, 1, i == 0);
        station->sink = i;
        if (i > 0) {
            snprintf(station->name, sizeof station->name, "sink%d", i + 1);
        }
    }
}

static dn_status open_workers(dn_station *station) {
    for (int c = 0; c < station->n_crew; c++) {
        for (int i = 0; i < station->n_steps; i++) {
            const dn_step *step = &station->step[i];
            if (step->ops->open) {
                DN_TRY(step->ops->open(step->conf, &station->crew[c].worker[i]));
            }
        }
    }
    return DN_OK;
}

static dn_status add_model_station(dn_pipeline *pipeline, int i) {
    const dn_pipeline_plan *plan = pipeline->plan;
    bool follows = pipeline->env.follows;
    int n_threads = plan->group[i] ? 1 : plan->model_threads[i];
    dn_station *station = add_station(pipeline, plan->scorer_name[i],
                                      follows ? dn_follow_body : dn_model_body, n_threads, false);
    station->scorer = i;
    for (int c = 0; c < station->n_crew; c++) {
        dn_scorer_env env = {
            .model = i, .thread = c, .listener = dn_model_note, .listener_ctx = pipeline};
        DN_TRY(plan->scorer[i]->open(plan->scorer_conf[i], &env, &station->crew[c].scorer));
    }
    return DN_OK;
}

static dn_status open_stations(dn_pipeline *pipeline) {
    add_text_stations(pipeline);
    for (int i = 0; i < pipeline->plan->n_scorers; i++) {
        DN_TRY(add_model_station(pipeline, i));
    }
    add_prepare_station(pipeline);
    add_sink_stations(pipeline);
    for (int i = 0; i < pipeline->n_stations; i++) {
        DN_TRY(open_workers(&pipeline->station[i]));
    }
    return DN_OK;
}

static void make_chunks(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    pipeline->free_chunks = dn_ring_new((size_t)plan->n_chunks);
    pipeline->chunk = dn_alloc_array((size_t)plan->n_chunks, sizeof *pipeline->chunk);
    for (int i = 0; i < plan->n_chunks; i++) {
        pipeline->chunk[i] = dn_chunk_new(&plan->schema);
        dn_ring_push(pipeline->free_chunks, pipeline->chunk[i], 0);
    }
}

/* Only what its part of the models needs. */
static dn_status open_follower(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    pipeline->free_chunks = dn_ring_new(1);
    for (int i = 0; i < plan->n_scorers; i++) {
        if (plan->group[i]) {
            DN_TRY(add_model_station(pipeline, i));
        }
    }
    pipeline->n_following = pipeline->n_stations;
    return DN_OK;
}

static void find_tokens(dn_pipeline *pipeline) {
    const dn_schema *schema = &pipeline->plan->schema;
    for (int i = 0; i < schema->n; i++) {
        const char *name = schema->field[i].name;
        if (strcmp(name, "tokens") == 0 || strncmp(name, "tokens.", 7) == 0) {
            pipeline->tokens_field[pipeline->n_tokens_fields++] = i;
        }
    }
}

static dn_status open_parts(dn_pipeline *pipeline) {
    const dn_pipeline_plan *plan = pipeline->plan;
    DN_TRY(name_part(plan->source->describe(plan->source_conf, pipeline->env.kafka,
                                            &pipeline->topic, &pipeline->n_partitions),
                     plan->name, plan->source->name));
    pipeline->start = dn_alloc_array((size_t)pipeline->n_partitions, sizeof *pipeline->start);
    pipeline->reported = dn_alloc_array((size_t)pipeline->n_partitions, sizeof *pipeline->reported);
    pipeline->cursor =
        dn_alloc_array((size_t)(plan->n_sinks * pipeline->n_partitions), sizeof *pipeline->cursor);
    pipeline->sequence = dn_alloc_array((size_t)pipeline->n_partitions, sizeof *pipeline->sequence);
    find_tokens(pipeline);
    pipeline->labels = dn_labels_new(&plan->schema, pipeline->env.window_rows, pipeline->env.window,
                                     pipeline->env.window_ctx);
    DN_TRY(dn_pipeline_identity(plan, pipeline->identity));
    DN_TRY(open_sinks(pipeline));
    find_start(pipeline);
    DN_TRY(open_source(pipeline));
    DN_TRY(open_stations(pipeline));
    make_chunks(pipeline);
    return DN_OK;
}

dn_status dn_pipeline_open(const dn_pipeline_plan *plan, const dn_pipeline_env *env,
                           dn_pipeline **out) {
    dn_pipeline *pipeline = dn_alloc(sizeof *pipeline);
    pipeline->plan = plan;
    pipeline->env = *env;
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_mutex_init(&pipeline->letters_lock, NULL);
    pthread_mutex_init(&pipeline->cursors_lock, NULL);
    pipeline->source_stats = (dn_source_stats){.total_records = -1, .lag = -1};
    dn_status status = env->follows ? open_follower(pipeline) : open_parts(pipeline);
    if (status != DN_OK) {
        dn_pipeline_close(pipeline);
        return status;
    }
    *out = pipeline;
    return DN_OK;
}

/* ---- running ---- */

static void close_rings(dn_pipeline *pipeline) {
    dn_ring_close(pipeline->free_chunks);
    for (int i = 0; i < pipeline->n_stations; i++) {
        dn_ring_close(pipeline->station[i].in);
    }
}

void dn_pipeline_abort(dn_pipeline *pipeline) {
    atomic_store(&pipeline->aborted, true);
    close_rings(pipeline);
}

void dn_pipeline_drain(dn_pipeline *pipeline) {
    atomic_store(&pipeline->drain, true);
}

void dn_pipeline_fail_at_end(dn_pipeline *pipeline, dn_status status) {
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->status == DN_OK) {
        pipeline->status = status;
        pipeline->failure = *dn_failure_last();
    }
    pthread_mutex_unlock(&pipeline->lock);
}

void dn_pipeline_fail(dn_pipeline *pipeline, dn_status status) {
    dn_pipeline_fail_at_end(pipeline, status);
    dn_pipeline_abort(pipeline);
}

bool dn_pipeline_failed(dn_pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    bool failed = pipeline->status != DN_OK;
    pthread_mutex_unlock(&pipeline->lock);
    return failed;
}

bool dn_pipeline_aborted(dn_pipeline *pipeline) {
    return atomic_load(&pipeline->aborted);
}

static dn_status start_thread(dn_pipeline *pipeline, pthread_t *thread, void *(*body)(void *),
                              void *arg, const char *name, int index) {
    int rc = pthread_create(thread, NULL, body, arg);
    if (rc != 0) {
        return DN_FAIL(SYSTEM, "pipeline %s: no thread for %s: %s", pipeline->plan->name, name,
                       strerror(rc));
    }
    char label[32];
    snprintf(label, sizeof label, "%.4s-%.6s-%d", pipeline->plan->name, name, index);
    label[15] = '\0'; /* the kernel takes no more */
    pthread_setname_np(*thread, label);
    return DN_OK;
}

static dn_status start_threads(dn_pipeline *pipeline) {
    for (int i = pipeline->n_stations - 1; i >= 0; i--) {
        dn_station *station = &pipeline->station[i];
        atomic_store(&station->running, station->n_crew);
        for (int c = 0; c < station->n_crew; c++) {
            dn_crew *crew = &station->crew[c];
            DN_TRY(start_thread(pipeline, &crew->thread, station->body, crew, station->name, c));
            crew->started = true;
        }
    }
    if (pipeline->env.follows) {
        return DN_OK;
    }
    DN_TRY(start_thread(pipeline, &pipeline->poll_thread, dn_poll_body, pipeline, "poll", 0));
    pipeline->poll_started = true;
    return DN_OK;
}

dn_status dn_pipeline_start(dn_pipeline *pipeline) {
    if (pipeline->env.follows && pipeline->n_stations == 0 && pipeline->env.ended) {
        pipeline->env.ended(pipeline->env.ended_ctx);
    }
    dn_status status = start_threads(pipeline);
    if (status != DN_OK) {
        dn_pipeline_fail(pipeline, status);
    }
    return status;
}

dn_status dn_pipeline_join(dn_pipeline *pipeline) {
    if (pipeline->poll_started) {
        pthread_join(pipeline->poll_thread, NULL);
        pipeline->poll_started = false;
    }
    for (int i = 0; i < pipeline->n_stations; i++) {
        for (int c = 0; c < pipeline->station[i].n_crew; c++) {
            dn_crew *crew = &pipeline->station[i].crew[c];
            if (crew->started) {
                pthread_join(crew->thread, NULL);
                crew->started = false;
            }
        }
    }
    if (pipeline->status != DN_OK) {
        dn_failure_set(&pipeline->failure);
    }
    return pipeline->status;
}

/* ---- closing ---- */

static void close_station(dn_pipeline *pipeline, dn_station *station) {
    const dn_pipeline_plan *plan = pipeline->plan;
    for (int c = 0; c < station->n_crew; c++) {
        for (int i = 0; i < station->n_steps; i++) {
            const dn_stage_ops *ops = station->step[i].ops;
            if (ops->close && station->crew[c].worker[i]) {
                ops->close(station->crew[c].worker[i]);
            }
        }
        if (station->crew[c].scorer) {
            plan->scorer[station->scorer]->close(station->crew[c].scorer);
        }
    }
    free(station->crew);
    dn_ring_free(station->in);
    dn_reorder_free(station->reorder);
}

void dn_pipeline_close(dn_pipeline *pipeline) {
    if (!pipeline) {
        return;
    }
    const dn_pipeline_plan *plan = pipeline->plan;
    for (int i = 0; i < pipeline->n_stations; i++) {
        close_station(pipeline, &pipeline->station[i]);
    }
    if (pipeline->source) {
        plan->source->close(pipeline->source);
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        if (pipeline->sink[i]) {
            plan->sink[i]->close(pipeline->sink[i]);
        }
    }
    if (pipeline->letters) {
        plan->letters->close(pipeline->letters);
    }
    for (int i = 0; pipeline->chunk && i < plan->n_chunks; i++) {
        dn_chunk_free(pipeline->chunk[i]);
    }
    free(pipeline->chunk);
    dn_labels_free(pipeline->labels);
    dn_ring_free(pipeline->free_chunks);
    free(pipeline->start);
    free(pipeline->reported);
    free(pipeline->cursor);
    free(pipeline->sequence);
    pthread_mutex_destroy(&pipeline->lock);
    pthread_mutex_destroy(&pipeline->letters_lock);
    pthread_mutex_destroy(&pipeline->cursors_lock);
    free(pipeline);
}
