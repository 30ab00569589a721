#include "run/status.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/json_write.h"
#include "run/output.h"
#include "trace/prometheus.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t EVERY_NS = 1000000000;

struct dn_status_writer {
    char *path, *metrics, *beside, *run_id;
    int rank, size, tp;
    int64_t start_mono_ns, written_mono_ns;
    dn_pipeline_stats
        last[DN_MAX_PIPELINES]; /* as written the time before: rates are differences */
    dn_out out;
};

dn_status_writer *dn_status_writer_new(const char *output, const char *run_id, int rank, int size,
                                       int tp) {
    char *folder = dn_format("%s/status", output);
    dn_status_writer *writer = NULL;
    if (dn_make_folders(folder) == DN_OK) {
        writer = dn_alloc(sizeof *writer);
        writer->path = dn_format("%s/r%04d.json", folder, rank);
        writer->metrics = dn_format("%s/r%04d.prom", folder, rank);
        writer->beside = dn_format("%s/.r%04d", folder, rank);
        writer->run_id = dn_strdup(run_id);
        writer->rank = rank;
        writer->size = size;
        writer->tp = tp;
        writer->start_mono_ns = writer->written_mono_ns = dn_mono_ns();
    }
    free(folder);
    return writer;
}

static void key_i64(dn_out *out, const char *key, int64_t value) {
    dn_out_key(out, key);
    dn_out_i64(out, value);
}

static void key_f64(dn_out *out, const char *key, double value) {
    dn_out_key(out, key);
    dn_out_f64(out, value);
}

static void key_text(dn_out *out, const char *key, const char *value) {
    dn_out_key(out, key);
    dn_out_string(out, dn_span_of(value));
}

static void write_parts(dn_out *out, const dn_pipeline_stats *now, const dn_pipeline_stats *last,
                        double seconds) {
    dn_out_key(out, "parts");
    dn_out_open(out, '[');
    for (int i = 0; i < now->n_parts; i++) {
        const dn_part_stats *part = &now->part[i];
        if (part->threads == 0) {
            continue;
        }
        double busy_s = (double)(part->busy_ns - last->part[i].busy_ns) / 1e9;
        dn_out_open(out, '{');
        key_text(out, "name", part->name);
        key_i64(out, "threads", part->threads);
        key_f64(out, "busy", busy_s / (seconds * part->threads));
        key_f64(out, "p95_s", part->p95_ns / 1e9);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

static void write_queues(dn_out *out, const dn_pipeline_stats *now) {
    dn_out_key(out, "queues");
    dn_out_open(out, '[');
    for (int i = 0; i < now->n_rings; i++) {
        dn_out_open(out, '{');
        key_text(out, "name", now->ring[i].name);
        key_i64(out, "depth", (int64_t)now->ring[i].stats.depth);
        key_i64(out, "capacity", (int64_t)now->ring[i].stats.capacity);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

static void write_lags(dn_out *out, const dn_pipeline *pipeline, int rank, int size) {
    dn_out_key(out, "lags");
    dn_out_open(out, '[');
    for (int p = rank; p < dn_pipeline_partitions(pipeline); p += size) {
        dn_out_open(out, '{');
        key_i64(out, "partition", p);
        key_i64(out, "lag", dn_pipeline_lag(pipeline, p));
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

static void write_pipeline(dn_status_writer *writer, const dn_control *control, int i,
                           double seconds) {
    dn_out *out = &writer->out;
    dn_pipeline_stats now;
    dn_pipeline_read(control->pipeline[i], &now);
    dn_out_open(out, '{');
    key_text(out, "name", control->name[i]);
    key_i64(out, "records_in", now.records_in);
    key_i64(out, "rows_out", now.fate[DN_KEPT]);
    key_i64(out, "dead_letters", now.fate[DN_DEAD]);
    key_i64(out, "total", now.source.total_records);
    key_f64(out, "records_per_s", (double)(now.records_in - writer->last[i].records_in) / seconds);
    key_f64(out, "tokens_per_s", (double)(now.tokens - writer->last[i].tokens) / seconds);
    write_parts(out, &now, &writer->last[i], seconds);
    write_queues(out, &now);
    write_lags(out, control->pipeline[i], writer->rank / writer->tp, writer->size / writer->tp);
    dn_out_close(out, '}');
    writer->last[i] = now;
}

static void write_status(dn_status_writer *writer, const dn_control *control, int64_t now_ns) {
    dn_out *out = &writer->out;
    double seconds = (double)(now_ns - writer->written_mono_ns) / 1e9;
    dn_out_reset(out);
    dn_out_open(out, '{');
    key_text(out, "schema", "dunlin.status/1");
    key_text(out, "run", writer->run_id);
    key_i64(out, "rank", writer->rank);
    key_i64(out, "size", writer->size);
    key_i64(out, "group", writer->rank / writer->tp);
    key_i64(out, "part", writer->rank % writer->tp);
    key_i64(out, "tensor_parallel", writer->tp);
    key_i64(out, "pid", getpid());
    key_i64(out, "wall_ns", dn_wall_ns());
    key_f64(out, "elapsed_s", (double)(now_ns - writer->start_mono_ns) / 1e9);
    dn_out_key(out, "pipelines");
    dn_out_open(out, '[');
    for (int i = 0; i < control->n; i++) {
        write_pipeline(writer, control, i, seconds);
    }
    dn_out_close(out, ']');
    dn_out_close(out, '}');
    dn_out_newline(out);
}

/* Beside its place, then renamed there: a reader never sees half of it. */
static void replace_file(const dn_status_writer *writer, const char *path, const char *text,
                         size_t size_bytes) {
    FILE *file = fopen(writer->beside, "w");
    if (!file) {
        return;
    }
    bool written = fwrite(text, 1, size_bytes, file) == size_bytes;
    if (fclose(file) == 0 && written) {
        rename(writer->beside, path);
    } else {
        unlink(writer->beside);
    }
}

static void write_metrics(const dn_status_writer *writer, const dn_control *control) {
    dn_metrics_pipeline metrics[DN_MAX_PIPELINES] = {{0}};
    const char *sinks[DN_MAX_PIPELINES][DN_MAX_SINKS];
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    for (int i = 0; i < control->n && out; i++) {
        dn_metrics_pipeline *m = &metrics[i];
        for (m->n_sinks = 0; m->n_sinks < control->plan[i]->n_sinks; m->n_sinks++) {
            sinks[i][m->n_sinks] = control->plan[i]->sink[m->n_sinks]->name;
        }
        m->name = control->name[i];
        m->stats = &writer->last[i];
        m->sinks = sinks[i];
        dn_drift_shares(control->drift[i], &m->shares, &m->n_shares);
    }
    if (out) {
        dn_prometheus_write(out, writer->rank, metrics, control->n);
        fclose(out);
        replace_file(writer, writer->metrics, text, size_bytes);
        free(text);
    }
}

void dn_status_writer_tick(dn_status_writer *writer, const dn_control *control) {
    int64_t now_ns = dn_mono_ns();
    if (!writer || now_ns - writer->written_mono_ns < EVERY_NS) {
        return;
    }
    write_status(writer, control, now_ns);
    replace_file(writer, writer->path, writer->out.ptr, writer->out.len);
    write_metrics(writer, control);
    writer->written_mono_ns = now_ns;
}

void dn_status_writer_free(dn_status_writer *writer) {
    if (writer) {
        unlink(writer->path);
        unlink(writer->metrics);
        dn_out_free(&writer->out);
        free(writer->path);
        free(writer->metrics);
        free(writer->beside);
        free(writer->run_id);
        free(writer);
    }
}
