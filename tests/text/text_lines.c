/* Drives the text folder from a script: reads {"text": ...} lines, writes a JSON line for each.
 *
 *   text_lines ids DIR MAX_TOKENS       [101, 7592, 102]
 *   text_lines normalise CONVENTION     "normalised text" */
#include "io/json_write.h"
#include "io/scan.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct job {
    dn_tokeniser *tokeniser; /* NULL: normalise */
    dn_token_cache *cache;
    dn_normaliser normaliser;
    dn_convention convention;
    int32_t max_tokens, *ids;
} job;

static void write_ids(job *j, dn_span text, dn_out *out) {
    int32_t n = dn_tokeniser_encode(j->tokeniser, j->cache, text, j->max_tokens, j->ids);
    dn_out_open(out, '[');
    for (int32_t i = 0; i < n; i++) {
        dn_out_i64(out, j->ids[i]);
    }
    dn_out_close(out, ']');
}

static void write_line(job *j, dn_span text, dn_out *out) {
    dn_out_reset(out);
    if (j->tokeniser) {
        write_ids(j, text, out);
    } else {
        dn_out_string(out, dn_normalise(&j->normaliser, j->convention, text));
    }
    dn_out_newline(out);
    fwrite(out->ptr, 1, out->len, stdout);
}

static int run_lines(job *j) {
    static const char *const wanted[] = {"text"};
    dn_scan scan;
    dn_arena arena;
    dn_out out = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int status = dn_scan_compile(wanted, 1, &scan) == DN_OK ? 0 : 1;
    dn_arena_init(&arena, 1 << 16);
    while (!status && (size = getline(&line, &room, stdin)) > 0) {
        dn_scan_value value;
        dn_scan_error error;
        dn_arena_reset(&arena);
        if (dn_scan_record(&scan, (dn_span){line, (size_t)size}, &arena, &value, &error) &&
            value.type == DN_SCAN_STRING) {
            write_line(j, value.bytes, &out);
        } else {
            fprintf(stderr, "text_lines: not a line with a text: %s", line);
            status = 1;
        }
    }
    free(line);
    dn_out_free(&out);
    dn_arena_free(&arena);
    return status;
}

static dn_status set_up(int argc, char **argv, job *j) {
    if (argc == 4 && strcmp(argv[1], "ids") == 0) {
        j->max_tokens = atoi(argv[3]);
        j->ids = malloc((size_t)j->max_tokens * sizeof *j->ids);
        j->cache = dn_token_cache_new();
        return dn_tokeniser_open(argv[2], &j->tokeniser);
    }
    if (argc == 3 && strcmp(argv[1], "normalise") == 0) {
        return dn_convention_find(argv[2], &j->convention);
    }
    return DN_FAIL(USAGE, "usage: text_lines ids DIR MAX_TOKENS | normalise CONVENTION");
}

int main(int argc, char **argv) {
    job j = {0};
    int status = 1;
    if (set_up(argc, argv, &j) == DN_OK) {
        status = run_lines(&j);
    } else {
        fprintf(stderr, "text_lines: %s\n", dn_failure_last()->text);
    }
    dn_tokeniser_close(j.tokeniser);
    dn_token_cache_free(j.cache);
    dn_normaliser_free(&j.normaliser);
    free(j.ids);
    return status;
}
