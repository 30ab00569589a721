/** The report as a person or a program reads it. */
#include "io/json_write.h"
#include "kernels/kernels.h"
#include "run/report.h"

enum { NS_PER_S = 1000000000 };

static double rate(int64_t n, int64_t ns) {
    return ns > 0 ? (double)n * NS_PER_S / (double)ns : 0.0;
}

static double share(double part, double whole) {
    return whole > 0 ? part / whole : 0.0;
}

static double quantile_s(const dn_hist *hist, double q) {
    return dn_hist_quantile(hist, q) / NS_PER_S;
}

static const double quantiles[] = {0.50, 0.95, 0.99};
static const char *const quantile_names[] = {"p50_s", "p95_s", "p99_s"};
static const char *const fate_names[DN_FATES] = {[DN_KEPT] = "rows_out",
                                                 [DN_REPEAT] = "repeats_dropped",
                                                 [DN_FILTERED] = "filtered",
                                                 [DN_DEAD] = "dead_letters"};

/** Of the passes whose groups were timed, the share of group i. */
static double group_share(const dn_model_report *m, int i) {
    int64_t all_ns = 0;
    for (int k = 0; k < DN_DEVICE_GROUPS; k++) {
        all_ns += m->group_ns[k];
    }
    return share((double)m->group_ns[i], (double)all_ns);
}

static double model_share(const dn_model_report *m) {
    return share((double)m->flops, m->peak_flops_ns);
}

/* ---- table ---- */

static void print_counts(const dn_pipeline_report *p, FILE *out) {
    fprintf(out,
            "  records    in %lld = out %lld + repeats %lld + filtered %lld + dead letters %lld\n",
            (long long)p->stats.records_in, (long long)p->stats.fate[DN_KEPT],
            (long long)p->stats.fate[DN_REPEAT], (long long)p->stats.fate[DN_FILTERED],
            (long long)p->stats.fate[DN_DEAD]);
    fprintf(out, "  rate       %.0f records/s", rate(p->stats.records_in, p->wall_ns));
    if (p->stats.tokens) {
        fprintf(out, ", %.0f tokens/s", rate(p->stats.tokens, p->wall_ns));
    }
    fprintf(out, " over %.1f s\n", (double)p->wall_ns / NS_PER_S);
    if (p->stats.texts_cut) {
        fprintf(out, "  cut        %lld texts were longer than the model reads (max_tokens)\n",
                (long long)p->stats.texts_cut);
    }
    if (p->stats.undecided) {
        fprintf(out, "  undecided  %lld labels are und: below the threshold of their head\n",
                (long long)p->stats.undecided);
    }
}

static void print_latency(const char *name, const dn_hist *hist, FILE *out) {
    if (dn_hist_total(hist)) {
        fprintf(out, "  %-10s p50 %.3f s, p95 %.3f s, p99 %.3f s\n", name, quantile_s(hist, 0.50),
                quantile_s(hist, 0.95), quantile_s(hist, 0.99));
    }
}

static bool slo_held(const dn_pipeline_report *p) {
    return quantile_s(&p->latency.response, 0.95) * NS_PER_S <= (double)p->slo_ns;
}

/* Whether a goal can be held is a question of the rate: texts that were late before the model saw
 * them waited in a queue, which no way of batching could have shortened. */
static void print_slo(const dn_pipeline_report *p, FILE *out) {
    if (!p->slo_ns) {
        return;
    }
    dn_model_report models = dn_report_models(p);
    double p95_s = quantile_s(&p->latency.response, 0.95);
    fprintf(out, "  slo        p95 %.3f s, %.3f s asked for: ", p95_s,
            (double)p->slo_ns / NS_PER_S);
    if (slo_held(p)) {
        fprintf(out, "held\n");
    } else if (models.rows_late) {
        double late =
            share((double)models.rows_late, (double)(models.rows_scored + models.rows_reused));
        fprintf(out,
                "NOT held; %.0f %% of the texts were late before the model saw them: they come "
                "faster than it scores (more ranks, a smaller model or a lower rate would help)\n",
                100 * late);
    } else {
        fprintf(out, "NOT held, though texts reached the model in time: the goal is shorter than "
                     "scoring and writing take here, or the machine was busy with other things\n");
    }
}

static void print_languages(const dn_model_report *m, FILE *out) {
    if (m->rows_foreign) {
        fprintf(
            out,
            "  language   %lld rows are in languages that %s does not serve: %lld tokens saved, "
            "%.0f %% of all\n",
            (long long)m->rows_foreign, m->name, (long long)m->tokens_foreign,
            100 * share((double)m->tokens_foreign, (double)(m->tokens_foreign + m->tokens_scored)));
    }
}

static void print_cascade(const dn_model_report *m, FILE *out) {
    if (m->rows_linear) {
        double texts = (double)(m->rows_linear + m->rows_scored + m->rows_reused);
        fprintf(out,
                "  cascade    %lld rows = %.1f %% answered by the linear model before %s: %lld "
                "tokens saved, %.0f %% of all\n",
                (long long)m->rows_linear, 100 * share((double)m->rows_linear, texts), m->name,
                (long long)m->tokens_linear,
                100 *
                    share((double)m->tokens_linear, (double)(m->tokens_linear + m->tokens_scored)));
    }
}

static void print_drift(const dn_pipeline_report *p, FILE *out) {
    for (int i = 0; i < p->n_labels; i++) {
        const dn_drift_column *c = &p->labels[i];
        if (c->n_windows) {
            fprintf(
                out,
                "  drift      %s: PSI %.3f at the end, %.3f at most (%s %.1f %%, %.1f %% in the "
                "baseline)%s\n",
                c->name, c->last, c->most, c->label, 100 * c->share_now, 100 * c->share_then,
                dn_drift_word(c));
        }
    }
}

static bool same_nulls(const dn_drift_column *a, const dn_drift_column *b) {
    return a->total[DN_NO_LABEL] == b->total[DN_NO_LABEL] &&
           a->total[DN_OTHER_LANGUAGE] == b->total[DN_OTHER_LANGUAGE];
}

/* A line for neighbours with the same numbers: all heads of a model leave the same rows out. */
static void print_nulls(const dn_pipeline_report *p, FILE *out) {
    for (int i = 0, end; i < p->n_labels; i = end) {
        const dn_drift_column *c = &p->labels[i];
        int64_t foreign = c->total[DN_OTHER_LANGUAGE], other = c->total[DN_NO_LABEL];
        for (end = i + 1; end < p->n_labels && same_nulls(c, &p->labels[end]); end++) {
        }
        if (foreign + other > 0) {
            fprintf(out, "  null       %lld rows of %s", (long long)(foreign + other), c->name);
            if (end - i > 1) {
                fprintf(out, " and %d more columns", end - i - 1);
            }
            fprintf(out, ": %lld in languages that are not served, %lld without text\n",
                    (long long)foreign, (long long)other);
        }
    }
}

static void print_device(const dn_model_report *m, FILE *out) {
    if (!m->device_ns) {
        return;
    }
    fprintf(out, "  GPU        computed %.2f s = %.0f %% of the time scoring",
            (double)m->device_ns / NS_PER_S,
            100 * share((double)m->device_ns, (double)m->model_ns));
    const char *separator = ": ";
    for (int i = 0; i < DN_DEVICE_GROUPS; i++) {
        if (m->group_ns[i]) {
            fprintf(out, "%s%s %.0f %%", separator, dn_pass_group_names[i],
                    100 * group_share(m, i));
            separator = ", ";
        }
    }
    fprintf(out, "\n");
}

/* A thread of the CPU computes as fast as its core; a GPU is shared by the threads that feed it. */
static void print_speed(const dn_model_report *m, FILE *out) {
    double gflops = (double)m->flops / (double)m->computing_ns;
    if (m->on_device) {
        fprintf(out,
                "  kernels    %s: %.1f TFLOP/s a GPU while it computes = %.0f %% of its measured "
                "peak (%.1f)\n",
                m->kernels, gflops / 1e3, 100 * model_share(m), m->peak_gflops / 1e3);
    } else {
        fprintf(out,
                "  kernels    %s: %.1f GFLOP/s a thread while scoring = %.0f %% of the measured "
                "peak (%.1f a core)\n",
                m->kernels, gflops, 100 * model_share(m), m->peak_gflops);
    }
}

static void print_model(const dn_model_report *m, FILE *out) {
    fprintf(out,
            "  %-10s %lld rows scored, %lld reused (equal texts), %lld tokens in %lld "
            "batches, fill %.0f %%\n",
            m->name, (long long)m->rows_scored, (long long)m->rows_reused,
            (long long)m->tokens_scored, (long long)m->batches,
            100 * share((double)m->tokens_scored, (double)m->budget_tokens));
    print_languages(m, out);
    print_cascade(m, out);
    fprintf(out, "  closed by ");
    for (int i = 0; i < DN_CLOSE_REASONS; i++) {
        if (m->reason[i]) {
            fprintf(out, " %s %lld", dn_close_reason_names[i], (long long)m->reason[i]);
        }
    }
    fprintf(out, "\n");
    if (m->flops) {
        print_speed(m, out);
    }
    print_device(m, out);
}

static double busy_share(const dn_pipeline_report *p, const dn_part_stats *part) {
    return share((double)part->busy_ns, (double)p->wall_ns * part->threads);
}

/* The part whose threads had the least time to wait: what would have to be faster for all to be. */
static void print_bottleneck(const dn_pipeline_report *p, FILE *out) {
    const dn_part_stats *busiest = &p->stats.part[0];
    for (int i = 1; i < p->stats.n_parts; i++) {
        if (busy_share(p, &p->stats.part[i]) > busy_share(p, busiest)) {
            busiest = &p->stats.part[i];
        }
    }
    if (busy_share(p, busiest) > 0) {
        fprintf(out, "  limit      %s, busy %.0f %% of the time\n", busiest->name,
                100 * busy_share(p, busiest));
    }
}

static void print_parts(const dn_pipeline_report *p, FILE *out) {
    fprintf(out, "  %-14s %7s %8s %12s\n", "part", "threads", "busy %", "ns/record");
    for (int i = 0; i < p->stats.n_parts; i++) {
        const dn_part_stats *part = &p->stats.part[i];
        fprintf(out, "  %-14s %7d %8.1f %12.0f\n", part->name, part->threads,
                100 * busy_share(p, part),
                share((double)part->busy_ns, (double)p->stats.records_in));
    }
}

static void print_rings(const dn_report *report, const dn_pipeline_report *p, FILE *out) {
    fprintf(out, "  queues    ");
    int leaders = report->ranks / report->tp;
    for (int i = 0; i < p->stats.n_rings; i++) {
        const dn_ring_row *ring = &p->stats.ring[i];
        fprintf(out, " %s %.1f/%zu", ring->name, ring->stats.mean_depth / leaders,
                ring->stats.capacity / (size_t)leaders);
    }
    fprintf(out, " (mean/size a rank)\n");
}

static void print_restarts(const dn_report *report, FILE *out) {
    if (report->restarts) {
        fprintf(out, "started again by Slurm %d time%s\n", report->restarts,
                report->restarts == 1 ? "" : "s");
    }
}

void dn_report_print(const dn_report *report, FILE *out) {
    fprintf(out, "\njob %s, run %s: %d rank%s, broker %s%s\n", report->job, report->run_id,
            report->ranks, report->ranks == 1 ? "" : "s", report->broker,
            report->drained ? ", stopped early (start again to go on)" : "");
    if (report->tp > 1) {
        fprintf(out, "models split over groups of %d ranks\n", report->tp);
    }
    print_restarts(report, out);
    for (int i = 0; i < report->n_pipelines; i++) {
        const dn_pipeline_report *p = &report->pipeline[i];
        fprintf(out, "\npipeline %s\n", report->name[i]);
        print_counts(p, out);
        print_latency("response", &p->latency.response, out);
        print_latency("service", &p->latency.service, out);
        print_slo(p, out);
        for (int k = 0; k < p->n_models; k++) {
            print_model(&p->model[k], out);
        }
        print_nulls(p, out);
        print_drift(p, out);
        print_bottleneck(p, out);
        print_rings(report, p, out);
        print_parts(p, out);
    }
    fprintf(out, "\n%.1f s wall, %.1f s CPU, %.0f MB resident in the largest rank; results in %s\n",
            (double)report->wall_ns / NS_PER_S, (double)report->cpu_ns / NS_PER_S,
            (double)report->rss_bytes_max / 1e6, report->output);
    if (report->gpu_mj > 0) {
        dn_model_report all = dn_report_models(dn_report_main(report));
        double rows = (double)(all.rows_scored + all.rows_reused);
        fprintf(out, "GPU energy %.1f J, %.3f J per 1,000 texts\n", (double)report->gpu_mj / 1e3,
                share((double)report->gpu_mj, rows));
    }
}

/* ---- JSON ---- */

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

static void json_numbers(const dn_pipeline_report *p, dn_out *out) {
    dn_model_report models = dn_report_models(p);
    key_i64(out, "records_in", p->stats.records_in);
    for (int i = 0; i < DN_FATES; i++) {
        key_i64(out, fate_names[i], p->stats.fate[i]);
    }
    key_i64(out, "rows_reused", models.rows_reused);
    key_i64(out, "texts_cut", p->stats.texts_cut);
    key_i64(out, "rows_other_language", models.rows_foreign);
    key_i64(out, "rows_linear", models.rows_linear);
    key_i64(out, "tokens_saved", models.tokens_foreign + models.tokens_linear);
    key_i64(out, "labels_undecided", p->stats.undecided);
    key_f64(out, "rows_per_s", rate(p->stats.records_in, p->wall_ns));
    key_f64(out, "tokens_per_s", rate(p->stats.tokens, p->wall_ns));
    dn_out_key(out, "model_peak_share");
    if (models.flops) {
        dn_out_f64(out, model_share(&models));
    } else {
        dn_out_null(out);
    }
    for (int i = 0; i < 3; i++) {
        key_f64(out, quantile_names[i], quantile_s(&p->latency.response, quantiles[i]));
    }
}

static void json_parts(const dn_pipeline_report *p, dn_out *out) {
    dn_out_key(out, "parts");
    dn_out_open(out, '[');
    for (int i = 0; i < p->stats.n_parts; i++) {
        const dn_part_stats *part = &p->stats.part[i];
        dn_out_open(out, '{');
        key_text(out, "name", part->name);
        key_i64(out, "threads", part->threads);
        key_f64(out, "busy_s", (double)part->busy_ns / NS_PER_S);
        key_i64(out, "rows", part->rows);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

static void json_rings(const dn_report *report, const dn_pipeline_report *p, dn_out *out) {
    dn_out_key(out, "queues");
    dn_out_open(out, '[');
    for (int i = 0; i < p->stats.n_rings; i++) {
        const dn_ring_row *ring = &p->stats.ring[i];
        dn_out_open(out, '{');
        key_text(out, "name", ring->name);
        key_f64(out, "mean_fill", share(ring->stats.mean_depth, (double)ring->stats.capacity));
        key_f64(out, "blocked_s", (double)ring->stats.blocked_ns / NS_PER_S);
        key_f64(out, "starved_s", (double)ring->stats.starved_ns / NS_PER_S);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
    key_i64(out, "ranks", report->ranks);
}

static void json_device(const dn_model_report *m, dn_out *out) {
    if (!m->device_ns) {
        return;
    }
    key_f64(out, "device_s", (double)m->device_ns / NS_PER_S);
    if (m->on_device) {
        key_f64(out, "device_busy_s", (double)m->computing_ns / NS_PER_S);
    }
    dn_out_key(out, "device_shares");
    dn_out_open(out, '{');
    for (int i = 0; i < DN_DEVICE_GROUPS; i++) {
        key_f64(out, dn_pass_group_names[i], group_share(m, i));
    }
    dn_out_close(out, '}');
}

static void json_peak(const dn_model_report *m, dn_out *out) {
    key_f64(out, m->on_device ? "peak_gflops_per_device" : "peak_gflops_per_core", m->peak_gflops);
}

static void json_model(const dn_model_report *m, dn_out *out) {
    key_i64(out, "batches", m->batches);
    key_i64(out, "rows_scored", m->rows_scored);
    key_i64(out, "tokens_scored", m->tokens_scored);
    key_i64(out, "model_threads", m->threads);
    key_i64(out, "flops", m->flops);
    key_f64(out, "model_s", (double)m->model_ns / NS_PER_S);
    json_device(m, out);
    key_f64(out, "batch_fill", share((double)m->tokens_scored, (double)m->budget_tokens));
    dn_out_key(out, "closed_by");
    dn_out_open(out, '{');
    for (int i = 0; i < DN_CLOSE_REASONS; i++) {
        key_i64(out, dn_close_reason_names[i], m->reason[i]);
    }
    dn_out_close(out, '}');
}

static void json_labels(const dn_pipeline_report *p, dn_out *out) {
    dn_out_key(out, "labels");
    dn_out_open(out, '[');
    for (int i = 0; i < p->n_labels; i++) {
        const dn_drift_column *c = &p->labels[i];
        dn_out_open(out, '{');
        key_text(out, "column", c->name);
        key_i64(out, "undecided", c->undecided);
        key_i64(out, "null", c->total[DN_NO_LABEL]);
        key_i64(out, "null_language", c->total[DN_OTHER_LANGUAGE]);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

static void json_drift(const dn_pipeline_report *p, dn_out *out) {
    dn_out_key(out, "drift");
    dn_out_open(out, '[');
    for (int i = 0; i < p->n_labels; i++) {
        const dn_drift_column *c = &p->labels[i];
        if (c->n_windows) {
            dn_out_open(out, '{');
            key_text(out, "column", c->name);
            key_i64(out, "windows", c->n_windows);
            key_f64(out, "psi", c->last);
            key_f64(out, "psi_max", c->most);
            key_text(out, "label", c->label);
            key_f64(out, "share", c->share_now);
            key_f64(out, "share_baseline", c->share_then);
            key_f64(out, "notice", c->notice);
            key_f64(out, "warn", c->warn);
            dn_out_close(out, '}');
        }
    }
    dn_out_close(out, ']');
}

/* The models added up, as the keys of the pipeline, and each for itself. */
static void json_models(const dn_pipeline_report *p, dn_out *out) {
    dn_model_report models = dn_report_models(p);
    json_model(&models, out);
    if (p->slo_ns) {
        key_f64(out, "slo_s", (double)p->slo_ns / NS_PER_S);
        dn_out_key(out, "slo_held");
        dn_out_bool(out, slo_held(p));
        key_i64(out, "slo_rows_late", models.rows_late);
    }
    dn_out_key(out, "models");
    dn_out_open(out, '[');
    for (int i = 0; i < p->n_models; i++) {
        const dn_model_report *m = &p->model[i];
        dn_out_open(out, '{');
        key_text(out, "name", m->name);
        key_text(out, "kernels", m->kernels ? m->kernels : "none");
        json_peak(m, out);
        key_i64(out, "rows_reused", m->rows_reused);
        key_i64(out, "rows_other_language", m->rows_foreign);
        key_i64(out, "rows_linear", m->rows_linear);
        key_i64(out, "tokens_saved", m->tokens_foreign + m->tokens_linear);
        json_model(m, out);
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
}

void dn_report_print_json(const dn_report *report, FILE *file) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    key_text(&out, "schema", "dunlin.summary/1");
    key_text(&out, "job", report->job);
    key_text(&out, "run", report->run_id);
    key_text(&out, "output", report->output);
    key_text(&out, "broker", report->broker);
    key_i64(&out, "ranks", report->ranks);
    key_i64(&out, "tensor_parallel", report->tp);
    key_i64(&out, "restarts", report->restarts);
    dn_out_key(&out, "drained");
    dn_out_bool(&out, report->drained);
    key_f64(&out, "wall_s", (double)report->wall_ns / NS_PER_S);
    key_f64(&out, "cpu_s", (double)report->cpu_ns / NS_PER_S);
    key_i64(&out, "rss_bytes_max", report->rss_bytes_max);
    if (report->gpu_mj > 0) {
        key_f64(&out, "gpu_joules", (double)report->gpu_mj / 1e3);
    }
    const dn_pipeline_report *main = dn_report_main(report);
    key_text(&out, "kernels", main->model[0].kernels ? main->model[0].kernels : "none");
    json_peak(&main->model[0], &out);
    json_numbers(main, &out);
    dn_out_key(&out, "pipelines");
    dn_out_open(&out, '[');
    for (int i = 0; i < report->n_pipelines; i++) {
        const dn_pipeline_report *p = &report->pipeline[i];
        dn_out_open(&out, '{');
        key_text(&out, "name", report->name[i]);
        json_numbers(p, &out);
        key_f64(&out, "wall_s", (double)p->wall_ns / NS_PER_S);
        json_models(p, &out);
        json_labels(p, &out);
        json_drift(p, &out);
        json_parts(p, &out);
        json_rings(report, p, &out);
        dn_out_close(&out, '}');
    }
    dn_out_close(&out, ']');
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, file);
    dn_out_free(&out);
}
