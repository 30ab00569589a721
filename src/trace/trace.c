/* The tables of the trace are rows of const tables here: a column more is a line more, and a value
 * more where its rows are made. A segment is written under a `.part` name and published whole, as
 * results are, but nothing is read back. */
#include "trace/trace.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "io/h5.h"
#include "io/publish.h"
#include "trace/nvml.h"
#include "trace/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEGMENT_BATCHES = 65536, CHUNK_ROWS = 4096, MAX_COLUMNS = 32, MAX_PIPELINES = 64 };
#define SEGMENT_AGE_NS (INT64_C(60) * 1000000000)

typedef enum table_id {
    BATCHES,
    SYSTEM,
    FLOW,
    QUEUES,
    LABELS,
    STAGES,
    TOPOLOGY,
    N_TABLES
} table_id;
typedef enum labels_id { NO_LABELS, REASONS, PIPELINES, MODELS, N_LABELS } labels_id;

typedef struct column_def {
    const char *name;
    dn_h5_type type;
    const char *units, *long_name;
    labels_id labels;
} column_def;

typedef struct table_def {
    const char *group;
    column_def column[MAX_COLUMNS]; /* ends with a column without a name */
} table_def;

#define NS "nanosecond"

static const table_def tables[N_TABLES] = {
    [BATCHES] = {"batches",
                 {{"rank", DN_H5_I64, "1", "MPI rank", 0},
                  {"pipeline", DN_H5_ENUM, "", "Pipeline", PIPELINES},
                  {"model", DN_H5_ENUM, "", "Model", MODELS},
                  {"thread", DN_H5_I64, "1", "Thread of the model", 0},
                  {"closed_mono_ns", DN_H5_I64, NS, "When it was closed, monotonic clock", 0},
                  {"reason", DN_H5_ENUM, "", "Why it was closed", REASONS},
                  {"under_way", DN_H5_I64, "1", "Batches on their way as it started, with it", 0},
                  {"rows", DN_H5_I64, "1", "Rows scored by the model", 0},
                  {"tokens", DN_H5_I64, "1", "Tokens scored by the model", 0},
                  {"reused", DN_H5_I64, "1", "Rows whose result was copied since the last batch",
                   0},
                  {"foreign_rows", DN_H5_I64, "1",
                   "Rows in languages that the model does not serve, since the last batch", 0},
                  {"foreign_tokens", DN_H5_I64, "1", "Their tokens", 0},
                  {"linear_rows", DN_H5_I64, "1",
                   "Rows that the linear model before this one answered, since the last batch", 0},
                  {"linear_tokens", DN_H5_I64, "1", "Their tokens", 0},
                  {"budget_tokens", DN_H5_I64, "1", "Tokens it could have held", 0},
                  {"late", DN_H5_I64, "1", "Rows whose time was over before the model saw them", 0},
                  {"wait_ns", DN_H5_I64, NS, "Wait of its oldest row", 0},
                  {"queue_ns", DN_H5_I64, NS, "From close until those before it were done", 0},
                  {"model_ns", DN_H5_I64, NS, "Forward pass, from there on", 0},
                  {"predicted_ns", DN_H5_I64, NS, "Forward pass as the cost model expected it", 0},
                  {"flops", DN_H5_I64, "1", "Floating point operations, by formula", 0},
                  {"device_ns", DN_H5_I64, NS, "Forward pass on the GPU, by its clock", 0},
                  {"embed_ns", DN_H5_I64, NS, "Of it: embedding", 0},
                  {"linear_ns", DN_H5_I64, NS, "Of it: matrix products", 0},
                  {"attention_ns", DN_H5_I64, NS, "Of it: attention", 0},
                  {"norm_ns", DN_H5_I64, NS, "Of it: LayerNorm", 0},
                  {"heads_ns", DN_H5_I64, NS, "Of it: pooling, heads, scores", 0},
                  {"sums_ns", DN_H5_I64, NS, "Of it: sums over the group's GPUs", 0}}},
    [SYSTEM] = {"system",
                {{"mono_ns", DN_H5_I64, NS, "When, monotonic clock", 0},
                 {"cpu_user_ns", DN_H5_I64, NS, "CPU time of the process in user mode", 0},
                 {"cpu_system_ns", DN_H5_I64, NS, "CPU time of the process in the kernel", 0},
                 {"rss_bytes", DN_H5_I64, "byte", "Resident memory", 0},
                 {"energy_uj", DN_H5_I64, "microjoule", "Energy counter of all packages (RAPL)", 0},
                 {"gpu_energy_mj", DN_H5_I64, "millijoule", "Energy counter of the GPU (NVML)", 0},
                 {"gpu_power_mw", DN_H5_I64, "milliwatt", "Power of the GPU", 0},
                 {"gpu_clock_mhz", DN_H5_I64, "MHz", "Clock of its multiprocessors", 0},
                 {"gpu_throttle_bits", DN_H5_I64, "1", "Why its clock is not higher (NVML's bits)",
                  0},
                 {"gpu_used_bytes", DN_H5_I64, "byte", "Memory of the GPU in use, by all", 0},
                 {"gpu_busy_percent", DN_H5_I64, "percent", "Time in which it computed", 0}}},
    [FLOW] = {"flow",
              {{"mono_ns", DN_H5_I64, NS, "When, monotonic clock", 0},
               {"pipeline", DN_H5_ENUM, "", "Pipeline", PIPELINES},
               {"records_in", DN_H5_I64, "1", "Records delivered so far", 0},
               {"tokens", DN_H5_I64, "1", "Tokens so far", 0},
               {"lag", DN_H5_I64, "1", "Records (topic) or ns (replay) behind, -1 unknown", 0}}},
    [QUEUES] = {"queues",
                {{"mono_ns", DN_H5_I64, NS, "When, monotonic clock", 0},
                 {"pipeline", DN_H5_ENUM, "", "Pipeline", PIPELINES},
                 {"queue", DN_H5_TEXT, "", "Name of the ring", 0},
                 {"depth", DN_H5_I64, "1", "Items now", 0},
                 {"capacity", DN_H5_I64, "1", "Items at most", 0},
                 {"blocked_ns", DN_H5_I64, NS, "Time that pushers were blocked so far", 0},
                 {"starved_ns", DN_H5_I64, NS, "Time that poppers were starved so far", 0}}},
    [LABELS] = {"labels",
                {{"mono_ns", DN_H5_I64, NS, "When, monotonic clock", 0},
                 {"pipeline", DN_H5_ENUM, "", "Pipeline", PIPELINES},
                 {"column", DN_H5_TEXT, "", "Column that the classes are of", 0},
                 {"label", DN_H5_TEXT, "", "Class", 0},
                 {"count", DN_H5_I64, "1", "Of it, among the newest rows (drift_rows)", 0},
                 {"of", DN_H5_I64, "1", "Of all classes of the column", 0},
                 {"baseline", DN_H5_F64, "1", "Share in the baseline, NaN without one", 0},
                 {"psi", DN_H5_F64, "1", "Population stability index of the column, or NaN", 0}}},
    [STAGES] = {"stages",
                {{"pipeline", DN_H5_ENUM, "", "Pipeline", PIPELINES},
                 {"name", DN_H5_TEXT, "", "Part of the pipeline", 0},
                 {"threads", DN_H5_I64, "1", "Threads", 0},
                 {"busy_ns", DN_H5_I64, NS, "Busy time, summed over the threads", 0},
                 {"calls", DN_H5_I64, "1", "Chunks", 0},
                 {"rows", DN_H5_I64, "1", "Rows", 0}}},
    [TOPOLOGY] = {"topology",
                  {{"rank", DN_H5_I64, "1", "MPI rank", 0},
                   {"host", DN_H5_TEXT, "", "Host", 0},
                   {"device", DN_H5_TEXT, "", "Accelerator", 0},
                   {"cpus", DN_H5_TEXT, "", "Hardware threads", 0},
                   {"numa", DN_H5_TEXT, "", "NUMA nodes", 0}}},
};

typedef struct attribute {
    char *name, *value;
} attribute;

struct dn_trace {
    char *folder, *part;
    int rank, segment;
    char *pipelines[MAX_PIPELINES], *models[MAX_PIPELINES * DN_MAX_SCORERS];
    int n_pipelines, n_models;
    uint8_t model_label[MAX_PIPELINES][DN_MAX_SCORERS]; /* number in `models` */
    attribute *attributes;
    int n_attributes;
    char *topology, *summary;
    dn_trace_place *places; /* texts are copies */
    int n_places;
    int64_t start_mono_ns, start_wall_ns, opened_mono_ns, n_batches;
    dn_h5_file *file; /* NULL: off */
    dn_h5_column *column[N_TABLES][MAX_COLUMNS];
    char *warning;
    bool warned, has_bounds;
};

/* A value of a row, by the type of its column: TEXT has text, F64 real, the others number. */
typedef struct value {
    int64_t number;
    const char *text;
    double real;
} value;

static void switch_off(dn_trace *trace) {
    dn_h5_abandon(trace->file);
    trace->file = NULL;
    if (trace->part) {
        unlink(trace->part);
    }
    if (!trace->warning) {
        trace->warning = dn_strdup(dn_failure_last()->text);
    }
}

static dn_status append_value(dn_h5_column *column, dn_h5_type type, const value *v) {
    if (type == DN_H5_TEXT) {
        const dn_span text = dn_span_of(v->text);
        return dn_h5_append_texts(column, &text, 1);
    }
    if (type == DN_H5_F64) {
        return dn_h5_append(column, &v->real, 1);
    }
    uint8_t label = (uint8_t)v->number;
    return dn_h5_append(column, type == DN_H5_ENUM ? (const void *)&label : &v->number, 1);
}

static void add_row(dn_trace *trace, table_id table, const value *row) {
    const column_def *def = tables[table].column;
    for (int c = 0; c < MAX_COLUMNS && def[c].name && trace->file; c++) {
        if (append_value(trace->column[table][c], def[c].type, &row[c]) != DN_OK) {
            switch_off(trace);
        }
    }
}

typedef struct label_list {
    const char *const *label;
    int n;
} label_list;

static label_list labels_of(const dn_trace *trace, labels_id id) {
    const label_list lists[N_LABELS] = {
        [REASONS] = {dn_close_reason_names, DN_CLOSE_REASONS},
        [PIPELINES] = {(const char *const *)trace->pipelines, trace->n_pipelines},
        [MODELS] = {(const char *const *)trace->models, trace->n_models},
    };
    return lists[id];
}

static dn_status add_columns(dn_trace *trace, table_id table) {
    for (int c = 0; c < MAX_COLUMNS && tables[table].column[c].name; c++) {
        const column_def *def = &tables[table].column[c];
        char path[64];
        snprintf(path, sizeof path, "/%s/%s", tables[table].group, def->name);
        label_list labels = labels_of(trace, def->labels);
        const dn_h5_spec spec = {
            .path = path,
            .type = def->type,
            .labels = labels.label,
            .n_labels = labels.n,
            .units = def->units,
            .long_name = def->long_name,
            .nullable = true,
            .chunk_rows = CHUNK_ROWS,
        };
        DN_TRY(dn_h5_add(trace->file, &spec, &trace->column[table][c]));
    }
    return DN_OK;
}

static char *segment_path(const dn_trace *trace) {
    return dn_format("%s/r%04d-%04d.h5", trace->folder, trace->rank, trace->segment);
}

static void add_topology(dn_trace *trace) {
    for (int i = 0; i < trace->n_places; i++) {
        const dn_trace_place *place = &trace->places[i];
        const value row[] = {{.number = place->rank},
                             {.text = place->host},
                             {.text = place->device},
                             {.text = place->cpus},
                             {.text = place->numa}};
        add_row(trace, TOPOLOGY, row);
    }
}

static dn_status open_segment(dn_trace *trace) {
    char *path;
    for (path = segment_path(trace); access(path, F_OK) == 0; path = segment_path(trace)) {
        free(path); /* the same run, started again */
        trace->segment++;
    }
    free(trace->part);
    trace->part = dn_format("%s.p%d.part", path, (int)getpid());
    free(path);
    DN_TRY(dn_h5_create(trace->part, &trace->file));
    for (table_id table = 0; table < N_TABLES; table++) {
        DN_TRY(add_columns(trace, table));
    }
    trace->opened_mono_ns = dn_mono_ns();
    trace->n_batches = 0;
    add_topology(trace);
    return DN_OK;
}

static dn_status write_attributes(dn_trace *trace) {
    for (int i = 0; i < trace->n_attributes; i++) {
        DN_TRY(dn_h5_set_text(trace->file, "/", trace->attributes[i].name,
                              trace->attributes[i].value));
    }
    char created[21];
    dn_wall_format(dn_wall_ns(), created);
    DN_TRY(dn_h5_set_text(trace->file, "/", "schema_name", "dunlin.trace"));
    DN_TRY(dn_h5_set_i64(trace->file, "/", "schema_version", 1));
    DN_TRY(dn_h5_set_text(trace->file, "/", "created_utc", created));
    DN_TRY(dn_h5_set_i64(trace->file, "/", "rank", trace->rank));
    DN_TRY(dn_h5_set_i64(trace->file, "/", "segment", trace->segment));
    DN_TRY(dn_h5_set_i64(trace->file, "/", "start_mono_ns", trace->start_mono_ns));
    DN_TRY(dn_h5_set_i64(trace->file, "/", "start_wall_ns", trace->start_wall_ns));
    if (trace->topology) {
        DN_TRY(dn_h5_set_text(trace->file, "/topology", "text", trace->topology));
    }
    if (trace->summary) {
        DN_TRY(dn_h5_set_text(trace->file, "/", "summary", trace->summary));
    }
    return DN_OK;
}

static dn_status close_segment(dn_trace *trace) {
    DN_TRY(dn_h5_finish(trace->file));
    DN_TRY(write_attributes(trace));
    dn_h5_file *file = trace->file;
    trace->file = NULL;
    DN_TRY(dn_h5_close(file));
    char *path = segment_path(trace);
    bool existed;
    dn_status status = dn_publish(trace->part, path, &existed);
    free(path);
    trace->segment++;
    return status;
}

static void rotate(dn_trace *trace) {
    bool due = trace->n_batches >= SEGMENT_BATCHES ||
               dn_mono_ns() - trace->opened_mono_ns >= SEGMENT_AGE_NS;
    if (due && (close_segment(trace) != DN_OK || open_segment(trace) != DN_OK)) {
        switch_off(trace);
    }
}

static char *copy(const char *text) {
    return dn_strdup(text ? text : "");
}

/* Models of two pipelines may share a name, and with it a label. */
static uint8_t keep_model(dn_trace *trace, const char *name) {
    int i = 0;
    while (i < trace->n_models && strcmp(trace->models[i], name) != 0) {
        i++;
    }
    if (i == trace->n_models) {
        trace->models[trace->n_models++] = copy(name);
    }
    return (uint8_t)i;
}

static void keep_names(dn_trace *trace, const dn_trace_conf *conf) {
    trace->n_pipelines = conf->n_pipelines < MAX_PIPELINES ? conf->n_pipelines : MAX_PIPELINES;
    for (int i = 0; i < trace->n_pipelines; i++) {
        trace->pipelines[i] = copy(conf->pipelines[i]);
        for (int k = 0; conf->models && k < DN_MAX_SCORERS && conf->models[i][k]; k++) {
            trace->model_label[i][k] = keep_model(trace, conf->models[i][k]);
        }
    }
}

static void keep_conf(dn_trace *trace, const dn_trace_conf *conf) {
    trace->rank = conf->rank;
    keep_names(trace, conf);
    trace->n_attributes = conf->n_attributes;
    trace->attributes = dn_alloc_array((size_t)conf->n_attributes + 3, sizeof(attribute));
    for (int i = 0; i < conf->n_attributes; i++) {
        trace->attributes[i] =
            (attribute){copy(conf->attributes[i].name), copy(conf->attributes[i].value)};
    }
    trace->attributes[trace->n_attributes++] = (attribute){copy("run_id"), copy(conf->run_id)};
    trace->attributes[trace->n_attributes++] = (attribute){
        copy("creator"), dn_format("dunlin %s, HDF5 %s", dn_version(), dn_h5_version())};
    trace->attributes[trace->n_attributes++] =
        (attribute){copy("git_commit"), copy(dn_git_commit())};
    trace->topology = conf->topology ? copy(conf->topology) : NULL;
    trace->n_places = conf->n_places;
    trace->places = dn_alloc_array((size_t)conf->n_places + 1, sizeof *trace->places);
    for (int i = 0; i < conf->n_places; i++) {
        const dn_trace_place *place = &conf->places[i];
        trace->places[i] = (dn_trace_place){place->rank, copy(place->host), copy(place->device),
                                            copy(place->cpus), copy(place->numa)};
    }
}

static void trace_free(dn_trace *trace) {
    for (int i = 0; i < trace->n_pipelines; i++) {
        free(trace->pipelines[i]);
    }
    for (int i = 0; i < trace->n_models; i++) {
        free(trace->models[i]);
    }
    for (int i = 0; i < trace->n_attributes; i++) {
        free(trace->attributes[i].name);
        free(trace->attributes[i].value);
    }
    for (int i = 0; i < trace->n_places; i++) {
        free((char *)trace->places[i].host);
        free((char *)trace->places[i].device);
        free((char *)trace->places[i].cpus);
        free((char *)trace->places[i].numa);
    }
    free(trace->attributes);
    free(trace->places);
    free(trace->topology);
    free(trace->summary);
    free(trace->folder);
    free(trace->part);
    free(trace->warning);
    free(trace);
}

dn_status dn_trace_open(const dn_trace_conf *conf, dn_trace **out) {
    dn_trace *trace = dn_alloc(sizeof *trace);
    trace->folder = dn_format("%s/trace/%s", conf->output, conf->run_id);
    trace->segment = 1;
    keep_conf(trace, conf);
    trace->start_mono_ns = dn_mono_ns();
    trace->start_wall_ns = dn_wall_ns();
    dn_status status = dn_folder_make(trace->folder);
    if (status == DN_OK) {
        status = open_segment(trace);
    }
    if (status != DN_OK) {
        switch_off(trace);
        trace_free(trace);
        return status;
    }
    *out = trace;
    return DN_OK;
}

/** What was not measured is null. */
static value measured(int64_t ns) {
    return (value){.number = ns ? ns : DN_NULL_I64};
}

void dn_trace_batch(dn_trace *trace, int pipeline, const dn_batch_event *event) {
    if (!trace || !trace->file) {
        return;
    }
    const value row[] = {{.number = trace->rank},
                         {.number = pipeline},
                         {.number = trace->model_label[pipeline][event->model]},
                         {.number = event->thread},
                         {.number = event->closed_mono_ns},
                         {.number = event->reason},
                         {.number = event->under_way},
                         {.number = event->rows},
                         {.number = event->tokens},
                         {.number = event->reused},
                         {.number = event->foreign_rows},
                         {.number = event->foreign_tokens},
                         {.number = event->linear_rows},
                         {.number = event->linear_tokens},
                         {.number = event->budget_tokens},
                         {.number = event->late},
                         {.number = event->wait_ns},
                         {.number = event->queue_ns},
                         {.number = event->model_ns},
                         {.number = event->predicted_ns},
                         {.number = event->flops},
                         measured(event->device_ns),
                         measured(event->group_ns[0]),
                         measured(event->group_ns[1]),
                         measured(event->group_ns[2]),
                         measured(event->group_ns[3]),
                         measured(event->group_ns[4]),
                         measured(event->group_ns[5])};
    add_row(trace, BATCHES, row);
    trace->n_batches++;
    if (trace->file) {
        rotate(trace);
    }
}

void dn_trace_sample_system(dn_trace *trace) {
    if (!trace || !trace->file) {
        return;
    }
    dn_proc_sample sample;
    dn_gpu_sample gpu;
    dn_proc_read(&sample);
    dn_nvml_read(&gpu);
    const value row[] = {{.number = dn_mono_ns()},         {.number = sample.cpu_user_ns},
                         {.number = sample.cpu_system_ns}, {.number = sample.rss_bytes},
                         {.number = sample.energy_uj},     {.number = gpu.energy_mj},
                         {.number = gpu.power_mw},         {.number = gpu.clock_mhz},
                         {.number = gpu.throttle_bits},    {.number = gpu.used_bytes},
                         {.number = gpu.busy_percent}};
    add_row(trace, SYSTEM, row);
    if (trace->file) {
        rotate(trace);
    }
}

void dn_trace_sample_pipeline(dn_trace *trace, int pipeline, const dn_pipeline_stats *stats) {
    if (!trace || !trace->file) {
        return;
    }
    int64_t now = dn_mono_ns();
    const value flow[] = {{.number = now},
                          {.number = pipeline},
                          {.number = stats->records_in},
                          {.number = stats->tokens},
                          {.number = stats->source.lag}};
    add_row(trace, FLOW, flow);
    for (int i = 0; i < stats->n_rings; i++) {
        const dn_ring_stats *ring = &stats->ring[i].stats;
        const value row[] = {{.number = now},
                             {.number = pipeline},
                             {.text = stats->ring[i].name},
                             {.number = (int64_t)ring->depth},
                             {.number = (int64_t)ring->capacity},
                             {.number = ring->blocked_ns},
                             {.number = ring->starved_ns}};
        add_row(trace, QUEUES, row);
    }
}

void dn_trace_sample_labels(dn_trace *trace, int pipeline, const dn_share *shares, int n) {
    if (!trace || !trace->file) {
        return;
    }
    int64_t now = dn_mono_ns();
    for (int i = 0; i < n; i++) {
        const dn_share *share = &shares[i];
        const value row[] = {{.number = now},           {.number = pipeline},
                             {.text = share->column},   {.text = share->label},
                             {.number = share->count},  {.number = share->of},
                             {.real = share->baseline}, {.real = share->psi}};
        add_row(trace, LABELS, row);
    }
}

void dn_trace_stages(dn_trace *trace, int pipeline, const dn_pipeline_stats *stats) {
    for (int i = 0; trace && trace->file && i < stats->n_parts; i++) {
        const dn_part_stats *part = &stats->part[i];
        const value row[] = {{.number = pipeline},      {.text = part->name},
                             {.number = part->threads}, {.number = part->busy_ns},
                             {.number = part->chunks},  {.number = part->rows}};
        add_row(trace, STAGES, row);
    }
}

static dn_status add_histogram(dn_trace *trace, const char *name, const uint64_t *values,
                               const char *units, const char *long_name) {
    char path[128];
    snprintf(path, sizeof path, "/histograms/%s", name);
    const dn_h5_spec spec = {.path = path,
                             .type = DN_H5_U64,
                             .units = units,
                             .long_name = long_name,
                             .chunk_rows = CHUNK_ROWS};
    dn_h5_column *column;
    DN_TRY(dn_h5_add(trace->file, &spec, &column));
    return dn_h5_append(column, values, DN_HIST_BUCKETS);
}

static dn_status add_bounds(dn_trace *trace) {
    uint64_t *lower = dn_alloc_array(DN_HIST_BUCKETS, sizeof *lower);
    for (uint32_t i = 0; i < DN_HIST_BUCKETS; i++) {
        lower[i] = dn_hist_lower(i);
    }
    dn_status status = add_histogram(trace, "lower", lower, NS, "Lower bounds of the buckets");
    free(lower);
    return status;
}

void dn_trace_histogram(dn_trace *trace, const char *name, const dn_hist *hist) {
    if (!trace || !trace->file) {
        return;
    }
    dn_status status = trace->has_bounds ? DN_OK : add_bounds(trace);
    trace->has_bounds = true;
    if (status == DN_OK) {
        status = add_histogram(trace, name, hist->count, "1", "Values per bucket");
    }
    if (status != DN_OK) {
        switch_off(trace);
    }
}

void dn_trace_summary(dn_trace *trace, const char *json) {
    if (trace && !trace->summary) {
        trace->summary = dn_strdup(json);
    }
}

const char *dn_trace_warning(dn_trace *trace) {
    if (!trace || !trace->warning || trace->warned) {
        return NULL;
    }
    trace->warned = true;
    return trace->warning;
}

void dn_trace_close(dn_trace *trace) {
    if (!trace) {
        return;
    }
    if (trace->file && close_segment(trace) != DN_OK) {
        switch_off(trace);
    }
    trace_free(trace);
}
