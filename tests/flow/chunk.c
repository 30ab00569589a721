/* Rows, fates, letters and columns of a chunk, and the columns of a schema by name. */
#include "flow/chunk.h"
#include "test.h"

static dn_field field(const char *name, dn_type type, int width) {
    return (dn_field){.name = name, .type = type, .width = width, .units = "", .group = "records"};
}

CASE(schema_gives_equal_columns_one_index) {
    dn_schema schema = {0};
    int a, b, again;
    REQUIRE(dn_schema_add(&schema, field("text", DN_BYTES, 1), &a) == DN_OK);
    REQUIRE(dn_schema_add(&schema, field("tokens", DN_I64, 1), &b) == DN_OK);
    REQUIRE(dn_schema_add(&schema, field("text", DN_BYTES, 1), &again) == DN_OK);
    EXPECT_INT(again, a);
    EXPECT(a != b);
    EXPECT_INT(schema.n, 2);
    EXPECT_INT(dn_schema_find(&schema, "tokens"), b);
    EXPECT_INT(dn_schema_find(&schema, "token"), -1);
}

CASE(schema_refuses_a_column_of_two_types) {
    dn_schema schema = {0};
    int index = -7;
    REQUIRE(dn_schema_add(&schema, field("text", DN_BYTES, 1), &index) == DN_OK);
    EXPECT(dn_schema_add(&schema, field("text", DN_I64, 1), &index) == DN_FATAL);
    EXPECT(dn_failure_last()->error == DN_E_CONFIG);
    EXPECT_TEXT(dn_failure_last()->text, "column 'text' is made twice, as text and as integer");
}

CASE(schema_is_bounded) {
    static char names[DN_MAX_FIELDS + 1][16];
    dn_schema schema = {0};
    int index;
    for (int i = 0; i <= DN_MAX_FIELDS; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        dn_status status = dn_schema_add(&schema, field(names[i], DN_I64, 1), &index);
        EXPECT((status == DN_OK) == (i < DN_MAX_FIELDS));
    }
    EXPECT(strstr(dn_failure_last()->text, "c64") != NULL);
}

CASE(schema_need_names_who_and_what_there_is) {
    dn_schema schema = {0};
    int index;
    REQUIRE(dn_schema_add(&schema, field("text", DN_BYTES, 1), &index) == DN_OK);
    EXPECT(dn_schema_need(&schema, "stage x", "ids", DN_IDS, &index) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "stage x needs the column 'ids'") != NULL);
    EXPECT(strstr(dn_failure_last()->text, "there are: text") != NULL);
    EXPECT(dn_schema_need(&schema, "stage x", "text", DN_IDS, &index) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "as token ids, but it is text") != NULL);
    EXPECT(dn_schema_need(&schema, "stage x", "text", DN_BYTES, &index) == DN_OK);
    EXPECT_INT(index, 0);
}

enum { BYTES, I64, F32, LABEL, IDS, N_FIELDS, WIDTH = 3 };

static dn_chunk *chunk_of_all_types(dn_schema *schema) {
    static const char *const names[N_FIELDS] = {"bytes", "i64", "f32", "label", "ids"};
    static const dn_type types[N_FIELDS] = {DN_BYTES, DN_I64, DN_F32, DN_LABEL, DN_IDS};
    *schema = (dn_schema){0};
    for (int i = 0, index; i < N_FIELDS; i++) {
        dn_schema_add(schema, field(names[i], types[i], i == F32 ? WIDTH : 1), &index);
    }
    return dn_chunk_new(schema);
}

static void expect_null_row(const dn_chunk *chunk, uint32_t row) {
    EXPECT(dn_chunk_bytes(chunk, BYTES)[row].ptr == NULL);
    EXPECT(dn_chunk_i64(chunk, I64)[row] == DN_NULL_I64);
    for (uint32_t i = 0; i < WIDTH; i++) {
        EXPECT(isnan(dn_chunk_f32(chunk, F32)[row * WIDTH + i]));
    }
    EXPECT_INT(dn_chunk_label(chunk, LABEL)[row], DN_NO_LABEL);
    EXPECT(dn_chunk_ids(chunk, IDS)[row].id == NULL);
}

CASE(appended_rows_are_null_also_when_the_chunk_is_used_again) {
    dn_schema schema;
    dn_chunk *chunk = chunk_of_all_types(&schema);
    static const int32_t ids[] = {1, 2};
    for (int use = 0; use < 3; use++) {
        for (int i = 0; i < DN_CHUNK_ROWS; i++) {
            uint32_t row = dn_chunk_append(chunk, 10 * i, i, DN_NULL_I64);
            EXPECT_INT(row, i);
            expect_null_row(chunk, row);
            dn_chunk_bytes(chunk, BYTES)[row] = dn_span_of("x");
            dn_chunk_i64(chunk, I64)[row] = 1;
            for (uint32_t k = 0; k < WIDTH; k++) {
                dn_chunk_f32(chunk, F32)[row * WIDTH + k] = 1;
            }
            dn_chunk_label(chunk, LABEL)[row] = 1;
            dn_chunk_ids(chunk, IDS)[row] = (dn_ids){ids, 2};
        }
        EXPECT_INT(chunk->n_sel, DN_CHUNK_ROWS);
        dn_chunk_reset(chunk);
        EXPECT_INT(chunk->n_rows + chunk->n_sel + chunk->n_letters, 0);
    }
    dn_chunk_free(chunk);
}

CASE(the_selection_holds_the_kept_rows_in_order) {
    dn_schema schema;
    dn_chunk *chunk = chunk_of_all_types(&schema);
    uint32_t n_kept = 0;
    for (int i = 0; i < DN_CHUNK_ROWS; i++) {
        uint32_t row = dn_chunk_append(chunk, i, i, i);
        uint64_t fate = dn_random() % DN_FATES;
        if (fate == DN_DEAD) {
            dn_chunk_bury(chunk, row, "test", "reason", dn_span_of("why"), dn_span_of("raw"));
        } else if (fate != DN_KEPT) {
            dn_chunk_drop(chunk, row, (dn_fate)fate);
        }
        n_kept += fate == DN_KEPT;
    }
    dn_chunk_select(chunk);
    EXPECT_INT(chunk->n_sel, n_kept);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        EXPECT_INT(chunk->fate[chunk->sel[i]], DN_KEPT);
        EXPECT(i == 0 || chunk->sel[i] > chunk->sel[i - 1]);
    }
    for (uint32_t i = 0; i < chunk->n_letters; i++) {
        EXPECT_INT(chunk->fate[chunk->letters[i].row], DN_DEAD);
        EXPECT(dn_span_equal(chunk->letters[i].raw, dn_span_of("raw")));
    }
    dn_chunk_free(chunk);
}

CASE(the_arena_keeps_its_memory_over_a_reset) {
    dn_schema schema;
    dn_chunk *chunk = chunk_of_all_types(&schema);
    enum { PIECE = 1000, PIECES = 2000 }; /* more than one block of the arena */
    char *first[2];
    for (int use = 0; use < 2; use++) {
        char *held[PIECES];
        for (int i = 0; i < PIECES; i++) {
            held[i] = dn_arena_take(&chunk->arena, PIECE);
            memset(held[i], i & 0xff, PIECE);
        }
        for (int i = 0; i < PIECES; i++) {
            EXPECT(held[i][0] == (char)(i & 0xff) && held[i][PIECE - 1] == (char)(i & 0xff));
        }
        first[use] = held[0];
        dn_chunk_reset(chunk);
    }
    EXPECT(first[0] == first[1]);
    dn_chunk_free(chunk);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
