/* After a first chunk the stages allocate nothing: the arena, the scratch and the cache have their
 * room. Interposes the allocator, which a sanitizer does as well, so it skips there. */
#include "base/memory.h"
#include "test.h"
#include "text/stages.h"

static int64_t n_calls;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { COUNTING = 1 };
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
    n_calls++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    n_calls++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    n_calls++;
    return __libc_realloc(old, size);
}
#else
enum { COUNTING = 0 };
#endif

enum { N_STAGES = 4, N_RECORDS = 4, PASSES = 5 };

static const dn_stage_ops *const stages[N_STAGES] = {&dn_stage_decode, &dn_stage_clean,
                                                     &dn_stage_mail, &dn_stage_tokenise};

static const char *const records[N_RECORDS] = {
    "{\"id\":1,\"text\":\"Some \\u0434\\u0430 words &amp; @name "
    "https://t.example/x\",\"user\":\"u\"}",
    "{\"text\":\"bad",
    "{\"text\":\"From: a\\nSubject: =?utf-8?q?=C3=A4?=\\nContent-Type: text/html\\n"
    "Content-Transfer-Encoding: base64\\n\\nPHA+SGk8L3A+\"}",
    "{\"text\":\"caf\u00e9 \u4f60\u597d\U0001f602  two\"}",
};

static void fill(dn_chunk *chunk, int value) {
    dn_chunk_reset(chunk);
    for (int i = 0; i < DN_CHUNK_ROWS; i++) {
        uint32_t row = dn_chunk_append(chunk, i, DN_NULL_I64, DN_NULL_I64);
        dn_chunk_bytes(chunk, value)[row] = dn_span_of(records[i % N_RECORDS]);
    }
}

CASE(stages_allocate_nothing_after_warm_up) {
    if (!COUNTING) {
        SKIP("the allocator belongs to a sanitizer");
    }
    static dn_schema schema;
    dn_field field = {
        .name = "value", .type = DN_BYTES, .width = 1, .units = "", .group = "records"};
    dn_bind bind = {.schema = &schema, .n_models = 1, .model = {{"models/tweets", "ids"}}};
    void *conf[N_STAGES], *worker[N_STAGES] = {NULL};
    int value;
    REQUIRE(dn_schema_add(&schema, field, &value) == DN_OK);
    for (int i = 0; i < N_STAGES; i++) {
        conf[i] = dn_alloc(stages[i]->conf_size);
        REQUIRE(dn_props_init(stages[i]->props, conf[i]) == DN_OK);
        REQUIRE(stages[i]->bind(conf[i], &bind) == DN_OK);
        REQUIRE(!stages[i]->open || stages[i]->open(conf[i], &worker[i]) == DN_OK);
    }
    dn_chunk *chunk = dn_chunk_new(&schema);
    int64_t before = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        before = pass == 1 ? n_calls : before;
        fill(chunk, value);
        for (int i = 0; i < N_STAGES; i++) {
            EXPECT(stages[i]->run(conf[i], worker[i], chunk) == DN_OK);
        }
    }
    EXPECT(before > 0);
    EXPECT_INT(n_calls - before, 0);
    EXPECT_INT(chunk->n_letters, DN_CHUNK_ROWS / N_RECORDS);
    dn_chunk_free(chunk);
    for (int i = 0; i < N_STAGES; i++) {
        if (stages[i]->close) {
            stages[i]->close(worker[i]);
        }
        if (stages[i]->unbind) {
            stages[i]->unbind(conf[i]);
        }
        dn_props_free(stages[i]->props, conf[i]);
        free(conf[i]);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
