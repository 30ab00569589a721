/* Random interleavings over partitions come out of the queue in order, nothing is lost, and no
 * partition waits for another. */
#include "flow/reorder.h"
#include "test.h"

enum { PARTITIONS = 5, CHUNKS = 60, ROUNDS = 300 };

typedef struct feed {
    dn_reorder *queue;
    dn_chunk *chunk[CHUNKS]; /* in the order in which they arrive */
    int n, n_out;
    uint64_t next[PARTITIONS];
} feed;

/* CHUNKS chunks over PARTITIONS partitions, numbered within each, then shuffled. */
static void feed_fill(feed *f, const dn_schema *schema) {
    uint64_t made[PARTITIONS] = {0};
    *f = (feed){.queue = dn_reorder_new(PARTITIONS), .n = CHUNKS};
    for (int i = 0; i < CHUNKS; i++) {
        f->chunk[i] = dn_chunk_new(schema);
        f->chunk[i]->partition = (int32_t)(dn_random() % PARTITIONS);
        f->chunk[i]->sequence = made[f->chunk[i]->partition]++;
    }
    for (int i = CHUNKS - 1; i > 0; i--) {
        int k = (int)(dn_random() % (uint64_t)(i + 1));
        dn_chunk *other = f->chunk[i];
        f->chunk[i] = f->chunk[k];
        f->chunk[k] = other;
    }
}

static void feed_take(feed *f) {
    for (dn_chunk *out; (out = dn_reorder_take(f->queue));) {
        EXPECT(out->sequence == f->next[out->partition]);
        EXPECT(out->link == NULL);
        f->next[out->partition] = out->sequence + 1;
        f->n_out++;
    }
}

static void feed_free(feed *f) {
    for (int i = 0; i < f->n; i++) {
        dn_chunk_free(f->chunk[i]);
    }
    dn_reorder_free(f->queue);
}

CASE(random_interleavings_come_out_in_order) {
    dn_schema schema = {0};
    for (int round = 0; round < ROUNDS && !dn_failures_in_case; round++) {
        feed f;
        feed_fill(&f, &schema);
        for (int i = 0; i < f.n; i++) {
            dn_reorder_put(f.queue, f.chunk[i]);
            if (dn_random() % 3) {
                feed_take(&f);
            }
        }
        feed_take(&f);
        EXPECT_INT(f.n_out, CHUNKS);
        feed_free(&f);
    }
}

CASE(a_chunk_in_its_turn_comes_out_at_once_and_an_early_one_waits) {
    dn_schema schema = {0};
    dn_reorder *queue = dn_reorder_new(2);
    dn_chunk *chunk[3];
    for (int i = 0; i < 3; i++) {
        chunk[i] = dn_chunk_new(&schema);
        chunk[i]->sequence = (uint64_t)(i % 2);
        chunk[i]->partition = i == 2;
    }
    dn_reorder_put(queue, chunk[1]);
    EXPECT(dn_reorder_take(queue) == NULL);
    dn_reorder_put(queue, chunk[2]); /* the other partition does not wait for it */
    EXPECT(dn_reorder_take(queue) == chunk[2]);
    EXPECT(dn_reorder_take(queue) == NULL);
    dn_reorder_put(queue, chunk[0]);
    EXPECT(dn_reorder_take(queue) == chunk[0]);
    EXPECT(dn_reorder_take(queue) == chunk[1]);
    EXPECT(dn_reorder_take(queue) == NULL);
    for (int i = 0; i < 3; i++) {
        dn_chunk_free(chunk[i]);
    }
    dn_reorder_free(queue);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
