/** `dunlin model tokenize` and `score`: lines of standard input, a JSON object each. */
#include "base/memory.h"
#include "base/utf8.h"
#include "cmd/model_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of standard input, without its end. */
typedef struct line_reader {
    char *bytes;
    size_t room;
    int64_t number, n_bad;
} line_reader;

static bool next_line(line_reader *reader, dn_span *line) {
    ssize_t n = getline(&reader->bytes, &reader->room, stdin);
    if (n < 0) {
        return false;
    }
    reader->number++;
    while (n > 0 && (reader->bytes[n - 1] == '\n' || reader->bytes[n - 1] == '\r')) {
        n--;
    }
    *line = (dn_span){reader->bytes, (size_t)n};
    return true;
}

static void print_line(dn_out *out) {
    dn_out_newline(out);
    fwrite(out->ptr, 1, out->len, stdout);
    dn_out_reset(out);
}

static bool write_bad_line(line_reader *reader, dn_span line, dn_out *out) {
    size_t valid = dn_utf8_valid_prefix(line);
    if (valid == line.len) {
        return false;
    }
    char text[96];
    snprintf(text, sizeof text, "line %lld is not UTF-8 at byte %zu", (long long)reader->number,
             valid + 1);
    reader->n_bad++;
    dn_out_open(out, '{');
    dn_out_key(out, "error");
    dn_out_string(out, dn_span_of(text));
    dn_out_close(out, '}');
    return true;
}

static dn_status finish(line_reader *reader) {
    free(reader->bytes);
    if (ferror(stdin)) {
        return DN_FAIL(IO, "standard input cannot be read");
    }
    if (reader->n_bad) {
        return DN_FAIL(DATA, "%lld of %lld lines are not UTF-8; their places hold {\"error\": ...}",
                       (long long)reader->n_bad, (long long)reader->number);
    }
    return DN_OK;
}

/* ---- tokenize ---- */

static void write_ids(const int32_t *ids, int32_t n, dn_out *out) {
    dn_out_open(out, '{');
    dn_out_key(out, "ids");
    dn_out_open(out, '[');
    for (int32_t i = 0; i < n; i++) {
        dn_out_i64(out, ids[i]);
    }
    dn_out_close(out, ']');
    dn_out_close(out, '}');
}

dn_status dn_model_cmd_tokenize(const dn_model_options *options) {
    dn_tokeniser *tokeniser;
    DN_TRY(dn_tokeniser_open(options->dir, &tokeniser));
    dn_token_cache *cache = dn_token_cache_new();
    line_reader reader = {0};
    dn_out out = {0};
    int32_t *ids = NULL;
    size_t room = 0;
    for (dn_span line; next_line(&reader, &line);) {
        if (!write_bad_line(&reader, line, &out)) {
            size_t need = (size_t)dn_tokeniser_room(tokeniser, line.len);
            if (need > room) {
                room = 2 * need;
                ids = dn_grow(ids, room, sizeof *ids);
            }
            int32_t n = dn_tokeniser_encode(tokeniser, cache, line, INT32_MAX, ids);
            write_ids(ids, n, &out);
        }
        print_line(&out);
    }
    free(ids);
    dn_out_free(&out);
    dn_token_cache_free(cache);
    dn_tokeniser_close(tokeniser);
    return finish(&reader);
}

/* ---- score ---- */

/* Results are printed a batch at a time, in the order of the lines. */
typedef struct scoring {
    dn_row_scorer *rows;
    const dn_model_info *info;
    line_reader reader;
    dn_out out;
} scoring;

static void print_row(void *ctx, const dn_row_scores *scores) {
    scoring *s = ctx;
    dn_model_write_row(s->info, scores->batch, scores->row, scores->batch_score, &s->out);
    print_line(&s->out);
}

static dn_status add_line(scoring *s, dn_span line) {
    dn_out bad = {0};
    if (write_bad_line(&s->reader, line, &bad)) {
        dn_status status = dn_row_scorer_flush(s->rows);
        print_line(&bad);
        dn_out_free(&bad);
        return status;
    }
    return dn_row_scorer_add(s->rows, 0, line, (dn_span){0});
}

static dn_status score_lines(scoring *s, const dn_model_options *options) {
    const dn_kernels *kernels;
    DN_TRY(dn_kernels_select(options->backend, &kernels));
    DN_TRY(options->cascade
               ? dn_row_scorer_open_cascade(options->dir, options->cascade, kernels, print_row, s,
                                            &s->rows)
               : dn_row_scorer_open(options->dir, kernels, false, print_row, s, &s->rows));
    s->info = dn_row_scorer_info(s->rows);
    for (dn_span line; next_line(&s->reader, &line);) {
        DN_TRY(add_line(s, line));
    }
    return dn_row_scorer_flush(s->rows);
}

dn_status dn_model_cmd_score(const dn_model_options *options) {
    scoring s = {0};
    dn_status status = score_lines(&s, options);
    dn_status read = finish(&s.reader);
    dn_row_scorer_close(s.rows);
    dn_out_free(&s.out);
    return status != DN_OK ? status : read;
}
