/* A topic in memory: what goes in comes out in order, the end wakes both sides. */
#include "flow/bus.h"
#include "test.h"

#include <pthread.h>

enum { BATCHES = 200 };

static void push_numbered(dn_bus *bus, int i) {
    char text[32];
    snprintf(text, sizeof text, "value %d", i);
    dn_bus_batch *batch = dn_bus_take(bus);
    EXPECT_INT(batch->n, 0);
    batch->partition = i % 3;
    batch->next = i + 1;
    for (int k = 0; k < 1 + i % 1500; k++) { /* more than its first room */
        dn_bus_add(batch, i, k, dn_span_of("key"), dn_span_of(text));
    }
    dn_bus_push(bus, batch);
}

static void *write_all(void *arg) {
    for (int i = 0; i < BATCHES; i++) {
        push_numbered(arg, i);
    }
    dn_bus_end(arg);
    return NULL;
}

CASE(a_reader_gets_what_a_writer_gives_and_then_the_end) {
    dn_bus *bus = dn_bus_new("t", 3);
    pthread_t writer;
    dn_bus_batch *batch;
    dn_status status;
    int n = 0;
    EXPECT_TEXT(dn_bus_topic(bus), "t");
    EXPECT_INT(dn_bus_partitions(bus), 3);
    EXPECT_INT(dn_bus_start(bus, 2), -1);
    dn_bus_set_start(bus, 2, 77);
    EXPECT_INT(dn_bus_start(bus, 2), 77);
    REQUIRE(pthread_create(&writer, NULL, write_all, bus) == 0);
    while ((status = dn_bus_pop(bus, 100000000, &batch)) != DN_ABORT) {
        if (status == DN_OK) {
            char text[32];
            snprintf(text, sizeof text, "value %d", n);
            EXPECT_INT(batch->n, 1 + n % 1500);
            EXPECT_INT(batch->next, n + 1);
            EXPECT(dn_span_equal(batch->record[batch->n - 1].value, dn_span_of(text)));
            EXPECT_INT(batch->record[batch->n - 1].sent_ns, batch->n - 1);
            dn_bus_give_back(bus, batch);
            n++;
        }
    }
    pthread_join(writer, NULL);
    EXPECT_INT(n, BATCHES);
    dn_bus_free(bus);
}

static void *push_until_ended(void *arg) {
    dn_bus *bus = arg;
    for (;;) {
        dn_bus_batch *batch = dn_bus_take(bus);
        if (dn_bus_push(bus, batch) != DN_OK) {
            return NULL;
        }
    }
}

CASE(the_end_wakes_a_writer_that_waits_and_frees_what_is_left) {
    dn_bus *bus = dn_bus_new("t", 1);
    pthread_t writer;
    REQUIRE(pthread_create(&writer, NULL, push_until_ended, bus) == 0);
    struct timespec nap = {.tv_nsec = 20000000};
    nanosleep(&nap, NULL);
    dn_bus_end(bus);
    dn_bus_end(bus);
    pthread_join(writer, NULL);
    dn_bus_free(bus);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
