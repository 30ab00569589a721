#include "model/model.h"
#include "base/home.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cmd/model_parts.h"
#include "io/json_write.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { BATCH_TOKENS = 2048, BATCH_ROWS = 256, OPT_BACKEND = 256 };

static const char help[] =
    "Usage: dunlin model tokenize DIR < texts\n"
    "       dunlin model score DIR [--backend NAME] < texts\n"
    "       dunlin model describe DIR\n\n"
    "tokenize and score read texts from standard input, one a line, and write one JSON object a "
    "line:\n"
    "  tokenize   {\"ids\": [101, ...]}, special tokens included, the text as it is and whole\n"
    "  score      {\"labels\": {HEAD: LABEL}, \"scores\": {HEAD: {LABEL: PROBABILITY}}}, the text "
    "normalised and cut as\n"
    "             the model was trained\n"
    "A line that is not UTF-8 gives {\"error\": ...}; the others go on, and the exit status is 65 "
    "at the end.\n\n"
    "Options:\n"
    "      --backend NAME   kernels: ref, cpu, cpu:avx2, cpu:avx512 (default: the best of this "
    "machine)\n\n"
    "Examples:\n"
    "  echo 'what a lovely morning' | dunlin model score models/tweets\n"
    "  dunlin model tokenize models/tweets < texts.txt > ids.jsonl\n"
    "  dunlin model describe models/tweets\n\n"
    "Exit status: 0 done, 65 the model or a line is bad, 66 no such folder, 74 input or output "
    "failed.\n";

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

static dn_status tokenize(const char *dir, const char *backend) {
    (void)backend;
    dn_tokeniser *tokeniser;
    DN_TRY(dn_tokeniser_open(dir, &tokeniser));
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

/* Lines gathered into one batch; their results are printed together, in order. */
typedef struct scoring {
    dn_model *model;
    const dn_model_info *info;
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_convention convention;
    dn_normaliser normaliser;
    dn_workspace *workspace;
    int32_t token[BATCH_TOKENS], row_start[BATCH_ROWS + 1];
    int n_rows, n_tokens;
    float *score;
    line_reader reader;
    dn_out out;
} scoring;

static dn_status flush(scoring *s) {
    if (s->n_rows == 0) {
        return DN_OK;
    }
    dn_batch batch = {s->n_rows, s->n_tokens, s->token, s->row_start};
    DN_TRY(dn_model_score(s->model, s->workspace, &batch, s->score));
    for (int row = 0; row < s->n_rows; row++) {
        dn_model_write_row(s->info, &batch, row, s->score, &s->out);
        print_line(&s->out);
    }
    s->n_rows = s->n_tokens = 0;
    return DN_OK;
}

static dn_status add_line(scoring *s, dn_span line) {
    if (write_bad_line(&s->reader, line, &s->out)) {
        dn_out bad = s->out;
        s->out = (dn_out){0};
        dn_status status = flush(s);
        print_line(&bad);
        dn_out_free(&bad);
        return status;
    }
    if (s->n_rows == BATCH_ROWS || s->n_tokens + s->info->max_tokens > BATCH_TOKENS) {
        DN_TRY(flush(s));
    }
    dn_span clean = dn_normalise(&s->normaliser, s->convention, line);
    int32_t n = dn_tokeniser_encode(s->tokeniser, s->cache, clean, s->info->max_tokens,
                                    s->token + s->n_tokens);
    s->n_tokens += n;
    s->row_start[++s->n_rows] = s->n_tokens;
    return DN_OK;
}

static dn_status score_open(scoring *s, const char *dir, const char *backend) {
    const dn_kernels *kernels;
    DN_TRY(dn_kernels_select(backend, &kernels));
    DN_TRY(dn_model_open(dir, kernels, &s->model));
    s->info = dn_model_describe(s->model);
    DN_TRY(dn_convention_find(s->info->normalise, &s->convention));
    DN_TRY(dn_tokeniser_open(dir, &s->tokeniser));
    DN_TRY(dn_tokeniser_check(s->tokeniser, dir, s->info->vocabulary));
    s->cache = dn_token_cache_new();
    s->score =
        dn_alloc_array(dn_model_score_floats(s->model, BATCH_ROWS, BATCH_TOKENS), sizeof *s->score);
    return dn_workspace_new(s->model, BATCH_TOKENS, BATCH_ROWS, &s->workspace);
}

static dn_status score_lines(scoring *s) {
    for (dn_span line; next_line(&s->reader, &line);) {
        DN_TRY(add_line(s, line));
    }
    return flush(s);
}

static dn_status score(const char *dir, const char *backend) {
    scoring *s = dn_alloc(sizeof *s);
    dn_status status = score_open(s, dir, backend);
    if (status == DN_OK) {
        status = score_lines(s);
    }
    dn_status read = finish(&s->reader);
    free(s->score);
    dn_out_free(&s->out);
    dn_normaliser_free(&s->normaliser);
    dn_workspace_free(s->workspace);
    dn_token_cache_free(s->cache);
    dn_tokeniser_close(s->tokeniser);
    dn_model_close(s->model);
    free(s);
    return status != DN_OK ? status : read;
}

/* ---- describe ---- */

static dn_status describe(const char *dir, const char *backend) {
    const dn_kernels *kernels;
    dn_model *model;
    DN_TRY(dn_kernels_select(backend, &kernels));
    DN_TRY(dn_model_open(dir, kernels, &model));
    const dn_model_info *info = dn_model_describe(model);
    printf("%s: %s, %d layers of %d, %d attention heads, intermediate %d, vocabulary %d, up to %d "
           "tokens (positions %d)\n",
           dir, info->architecture, info->layers, info->hidden, info->heads, info->intermediate,
           info->vocabulary, info->max_tokens, info->max_positions);
    printf("weights  %.1f MB packed for %s (%s, %s), sha256 %s\n", (double)info->weight_bytes / 1e6,
           kernels->name, kernels->isa, kernels->precision, info->sha256);
    printf("texts    normalised as '%s'\n", info->normalise);
    for (int h = 0; h < info->n_model_heads; h++) {
        const dn_model_head *head = &info->model_head[h];
        printf("head     %-12s %-9s", head->name, dn_head_kind_names[head->kind]);
        for (int i = 0; head->labels && i < head->n_labels; i++) {
            printf("%s %s", i ? "," : "", head->labels[i]);
        }
        printf("\n");
    }
    dn_model_close(model);
    return DN_OK;
}

typedef struct action {
    const char *name;
    dn_status (*run)(const char *dir, const char *backend);
} action;

static const action actions[] = {
    {"tokenize", tokenize}, {"score", score}, {"describe", describe}, {NULL, NULL}};

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{"backend", required_argument, NULL, OPT_BACKEND},
                                            {NULL, 0, NULL, 0}};
    const char *backend = NULL;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":", options)) != -1;) {
        if (letter == '?') {
            return DN_FATAL;
        }
        backend = optarg;
    }
    if (argc - optind != 2) {
        return dn_cmd_usage("model", "written as: model tokenize|score|describe DIR");
    }
    for (const action *a = actions; a->name; a++) {
        if (strcmp(a->name, argv[optind]) == 0) {
            char *dir = dn_home_find(argv[optind + 1]);
            dn_status status = a->run(dir, backend);
            free(dir);
            return status;
        }
    }
    return dn_cmd_usage("model", "'%s' is none of tokenize, score, describe", argv[optind]);
}

const dn_command dn_cmd_model = {"model", "tokenise or score lines of text, describe a model", help,
                                 run};
