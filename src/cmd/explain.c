#include "base/memory.h"
#include "cmd/job_options.h"
#include "flow/scorer.h"
#include "io/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: dunlin explain JOB.yaml --text TEXT [OPTIONS]\n\n"
    "Sends one text through the stages and the model of a job, and shows what each of them made of "
    "it: columns, token ids,\n"
    "scores, or why it would become a dead letter. Nothing is written.\n\n"
    "  -t, --text TEXT        the text; `-` reads standard input\n" DN_JOB_OPTIONS_HELP
    "\nExamples:\n"
    "  dunlin explain jobs/tweets.yaml --text \"so happy https://t.co/x @friend\"\n"
    "  dunlin explain jobs/tweets.yaml --only enrich --text - < text.txt\n"
    "  dunlin explain jobs/tweets.yaml --set enrich.model=none --text \"two  words &amp; a "
    "line\"\n\n"
    "Exit status: 0 done (also for a text that would be a dead letter), 65 the model is damaged, "
    "78 the job file is wrong.\n";

enum { STDIN_MAX = 1 << 20 };

/* A copy of what a chunk's only row holds, to see what a stage changed. */
typedef struct snapshot {
    dn_span bytes[DN_MAX_FIELDS];
    int64_t i64[DN_MAX_FIELDS];
    dn_ids ids[DN_MAX_FIELDS];
    bool scored[DN_MAX_FIELDS];
} snapshot;

static void take_snapshot(const dn_chunk *chunk, snapshot *out) {
    for (int f = 0; f < chunk->schema->n; f++) {
        dn_type type = chunk->schema->field[f].type;
        out->bytes[f] = type == DN_BYTES ? dn_chunk_bytes(chunk, f)[0] : (dn_span){0};
        out->i64[f] = type == DN_I64 ? dn_chunk_i64(chunk, f)[0] : 0;
        out->ids[f] = type == DN_IDS ? dn_chunk_ids(chunk, f)[0] : (dn_ids){0};
        out->scored[f] = type == DN_F32 && !isnan(dn_chunk_f32(chunk, f)[0]);
    }
}

static void print_text(const char *name, dn_span text) {
    dn_out out = {0};
    dn_out_string(&out, text);
    printf("    %-12s %.*s\n", name, (int)out.len, out.ptr);
    dn_out_free(&out);
}

static void print_ids(const char *name, dn_ids ids) {
    printf("    %-12s", name);
    for (int32_t i = 0; i < ids.n; i++) {
        printf(" %d", ids.id[i]);
    }
    printf("\n");
}

/* The lines of `dir`/vocab.txt by number; other kinds of vocabulary have no such list and show ids
 * alone. */
static void print_pieces(const char *dir, dn_ids ids) {
    char *path = dn_format("%s/vocab.txt", dir);
    FILE *file = fopen(path, "r");
    free(path);
    if (!file || ids.n == 0) {
        if (file) {
            fclose(file);
        }
        return;
    }
    char **piece = dn_alloc_array((size_t)ids.n, sizeof *piece);
    char *line = NULL;
    size_t room = 0;
    for (int32_t id = 0; getline(&line, &room, file) > 0; id++) {
        line[strcspn(line, "\r\n")] = '\0';
        for (int32_t i = 0; i < ids.n; i++) {
            if (ids.id[i] == id) {
                piece[i] = dn_strdup(line);
            }
        }
    }
    printf("    %-12s", "pieces");
    for (int32_t i = 0; i < ids.n; i++) {
        printf(" %s", piece[i] ? piece[i] : "?");
        free(piece[i]);
    }
    printf("\n");
    free(piece);
    free(line);
    fclose(file);
}

static const char *text_of(const dn_prop *props, const void *conf, const char *name) {
    const dn_prop *prop = dn_prop_find(props, name);
    const char *text = prop ? *(char *const *)((const char *)conf + prop->offset) : NULL;
    return text && text[0] ? text : NULL;
}

/* Where a stage that makes the column has its vocabulary from: its own property, or the model that
 * reads the column. */
static const char *vocabulary_of(const dn_pipeline_plan *plan, int stage, const char *column) {
    const char *dir = text_of(plan->stage[stage]->props, plan->stage_conf[stage], "vocabulary");
    for (int i = 0; i < plan->n_scorers && !dir; i++) {
        const char *ids = text_of(plan->scorer[i]->props, plan->scorer_conf[i], "ids");
        dir = ids && strcmp(ids, column) == 0
                  ? text_of(plan->scorer[i]->props, plan->scorer_conf[i], "path")
                  : NULL;
    }
    return dir;
}

static void print_changes(const dn_chunk *chunk, const snapshot *before) {
    for (int f = 0; f < chunk->schema->n; f++) {
        const dn_field *field = &chunk->schema->field[f];
        snapshot now;
        take_snapshot(chunk, &now);
        if (field->type == DN_BYTES && now.bytes[f].ptr != before->bytes[f].ptr) {
            print_text(field->name, now.bytes[f]);
        } else if (field->type == DN_I64 && now.i64[f] != before->i64[f]) {
            printf("    %-12s %lld\n", field->name, (long long)now.i64[f]);
        } else if (field->type == DN_IDS && now.ids[f].id != before->ids[f].id) {
            print_ids(field->name, now.ids[f]);
        }
    }
}

static void print_scores(const dn_chunk *chunk, const snapshot *before) {
    for (int f = 0; f < chunk->schema->n; f++) {
        const dn_field *field = &chunk->schema->field[f];
        if (field->type != DN_F32 || isnan(dn_chunk_f32(chunk, f)[0]) || before->scored[f]) {
            continue;
        }
        printf("    %-18s", field->name);
        for (int i = 0; i < field->width && i < field->n_labels; i++) {
            printf("  %s %.4f", field->labels[i], (double)dn_chunk_f32(chunk, f)[i]);
        }
        printf("\n");
    }
}

/* The record as it would come: JSON where the pipeline begins with bytes of a topic, the column
 * itself otherwise. */
static dn_status make_record(dn_chunk *chunk, dn_span text, dn_out *json) {
    dn_chunk_append(chunk, 0, DN_NULL_I64, DN_NULL_I64);
    int value = dn_schema_find(chunk->schema, "value");
    if (value >= 0) {
        dn_out_open(json, '{');
        dn_out_key(json, "id");
        dn_out_i64(json, 0);
        dn_out_key(json, "text");
        dn_out_string(json, text);
        dn_out_close(json, '}');
        dn_chunk_bytes(chunk, value)[0] = (dn_span){json->ptr, json->len};
        print_text("value", dn_chunk_bytes(chunk, value)[0]);
        return DN_OK;
    }
    int column;
    DN_TRY(dn_schema_need(chunk->schema, "explain", "text", DN_BYTES, &column));
    dn_chunk_bytes(chunk, column)[0] = text;
    print_text("text", text);
    return DN_OK;
}

static dn_status run_stage(const dn_pipeline_plan *plan, int i, dn_chunk *chunk) {
    void *worker = NULL;
    snapshot before;
    take_snapshot(chunk, &before);
    if (plan->stage[i]->open) {
        DN_TRY(plan->stage[i]->open(plan->stage_conf[i], &worker));
    }
    dn_status status = plan->stage[i]->run(plan->stage_conf[i], worker, chunk);
    if (worker && plan->stage[i]->close) {
        plan->stage[i]->close(worker);
    }
    DN_TRY(status);
    printf("  %s\n", plan->stage[i]->name);
    print_changes(chunk, &before);
    for (int f = 0; f < chunk->schema->n; f++) {
        const dn_field *field = &chunk->schema->field[f];
        const char *vocabulary =
            field->type == DN_IDS && dn_chunk_ids(chunk, f)[0].id != before.ids[f].id
                ? vocabulary_of(plan, i, field->name)
                : NULL;
        if (vocabulary) {
            print_pieces(vocabulary, dn_chunk_ids(chunk, f)[0]);
        }
    }
    return DN_OK;
}

static dn_status run_scorer(const dn_pipeline_plan *plan, int i, dn_chunk *chunk) {
    const dn_scorer_ops *ops = plan->scorer[i];
    dn_scorer *scorer;
    dn_scorer_env env = {.model = i};
    snapshot before;
    take_snapshot(chunk, &before);
    DN_TRY(ops->open(plan->scorer_conf[i], &env, &scorer));
    dn_status status = ops->put(scorer, chunk);
    if (status == DN_OK) {
        status = dn_scorer_settle(ops, scorer, DN_CLOSE_END);
    }
    ops->take(scorer);
    ops->close(scorer);
    DN_TRY(status);
    printf("  %s\n", plan->scorer_name[i]);
    print_changes(chunk, &before);
    print_scores(chunk, &before);
    return DN_OK;
}

static bool is_dead(const dn_chunk *chunk) {
    if (chunk->fate[0] != DN_DEAD) {
        return false;
    }
    const dn_letter *letter = &chunk->letters[0];
    printf("  => a dead letter: %s, %s: %.*s\n", letter->stage, letter->reason,
           (int)letter->detail.len, letter->detail.ptr ? letter->detail.ptr : "");
    return true;
}

static dn_status explain_steps(const dn_pipeline_plan *plan, dn_chunk *chunk, dn_span text,
                               dn_out *json) {
    DN_TRY(make_record(chunk, text, json));
    for (int i = 0; i < plan->n_stages; i++) {
        DN_TRY(run_stage(plan, i, chunk));
        if (is_dead(chunk)) {
            return DN_OK;
        }
        if (chunk->n_sel == 0) {
            printf("  => dropped\n");
            return DN_OK;
        }
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        DN_TRY(run_scorer(plan, i, chunk));
    }
    return DN_OK;
}

static dn_status explain_pipeline(const dn_pipeline_plan *plan, dn_span text) {
    printf("pipeline %s\n", plan->name);
    dn_chunk *chunk = dn_chunk_new(&plan->schema);
    dn_out json = {0};
    dn_status status = explain_steps(plan, chunk, text, &json);
    dn_out_free(&json);
    dn_chunk_free(chunk);
    return status;
}

static dn_status explain(const dn_job_options *options, dn_span text) {
    dn_job *job;
    DN_TRY(dn_job_open(options->run.job_file, &options->run.set, &job));
    dn_status status = dn_job_only(job, &options->run.only);
    bool any = false;
    for (int i = 0; i < job->n_pipelines && status == DN_OK; i++) {
        dn_pipeline_plan *plan = &job->pipeline[i];
        if (plan->n_stages == 0 && plan->n_scorers == 0) {
            continue;
        }
        any = true;
        status = dn_job_bind_one(job, i);
        if (status == DN_OK) {
            status = explain_pipeline(plan, text);
        }
    }
    dn_job_close(job);
    return status != DN_OK || any
               ? status
               : DN_FAIL(CONFIG, "no pipeline of the job has a stage or a model");
}

/* Standard input without its last line end. */
static dn_span read_stdin(char *bytes) {
    size_t n = fread(bytes, 1, STDIN_MAX, stdin);
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r')) {
        n--;
    }
    return (dn_span){bytes, n};
}

static dn_status run(int argc, char **argv) {
    dn_job_options options;
    dn_status status = dn_job_options_parse(argc, argv, &options);
    if (status == DN_OK && !options.text) {
        status = dn_cmd_usage("explain", "which text? --text TEXT, or --text - for standard input");
    }
    if (status == DN_OK) {
        char *bytes = malloc(STDIN_MAX);
        status = explain(&options, strcmp(options.text, "-") == 0 ? read_stdin(bytes)
                                                                  : dn_span_of(options.text));
        free(bytes);
    }
    dn_job_options_free(&options);
    return status;
}

const dn_command dn_cmd_explain = {"explain", "show what every stage makes of one text", help, run};
