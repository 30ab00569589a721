/* The scorers with made-up chunks: what a batch holds and why it closed, what is reused, when a
 * chunk is finished, and that nothing is allocated once everything has been seen. */
#include "model/scorer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/model.h"
#include "test.h"

/* The linker sends every allocation of the libraries here (--wrap). */
static _Thread_local long n_allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);

void *__wrap_malloc(size_t size) {
    n_allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    n_allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    n_allocations++;
    return __real_realloc(old, size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size) {
    n_allocations++;
    return __real_posix_memalign(out, align, size);
}

enum { MAX_EVENTS = 4096, N_TEXTS = 400, LONGEST = 20, WIDTH = 5 };

/** A bound and opened scorer over the tiny model, and what it reported. */
typedef struct rig {
    const dn_scorer_ops *ops;
    dn_schema schema;
    void *conf;
    dn_scorer *scorer;
    int ids;
    dn_model *alone; /**< opened when a test asks what a text scores alone */
    dn_workspace *space;
    int n_events;
    dn_batch_event event[MAX_EVENTS];
} rig;

static void listen(void *ctx, const dn_batch_event *event) {
    rig *r = ctx;
    if (r->n_events < MAX_EVENTS) {
        r->event[r->n_events++] = *event;
    }
}

/** Settings as "name=value" separated by spaces. */
static void configure(rig *r, const char *settings) {
    char text[256], *save = NULL;
    snprintf(text, sizeof text, "%s", settings);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        EXPECT(dn_prop_set(dn_prop_find(r->ops->props, word), r->conf, value) == DN_OK);
    }
}

static rig *rig_new(const dn_scorer_ops *ops, const char *settings) {
    rig *r = calloc(1, sizeof *r);
    r->ops = ops;
    r->conf = calloc(1, ops->conf_size);
    EXPECT(dn_props_init(ops->props, r->conf) == DN_OK);
    if (ops == &dn_scorer_model) {
        configure(r, "path=tests/data/tiny");
    }
    configure(r, settings);
    dn_field ids = {
        .name = "ids", .type = DN_IDS, .width = 1, .group = "records", .transient = true};
    EXPECT(dn_schema_add(&r->schema, ids, &r->ids) == DN_OK);
    dn_bind bind = {.schema = &r->schema};
    dn_scorer_env env = {.model = 1, .thread = 3, .listener = listen, .listener_ctx = r};
    if (ops->bind(r->conf, &bind) != DN_OK || ops->open(r->conf, &env, &r->scorer) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    return r;
}

static void rig_free(rig *r) {
    r->ops->close(r->scorer);
    r->ops->unbind(r->conf);
    dn_props_free(r->ops->props, r->conf);
    dn_workspace_free(r->space);
    dn_model_close(r->alone);
    free(r->conf);
    free(r);
}

/** Text number `which`: 3 to LONGEST tokens of the tiny vocabulary, the same for the same number.
 */
static dn_ids text_ids(int which) {
    static int32_t id[N_TEXTS][LONGEST];
    int n = 3 + which * 7 % (LONGEST - 2);
    id[which][0] = 2;
    for (int i = 1; i < n - 1; i++) {
        id[which][i] = 5 + (which * 31 + i * 17) % 700;
    }
    id[which][n - 1] = 3;
    return (dn_ids){id[which], n};
}

/** A chunk of the texts first, first + step, ...; its sequence is `sequence`. */
static dn_chunk *chunk_of(rig *r, uint64_t sequence, int first, int step, int n_rows) {
    dn_chunk *chunk = dn_chunk_new(&r->schema);
    chunk->sequence = sequence;
    for (int i = 0; i < n_rows; i++) {
        uint32_t row = dn_chunk_append(chunk, i, DN_NULL_I64, DN_NULL_I64);
        dn_chunk_ids(chunk, r->ids)[row] = text_ids((first + i * step) % N_TEXTS);
    }
    return chunk;
}

static void put(rig *r, dn_chunk *chunk) {
    EXPECT_INT(r->ops->put(r->scorer, chunk), DN_OK);
}

static void flush(rig *r, dn_close_reason reason) {
    EXPECT_INT(r->ops->flush(r->scorer, reason), DN_OK);
}

static dn_chunk *take(rig *r) {
    return r->ops->take(r->scorer);
}

/** The model on one text and nothing else. */
static void score_alone(rig *r, dn_ids ids, float *score) {
    const dn_kernels *kernels;
    if (!r->alone && (dn_kernels_select(NULL, &kernels) != DN_OK ||
                      dn_model_open("tests/data/tiny", kernels, &r->alone) != DN_OK ||
                      dn_workspace_new(r->alone, 64, 1, &r->space) != DN_OK)) {
        abort();
    }
    const int32_t row_start[2] = {0, ids.n};
    dn_batch batch = {1, ids.n, ids.id, row_start};
    EXPECT(dn_model_score(r->alone, r->space, &batch, score) == DN_OK);
}

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

/** Every row has the scores of its text alone, bit for bit. */
static void expect_scores(rig *r, const dn_chunk *chunk) {
    int mood = dn_schema_find(&r->schema, "score.mood"),
        question = dn_schema_find(&r->schema, "score.question");
    int label = dn_schema_find(&r->schema, "label.mood");
    REQUIRE(mood >= 0 && question >= 0 && label >= 0);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        float expected[WIDTH];
        score_alone(r, dn_chunk_ids(chunk, r->ids)[row], expected);
        REQUIRE(memcmp(dn_chunk_f32(chunk, mood) + 3 * row, expected, 3 * sizeof(float)) == 0);
        REQUIRE(memcmp(dn_chunk_f32(chunk, question) + 2 * row, expected + 3, 2 * sizeof(float)) ==
                0);
        REQUIRE(dn_chunk_label(chunk, label)[row] == largest(expected, 3));
    }
}

CASE(every_head_gets_a_score_and_a_label_column) {
    rig *r = rig_new(&dn_scorer_model, "");
    int score = dn_schema_find(&r->schema, "score.mood"),
        label = dn_schema_find(&r->schema, "label.question");
    REQUIRE(score >= 0 && label >= 0);
    EXPECT_INT(r->schema.n, 5);
    EXPECT_INT(r->schema.field[score].width, 3);
    EXPECT_TEXT(r->schema.field[score].group, "scores");
    EXPECT_TEXT(r->schema.field[score].labels[1], "neutral");
    EXPECT_INT(r->schema.field[label].type, DN_LABEL);
    EXPECT_INT(r->schema.field[label].n_labels, 2);
    EXPECT_TEXT(r->schema.field[label].group, "labels");
    EXPECT_INT(dn_scorer_info(r->conf)->hidden, 32);
    rig_free(r);
}

CASE(chunks_come_back_scored_as_if_alone) {
    rig *r = rig_new(&dn_scorer_model, "tokens=64 rows=7 reuse=64KiB");
    for (int i = 0; i < 12; i++) {
        put(r, chunk_of(r, (uint64_t)i, i * 13, 3, 40));
    }
    flush(r, DN_CLOSE_END);
    int n = 0;
    for (dn_chunk *chunk; (chunk = take(r)); n++) {
        expect_scores(r, chunk);
        dn_chunk_free(chunk);
    }
    EXPECT_INT(n, 12);
    rig_free(r);
}

CASE(rows_without_ids_and_dropped_rows_stay_null) {
    rig *r = rig_new(&dn_scorer_model, "");
    dn_chunk *chunk = chunk_of(r, 0, 0, 1, 4);
    dn_chunk_ids(chunk, r->ids)[1] = (dn_ids){NULL, 0};
    dn_chunk_drop(chunk, 2, DN_FILTERED);
    dn_chunk_select(chunk);
    put(r, chunk);
    flush(r, DN_CLOSE_END);
    EXPECT(take(r) == chunk);
    EXPECT_INT(r->event[0].rows, 2);
    int score = dn_schema_find(&r->schema, "score.mood"),
        label = dn_schema_find(&r->schema, "label.mood");
    for (uint32_t row = 0; row < 4; row++) {
        bool null = row == 1 || row == 2;
        EXPECT(isnan(dn_chunk_f32(chunk, score)[3 * row]) == null);
        EXPECT((dn_chunk_label(chunk, label)[row] == DN_NO_LABEL) == null);
    }
    dn_chunk_free(chunk);
    rig_free(r);
}

CASE(closing_reasons_are_recorded) {
    rig *r = rig_new(&dn_scorer_model, "tokens=64 rows=512 reuse=0");
    dn_chunk *chunk = chunk_of(r, 0, 0, 1, 60);
    put(r, chunk);
    flush(r, DN_CLOSE_DRAIN);
    REQUIRE(r->n_events > 2);
    for (int i = 0; i < r->n_events - 1; i++) {
        EXPECT_INT(r->event[i].reason, DN_CLOSE_TOKENS);
        EXPECT(r->event[i].tokens <= 64 && r->event[i].tokens > 64 - LONGEST);
    }
    EXPECT_INT(r->event[r->n_events - 1].reason, DN_CLOSE_DRAIN);
    EXPECT_INT(r->event[0].thread, 3);
    EXPECT_INT(r->event[0].budget_tokens, 64);
    EXPECT(r->event[0].wait_ns >= 0 && r->event[0].model_ns > 0 && r->event[0].flops > 0);
    EXPECT(take(r) == chunk);
    dn_chunk_free(chunk);
    rig_free(r);

    r = rig_new(&dn_scorer_model, "tokens=1024 rows=8 reuse=0");
    chunk = chunk_of(r, 0, 0, 1, 20);
    put(r, chunk);
    flush(r, DN_CLOSE_COMMIT);
    REQUIRE(r->n_events == 3);
    EXPECT_INT(r->event[0].reason, DN_CLOSE_ROWS);
    EXPECT_INT(r->event[1].rows, 8);
    EXPECT_INT(r->event[2].rows, 4);
    EXPECT_INT(r->event[2].reason, DN_CLOSE_COMMIT);
    dn_chunk_free(take(r));
    rig_free(r);
}

CASE(the_deadline_follows_the_oldest_row) {
    rig *r = rig_new(&dn_scorer_model, "deadline=50ms reuse=0");
    EXPECT(r->ops->deadline(r->scorer) == INT64_MAX);
    int64_t before_ns = dn_mono_ns();
    put(r, chunk_of(r, 0, 0, 1, 2));
    int64_t after_ns = dn_mono_ns(), deadline_ns = r->ops->deadline(r->scorer);
    EXPECT(deadline_ns >= before_ns + 50000000 && deadline_ns <= after_ns + 50000000);
    put(r, chunk_of(r, 1, 5, 1, 2));
    EXPECT(r->ops->deadline(r->scorer) == deadline_ns);
    EXPECT(take(r) == NULL);
    flush(r, DN_CLOSE_DEADLINE);
    EXPECT(r->ops->deadline(r->scorer) == INT64_MAX);
    EXPECT_INT(r->event[0].reason, DN_CLOSE_DEADLINE);
    EXPECT_INT(r->event[0].rows, 4);
    flush(r, DN_CLOSE_DEADLINE);
    EXPECT_INT(r->n_events, 1);
    dn_chunk_free(take(r));
    dn_chunk_free(take(r));
    rig_free(r);
}

CASE(equal_texts_are_scored_once) {
    rig *r = rig_new(&dn_scorer_model, "reuse=1MiB");
    put(r, chunk_of(r, 0, 0, 0, 30)); /* one text 30 times */
    put(r, chunk_of(r, 1, 1, 1, 5));
    put(r, chunk_of(r, 2, 0, 1, 6)); /* all of them again, in the same batch */
    flush(r, DN_CLOSE_IDLE);
    EXPECT_INT(r->event[0].rows, 6);
    EXPECT_INT(r->event[0].reused, 29 + 6);
    put(r, chunk_of(r, 3, 0, 1, 6)); /* and later */
    int n = 0;
    for (dn_chunk *chunk; (chunk = take(r)); n++) {
        EXPECT_INT(chunk->sequence, n);
        expect_scores(r, chunk);
        dn_chunk_free(chunk);
    }
    EXPECT_INT(n, 4);
    flush(r, DN_CLOSE_END);
    REQUIRE(r->n_events == 2);
    EXPECT_INT(r->event[1].rows, 0);
    EXPECT_INT(r->event[1].reused, 6);
    rig_free(r);
}

CASE(a_flood_of_one_text_cannot_hold_a_batch_open) {
    rig *r = rig_new(&dn_scorer_model, "rows=16 reuse=64KiB");
    dn_chunk *chunk = chunk_of(r, 0, 0, 0, 200);
    put(r, chunk);
    EXPECT_INT(r->n_events, 1);
    EXPECT_INT(r->event[0].reason, DN_CLOSE_ROWS);
    EXPECT_INT(r->event[0].rows, 1);
    EXPECT(take(r) == chunk);
    dn_chunk_free(chunk);
    rig_free(r);
}

CASE(chunks_finish_with_their_last_row) {
    rig *r = rig_new(&dn_scorer_model, "reuse=1MiB");
    dn_chunk *first = chunk_of(r, 0, 0, 1, 3), *waiting = chunk_of(r, 1, 50, 1, 3);
    dn_chunk *known = chunk_of(r, 2, 0, 1, 3), *empty = chunk_of(r, 3, 0, 1, 0);
    put(r, first);
    flush(r, DN_CLOSE_IDLE);
    put(r, waiting);
    put(r, known);
    put(r, empty);
    EXPECT(take(r) == first);
    EXPECT(take(r) == known);
    EXPECT(take(r) == empty);
    EXPECT(take(r) == NULL);
    flush(r, DN_CLOSE_END);
    EXPECT(take(r) == waiting);
    EXPECT(take(r) == NULL);
    dn_chunk *all[] = {first, waiting, known, empty};
    for (int i = 0; i < 4; i++) {
        EXPECT(all[i]->scorer_data == NULL);
        dn_chunk_free(all[i]);
    }
    rig_free(r);
}

CASE(shares_of_time_add_up) {
    rig *r = rig_new(&dn_scorer_model, "tokens=100 reuse=64KiB");
    int64_t batches_ns = 0, chunks_ns = 0;
    for (int i = 0; i < 7; i++) {
        put(r, chunk_of(r, (uint64_t)i, i * 3, 1, 31));
    }
    flush(r, DN_CLOSE_END);
    for (dn_chunk *chunk; (chunk = take(r));) {
        chunks_ns += chunk->times.model_ns;
        dn_chunk_free(chunk);
    }
    for (int i = 0; i < r->n_events; i++) {
        batches_ns += r->event[i].model_ns;
    }
    EXPECT(batches_ns > 0 && chunks_ns == batches_ns);
    rig_free(r);
}

CASE(a_scorer_may_be_closed_with_work_in_it) {
    rig *r = rig_new(&dn_scorer_model, "reuse=64KiB");
    dn_chunk *chunks[] = {chunk_of(r, 0, 0, 1, 9), chunk_of(r, 1, 4, 1, 9),
                          chunk_of(r, 2, 0, 1, 0)};
    for (int i = 0; i < 3; i++) {
        put(r, chunks[i]);
    }
    r->ops->close(r->scorer);
    r->scorer = NULL;
    for (int i = 0; i < 3; i++) {
        dn_chunk_free(chunks[i]);
    }
    rig_free(r);
}

/** Puts and takes the same chunks `rounds` times. */
static void circulate(rig *r, dn_chunk **chunks, int n, int rounds) {
    for (int i = 0; i < rounds; i++) {
        for (int c = 0; c < n; c++) {
            put(r, chunks[c]);
        }
        flush(r, DN_CLOSE_IDLE);
        while (take(r)) {
        }
    }
}

static void expect_no_allocation(const dn_scorer_ops *ops, const char *settings) {
    enum { CHUNKS = 6 };
    rig *r = rig_new(ops, settings);
    dn_chunk *chunks[CHUNKS];
    for (int i = 0; i < CHUNKS; i++) {
        chunks[i] = chunk_of(r, (uint64_t)i, i * 31, 1, 50);
    }
    circulate(r, chunks, CHUNKS, 1);
    EXPECT(n_allocations > 0);
    n_allocations = 0;
    circulate(r, chunks, CHUNKS, 5);
    EXPECT_INT(n_allocations, 0);
    for (int i = 0; i < CHUNKS; i++) {
        dn_chunk_free(chunks[i]);
    }
    rig_free(r);
}

CASE(nothing_is_allocated_after_warm_up) {
    expect_no_allocation(&dn_scorer_model, "tokens=128 reuse=64KiB");
    expect_no_allocation(&dn_scorer_model, "tokens=128 reuse=0");
    expect_no_allocation(&dn_scorer_none, "tokens=128");
}

CASE(none_forms_the_same_batches_and_scores_nothing) {
    rig *model = rig_new(&dn_scorer_model, "tokens=128 rows=9 reuse=0"),
        *none = rig_new(&dn_scorer_none, "tokens=128 rows=9");
    EXPECT_INT(none->schema.n, 1);
    EXPECT(dn_scorer_info(none->conf) == NULL);
    rig *both[] = {model, none};
    for (int i = 0; i < 2; i++) {
        for (int c = 0; c < 5; c++) {
            put(both[i], chunk_of(both[i], (uint64_t)c, c * 7, 1, 33));
        }
        flush(both[i], DN_CLOSE_END);
        for (int c = 0; c < 5; c++) {
            dn_chunk *chunk = take(both[i]);
            REQUIRE(chunk != NULL);
            EXPECT_INT(chunk->sequence, c);
            dn_chunk_free(chunk);
        }
    }
    REQUIRE(model->n_events == none->n_events && none->n_events > 5);
    for (int i = 0; i < none->n_events; i++) {
        EXPECT_INT(none->event[i].rows, model->event[i].rows);
        EXPECT_INT(none->event[i].tokens, model->event[i].tokens);
        EXPECT_INT(none->event[i].reason, model->event[i].reason);
        EXPECT_INT(none->event[i].flops, 0);
    }
    rig_free(model);
    rig_free(none);
}

CASE(none_needs_no_tokens) {
    dn_schema schema = {0};
    void *conf = calloc(1, dn_scorer_none.conf_size);
    dn_scorer *scorer = NULL;
    EXPECT(dn_props_init(dn_scorer_none.props, conf) == DN_OK);
    EXPECT(dn_scorer_none.bind(conf, &(dn_bind){.schema = &schema}) == DN_OK);
    EXPECT(dn_scorer_none.open(conf, &(dn_scorer_env){0}, &scorer) == DN_OK);
    dn_chunk *chunk = dn_chunk_new(&schema);
    for (int i = 0; i < 700; i++) {
        dn_chunk_append(chunk, i, DN_NULL_I64, DN_NULL_I64);
    }
    EXPECT_INT(dn_scorer_none.put(scorer, chunk), DN_OK);
    EXPECT(dn_scorer_none.take(scorer) == NULL);
    EXPECT_INT(dn_scorer_none.flush(scorer, DN_CLOSE_END), DN_OK);
    EXPECT(dn_scorer_none.take(scorer) == chunk);
    dn_scorer_none.close(scorer);
    dn_scorer_none.unbind(conf);
    dn_chunk_free(chunk);
    free(conf);
}

CASE(settings_that_cannot_work_are_refused) {
    static const struct {
        bool ids;
        const char *path, *tokens, *backend, *says;
    } table[] = {
        {false, "", "2048", "", "ids"},
        {true, "tests/data/absent", "2048", "", "tests/data/absent/config.json"},
        {true, "tests/data/tiny", "63", "", "tokens: 63; the model's longest text has 64"},
        {true, "tests/data/tiny", "2048", "tpu", "tpu"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        rig r = {.ops = &dn_scorer_model, .conf = calloc(1, dn_scorer_model.conf_size)};
        int ids;
        EXPECT(dn_props_init(r.ops->props, r.conf) == DN_OK);
        const char *values[][2] = {
            {"path", table[i].path}, {"tokens", table[i].tokens}, {"backend", table[i].backend}};
        for (int v = 0; v < 3; v++) {
            EXPECT(dn_prop_set(dn_prop_find(r.ops->props, values[v][0]), r.conf, values[v][1]) ==
                   DN_OK);
        }
        if (table[i].ids) {
            EXPECT(dn_schema_add(&r.schema, (dn_field){.name = "ids", .type = DN_IDS, .width = 1},
                                 &ids) == DN_OK);
        }
        EXPECT_INT(r.ops->bind(r.conf, &(dn_bind){.schema = &r.schema}), DN_FATAL);
        if (!strstr(dn_failure_last()->text, table[i].says)) {
            fprintf(stderr, "got    %s\nwanted %s\n", dn_failure_last()->text, table[i].says);
            EXPECT(!"the expected message");
        }
        r.ops->unbind(r.conf);
        dn_props_free(r.ops->props, r.conf);
        free(r.conf);
    }
}

CASE(a_text_that_fits_no_batch_is_an_error) {
    rig *r = rig_new(&dn_scorer_none, "tokens=8");
    dn_chunk *chunk = chunk_of(r, 0, 2, 1, 1);
    EXPECT(text_ids(2).n > 8);
    EXPECT_INT(r->ops->put(r->scorer, chunk), DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "does not fit a batch of 8") != NULL);
    dn_chunk_free(chunk);
    rig_free(r);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
