/* Which texts reach a model that names its languages, and who may fill a column with whom. */
#include "model/languages.h"

#include "base/memory.h"
#include "model/model.h"
#include "model/scorer.h"
#include "test.h"

static const char *const detected[] = {"de", "en", "ru", DN_UNDECIDED};
enum { DE, EN, RU, UND, N_DETECTED, N_ROWS = 8, N_TOKENS = 4, CLASSES = 3 };

static dn_languages languages_of(const char *list) {
    dn_list setting = {0};
    dn_languages out = {0};
    EXPECT(dn_prop_set(&(dn_prop){.name = "languages", .type = DN_P_LIST}, &setting, list) ==
           DN_OK);
    EXPECT(dn_languages_set(&setting, &out) == DN_OK);
    dn_props_free((dn_prop[]){{.name = "languages", .type = DN_P_LIST}, {0}}, &setting);
    return out;
}

static dn_field label_of(const char *name, const char *const *labels, int n) {
    return (dn_field){.name = name, .type = DN_LABEL, .width = 1, .labels = labels, .n_labels = n};
}

static bool failed_with(dn_status status, const char *words) {
    return status == DN_FATAL && strstr(dn_failure_last()->text, words) != NULL;
}

CASE(a_list_is_codes_each_once) {
    char text[64];
    dn_languages languages = languages_of("en,pt-br");
    dn_languages_print(&languages, sizeof text, text);
    EXPECT_TEXT(text, "en,pt-br");
    EXPECT_INT(languages_of("any").n, 0);
    dn_languages_print(&languages, 4, text);
    EXPECT_TEXT(text, "en,");

    static const struct {
        const char *item, *says;
    } bad[] = {{"English", "no code"}, {"und", "no code"}, {"e", "no code"},
               {"EN", "no code"},      {"en", "twice"},    {"any", "any"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *items[] = {"en", (char *)(uintptr_t)bad[i].item};
        dn_languages out = {0};
        dn_status status = dn_languages_set(&(dn_list){2, items}, &out);
        EXPECT(i == 5 ? status == DN_OK : failed_with(status, bad[i].says));
    }
}

CASE(what_nobody_knows_is_served) {
    dn_schema schema = {0};
    int field;
    EXPECT(dn_schema_add(&schema, label_of("label.language", detected, N_DETECTED), &field) ==
           DN_OK);
    dn_language_gate gate;
    dn_languages english = languages_of("en"), french = languages_of("fr"), all = {0};
    EXPECT(dn_language_gate_bind("m", &english, "label.language", &schema, &gate) == DN_OK);
    EXPECT_INT(gate.field, field);
    EXPECT(gate.serves[EN] && gate.serves[UND] && gate.serves[DN_NO_LABEL]);
    EXPECT(!gate.serves[DE] && !gate.serves[RU]);

    EXPECT(dn_language_gate_bind("m", &all, "label.language", &schema, &gate) == DN_OK);
    EXPECT_INT(gate.field, -1);
    EXPECT(dn_language_gate_bind("m", &english, "elsewhere", &schema, &gate) == DN_OK);
    EXPECT_INT(gate.field, -1);
    EXPECT(failed_with(dn_language_gate_bind("m", &french, "label.language", &schema, &gate),
                       "m serves fr, and the column 'label.language' never says so"));
}

CASE(a_column_is_shared_by_models_of_different_languages) {
    static const char *const mood[] = {"bad", "good", DN_UNDECIDED};
    static const char *const other[] = {"good", "bad"};
    dn_schema schema = {0};
    int first, second;
    dn_languages de = languages_of("de,es"), en = languages_of("en"), es = languages_of("es");
    dn_languages s = languages_of("it"), all = {0};
    dn_field field = label_of("label.mood", mood, 2), longer = label_of("label.mood", mood, 3);
    EXPECT(dn_languages_add_column("a", &de, field, &schema, &first) == DN_OK);
    EXPECT(dn_languages_add_column("b", &en, longer, &schema, &second) == DN_OK);
    EXPECT_INT(second, first);
    EXPECT_INT(schema.field[first].n_labels, 3);
    EXPECT_TEXT(schema.field[first].languages, "de,es,en");

    EXPECT(failed_with(dn_languages_add_column("c", &es, field, &schema, &second),
                       "c makes the column 'label.mood', which is there already for one of its"));
    EXPECT(failed_with(dn_languages_add_column("c", &all, field, &schema, &second), "`prefix`"));
    EXPECT(failed_with(dn_languages_add_column("c", &s, label_of("label.mood", other, 2), &schema,
                                               &second),
                       "with other classes"));
    EXPECT_TEXT(schema.field[first].languages, "de,es,en");

    dn_field open = label_of("label.tone", mood, 2);
    EXPECT(dn_languages_add_column("a", &all, open, &schema, &first) == DN_OK);
    EXPECT(failed_with(dn_languages_add_column("b", &en, open, &schema, &second), "`prefix`"));
}

/* ---- the scorer ---- */

/** The tiny model over one chunk, and what it counted. */
typedef struct rig {
    dn_schema schema;
    void *conf;
    dn_chunk *chunk;
    int rows, reused, foreign_rows, foreign_tokens;
} rig;

static void listen(void *ctx, const dn_batch_event *event) {
    rig *r = ctx;
    r->rows += event->rows;
    r->reused += event->reused;
    r->foreign_rows += event->foreign_rows;
    r->foreign_tokens += event->foreign_tokens;
}

static void fill(rig *r, const uint8_t *language, bool equal) {
    static int32_t id[N_ROWS][N_TOKENS];
    r->chunk = dn_chunk_new(&r->schema);
    for (int i = 0; i < N_ROWS; i++) {
        uint32_t row = dn_chunk_append(r->chunk, i, DN_NULL_I64, DN_NULL_I64);
        memcpy(id[i], (int32_t[]){2, 100 + (equal ? 0 : i), 200, 3}, sizeof id[i]);
        dn_chunk_ids(r->chunk, 0)[row] = (dn_ids){id[i], N_TOKENS};
        dn_chunk_label(r->chunk, 1)[row] = language[i];
    }
}

/** N_ROWS texts, row i in language[i]; one and the same text where they are `equal`. */
static rig *score(const char *languages, const uint8_t *language, bool equal) {
    const dn_scorer_ops *ops = &dn_scorer_model;
    rig *r = dn_alloc(sizeof *r);
    dn_scorer *scorer;
    int index;
    r->conf = dn_alloc(ops->conf_size);
    EXPECT(dn_schema_add(&r->schema,
                         (dn_field){.name = "ids", .type = DN_IDS, .width = 1, .transient = true},
                         &index) == DN_OK);
    EXPECT(dn_schema_add(&r->schema, label_of("label.language", detected, N_DETECTED), &index) ==
           DN_OK);
    EXPECT(dn_props_init(ops->props, r->conf) == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(ops->props, "path"), r->conf, "tests/data/tiny") == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(ops->props, "languages"), r->conf, languages) == DN_OK);
    dn_scorer_env env = {.listener = listen, .listener_ctx = r};
    if (ops->bind(r->conf, &(dn_bind){.schema = &r->schema}) != DN_OK ||
        ops->open(r->conf, &env, &scorer) != DN_OK) {
        abort();
    }
    fill(r, language, equal);
    EXPECT(ops->put(scorer, r->chunk) == DN_OK);
    EXPECT(ops->flush(scorer, DN_CLOSE_END) == DN_OK);
    EXPECT(ops->take(scorer) == r->chunk);
    ops->close(scorer);
    return r;
}

static void rig_free(rig *r) {
    dn_chunk_free(r->chunk);
    dn_scorer_model.unbind(r->conf);
    dn_props_free(dn_scorer_model.props, r->conf);
    free(r->conf);
    free(r);
}

/** A row has all of its scores and labels, or none. */
static bool is_null(const rig *r, int row) {
    int field = dn_schema_find(&r->schema, "score.mood");
    const float *of_row = dn_chunk_f32(r->chunk, field) + CLASSES * row;
    uint8_t label = dn_chunk_label(r->chunk, dn_schema_find(&r->schema, "label.mood"))[row];
    EXPECT(isnan(of_row[0]) == (label == DN_NO_LABEL));
    EXPECT(isnan(of_row[0]) == isnan(of_row[CLASSES - 1]));
    return label == DN_NO_LABEL;
}

CASE(other_languages_are_null_and_counted) {
    static const uint8_t language[N_ROWS] = {EN, DE, RU, UND, DN_NO_LABEL, EN, RU, DE};
    rig *r = score("en", language, false);
    for (int i = 0; i < N_ROWS; i++) {
        EXPECT(is_null(r, i) == (language[i] == DE || language[i] == RU));
    }
    EXPECT_INT(r->rows, 4);
    EXPECT_INT(r->foreign_rows, 4);
    EXPECT_INT(r->foreign_tokens, 4 * N_TOKENS);
    rig_free(r);

    r = score("any", language, false);
    for (int i = 0; i < N_ROWS; i++) {
        EXPECT(!is_null(r, i));
    }
    EXPECT_INT(r->rows, N_ROWS);
    EXPECT_INT(r->foreign_rows, 0);
    rig_free(r);
}

CASE(a_known_text_in_another_language_stays_null) {
    static const uint8_t language[N_ROWS] = {EN, DE, EN, RU, EN, DE, EN, RU};
    rig *r = score("en", language, true);
    for (int i = 0; i < N_ROWS; i++) {
        EXPECT(is_null(r, i) == (language[i] != EN));
    }
    EXPECT_INT(r->rows, 1);
    EXPECT_INT(r->reused, 3);
    EXPECT_INT(r->foreign_rows, 4);
    rig_free(r);
}

CASE(a_batch_of_nothing_but_other_languages_is_reported) {
    static const uint8_t language[N_ROWS] = {DE, DE, RU, RU, DE, DE, RU, RU};
    rig *r = score("en", language, false);
    EXPECT_INT(r->rows, 0);
    EXPECT_INT(r->foreign_rows, N_ROWS);
    EXPECT(is_null(r, 0));
    rig_free(r);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
