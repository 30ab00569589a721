#include "run/baseline.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "dunlin.labels/1"

enum { MAX_BYTES = 16 << 20, MAX_TEXT = 256 };
static const double most_rows = 1e18;

static dn_status check_schema(const dn_json_at *root) {
    dn_json_at at;
    const char *schema;
    DN_TRY(dn_json_need(root, "schema", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &schema));
    return strcmp(schema, SCHEMA) == 0
               ? DN_OK
               : dn_json_fail(&at,
                              "is \"%s\", expected \"" SCHEMA "\": the labels.json that a run "
                              "leaves in its output folder",
                              schema);
}

/** Shares depend on the model: what changes with another one need not be the stream. */
static dn_status check_models(const dn_json_at *root, const dn_baseline_of *of, bool says) {
    dn_json_at models, at;
    const char *sha256 = "";
    if (dn_json_find(root, "models", &models) && dn_json_find(&models, of->pipeline, &at)) {
        DN_TRY(dn_json_text(&at, &sha256));
    }
    if (says && strcmp(sha256, of->models_sha256) != 0) {
        dn_log(DN_LOG_WARN,
               "drift: the baseline of pipeline %s is by other models (%s, now %s): what differs "
               "may be theirs; make it anew with these",
               of->pipeline, *sha256 ? sha256 : "none",
               *of->models_sha256 ? of->models_sha256 : "none");
    }
    return DN_OK;
}

/** The code of a class, -1: the column has none of that name. */
static int code_of(const dn_labels *labels, int column, const char *name) {
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        const char *class = dn_labels_class(labels, column, code);
        if (class && strcmp(class, name) == 0) {
            return code;
        }
    }
    return -1;
}

static dn_status read_column(const dn_json_at *at, const dn_labels *labels, int column,
                             dn_baseline *out) {
    dn_json_at member;
    void *cursor = NULL;
    double sum = 0, *share = out->share[column];
    while (dn_json_next(at, &cursor, &member)) {
        int code = code_of(labels, column, member.key);
        double count;
        DN_TRY(dn_json_real(&member, 0, most_rows, &count));
        if (code < 0 && count > 0) {
            return dn_json_fail(&member,
                                "is no class of %s in this job: the baseline is another model's; "
                                "make it anew with this one",
                                dn_labels_name(labels, column));
        }
        if (code >= 0) {
            share[code] = count;
            sum += count;
        }
    }
    for (int code = 0; code < DN_LABEL_CODES && sum > 0; code++) {
        share[code] /= sum;
    }
    out->has[column] = sum > 0;
    return DN_OK;
}

/** What the file lacks, for the log; false: all of it. */
static bool list_missing(const dn_labels *labels, const dn_baseline *baseline, char *out) {
    size_t n = 0;
    bool any = false;
    out[0] = '\0';
    for (int c = 0; c < dn_labels_columns(labels); c++) {
        any = any || baseline->has[c];
        if (!baseline->has[c] && n < MAX_TEXT) {
            n += (size_t)snprintf(out + n, MAX_TEXT - n, "%s%s", n ? ", " : "",
                                  dn_labels_name(labels, c));
        }
    }
    return any;
}

static dn_status read_columns(const dn_json_at *pipelines, const dn_baseline_of *of, bool says,
                              dn_baseline *out) {
    char missing[MAX_TEXT];
    dn_json_at pipeline, column;
    bool there = dn_json_find(pipelines, of->pipeline, &pipeline);
    for (int c = 0; c < dn_labels_columns(of->labels) && there; c++) {
        if (dn_json_find(&pipeline, dn_labels_name(of->labels, c), &column)) {
            DN_TRY(read_column(&column, of->labels, c, out));
        }
    }
    if (!list_missing(of->labels, out, missing)) {
        return dn_json_fail(pipelines,
                            "has no rows of pipeline '%s' with one of its columns (%s): the "
                            "baseline is another job's; make it anew with this one",
                            of->pipeline, missing);
    }
    if (says && missing[0]) {
        dn_log(DN_LOG_WARN, "drift: the baseline of pipeline %s lacks %s: not compared",
               of->pipeline, missing);
    }
    return DN_OK;
}

static dn_status read_root(const dn_json_at *root, const dn_baseline_of *of, bool says,
                           dn_baseline *out) {
    dn_json_at pipelines;
    DN_TRY(check_schema(root));
    DN_TRY(dn_json_need(root, "pipelines", DN_JSON_OBJECT, &pipelines));
    DN_TRY(read_columns(&pipelines, of, says, out));
    return check_models(root, of, says);
}

dn_status dn_baseline_read(const char *path, const dn_baseline_of *of, bool says,
                           dn_baseline *out) {
    dn_json *doc;
    DN_TRY(dn_json_load(path, MAX_BYTES, DN_E_DATA, &doc));
    dn_json_at root = dn_json_root(doc);
    dn_baseline *read = dn_alloc(sizeof *read);
    dn_status status = read_root(&root, of, says, read);
    if (status == DN_OK) {
        *out = *read;
    }
    free(read);
    dn_json_free(doc);
    return status;
}

static void write_column(const dn_labels *labels, int column, const int64_t *count, dn_out *out) {
    dn_out_key(out, dn_labels_name(labels, column));
    dn_out_open(out, '{');
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        const char *class = dn_labels_class(labels, column, code);
        if (class) {
            dn_out_key(out, class);
            dn_out_i64(out, count[code]);
        }
    }
    dn_out_close(out, '}');
}

void dn_baseline_write(const dn_baseline_of *of, int n, dn_baseline_count *count, const void *ctx,
                       dn_out *out) {
    dn_out_open(out, '{');
    dn_out_key(out, "schema");
    dn_out_string(out, DN_SPAN(SCHEMA));
    dn_out_key(out, "models");
    dn_out_open(out, '{');
    for (int i = 0; i < n; i++) {
        dn_out_key(out, of[i].pipeline);
        dn_out_string(out, dn_span_of(of[i].models_sha256));
    }
    dn_out_close(out, '}');
    dn_out_key(out, "pipelines");
    dn_out_open(out, '{');
    for (int i = 0; i < n; i++) {
        dn_out_key(out, of[i].pipeline);
        dn_out_open(out, '{');
        for (int c = 0; c < dn_labels_columns(of[i].labels); c++) {
            write_column(of[i].labels, c, count(ctx, i, c), out);
        }
        dn_out_close(out, '}');
    }
    dn_out_close(out, '}');
    dn_out_close(out, '}');
    dn_out_newline(out);
}
