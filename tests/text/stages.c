/* The stages as the pipeline runs them: through a schema, a chunk and their property tables. */
#include "text/stages.h"
#include "base/memory.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_STAGES = 4 };

typedef struct line {
    dn_schema schema;
    int n, value;
    const dn_stage_ops *stage[MAX_STAGES];
    void *conf[MAX_STAGES], *worker[MAX_STAGES];
    dn_chunk *chunk;
} line;

typedef struct setting {
    const char *name, *key, *value; /* key: of a MAP */
} setting;

static void line_begin(line *l) {
    dn_field value = {.name = "value",
                      .type = DN_BYTES,
                      .width = 1,
                      .units = "",
                      .long_name = "",
                      .group = "records",
                      .transient = true};
    *l = (line){.n = 0};
    EXPECT(dn_schema_add(&l->schema, value, &l->value) == DN_OK);
}

static dn_status line_add(line *l, const dn_stage_ops *stage, const char *model_dir,
                          const setting *settings) {
    dn_bind bind = {.schema = &l->schema,
                    .job = "test",
                    .pipeline = "test",
                    .base_dir = ".",
                    .n_models = model_dir != NULL,
                    .model = {{model_dir, "ids"}}};
    void *conf = l->conf[l->n] = dn_alloc(stage->conf_size);
    l->stage[l->n++] = stage;
    DN_TRY(dn_props_init(stage->props, conf));
    for (const setting *s = settings; s && s->name; s++) {
        const dn_prop *prop = dn_prop_find(stage->props, s->name);
        EXPECT(prop != NULL);
        if (s->key) {
            dn_map_put((dn_map *)((char *)conf + prop->offset), s->key, s->value);
        } else {
            DN_TRY(dn_prop_set(prop, conf, s->value));
        }
    }
    DN_TRY(stage->bind(conf, &bind));
    return stage->open ? stage->open(conf, &l->worker[l->n - 1]) : DN_OK;
}

static void line_fill(line *l, const char *const *records, int n) {
    l->chunk = l->chunk ? l->chunk : dn_chunk_new(&l->schema);
    dn_chunk_reset(l->chunk);
    for (int i = 0; i < n; i++) {
        uint32_t row = dn_chunk_append(l->chunk, 100 + i, 7, 9);
        dn_chunk_bytes(l->chunk, l->value)[row] = dn_span_of(records[i]);
    }
}

static void line_run(line *l) {
    for (int i = 0; i < l->n; i++) {
        EXPECT(l->stage[i]->run(l->conf[i], l->worker[i], l->chunk) == DN_OK);
    }
}

static void line_end(line *l) {
    dn_chunk_free(l->chunk);
    for (int i = 0; i < l->n; i++) {
        if (l->stage[i]->close && l->worker[i]) {
            l->stage[i]->close(l->worker[i]);
        }
        if (l->stage[i]->unbind) {
            l->stage[i]->unbind(l->conf[i]);
        }
        dn_props_free(l->stage[i]->props, l->conf[i]);
        free(l->conf[i]);
    }
}

static dn_span bytes_at(const line *l, const char *column, int row) {
    return dn_chunk_bytes(l->chunk, dn_schema_find(&l->schema, column))[row];
}

static int64_t i64_at(const line *l, const char *column, int row) {
    return dn_chunk_i64(l->chunk, dn_schema_find(&l->schema, column))[row];
}

CASE(decode_fills_its_columns) {
    static const char *const records[] = {
        "{\"id\":5,\"created_at\":\"2017-08-15T00:01:00Z\",\"user\":\"ann\",\"text\":\"a\\tb\","
        "\"lang\":\"English\"}",
        "{\"text\":\"only\"}",
        "{\"text\":\"nulls\",\"id\":null,\"created_at\":null,\"user\":null,\"lang\":null}",
        "{\"text\":\"ms\",\"created_at\":1502755260001}",
    };
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    line_fill(&l, records, 4);
    line_run(&l);
    EXPECT_INT(l.chunk->n_sel, 4);
    EXPECT_INT(i64_at(&l, "id", 0), 5);
    EXPECT_INT(i64_at(&l, "created_at", 0), 1502755260000);
    EXPECT_INT(l.chunk->event_ms[0], 1502755260000);
    EXPECT_INT(l.chunk->sent_ns[0], 9);
    EXPECT(dn_span_is(bytes_at(&l, "text", 0), "a\tb"));
    EXPECT(dn_span_is(bytes_at(&l, "user", 0), "ann"));
    EXPECT(dn_span_is(bytes_at(&l, "language", 0), "English"));
    for (int row = 1; row < 3; row++) {
        EXPECT(i64_at(&l, "id", row) == DN_NULL_I64 &&
               i64_at(&l, "created_at", row) == DN_NULL_I64);
        EXPECT(!bytes_at(&l, "user", row).ptr && !bytes_at(&l, "language", row).ptr);
        EXPECT_INT(l.chunk->event_ms[row], 7); /* as the source knew it */
    }
    EXPECT_INT(l.chunk->event_ms[3], 1502755260001);
    line_end(&l);
}

static const struct {
    const char *record, *reason, *detail;
} bad[] = {
    {"{\"text\":\"cut", "bad JSON", "byte 12: the string has no end"},
    {"{\"text\":\"x\"}}", "trailing bytes", "byte 12: expected the end of the record"},
    {"{\"text\":\"\xff\"}", "bad UTF-8", "byte 9: not a valid UTF-8 sequence"},
    {"{\"text\":\"a\\u0000\"}", "NUL", "byte 10: U+0000 in a string"},
    {"{\"id\":1}", "no text", "byte 0: the record has no text"},
    {"{\"text\":null}", "no text", "byte 8: the record has no text"},
    {"{\"text\":\"\"}", "empty text", "byte 8: the text is empty"},
    {"{\"text\":7}", "bad text", "byte 8: the text is not a string"},
    {"{\"text\":\"12345678901\"}", "oversize text", "byte 8: the text is longer than max_text"},
    {"{\"text\":\"x\",\"id\":1.5}", "bad id", "byte 17: the id is not an integer of 64 bits"},
    {"{\"text\":\"x\",\"created_at\":\"noon\"}", "bad time",
     "byte 25: created_at is neither RFC 3339 nor an integer"},
    {"{\"text\":\"x\",\"created_at\":9223372036854775807}", "bad time",
     "byte 25: created_at is neither RFC 3339 nor an integer"},
    {"{\"text\":\"x\",\"user\":{}}", "bad field", "byte 19: user or language is not a string"},
    {"", "empty record", "byte 0: there is nothing but white space"},
    {NULL, "empty record", "byte 0: the record has no value"},
};

CASE(decode_buries_what_is_bad_and_goes_on) {
    enum { N = sizeof bad / sizeof *bad };
    static const setting settings[] = {{"max_text", NULL, "10"}, {"time_unit", NULL, "s"}, {0}};
    const char *records[N + 2] = {"{\"text\":\"1234567890\",\"created_at\":-2}"};
    for (int i = 0; i < N; i++) {
        records[i + 1] = bad[i].record;
    }
    records[N + 1] = "{\"text\":\"last\"}";
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, settings) == DN_OK);
    line_fill(&l, records, N + 2);
    line_run(&l);
    EXPECT_INT(l.chunk->n_sel, 2);
    EXPECT_INT(l.chunk->sel[1], N + 1);
    EXPECT_INT(l.chunk->event_ms[0], -2000);
    REQUIRE(l.chunk->n_letters == N);
    for (int i = 0; i < N; i++) {
        const dn_letter *letter = &l.chunk->letters[i];
        EXPECT_INT(letter->row, i + 1);
        EXPECT_INT(l.chunk->fate[letter->row], DN_DEAD);
        EXPECT_TEXT(letter->stage, "decode");
        EXPECT_TEXT(letter->reason, bad[i].reason);
        EXPECT_TEXT(letter->detail.ptr, bad[i].detail);
        EXPECT(letter->raw.ptr == bad[i].record);
    }
    line_end(&l);
}

CASE(decode_maps_fields) {
    static const setting settings[] = {
        {"fields", "text", "full_text"}, {"fields", "language", "iso"}, {0}};
    static const char *const records[] = {
        "{\"full_text\":\"hi\",\"iso\":\"en\",\"text\":3,\"user\":\"u\"}"};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, settings) == DN_OK);
    line_fill(&l, records, 1);
    line_run(&l);
    EXPECT(dn_span_is(bytes_at(&l, "text", 0), "hi"));
    EXPECT(dn_span_is(bytes_at(&l, "language", 0), "en"));
    EXPECT(dn_span_is(bytes_at(&l, "user", 0), "u"));
    line_end(&l);
}

CASE(decode_refuses_wrong_settings) {
    static const setting unknown[] = {{"fields", "txt", "t"}, {0}},
                         twice[] = {{"fields", "user", "text"}, {0}};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, unknown) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "'txt' is no column") != NULL);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, twice) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "asked for twice") != NULL);
    line_end(&l);
}

CASE(clean_and_tokenise_follow_decode) {
    static const char *const records[] = {
        "{\"text\":\"@Ann &amp; @bob  see https://t.example/x\"}",
        "broken",
        "{\"text\":\"  \\n \"}",
        "{\"text\":\"plain\"}",
        "{\"text\":\"one two three four five six seven\"}",
    };
    static const setting cut[] = {{"max_tokens", NULL, "6"}, {0}};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_clean, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_tokenise, "models/tweets", cut) == DN_OK);
    for (int pass = 0; pass < 2; pass++) {
        line_fill(&l, records, 5);
        line_run(&l);
        EXPECT_INT(l.chunk->n_sel, 4);
        EXPECT(dn_span_is(bytes_at(&l, "clean", 0), "@user & @user see http"));
        EXPECT(!bytes_at(&l, "clean", 1).ptr);
        EXPECT(bytes_at(&l, "clean", 2).ptr && bytes_at(&l, "clean", 2).len == 0);
        EXPECT(bytes_at(&l, "clean", 3).ptr ==
               bytes_at(&l, "text", 3).ptr); /* nothing to change, nothing copied */
        EXPECT_INT(i64_at(&l, "tokens", 0), 6);
        EXPECT(i64_at(&l, "tokens", 1) == DN_NULL_I64);
        EXPECT_INT(i64_at(&l, "tokens", 2), 2);
        EXPECT_INT(i64_at(&l, "tokens", 3), 3);
        const dn_ids *ids = dn_chunk_ids(l.chunk, dn_schema_find(&l.schema, "ids"));
        static const int32_t want[] = {101, 2028, 2048, 2093, 2176, 102};
        EXPECT(!ids[1].id && ids[2].n == 2 && ids[2].id[0] == 101 && ids[2].id[1] == 102);
        EXPECT(ids[4].n == 6 && memcmp(ids[4].id, want, sizeof want) == 0);
        EXPECT_INT(l.chunk->n_cut, 2); /* the first and the last; each pass begins at 0 */
    }
    line_end(&l);
}

CASE(clean_can_leave_texts_alone) {
    static const setting none[] = {{"convention", NULL, "none"}, {0}};
    static const char *const records[] = {"{\"text\":\" @Ann \"}"};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_clean, NULL, none) == DN_OK);
    line_fill(&l, records, 1);
    line_run(&l);
    EXPECT(dn_span_is(bytes_at(&l, "clean", 0), " @Ann "));
    line_end(&l);
}

CASE(tokenise_takes_its_limit_from_the_model) {
    static const setting from_text[] = {{"from", NULL, "text"}, {0}};
    char text[4096] = "{\"text\":\"";
    for (int i = 0; i < 400; i++) {
        strcat(text, "a ");
    }
    strcat(text, "\"}");
    const char *const records[] = {text};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_tokenise, "tests/data/tiny", from_text) == DN_OK);
    line_fill(&l, records, 1);
    line_run(&l);
    EXPECT_INT(i64_at(&l, "tokens", 0), 64); /* dunlin.max_tokens of its config.json */
    line_end(&l);
}

CASE(tokenise_counts_the_positions_of_roberta) {
    static const setting settings[] = {{"from", NULL, "text"},
                                       {"vocabulary", NULL, "tests/data/tokenisers/unigram"},
                                       {"max_tokens", NULL, "0"},
                                       {0}};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    /* 66 positions, the first two before the padding id 1 and at it; no "dunlin" object */
    EXPECT(line_add(&l, &dn_stage_tokenise, "tests/data/families/roberta_whole", settings) ==
           DN_FATAL); /* of another vocabulary, found after the columns are made */
    EXPECT(strstr(dn_failure_last()->text, "1502 tokens, but the embedding of") != NULL);
    EXPECT_INT(l.schema.field[dn_schema_find(&l.schema, "ids")].width, 64);
    line_end(&l);
}

/* A folder with a vocabulary of its own. */
static void write_vocabulary(char *dir, const char *pieces) {
    char path[128];
    strcpy(dir, "/tmp/dunlin-stages-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/vocab.txt", dir);
    FILE *file = fopen(path, "w");
    EXPECT(file && fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", file) >= 0 &&
           fputs(pieces, file) >= 0 && fclose(file) == 0);
}

static void remove_vocabulary(const char *dir) {
    char path[128];
    snprintf(path, sizeof path, "%s/vocab.txt", dir);
    EXPECT(unlink(path) == 0 && rmdir(dir) == 0);
}

CASE(models_share_ids_only_of_one_vocabulary) {
    static const setting named[] = {{"from", NULL, "text"}, {"name", NULL, "b"}, {0}};
    char first[64], same[64], other[64];
    write_vocabulary(first, "a\nb\n");
    write_vocabulary(same, "a\nb\n");
    write_vocabulary(other, "a\nc\n");
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    dn_bind bind = {.schema = &l.schema, .n_models = 2, .model = {{first, "ids"}, {same, "ids"}}};
    void *conf = l.conf[l.n] = dn_alloc(dn_stage_tokenise.conf_size);
    l.stage[l.n++] = &dn_stage_tokenise;
    EXPECT(dn_props_init(dn_stage_tokenise.props, conf) == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(dn_stage_tokenise.props, "from"), conf, "text") == DN_OK);
    int n_fields = l.schema.n;
    EXPECT(dn_stage_tokenise.bind(conf, &bind) == DN_OK);
    dn_stage_tokenise.unbind(conf);
    l.schema.n = n_fields;
    bind.model[1].dir = other;
    EXPECT(dn_stage_tokenise.bind(conf, &bind) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "the models cannot share the column 'ids'") != NULL);
    /* the other reads ids of its own */
    dn_stage_tokenise.unbind(conf);
    l.schema.n = n_fields;
    bind.model[1].ids = "ids.b";
    EXPECT(dn_stage_tokenise.bind(conf, &bind) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_tokenise, other, named) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "no model of the pipeline reads 'ids.b'") != NULL);
    line_end(&l);
    remove_vocabulary(first);
    remove_vocabulary(same);
    remove_vocabulary(other);
}

CASE(tokenise_refuses_wrong_settings) {
    static const setting one[] = {{"max_tokens", NULL, "1"}, {0}},
                         elsewhere[] = {{"vocabulary", NULL, "no/such/folder"}, {0}};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_tokenise, NULL, NULL) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "set vocabulary") != NULL);
    EXPECT(line_add(&l, &dn_stage_tokenise, "models/tweets", one) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "max_tokens is 1") != NULL);
    EXPECT(line_add(&l, &dn_stage_tokenise, "models/tweets", NULL) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "clean") != NULL);
    line_end(&l);
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_clean, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_tokenise, "models/tweets", elsewhere) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
    EXPECT(strstr(dn_failure_last()->text, "no/such/folder: there is no tokenizer.json") != NULL);
    line_end(&l);
}

CASE(mail_takes_the_subject_from_its_field) {
    static const setting named[] = {{"subject", NULL, "title"}, {0}},
                         from_mail[] = {{"from", NULL, "mail.text"}, {0}};
    static const char *const records[] = {
        "{\"title\":\"one two\",\"text\":\"three\\n> four\\n\"}",
        "{\"text\":\"From: a\\nSubject: one\\n\\ntwo\"}",
        "{\"title\":\"one\",\"text\":\"From: a\\nSubject: b\\n\\nc\"}"};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_mail, NULL, named) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_tokenise, "models/tweets", from_mail) == DN_OK);
    line_fill(&l, records, 3);
    line_run(&l);
    EXPECT_TEXT(bytes_at(&l, "mail.text", 0).ptr, "one two\nthree");
    EXPECT_INT(i64_at(&l, "mail.quoted", 0), 1);
    EXPECT_INT(i64_at(&l, "tokens", 0), 5);
    EXPECT_TEXT(bytes_at(&l, "mail.text", 1).ptr, "one\ntwo");
    EXPECT_TEXT(bytes_at(&l, "mail.text", 2).ptr, "one\nFrom: a\nSubject: b\n\nc");
    line_end(&l);
}

CASE(null_copies_a_column) {
    static const char *const records[] = {"{\"text\":\"x\"}"};
    line l;
    line_begin(&l);
    EXPECT(line_add(&l, &dn_stage_decode, NULL, NULL) == DN_OK);
    EXPECT(line_add(&l, &dn_stage_null, NULL, NULL) == DN_OK);
    line_fill(&l, records, 1);
    line_run(&l);
    EXPECT(dn_span_is(bytes_at(&l, "null_copy", 0), "x"));
    line_end(&l);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
