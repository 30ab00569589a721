/* The trace: what is recorded can be read, exported, and its failure harms nobody. */
#include "trace/trace.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/h5.h"
#include "test.h"
#include "trace/chrome.h"
#include "trace/proc.h"
#include "trace/prometheus.h"

#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static void begin(void) {
    snprintf(folder, sizeof folder, "/tmp/dunlin-trace-XXXXXX");
    if (!mkdtemp(folder)) {
        abort();
    }
}

static void end(void) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *const pipelines[] = {"ingest", "enrich"};
static const char *const models[][DN_MAX_SCORERS] = {{0}, {"moods", "ner"}};
static const dn_trace_attribute attributes[] = {{"job", "tweets"}, {"resolved_job", "a: b\n"}};
static const dn_trace_place places[] = {{0, "node1", "GPU-1", "0-7", "0"},
                                        {1, "node1", "", "8-15", "1"}};

static dn_trace *open_trace(int rank) {
    const dn_trace_conf conf = {.output = folder,
                                .run_id = "run1",
                                .rank = rank,
                                .pipelines = pipelines,
                                .models = models,
                                .n_pipelines = 2,
                                .attributes = attributes,
                                .n_attributes = 2,
                                .topology = "two sockets",
                                .places = places,
                                .n_places = 2};
    dn_trace *trace = NULL;
    EXPECT(dn_trace_open(&conf, &trace) == DN_OK);
    return trace;
}

static dn_batch_event event_of(int i) {
    return (dn_batch_event){.closed_mono_ns = dn_mono_ns(),
                            .model = i % 4 == 3,
                            .thread = i % 2,
                            .reason = i % DN_CLOSE_REASONS,
                            .rows = 10 + i,
                            .tokens = 100 + i,
                            .budget_tokens = 512,
                            .wait_ns = 1000,
                            .model_ns = 2000000,
                            .flops = 1000000,
                            .device_ns = 1500000,
                            .group_ns = {0, i == 1 ? 900000 : 0}};
}

static dn_pipeline_stats stats_now(void) {
    dn_pipeline_stats stats = {.records_in = 50, .tokens = 600, .n_parts = 2, .n_rings = 1};
    stats.source = (dn_source_stats){.records = 55, .bytes = 5500, .lag = 7};
    stats.fate[DN_KEPT] = 40;
    stats.fate[DN_DEAD] = 10;
    stats.part[0] = (dn_part_stats){"decode", 2, 5000000, 3, 50, 0};
    stats.part[1] = (dn_part_stats){"mo\"del", 1, 9000000, 3, 40, 0};
    stats.ring[0] = (dn_ring_row){"text", {.depth = 3, .capacity = 8}};
    stats.sink[0] = (dn_sink_stats){.rows = 40, .bytes = 4000, .commits = 2};
    return stats;
}

enum { N_SHARES = 3 };
static const char topic[] = "label.topic", pieces[] = "unknown.pieces";
static const dn_share shares[N_SHARES] = {{topic, "ca\"ts", 30, 40, 0.5, 0.375},
                                          {topic, "null", 10, 40, 0.5, 0.375},
                                          {pieces, "known", 9, 9, NAN, NAN}};

static void record(int rank, int n_batches) {
    dn_trace *trace = open_trace(rank);
    dn_pipeline_stats stats = stats_now();
    for (int i = 0; i < n_batches; i++) {
        dn_batch_event event = event_of(i);
        dn_trace_batch(trace, 1, &event);
    }
    dn_trace_sample_system(trace);
    dn_trace_sample_pipeline(trace, 1, &stats);
    dn_trace_sample_labels(trace, 1, shares, N_SHARES);
    dn_trace_stages(trace, 1, &stats);
    dn_hist *hist = dn_alloc(sizeof *hist);
    dn_hist_add(hist, 5000, 3);
    dn_trace_histogram(trace, "enrich.response_ns", hist);
    dn_trace_histogram(trace, "enrich.service_ns", hist);
    free(hist);
    dn_trace_summary(trace, "{\"rows_out\":40}");
    EXPECT(dn_trace_warning(trace) == NULL);
    dn_trace_close(trace);
}

static int64_t number_at(dn_h5_file *file, const char *path, uint64_t row) {
    int64_t value = -99;
    EXPECT(dn_h5_read(file, path, row, 1, &value) == DN_OK);
    return value;
}

CASE(a_trace_holds_what_happened) {
    begin();
    record(3, 20);
    char *path = dn_format("%s/trace/run1/r0003-0001.h5", folder);
    dn_h5_file *file;
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    EXPECT_INT(number_at(file, "/batches/rank", 0), 3);
    EXPECT_INT(number_at(file, "/batches/tokens", 19), 119);
    EXPECT_INT(number_at(file, "/batches/device_ns", 0), 1500000);
    EXPECT_INT(number_at(file, "/batches/linear_ns", 0), DN_NULL_I64); /* not timed */
    EXPECT_INT(number_at(file, "/batches/linear_ns", 1), 900000);
    EXPECT_INT(number_at(file, "/queues/depth", 0), 3);
    EXPECT_INT(number_at(file, "/labels/count", 1), 10);
    EXPECT_INT(number_at(file, "/labels/of", 1), 40);
    double psi[N_SHARES];
    EXPECT(dn_h5_read(file, "/labels/psi", 0, N_SHARES, psi) == DN_OK);
    EXPECT(psi[1] == 0.375 && isnan(psi[2]));
    EXPECT_INT(number_at(file, "/stages/busy_ns", 1), 9000000);
    EXPECT(number_at(file, "/system/rss_bytes", 0) > 1 << 20);
    uint8_t reason = 0;
    EXPECT(dn_h5_read(file, "/batches/reason", 3, 1, &reason) == DN_OK);
    EXPECT_INT(reason, DN_CLOSE_IDLE);
    uint8_t model[4];
    EXPECT(dn_h5_read(file, "/batches/model", 0, 4, model) == DN_OK);
    EXPECT(model[0] == 0 && model[2] == 0 && model[3] == 1);
    uint64_t lower[DN_HIST_BUCKETS], count[DN_HIST_BUCKETS], total = 0;
    EXPECT(dn_h5_read(file, "/histograms/lower", 0, DN_HIST_BUCKETS, lower) == DN_OK);
    EXPECT(dn_h5_read(file, "/histograms/enrich.response_ns", 0, DN_HIST_BUCKETS, count) == DN_OK);
    for (int i = 0; i < DN_HIST_BUCKETS; i++) {
        total += count[i];
        EXPECT(!count[i] || (lower[i] <= 5000 && lower[i + 1] > 5000));
    }
    EXPECT_INT(total, 3);
    char *text = NULL;
    EXPECT(dn_h5_get_text(file, "/topology", "text", &text) == DN_OK);
    EXPECT_TEXT(text, "two sockets");
    free(text);
    text = NULL;
    EXPECT(dn_h5_get_text(file, "/", "resolved_job", &text) == DN_OK);
    EXPECT_TEXT(text, "a: b\n");
    free(text);
    dn_h5_close(file);
    free(path);
    end();
}

/* A run that was killed has segments, but none with a summary. */
CASE(only_the_last_segment_has_the_summary) {
    begin();
    record(0, 65536 + 5);
    static const char *const expected[] = {NULL, "{\"rows_out\":40}"};
    for (int segment = 1; segment <= 2; segment++) {
        char *path = dn_format("%s/trace/run1/r0000-%04d.h5", folder, segment), *text = NULL;
        dn_h5_file *file;
        REQUIRE(dn_h5_open(path, &file) == DN_OK);
        bool there = dn_h5_get_text(file, "/", "summary", &text) == DN_OK;
        EXPECT(there == (expected[segment - 1] != NULL));
        if (there) {
            EXPECT_TEXT(text, expected[segment - 1]);
        }
        free(text);
        dn_h5_close(file);
        free(path);
    }
    end();
}

CASE(a_full_segment_is_followed_by_another) {
    begin();
    record(0, 65536 + 5);
    record(0, 1); /* the same run again */
    for (int segment = 1; segment <= 4; segment++) {
        char *path = dn_format("%s/trace/run1/r0000-%04d.h5", folder, segment);
        dn_h5_file *file;
        bool there = access(path, F_OK) == 0;
        EXPECT(there == (segment <= 3));
        if (there && dn_h5_open(path, &file) == DN_OK) {
            static const uint64_t n[] = {65536, 5, 1};
            int64_t value;
            EXPECT(dn_h5_read(file, "/batches/rows", n[segment - 1] - 1, 1, &value) == DN_OK);
            EXPECT(dn_h5_read(file, "/batches/rows", n[segment - 1], 1, &value) != DN_OK);
            dn_h5_close(file);
        }
        free(path);
    }
    end();
}

CASE(no_trace_is_no_harm) {
    dn_pipeline_stats stats = stats_now();
    dn_batch_event event = event_of(0);
    dn_trace_batch(NULL, 0, &event);
    dn_trace_sample_system(NULL);
    dn_trace_sample_pipeline(NULL, 0, &stats);
    dn_trace_sample_labels(NULL, 0, shares, N_SHARES);
    dn_trace_stages(NULL, 0, &stats);
    dn_trace_summary(NULL, "{}");
    EXPECT(dn_trace_warning(NULL) == NULL);
    dn_trace_close(NULL);
    const dn_trace_conf conf = {.output = "/proc/nowhere", .run_id = "x"};
    dn_trace *trace;
    EXPECT(dn_trace_open(&conf, &trace) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CANT_CREATE);
}

/* The folder goes away under the trace: one warning, and the run goes on. */
CASE(a_trace_that_cannot_be_written_warns_once) {
    begin();
    dn_trace *trace = open_trace(0);
    end();
    for (int i = 0; i < 65536 + 3; i++) {
        dn_batch_event event = event_of(i);
        dn_trace_batch(trace, 0, &event);
    }
    const char *warning = dn_trace_warning(trace);
    EXPECT(warning && strstr(warning, "trace/run1"));
    EXPECT(dn_trace_warning(trace) == NULL);
    dn_trace_close(trace);
}

CASE(chrome_json_has_every_batch_of_every_rank) {
    begin();
    record(0, 8);
    record(1, 5);
    char *run = dn_format("%s/trace/run1", folder), *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    EXPECT(dn_trace_chrome(run, out) == DN_OK);
    fclose(out);
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    REQUIRE(root);
    json_t *events = json_object_get(root, "traceEvents"), *event;
    size_t i;
    int batches[2] = {0}, counters = 0, last_rows = 0;
    json_array_foreach(events, i, event) {
        const char *phase = json_string_value(json_object_get(event, "ph"));
        json_int_t pid = json_integer_value(json_object_get(event, "pid"));
        REQUIRE(phase && pid >= 0 && pid < 2);
        counters += phase[0] == 'C';
        if (phase[0] == 'X') {
            batches[pid]++;
            EXPECT(json_number_value(json_object_get(event, "ts")) >= 0);
            EXPECT(json_number_value(json_object_get(event, "dur")) == 2000);
            EXPECT_TEXT(json_string_value(json_object_get(event, "name")), "enrich");
            last_rows =
                (int)json_number_value(json_object_get(json_object_get(event, "args"), "rows"));
        }
    }
    EXPECT_INT(batches[0], 8);
    EXPECT_INT(batches[1], 5);
    EXPECT_INT(last_rows, 14);
    EXPECT_INT(counters, 2 * 3); /* memory, lag, one queue */
    json_decref(root);
    free(text);
    free(run);
    end();
    EXPECT(dn_trace_chrome("/nonexistent", stderr) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
}

/* Every line is a comment or `name{labels} number`, and every sample's metric was announced. */
static void expect_format(char *text) {
    char announced[64] = "";
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (sscanf(line, "# TYPE %63s", announced) == 1 || strncmp(line, "# HELP ", 7) == 0) {
            continue;
        }
        EXPECT(strncmp(line, announced, strlen(announced)) == 0);
        char *brace = strrchr(line, '}'), *rest;
        REQUIRE(brace && brace[1] == ' ');
        strtod(brace + 2, &rest);
        EXPECT(*rest == '\0' && rest > brace + 2);
    }
}

CASE(prometheus_text_is_well_formed) {
    dn_pipeline_stats stats = stats_now();
    dn_pipeline_latency *latency = dn_alloc(sizeof *latency);
    dn_hist_add(&latency->response, 5000000, 4);
    static const char *const sinks[] = {"rows_h5"};
    const dn_metrics_pipeline metrics = {"enrich", &stats, latency, 1, sinks, N_SHARES, shares};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    dn_prometheus_write(out, 2, &metrics, 1);
    fclose(out);
    static const char *const wanted[] = {
        "dunlin_records_consumed_total{rank=\"2\",pipeline=\"enrich\"} 55\n",
        "dunlin_records_total{rank=\"2\",pipeline=\"enrich\",fate=\"dead\"} 10\n",
        "stage=\"mo\\\"del\"} 0.0089999999999999993\n",
        "dunlin_rows_written_total{rank=\"2\",pipeline=\"enrich\",sink=\"rows_h5\"} 40\n",
        "dunlin_end_to_end_latency_seconds_bucket{rank=\"2\",pipeline=\"enrich\",le=\"0."
        "004194304\"} 0\n",
        "dunlin_end_to_end_latency_seconds_bucket{rank=\"2\",pipeline=\"enrich\",le=\"0."
        "008388608\"} 4\n",
        "dunlin_end_to_end_latency_seconds_count{rank=\"2\",pipeline=\"enrich\"} 4\n",
        "# TYPE dunlin_end_to_end_latency_seconds histogram\n",
        "dunlin_label_share{rank=\"2\",pipeline=\"enrich\",column=\"label.topic\","
        "label=\"ca\\\"ts\"} 0.75\n",
        "dunlin_label_baseline_share{rank=\"2\",pipeline=\"enrich\",column=\"label.topic\","
        "label=\"null\"} 0.5\n",
        "dunlin_label_psi{rank=\"2\",pipeline=\"enrich\",column=\"label.topic\"} 0.375\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(text, wanted[i])) {
            fprintf(stderr, "missing: %s", wanted[i]);
        }
        EXPECT(strstr(text, wanted[i]) != NULL);
    }
    EXPECT(!strstr(text, "nan") && !strstr(text, "baseline_share{rank=\"2\",pipeline=\"enrich\","
                                                 "column=\"unknown.pieces"));
    const char *psi = strstr(text, "dunlin_label_psi{");
    EXPECT(psi && !strstr(psi + 1, "dunlin_label_psi{")); /* one a column */
    expect_format(text);
    free(text);
    free(latency);
}

CASE(samples_of_the_process_are_plausible) {
    dn_proc_sample sample;
    dn_proc_read(&sample);
    EXPECT(sample.rss_bytes > 1 << 20);
    EXPECT(sample.cpu_user_ns + sample.cpu_system_ns > 0);
    EXPECT(sample.energy_uj == INT64_MIN || sample.energy_uj >= 0);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
