/* What a row of the main job costs as JSON: its columns, its heads, made-up scores and texts.
 *
 *   record [MODEL [ROWS [TURNS]]]     median and range over TURNS, CPU time of one thread
 *
 * README.md says how to read it. */
#include "base/clock.h"
#include "base/memory.h"
#include "io/json.h"
#include "sink/record_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_TURNS = 64, MAX_CONFIG_BYTES = 1 << 20, TEXT_WORDS = 16 };

typedef struct bench {
    dn_json *config;
    dn_schema schema;
    int id, created, user, text, language;
    dn_chunk *chunk;
} bench;

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "sink_record: %s\n", dn_failure_last()->text);
        exit(1);
    }
}

/* ---- the columns of the main job */

static int add(dn_schema *schema, dn_field field) {
    int index = -1;
    field.units = field.long_name = "";
    must(dn_schema_add(schema, field, &index));
    return index;
}

static int add_record(dn_schema *schema, const char *name, dn_type type) {
    return add(schema, (dn_field){.name = name, .type = type, .width = 1, .group = "records"});
}

/* Names of columns live as long as the program. */
static void add_head(dn_schema *schema, const dn_json_at *head) {
    dn_json_at name, labels;
    const char *text;
    must(dn_json_need(head, "name", DN_JSON_TEXT, &name));
    must(dn_json_text(&name, &text));
    must(dn_json_need(head, "labels", DN_JSON_ARRAY, &labels));
    int n = (int)dn_json_count(&labels);
    const char **words = dn_alloc_array((size_t)n, sizeof *words);
    for (int i = 0; i < n; i++) {
        dn_json_at label = dn_json_item(&labels, (size_t)i);
        must(dn_json_text(&label, &words[i]));
    }
    add(schema, (dn_field){.name = dn_format("score.%s", text),
                           .type = DN_F32,
                           .width = n,
                           .labels = words,
                           .n_labels = n,
                           .group = "scores"});
    add(schema, (dn_field){.name = dn_format("label.%s", text),
                           .type = DN_LABEL,
                           .width = 1,
                           .labels = words,
                           .n_labels = n,
                           .group = "labels"});
}

static void make_schema(bench *b, const char *model) {
    char *path = dn_format("%s/config.json", model);
    must(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &b->config));
    free(path);
    dn_json_at root = dn_json_root(b->config), dunlin, heads;
    must(dn_json_need(&root, "dunlin", DN_JSON_OBJECT, &dunlin));
    must(dn_json_need(&dunlin, "heads", DN_JSON_ARRAY, &heads));
    b->id = add_record(&b->schema, "id", DN_I64);
    b->created = add_record(&b->schema, "created_at", DN_I64);
    b->user = add_record(&b->schema, "user", DN_BYTES);
    b->text = add_record(&b->schema, "text", DN_BYTES);
    b->language = add_record(&b->schema, "language", DN_BYTES);
    for (size_t i = 0; i < dn_json_count(&heads); i++) {
        dn_json_at head = dn_json_item(&heads, i);
        add_head(&b->schema, &head);
    }
}

/* ---- rows */

static uint64_t state = 1;

static double uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

/* Logits from -8 to 8, most of them small. */
static void fill_scores(float *score, int n) {
    double sum = 0, odds[256];
    for (int i = 0; i < n; i++) {
        odds[i] = exp(8 * (uniform() + uniform() - 1));
        sum += odds[i];
    }
    for (int i = 0; i < n; i++) {
        score[i] = (float)(odds[i] / sum);
    }
}

static dn_span make_text(dn_arena *arena) {
    static const char *const words[] = {
        "the",     "new",   "album",     "caf\u00e9", "\U0001f602", "https://t.co/a1B2c3D4e5",
        "#monday", "isn't", "\"great\"", "@someone",  "and",        "so"};
    enum { WORDS = sizeof words / sizeof *words };
    char text[1024];
    size_t n = 0;
    for (int i = 0; i < TEXT_WORDS; i++) {
        const char *word = words[(size_t)(uniform() * WORDS)];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", word);
    }
    return dn_arena_copy(arena, (dn_span){text, n});
}

static void fill_row(bench *b, uint32_t row) {
    dn_chunk *chunk = b->chunk;
    dn_chunk_i64(chunk, b->id)[row] = 897000000000000000 + (int64_t)(uniform() * 1e15);
    dn_chunk_i64(chunk, b->created)[row] = 1502755200000 + (int64_t)(uniform() * 86400) * 1000;
    dn_chunk_bytes(chunk, b->user)[row] = DN_SPAN("some_user_1");
    dn_chunk_bytes(chunk, b->text)[row] = make_text(&chunk->arena);
    dn_chunk_bytes(chunk, b->language)[row] = DN_SPAN("en");
    for (int f = 0; f < b->schema.n; f++) {
        const dn_field *field = &b->schema.field[f];
        if (field->type == DN_F32) {
            size_t width = (size_t)field->width;
            fill_scores(dn_chunk_f32(chunk, f) + row * width, field->width);
        } else if (field->type == DN_LABEL) {
            dn_chunk_label(chunk, f)[row] = (uint8_t)(uniform() * field->n_labels);
        }
    }
}

/* ---- turns */

static double turn(const dn_record_format *format, const bench *b, int64_t n_rows, dn_out *out,
                   int64_t *bytes) {
    int64_t begin = dn_thread_cpu_ns();
    *bytes = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        dn_out_reset(out);
        dn_record_write(format, b->chunk, (uint32_t)(i % DN_CHUNK_ROWS), out);
        *bytes += (int64_t)out->len;
    }
    return (double)(dn_thread_cpu_ns() - begin) / (double)n_rows;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    int64_t n_rows = argc > 2 ? atoll(argv[2]) : 100000, bytes = 0;
    int n_turns = argc > 3 ? atoi(argv[3]) : 5;
    n_turns = n_turns < 1 ? 1 : n_turns > MAX_TURNS ? MAX_TURNS : n_turns;
    bench b = {0};
    make_schema(&b, argc > 1 ? argv[1] : "models/tweets");
    b.chunk = dn_chunk_new(&b.schema);
    for (int i = 0; i < DN_CHUNK_ROWS; i++) {
        fill_row(&b, dn_chunk_append(b.chunk, i, DN_NULL_I64, DN_NULL_I64));
    }
    dn_record_format format;
    must(dn_record_bind(&b.schema, &(dn_list){0}, "bench", &format));
    dn_out out = {0};
    double ns[MAX_TURNS + 1];
    for (int i = 0; i <= n_turns; i++) {
        ns[i] = turn(&format, &b, n_rows, &out, &bytes);
    }
    qsort(ns + 1, (size_t)n_turns, sizeof *ns, by_value);
    double median = ns[1 + n_turns / 2];
    printf("# %lld rows, %d turns, CPU time of one thread\n", (long long)n_rows, n_turns);
    printf("name\tns_per_row\trows_per_s\tbytes_per_row\tMB_per_s\tfastest\tslowest\n");
    printf("record_json\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", median, 1e9 / median,
           (double)bytes / (double)n_rows, (double)bytes / (double)n_rows / median * 1e3, ns[1],
           ns[n_turns]);
    dn_out_free(&out);
    dn_record_unbind(&format);
    dn_chunk_free(b.chunk);
    dn_json_free(b.config);
    return 0;
}
