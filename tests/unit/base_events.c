#include "base/events.h"

#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct event {
    uint64_t number, twice;
} event;

CASE(events_keep_order_and_bytes) {
    dn_events *events = dn_events_new(8, sizeof(event));
    event got;
    EXPECT(!dn_events_take(events, &got));
    for (uint64_t i = 0; i < 100; i++) {
        dn_events_put(events, &(event){i, 2 * i});
        EXPECT(dn_events_take(events, &got));
        EXPECT(got.number == i && got.twice == 2 * i);
    }
    EXPECT_INT(dn_events_lost(events), 0);
    dn_events_free(events);
}

CASE(a_full_ring_drops_the_newest_and_counts_them) {
    dn_events *events = dn_events_new(4, sizeof(event));
    for (uint64_t i = 0; i < 7; i++) {
        dn_events_put(events, &(event){i, 0});
    }
    EXPECT_INT(dn_events_lost(events), 3);
    event got;
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT(dn_events_take(events, &got));
        EXPECT_INT(got.number, i);
    }
    EXPECT(!dn_events_take(events, &got));
    dn_events_free(events);
}

enum { MANY = 200000 };

static atomic_bool ended;

static void *write_many(void *arg) {
    for (uint64_t i = 0; i < MANY; i++) {
        dn_events_put(arg, &(event){i, 2 * i});
    }
    atomic_store(&ended, true);
    return NULL;
}

CASE(reader_and_writer_at_once) {
    dn_events *events = dn_events_new(64, sizeof(event));
    pthread_t writer;
    pthread_create(&writer, NULL, write_many, events);
    uint64_t seen = 0, next = 0, torn = 0, disordered = 0;
    event got;
    for (bool last = false; !last;) {
        last = atomic_load(&ended);
        while (dn_events_take(events, &got)) {
            torn += got.twice != 2 * got.number;
            disordered += got.number < next;
            next = got.number + 1;
            seen++;
        }
    }
    pthread_join(writer, NULL);
    EXPECT_INT(torn, 0);
    EXPECT_INT(disordered, 0);
    EXPECT_INT(seen + dn_events_lost(events), MANY);
    dn_events_free(events);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
