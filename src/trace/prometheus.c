#include "trace/prometheus.h"

#include "base/version.h"
#include "trace/proc.h"

#include <inttypes.h>
#include <math.h>

typedef struct writer {
    FILE *out;
    int rank;
    const dn_metrics_pipeline *pipelines;
    int n;
} writer;

static void head(const writer *w, const char *name, const char *type, const char *help) {
    fprintf(w->out, "# HELP dunlin_%s %s\n# TYPE dunlin_%s %s\n", name, help, name, type);
}

/* Backslash, quote and newline are all that the format wants escaped in a label. */
static void put_escaped(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\\' || *text == '"') {
            fputc('\\', out);
        }
        if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void sample(const writer *w, const char *name, const dn_metrics_pipeline *p,
                   const char *label, const char *label_value, double value) {
    fprintf(w->out, "dunlin_%s{rank=\"%d\",pipeline=\"", name, w->rank);
    put_escaped(w->out, p->name);
    if (label) {
        fprintf(w->out, "\",%s=\"", label);
        put_escaped(w->out, label_value);
    }
    fprintf(w->out, "\"} %.17g\n", value);
}

/* Of a class of a column, or of the column alone. */
static void sample_share(const writer *w, const char *name, const dn_metrics_pipeline *p,
                         const dn_share *share, bool with_label, double value) {
    fprintf(w->out, "dunlin_%s{rank=\"%d\",pipeline=\"", name, w->rank);
    put_escaped(w->out, p->name);
    fputs("\",column=\"", w->out);
    put_escaped(w->out, share->column);
    if (with_label) {
        fputs("\",label=\"", w->out);
        put_escaped(w->out, share->label);
    }
    fprintf(w->out, "\"} %.17g\n", value);
}

/* Metrics of one number per pipeline. */
typedef double getter(const dn_pipeline_stats *stats);

static double consumed(const dn_pipeline_stats *stats) {
    return (double)stats->source.records;
}
static double consumed_bytes(const dn_pipeline_stats *stats) {
    return (double)stats->source.bytes;
}
static double tokens(const dn_pipeline_stats *stats) {
    return (double)stats->tokens;
}
static double foreign_rows(const dn_pipeline_stats *stats) {
    return (double)stats->foreign_rows;
}
static double linear_rows(const dn_pipeline_stats *stats) {
    return (double)stats->linear_rows;
}
static double saved_tokens(const dn_pipeline_stats *stats) {
    return (double)(stats->foreign_tokens + stats->linear_tokens);
}
static double dead(const dn_pipeline_stats *stats) {
    return (double)stats->fate[DN_DEAD];
}
static double lag(const dn_pipeline_stats *stats) {
    return (double)stats->source.lag;
}

static const struct {
    const char *name, *type, *help;
    getter *get;
} plain[] = {
    {"records_consumed_total", "counter", "Records read from the source.", consumed},
    {"consumed_bytes_total", "counter", "Payload read from the source.", consumed_bytes},
    {"records_dead_lettered_total", "counter", "Bad records.", dead},
    {"tokens_total", "counter", "Tokens of the texts.", tokens},
    {"texts_other_language_total", "counter",
     "Texts that a model did not score: they are in languages that it does not serve.",
     foreign_rows},
    {"texts_linear_total", "counter", "Texts that a linear model answered before an encoder.",
     linear_rows},
    {"tokens_saved_total", "counter", "Tokens of the texts that no encoder read for one of both.",
     saved_tokens},
    {"consumer_lag_records", "gauge",
     "Records behind the end of the topic, or ns behind the schedule of a replay; -1 unknown.",
     lag},
};

static void put_plain(const writer *w) {
    for (size_t m = 0; m < sizeof plain / sizeof *plain; m++) {
        head(w, plain[m].name, plain[m].type, plain[m].help);
        for (int i = 0; i < w->n; i++) {
            sample(w, plain[m].name, &w->pipelines[i], NULL, NULL,
                   plain[m].get(w->pipelines[i].stats));
        }
    }
}

static void put_fates(const writer *w) {
    static const char *const fates[DN_FATES] = {
        [DN_KEPT] = "kept", [DN_REPEAT] = "repeat", [DN_FILTERED] = "filtered", [DN_DEAD] = "dead"};
    head(w, "records_total", "counter", "What became of the records.");
    for (int i = 0; i < w->n; i++) {
        for (int fate = 0; fate < DN_FATES; fate++) {
            sample(w, "records_total", &w->pipelines[i], "fate", fates[fate],
                   (double)w->pipelines[i].stats->fate[fate]);
        }
    }
}

static void put_stages(const writer *w) {
    head(w, "stage_busy_seconds_total", "counter", "Busy time of a part, summed over its threads.");
    for (int i = 0; i < w->n; i++) {
        const dn_pipeline_stats *stats = w->pipelines[i].stats;
        for (int part = 0; part < stats->n_parts; part++) {
            sample(w, "stage_busy_seconds_total", &w->pipelines[i], "stage", stats->part[part].name,
                   (double)stats->part[part].busy_ns / 1e9);
        }
    }
    head(w, "stage_rows_total", "counter", "Rows that went through a part.");
    for (int i = 0; i < w->n; i++) {
        const dn_pipeline_stats *stats = w->pipelines[i].stats;
        for (int part = 0; part < stats->n_parts; part++) {
            sample(w, "stage_rows_total", &w->pipelines[i], "stage", stats->part[part].name,
                   (double)stats->part[part].rows);
        }
    }
}

static void put_queues(const writer *w) {
    head(w, "queue_depth_chunks", "gauge", "Chunks waiting in a queue.");
    for (int i = 0; i < w->n; i++) {
        const dn_pipeline_stats *stats = w->pipelines[i].stats;
        for (int ring = 0; ring < stats->n_rings; ring++) {
            sample(w, "queue_depth_chunks", &w->pipelines[i], "queue", stats->ring[ring].name,
                   (double)stats->ring[ring].stats.depth);
        }
    }
}

static void put_sinks(const writer *w) {
    static const struct {
        const char *name, *help;
    } metrics[] = {{"rows_written_total", "Rows made durable."},
                   {"written_bytes_total", "Bytes made durable."},
                   {"segments_committed_total", "Commits of a sink."}};
    for (int m = 0; m < 3; m++) {
        head(w, metrics[m].name, "counter", metrics[m].help);
        for (int i = 0; i < w->n; i++) {
            for (int sink = 0; sink < w->pipelines[i].n_sinks; sink++) {
                const dn_sink_stats *s = &w->pipelines[i].stats->sink[sink];
                const int64_t value[] = {s->rows, s->bytes, s->commits};
                sample(w, metrics[m].name, &w->pipelines[i], "sink", w->pipelines[i].sinks[sink],
                       (double)value[m]);
            }
        }
    }
}

/* A bucket per power of two from 1 us to 1,000 s: dn_hist's own 1,900 would be a flood. */
static void put_histogram(const writer *w, const char *name, const dn_metrics_pipeline *p,
                          const dn_hist *hist) {
    enum { FIRST = 10, LAST = 40 };
    uint32_t bucket = 0;
    uint64_t sum = 0;
    double seconds = 0;
    char metric[64], bound[32];
    snprintf(metric, sizeof metric, "%s_bucket", name);
    for (int power = FIRST; power <= LAST; power++) {
        for (; bucket < DN_HIST_BUCKETS && dn_hist_lower(bucket) < UINT64_C(1) << power; bucket++) {
            sum += hist->count[bucket];
            seconds += (double)hist->count[bucket] * (double)dn_hist_lower(bucket) / 1e9;
        }
        snprintf(bound, sizeof bound, "%.9g", (double)(UINT64_C(1) << power) / 1e9);
        sample(w, metric, p, "le", bound, (double)sum);
    }
    for (; bucket < DN_HIST_BUCKETS; bucket++) {
        sum += hist->count[bucket];
        seconds += (double)hist->count[bucket] * (double)dn_hist_lower(bucket) / 1e9;
    }
    sample(w, metric, p, "le", "+Inf", (double)sum);
    snprintf(metric, sizeof metric, "%s_sum", name);
    sample(w, metric, p, NULL, NULL, seconds);
    snprintf(metric, sizeof metric, "%s_count", name);
    sample(w, metric, p, NULL, NULL, (double)sum);
}

static void put_latencies(const writer *w) {
    static const struct {
        const char *name, *help;
        size_t offset;
    } metrics[] = {
        {"end_to_end_latency_seconds", "From the intended send time to the write.",
         offsetof(dn_pipeline_latency, response)},
        {"service_latency_seconds", "From polling to the write.",
         offsetof(dn_pipeline_latency, service)},
    };
    for (int m = 0; m < 2; m++) {
        bool begun = false;
        for (int i = 0; i < w->n; i++) {
            const dn_metrics_pipeline *p = &w->pipelines[i];
            if (p->latency && !begun) {
                head(w, metrics[m].name, "histogram", metrics[m].help);
                begun = true;
            }
            if (p->latency) {
                put_histogram(w, metrics[m].name, p,
                              (const dn_hist *)((const char *)p->latency + metrics[m].offset));
            }
        }
    }
}

static void put_process(const writer *w) {
    dn_proc_sample proc;
    dn_proc_read(&proc);
    head(w, "build_info", "gauge", "Version of the program.");
    fprintf(w->out, "dunlin_build_info{rank=\"%d\",version=\"%s\",git_commit=\"%s\"} 1\n", w->rank,
            dn_version(), dn_git_commit());
    head(w, "process_cpu_seconds_total", "counter", "CPU time of the process.");
    fprintf(w->out, "dunlin_process_cpu_seconds_total{rank=\"%d\"} %.9g\n", w->rank,
            (double)(proc.cpu_user_ns + proc.cpu_system_ns) / 1e9);
    head(w, "process_resident_memory_bytes", "gauge", "Resident memory of the process.");
    fprintf(w->out, "dunlin_process_resident_memory_bytes{rank=\"%d\"} %" PRId64 "\n", w->rank,
            proc.rss_bytes);
}

static double share_now(const dn_share *share) {
    return share->of ? (double)share->count / (double)share->of : 0;
}
static double share_then(const dn_share *share) {
    return share->baseline;
}
static double share_psi(const dn_share *share) {
    return share->psi;
}

static void put_shares(const writer *w) {
    static const struct {
        const char *name, *help;
        double (*get)(const dn_share *share);
        bool with_label; /* else one of the column */
    } metrics[] = {
        {"label_share", "Share of a class among the newest rows of a column.", share_now, true},
        {"label_baseline_share", "Share of the class in the baseline.", share_then, true},
        {"label_psi", "Population stability index of a column against the baseline.", share_psi,
         false},
    };
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        head(w, metrics[m].name, "gauge", metrics[m].help);
        for (int i = 0; i < w->n; i++) {
            const dn_metrics_pipeline *p = &w->pipelines[i];
            for (int k = 0; k < p->n_shares; k++) {
                const dn_share *share = &p->shares[k];
                bool first = k == 0 || share->column != share[-1].column;
                double value = metrics[m].get(share);
                if (!isnan(value) && (first || metrics[m].with_label)) {
                    sample_share(w, metrics[m].name, p, share, metrics[m].with_label, value);
                }
            }
        }
    }
}

void dn_prometheus_write(FILE *out, int rank, const dn_metrics_pipeline *pipelines, int n) {
    const writer w = {out, rank, pipelines, n};
    put_process(&w);
    put_plain(&w);
    put_fates(&w);
    put_stages(&w);
    put_queues(&w);
    put_sinks(&w);
    put_latencies(&w);
    put_shares(&w);
}
