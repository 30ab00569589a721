#include "cmd/model_batches.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Lines gathered into a batch. */
typedef struct gathering {
    dn_model_texts texts;
    int32_t *token, row_start[DN_LINES_ROWS + 1];
    int n_rows;
} gathering;

static dn_status flush(dn_lines *lines, gathering *g) {
    dn_batch batch = {g->n_rows, g->row_start[g->n_rows], g->token, g->row_start};
    lines->n_texts += g->n_rows;
    g->n_rows = 0;
    return batch.n_rows ? lines->visit(lines->ctx, &batch) : DN_OK;
}

static dn_status add_text(dn_lines *lines, gathering *g, dn_span text, dn_span second) {
    if (g->n_rows == DN_LINES_ROWS ||
        g->row_start[g->n_rows] + lines->info->longest > lines->max_tokens) {
        DN_TRY(flush(lines, g));
    }
    int32_t begin = g->row_start[g->n_rows];
    g->row_start[++g->n_rows] =
        begin + dn_model_texts_encode_pair(&g->texts, text, second, g->token + begin);
    return DN_OK;
}

static dn_status add_line(dn_lines *lines, gathering *g, dn_span line) {
    if (dn_utf8_valid_prefix(line) != line.len) {
        lines->n_bad++;
        return DN_OK;
    }
    return add_text(lines, g, line, (dn_span){0});
}

static dn_status open_gathering(const dn_lines *lines, gathering *g) {
    *g = (gathering){.token = dn_alloc_array((size_t)lines->max_tokens, sizeof *g->token)};
    return dn_model_texts_open(lines->info->dir, lines->info, &g->texts);
}

static void close_gathering(gathering *g) {
    free(g->token);
    dn_model_texts_close(&g->texts);
}

static dn_status read_lines(dn_lines *lines, FILE *file) {
    gathering g;
    char *line = NULL;
    size_t room = 0;
    dn_status status = open_gathering(lines, &g);
    for (ssize_t n; status == DN_OK && (n = getline(&line, &room, file)) >= 0;) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
            n--;
        }
        status = add_line(lines, &g, (dn_span){line, (size_t)n});
    }
    if (status == DN_OK) {
        status = flush(lines, &g);
    }
    free(line);
    close_gathering(&g);
    return status;
}

dn_status dn_lines_read_task(dn_lines *lines, const dn_suite *suite, int task) {
    gathering g;
    dn_status status = open_gathering(lines, &g);
    for (int i = 0; i < suite->n_rows && status == DN_OK; i++) {
        const dn_suite_row *row = &suite->row[i];
        dn_span second = row->second ? dn_span_of(row->second) : (dn_span){0};
        if (row->task == task) {
            status = add_text(lines, &g, dn_span_of(row->text), second);
        }
    }
    if (status == DN_OK) {
        status = flush(lines, &g);
    }
    close_gathering(&g);
    return status;
}

dn_status dn_lines_read(dn_lines *lines, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) {
        return DN_FAIL(NO_INPUT, "--texts %s: %s", path, strerror(errno));
    }
    dn_status status = read_lines(lines, file);
    if (status == DN_OK && ferror(file)) {
        status = DN_FAIL(IO, "--texts %s: cannot be read", path);
    }
    fclose(file);
    if (status == DN_OK && lines->n_texts == 0) {
        return DN_FAIL(DATA, "--texts %s: has no line that is UTF-8", path);
    }
    return status;
}
