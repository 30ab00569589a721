#include "run/telemetry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>

enum { EVENTS = 4096 };
static const int64_t SAMPLE_NS = 1000000000;

typedef struct channel {
    dn_telemetry *telemetry;
    dn_batch_totals totals[DN_MAX_SCORERS];
    int first[DN_MAX_SCORERS], n_threads; /* first of each model, of all models */
    dn_events **events; /* [n_threads], those of a model together; NULL without a trace */
    dn_drift *drift;
    int64_t n_looks; /* of drift, in the trace */
} channel;

struct dn_telemetry {
    dn_trace *trace;
    bool warned;
    int64_t sampled_mono_ns;
    int n;
    channel channel[DN_MAX_PIPELINES];
};

dn_telemetry *dn_telemetry_new(dn_trace *trace) {
    dn_telemetry *telemetry = dn_alloc(sizeof *telemetry);
    telemetry->trace = trace;
    return telemetry;
}

void *dn_telemetry_channel(dn_telemetry *telemetry, int pipeline, int n_models,
                           const int *model_threads) {
    channel *own = &telemetry->channel[pipeline];
    telemetry->n = pipeline >= telemetry->n ? pipeline + 1 : telemetry->n;
    own->telemetry = telemetry;
    if (telemetry->trace) {
        for (int i = 0; i < n_models; i++) {
            own->first[i] = own->n_threads;
            own->n_threads += model_threads[i];
        }
        own->events = dn_alloc_array((size_t)own->n_threads, sizeof(dn_events *));
        for (int i = 0; i < own->n_threads; i++) {
            own->events[i] = dn_events_new(EVENTS, sizeof(dn_batch_event));
        }
    }
    return own;
}

void dn_telemetry_watch(dn_telemetry *telemetry, int pipeline, dn_drift *drift) {
    telemetry->channel[pipeline].drift = drift;
}

const dn_batch_totals *dn_telemetry_totals(const dn_telemetry *telemetry, int pipeline, int model) {
    return &telemetry->channel[pipeline].totals[model];
}

void dn_telemetry_batch(void *ctx, const dn_batch_event *event) {
    channel *own = ctx;
    dn_batch_totals_add(&own->totals[event->model], event);
    if (own->events) {
        dn_events_put(own->events[own->first[event->model] + event->thread], event);
    }
}

static void move_events(dn_telemetry *telemetry) {
    for (int p = 0; p < telemetry->n; p++) {
        channel *own = &telemetry->channel[p];
        for (int i = 0; i < own->n_threads; i++) {
            for (dn_batch_event event; dn_events_take(own->events[i], &event);) {
                dn_trace_batch(telemetry->trace, p, &event);
            }
        }
    }
}

static void warn_once(dn_telemetry *telemetry) {
    const char *warning = dn_trace_warning(telemetry->trace);
    if (warning && !telemetry->warned) {
        telemetry->warned = true;
        dn_log(DN_LOG_WARN, "the trace ends here, the run goes on: %s", warning);
    }
}

/* Where rows have been counted anew since the last time. */
static void sample_labels(dn_telemetry *telemetry, int p) {
    channel *own = &telemetry->channel[p];
    const dn_share *shares;
    int n;
    int64_t n_looks = dn_drift_shares(own->drift, &shares, &n);
    if (n_looks > own->n_looks) {
        own->n_looks = n_looks;
        dn_trace_sample_labels(telemetry->trace, p, shares, n);
    }
}

void dn_telemetry_tick(dn_telemetry *telemetry, dn_pipeline *const *pipelines) {
    if (!telemetry->trace) {
        return;
    }
    move_events(telemetry);
    int64_t now = dn_mono_ns();
    if (now - telemetry->sampled_mono_ns >= SAMPLE_NS) {
        telemetry->sampled_mono_ns = now;
        dn_trace_sample_system(telemetry->trace);
        for (int p = 0; p < telemetry->n; p++) {
            dn_pipeline_stats stats;
            dn_pipeline_read(pipelines[p], &stats);
            dn_trace_sample_pipeline(telemetry->trace, p, &stats);
            sample_labels(telemetry, p);
        }
    }
    warn_once(telemetry);
}

static void finish_pipeline(dn_telemetry *telemetry, const dn_report *report, int p) {
    static const char *const names[] = {"response_ns", "service_ns"};
    const dn_hist *hists[] = {&report->pipeline[p].latency.response,
                              &report->pipeline[p].latency.service};
    dn_trace_stages(telemetry->trace, p, &report->pipeline[p].stats);
    for (int i = 0; i < 2; i++) {
        char *name = dn_format("%s.%s", report->name[p], names[i]);
        dn_trace_histogram(telemetry->trace, name, hists[i]);
        free(name);
    }
}

/* The last samples stand at the very end, so that differences of counters cover the whole run. */
static void sample_end(dn_telemetry *telemetry, const dn_report *report) {
    dn_trace_sample_system(telemetry->trace);
    for (int p = 0; p < report->n_pipelines; p++) {
        dn_trace_sample_pipeline(telemetry->trace, p, &report->pipeline[p].stats);
        sample_labels(telemetry, p);
    }
}

static void add_summary(dn_telemetry *telemetry, const dn_report *report) {
    char *json = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&json, &size_bytes);
    if (out) {
        dn_report_print_json(report, out);
        fclose(out);
        dn_trace_summary(telemetry->trace, json);
        free(json);
    }
}

static uint64_t lost_events(const dn_telemetry *telemetry) {
    uint64_t lost = 0;
    for (int p = 0; p < telemetry->n; p++) {
        for (int i = 0; i < telemetry->channel[p].n_threads; i++) {
            lost += dn_events_lost(telemetry->channel[p].events[i]);
        }
    }
    return lost;
}

void dn_telemetry_finish(dn_telemetry *telemetry, const dn_report *report) {
    if (!telemetry->trace) {
        return;
    }
    move_events(telemetry);
    sample_end(telemetry, report);
    for (int p = 0; p < report->n_pipelines; p++) {
        finish_pipeline(telemetry, report, p);
    }
    add_summary(telemetry, report);
    warn_once(telemetry);
    if (lost_events(telemetry)) {
        dn_log(DN_LOG_WARN, "the trace lacks %llu batches: they came faster than it was written",
               (unsigned long long)lost_events(telemetry));
    }
    dn_trace_close(telemetry->trace);
    telemetry->trace = NULL;
}

void dn_telemetry_free(dn_telemetry *telemetry) {
    if (!telemetry) {
        return;
    }
    dn_trace_close(telemetry->trace);
    for (int p = 0; p < telemetry->n; p++) {
        for (int i = 0; i < telemetry->channel[p].n_threads; i++) {
            dn_events_free(telemetry->channel[p].events[i]);
        }
        free(telemetry->channel[p].events);
    }
    free(telemetry);
}
