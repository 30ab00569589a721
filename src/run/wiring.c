#include "run/wiring.h"

#include "base/memory.h"
#include "sink/sinks.h"
#include "sink/topic.h"

#include <string.h>

static int reader_of(const dn_job *job, const char *topic) {
    for (int i = 0; i < job->n_pipelines; i++) {
        const char *read = dn_source_topic(job->pipeline[i].source, job->pipeline[i].source_conf);
        if (read && strcmp(read, topic) == 0) {
            return i;
        }
    }
    return -1;
}

static void add_wire(dn_wiring *wiring, const dn_job *job, int from, int sink,
                     const _Atomic bool *ended) {
    const dn_pipeline_plan *plan = &job->pipeline[from];
    const char *topic = dn_sink_topic(plan->sink[sink], plan->sink_conf[sink]);
    int to = topic ? reader_of(job, topic) : -1;
    if (to < 0) {
        return;
    }
    dn_wire *wire = &wiring->wire[wiring->n++];
    *wire = (dn_wire){.from = from, .sink = sink, .to = to, .ended = &ended[from]};
    if (plan->sink[sink] == &dn_sink_memory_topic) {
        wire->bus = dn_bus_new(topic, (int)dn_job_topic(job, topic)->partitions);
    }
}

/* All pipelines that read what pipeline i writes are placed already. */
static bool readers_placed(const dn_wiring *wiring, int i, const bool *placed) {
    for (int w = 0; w < wiring->n; w++) {
        if (wiring->wire[w].from == i && !placed[wiring->wire[w].to]) {
            return false;
        }
    }
    return true;
}

static dn_status find_order(const dn_wiring *wiring, const dn_job *job, int *order) {
    bool placed[DN_MAX_PIPELINES] = {false};
    for (int n = 0; n < job->n_pipelines; n++) {
        int next = -1;
        for (int i = job->n_pipelines - 1; i >= 0 && next < 0; i--) {
            next = !placed[i] && readers_placed(wiring, i, placed) ? i : -1;
        }
        if (next < 0) {
            return DN_FAIL(CONFIG, "job %s: pipelines feed each other in a circle", job->conf.job);
        }
        placed[next] = true;
        order[n] = next;
    }
    return DN_OK;
}

dn_status dn_wiring_make(dn_wiring *wiring, const dn_job *job, const _Atomic bool *ended,
                         int *order) {
    for (int i = 0; i < job->n_pipelines; i++) {
        for (int k = 0; k < job->pipeline[i].n_sinks; k++) {
            add_wire(wiring, job, i, k, ended);
        }
    }
    return find_order(wiring, job, order);
}

void dn_wiring_free(dn_wiring *wiring) {
    for (int w = 0; w < wiring->n; w++) {
        dn_bus_free(wiring->wire[w].bus);
    }
    wiring->n = 0;
}

/* The answer to "has the writer ended, and what did it write last?" for a topic of a broker. */
static bool fed(void *ctx, int32_t partition, int64_t *last) {
    const dn_wire *wire = ctx;
    if (!atomic_load(wire->ended)) {
        return false;
    }
    *last = dn_topic_sink_last_acked(dn_pipeline_sink(wire->writer, wire->sink), partition);
    return true;
}

static dn_status commit_writer_letters(void *ctx) {
    const dn_wire *wire = ctx;
    return dn_pipeline_commit_letters(wire->writer);
}

void dn_wiring_connect(dn_wiring *wiring, int i, dn_pipeline_env *env) {
    for (int w = 0; w < wiring->n; w++) {
        dn_wire *wire = &wiring->wire[w];
        if (wire->from == i) {
            env->sink_bus[wire->sink] = wire->bus;
        }
        if (wire->to == i && wire->bus) {
            env->source_bus = wire->bus;
            env->before_commit = commit_writer_letters;
            env->before_commit_ctx = wire;
        } else if (wire->to == i) {
            env->fed = fed;
            env->fed_ctx = wire;
        }
    }
}

static void set_start(dn_bus *bus, const dn_pipeline *reader) {
    for (int p = 0; p < dn_bus_partitions(bus); p++) {
        dn_bus_set_start(bus, p, dn_pipeline_first_offset(reader, p));
    }
}

void dn_wiring_opened(dn_wiring *wiring, int i, dn_pipeline *pipeline) {
    for (int w = 0; w < wiring->n; w++) {
        dn_wire *wire = &wiring->wire[w];
        if (wire->from == i) {
            wire->writer = pipeline;
        }
        if (wire->to == i && wire->bus) {
            set_start(wire->bus, pipeline);
        }
    }
}

void dn_wiring_ended(dn_wiring *wiring, int i) {
    for (int w = 0; w < wiring->n; w++) {
        if (wiring->wire[w].from == i && wiring->wire[w].bus) {
            dn_bus_end(wiring->wire[w].bus);
        }
    }
}

bool dn_wiring_feeds(const dn_wiring *wiring, int i) {
    for (int w = 0; w < wiring->n; w++) {
        if (wiring->wire[w].to == i && wiring->wire[w].bus) {
            return true;
        }
    }
    return false;
}

void dn_wiring_release(dn_wiring *wiring) {
    for (int w = 0; w < wiring->n; w++) {
        if (wiring->wire[w].bus) {
            dn_bus_end(wiring->wire[w].bus);
        }
    }
}
