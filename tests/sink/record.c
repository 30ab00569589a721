/* A row as JSON: every kind of column, null and not. */
#include "base/memory.h"
#include "sink/record_json.h"
#include "test.h"

static const char *const moods[] = {"bad", "good"};
static const char *const odd[] = {"say \"so\"", "\u2764", "\x7f"};

static int add(dn_schema *schema, dn_field field) {
    int index = -1;
    field.width = field.width ? field.width : 1;
    field.units = field.long_name = "";
    field.group = field.group ? field.group : "records";
    EXPECT(dn_schema_add(schema, field, &index) == DN_OK);
    return index;
}

static int add_label(dn_schema *schema, const char *name, const char *const *labels, int n) {
    return add(
        schema,
        (dn_field){
            .name = name, .type = DN_LABEL, .labels = labels, .n_labels = n, .group = "labels"});
}

static int add_scores(dn_schema *schema, const char *name, const char *const *labels, int width) {
    return add(schema, (dn_field){.name = name,
                                  .type = DN_F32,
                                  .width = width,
                                  .labels = labels,
                                  .n_labels = labels ? width : 0,
                                  .group = "scores"});
}

/* Binds "a,b,c" ("" for the usual columns) and expects the record of the row. */
static void expect_record(const dn_schema *schema, const char *names, const dn_chunk *chunk,
                          uint32_t row, const char *want) {
    dn_list fields = {0};
    char *copy = dn_strdup(names);
    for (char *name = strtok(copy, ","); name; name = strtok(NULL, ",")) {
        dn_list_put(&fields, name);
    }
    dn_record_format format;
    EXPECT(dn_record_bind(schema, &fields, "test", &format) == DN_OK);
    dn_out out = {0};
    dn_record_write(&format, chunk, row, &out);
    dn_out_bytes(&out, "", 1);
    EXPECT_TEXT(out.ptr, want);
    dn_out_free(&out);
    dn_record_unbind(&format);
    for (int i = 0; i < fields.n; i++) {
        free(fields.item[i]);
    }
    free(fields.item);
    free(copy);
}

CASE(record_has_labels_and_scores) {
    dn_schema schema = {0};
    int id = add(&schema, (dn_field){.name = "id", .type = DN_I64});
    int created = add(&schema, (dn_field){.name = "created_at", .type = DN_I64});
    int language = add(&schema, (dn_field){.name = "language", .type = DN_BYTES});
    int score = add_scores(&schema, "score.mood", moods, 2);
    int label = add_label(&schema, "label.mood", moods, 2);
    dn_chunk *chunk = dn_chunk_new(&schema);
    uint32_t row = dn_chunk_append(chunk, 0, 0, 0);
    dn_chunk_i64(chunk, id)[row] = 7;
    dn_chunk_i64(chunk, created)[row] = 1502755203000;
    dn_chunk_bytes(chunk, language)[row] = DN_SPAN("en");
    dn_chunk_label(chunk, label)[row] = 1;
    dn_chunk_f32(chunk, score)[2 * row] = 0.25f;
    dn_chunk_f32(chunk, score)[2 * row + 1] = 7.5e-5f;
    expect_record(&schema, "", chunk, row,
                  "{\"id\":7,\"created_at\":\"2017-08-15T00:00:03Z\",\"lang\":\"en\","
                  "\"labels\":{\"mood\":\"good\"},"
                  "\"scores\":{\"mood\":{\"bad\":0.25,\"good\":7.5e-05}}}");
    /* The columns that were asked for, in their order, but for what is gathered. */
    expect_record(
        &schema, "score.mood,language,id", chunk, row,
        "{\"lang\":\"en\",\"id\":7,\"scores\":{\"mood\":{\"bad\":0.25,\"good\":7.5e-05}}}");
    expect_record(&schema, "label.mood", chunk, row, "{\"labels\":{\"mood\":\"good\"}}");
    /* Nulls are left out; times before 1970 and fractions of a second are kept. */
    row = dn_chunk_append(chunk, 1, 0, 0);
    dn_chunk_i64(chunk, created)[row] = -1500;
    dn_chunk_f32(chunk, score)[2 * row] = NAN;
    expect_record(&schema, "", chunk, row,
                  "{\"created_at\":\"1969-12-31T23:59:58.500Z\",\"labels\":{},\"scores\":{}}");
    expect_record(&schema, "id", chunk, row, "{}");
    dn_chunk_free(chunk);
}

/* Nanoseconds end in the year 2262: 3000 was once written as 1830. */
CASE(record_has_times_of_any_year) {
    dn_schema schema = {0};
    int created = add(&schema, (dn_field){.name = "created_at", .type = DN_I64});
    dn_chunk *chunk = dn_chunk_new(&schema);
    uint32_t row = dn_chunk_append(chunk, 0, 0, 0);
    dn_chunk_i64(chunk, created)[row] = 32503680000000;
    expect_record(&schema, "", chunk, row, "{\"created_at\":\"3000-01-01T00:00:00Z\"}");
    dn_chunk_i64(chunk, created)[row] = 253402300800000;
    expect_record(&schema, "", chunk, row, "{\"created_at\":253402300800000}");
    dn_chunk_i64(chunk, created)[row] = DN_NULL_I64;
    expect_record(&schema, "", chunk, row, "{}");
    dn_chunk_free(chunk);
}

CASE(record_has_vectors_numbers_and_json) {
    dn_schema schema = {0};
    int alone = add_scores(&schema, "score.likeness", NULL, 1);
    int vector = add_scores(&schema, "score.vector", NULL, 3);
    int named = add_scores(&schema, "score.one", odd, 1);
    int places = add(&schema, (dn_field){.name = "places", .type = DN_BYTES, .group = "entities"});
    int text = add(&schema, (dn_field){.name = "te\"xt", .type = DN_BYTES});
    dn_chunk *chunk = dn_chunk_new(&schema);
    uint32_t row = dn_chunk_append(chunk, 0, 0, 0);
    dn_chunk_f32(chunk, alone)[row] = 0.5f;
    dn_chunk_f32(chunk, named)[row] = 1;
    memcpy(dn_chunk_f32(chunk, vector) + (size_t)row * 3, (float[]){0, INFINITY, -2}, 12);
    dn_chunk_bytes(chunk, places)[row] = DN_SPAN("[{\"at\":3}]");
    dn_chunk_bytes(chunk, text)[row] = DN_SPAN("");
    expect_record(&schema, "score.vector,te\"xt,score.likeness,places,score.one", chunk, row,
                  "{\"te\\\"xt\":\"\",\"places\":[{\"at\":3}],\"scores\":{\"vector\":[0,null,-2],"
                  "\"likeness\":0.5,\"one\":{\"say \\\"so\\\"\":1}}}");
    expect_record(&schema, "", chunk, row,
                  "{\"places\":[{\"at\":3}],\"scores\":{\"one\":{\"say \\\"so\\\"\":1}}}");
    dn_chunk_free(chunk);
}

CASE(record_escapes_labels) {
    static const char *const want[] = {"\"say \\\"so\\\"\"", "\"\u2764\"", "\"\\u007f\""};
    dn_schema schema = {0};
    int first = add_label(&schema, "label.a", odd, 3), second = add_label(&schema, "b", odd, 3);
    dn_chunk *chunk = dn_chunk_new(&schema);
    uint32_t row = dn_chunk_append(chunk, 0, 0, 0);
    for (uint8_t i = 0; i < 3; i++) {
        char text[64];
        dn_chunk_label(chunk, first)[row] = i;
        dn_chunk_label(chunk, second)[row] = (uint8_t)(2 - i);
        snprintf(text, sizeof text, "{\"labels\":{\"a\":%s,\"b\":%s}}", want[i], want[2 - i]);
        expect_record(&schema, "", chunk, row, text);
    }
    dn_chunk_label(chunk, first)[row] = 3; /* there is none of that number */
    dn_chunk_label(chunk, second)[row] = DN_NO_LABEL;
    expect_record(&schema, "", chunk, row, "{\"labels\":{}}");
    dn_chunk_free(chunk);
}

CASE(record_refuses_columns_that_are_not_there) {
    dn_schema schema = {0};
    add(&schema, (dn_field){.name = "text", .type = DN_BYTES});
    add(&schema, (dn_field){.name = "tokens", .type = DN_IDS});
    static const char *const names[] = {"txt", "tokens"};
    for (int i = 0; i < 2; i++) {
        dn_list fields = {.n = 1, .item = (char *[]){(char *)names[i]}};
        dn_record_format format;
        EXPECT(dn_record_bind(&schema, &fields, "topic", &format) == DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, i ? "no column 'tokens'" : "no column 'txt'"));
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
