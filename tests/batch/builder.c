#include "batch/builder.h"

#include "test.h"

static dn_builder *builder_of(int max_tokens, int max_rows) {
    dn_builder *builder = NULL;
    EXPECT(dn_builder_new(max_tokens, max_rows, &builder) == DN_OK);
    return builder;
}

CASE(rows_are_packed_behind_each_other) {
    dn_builder *builder = builder_of(16, 4);
    const int32_t a[] = {101, 7592, 102}, b[] = {101, 102};
    EXPECT_INT(dn_builder_add(builder, a, 3), 0);
    EXPECT_INT(dn_builder_add(builder, b, 2), 1);
    dn_batch batch = dn_builder_batch(builder);
    const int32_t token[] = {101, 7592, 102, 101, 102}, row_start[] = {0, 3, 5};
    EXPECT_INT(batch.n_rows, 2);
    EXPECT_INT(batch.n_tokens, 5);
    EXPECT(memcmp(batch.token, token, sizeof token) == 0);
    EXPECT(memcmp(batch.row_start, row_start, sizeof row_start) == 0);
    dn_builder_free(builder);
}

CASE(the_limit_that_is_met_is_named) {
    dn_builder *builder = builder_of(6, 2);
    const int32_t id[] = {1, 2, 3, 4};
    EXPECT_INT(dn_builder_add(builder, id, 4), 0);
    EXPECT_INT(dn_builder_add(builder, id, 3), DN_BATCH_FULL_TOKENS);
    EXPECT_INT(dn_builder_add(builder, id, 2), 1);
    EXPECT_INT(dn_builder_add(builder, id, 1), DN_BATCH_FULL_ROWS);
    EXPECT_INT(dn_builder_batch(builder).n_tokens, 6);
    dn_builder_reset(builder);
    EXPECT_INT(dn_builder_add(builder, id, 3), 0);
    dn_builder_free(builder);
    EXPECT_INT(dn_builder_new(0, 1, &builder), DN_FATAL);
    EXPECT_INT(dn_builder_new(1, 0, &builder), DN_FATAL);
}

CASE(find_compares_ids_in_full) {
    enum { ROWS = 60, BATCHES = 200 };
    dn_builder *builder = builder_of(1024, ROWS);
    for (int round = 0; round < BATCHES; round++) {
        int32_t row[ROWS][3];
        int length[ROWS];
        dn_builder_reset(builder);
        for (int i = 0; i < ROWS; i++) {
            length[i] = 1 + (int)(dn_random() % 3);
            for (int j = 0; j < 3; j++) {
                row[i][j] = (int32_t)(dn_random() % 3);
            }
            uint64_t hash = (uint64_t)(row[i][0] & 1);
            int expected = -1;
            for (int k = 0; k < i && expected < 0; k++) {
                bool same = length[k] == length[i] &&
                            memcmp(row[k], row[i], (size_t)length[i] * sizeof(int32_t)) == 0;
                expected = same ? k : -1;
            }
            REQUIRE(dn_builder_find(builder, hash, row[i], length[i]) == expected);
            REQUIRE(dn_builder_add(builder, row[i], length[i]) == i);
            if (expected < 0) {
                dn_builder_publish(builder, i, hash);
            }
        }
    }
    dn_builder_free(builder);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
