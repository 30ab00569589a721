#include "base/ring.h"

#include "base/clock.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { POLL = 0, FOR_EVER = -1, MS = 1000000 };

static void *number(intptr_t n) {
    return (void *)n;
}

CASE(items_come_out_in_order) {
    dn_ring *ring = dn_ring_new(3);
    void *item;
    for (intptr_t i = 1; i <= 100; i++) {
        EXPECT_INT(dn_ring_push(ring, number(i), POLL), DN_OK);
        if (i >= 3) {
            EXPECT_INT(dn_ring_pop(ring, POLL, &item), DN_OK);
            EXPECT_INT((intptr_t)item, i - 2);
        }
    }
    EXPECT_INT(dn_ring_read(ring).depth, 2);
    EXPECT_INT(dn_ring_read(ring).capacity, 3);
    dn_ring_free(ring);
}

CASE(full_and_empty_say_again) {
    dn_ring *ring = dn_ring_new(1);
    void *item = number(7);
    EXPECT_INT(dn_ring_pop(ring, POLL, &item), DN_AGAIN);
    EXPECT_INT(dn_ring_pop(ring, MS, &item), DN_AGAIN);
    EXPECT_INT((intptr_t)item, 7);
    EXPECT_INT(dn_ring_push(ring, number(1), POLL), DN_OK);
    EXPECT_INT(dn_ring_push(ring, number(2), POLL), DN_AGAIN);
    EXPECT_INT(dn_ring_push(ring, number(2), MS), DN_AGAIN);
    dn_ring_stats stats = dn_ring_read(ring);
    EXPECT_INT(stats.depth, 1);
    EXPECT(stats.blocked_ns >= MS / 2);
    EXPECT(stats.starved_ns >= MS / 2);
    dn_ring_free(ring);
}

CASE(null_is_an_item) {
    dn_ring *ring = dn_ring_new(1);
    void *item = number(7);
    EXPECT_INT(dn_ring_push(ring, NULL, POLL), DN_OK);
    EXPECT_INT(dn_ring_pop(ring, POLL, &item), DN_OK);
    EXPECT(item == NULL);
    dn_ring_free(ring);
}

CASE(a_closed_ring_gives_what_is_left) {
    dn_ring *ring = dn_ring_new(4);
    void *item = NULL;
    EXPECT_INT(dn_ring_push(ring, number(1), POLL), DN_OK);
    EXPECT_INT(dn_ring_push(ring, number(2), POLL), DN_OK);
    dn_ring_close(ring);
    dn_ring_close(ring);
    EXPECT_INT(dn_ring_push(ring, number(3), FOR_EVER), DN_ABORT);
    EXPECT_INT(dn_ring_pop(ring, FOR_EVER, &item), DN_OK);
    EXPECT_INT((intptr_t)item, 1);
    EXPECT_INT(dn_ring_pop(ring, POLL, &item), DN_OK);
    EXPECT_INT((intptr_t)item, 2);
    EXPECT_INT(dn_ring_pop(ring, FOR_EVER, &item), DN_ABORT);
    EXPECT_INT(dn_ring_pop(ring, POLL, &item), DN_ABORT);
    dn_ring_free(ring);
}

CASE(free_takes_null) {
    dn_ring_free(NULL);
}

/* Four threads, two at each end, and every item exactly once. */
enum { N_EACH = 20000, THREADS = 2 };

typedef struct worker {
    dn_ring *ring;
    intptr_t first;
    int64_t count, sum;
    bool in_order;
} worker;

static void *push_many(void *arg) {
    worker *own = arg;
    for (intptr_t i = 0; i < N_EACH; i++) {
        int64_t timeout = i % 3 ? FOR_EVER : POLL;
        while (dn_ring_push(own->ring, number(own->first + i), timeout) == DN_AGAIN) {
        }
    }
    return NULL;
}

static void *pop_many(void *arg) {
    worker *own = arg;
    intptr_t last[THREADS] = {-1, -1};
    own->in_order = true;
    void *item;
    while (dn_ring_pop(own->ring, FOR_EVER, &item) == DN_OK) {
        intptr_t value = (intptr_t)item, pusher = value / N_EACH;
        own->in_order &= value > last[pusher];
        last[pusher] = value;
        own->count++;
        own->sum += value;
    }
    return NULL;
}

CASE(four_threads_lose_and_double_nothing) {
    dn_ring *ring = dn_ring_new(16);
    pthread_t pushers[THREADS], poppers[THREADS];
    worker pushing[THREADS], popping[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pushing[i] = (worker){.ring = ring, .first = (intptr_t)i * N_EACH};
        popping[i] = (worker){.ring = ring};
        pthread_create(&pushers[i], NULL, push_many, &pushing[i]);
        pthread_create(&poppers[i], NULL, pop_many, &popping[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(pushers[i], NULL);
    }
    dn_ring_close(ring);
    int64_t count = 0, sum = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(poppers[i], NULL);
        EXPECT(popping[i].in_order);
        count += popping[i].count;
        sum += popping[i].sum;
    }
    int64_t n = (int64_t)THREADS * N_EACH;
    EXPECT_INT(count, n);
    EXPECT_INT(sum, n * (n - 1) / 2);
    dn_ring_stats stats = dn_ring_read(ring);
    EXPECT_INT(stats.depth, 0);
    EXPECT(stats.mean_depth > 0 && stats.mean_depth <= 16);
    dn_ring_free(ring);
}

/* close() must wake threads that wait for ever, at both ends. */
typedef struct waiter {
    dn_ring *ring;
    atomic_bool begun;
    dn_status status;
} waiter;

static void *wait_to_push(void *arg) {
    waiter *own = arg;
    atomic_store(&own->begun, true);
    own->status = dn_ring_push(own->ring, number(2), FOR_EVER);
    return NULL;
}

static void *wait_to_pop(void *arg) {
    waiter *own = arg;
    void *item;
    atomic_store(&own->begun, true);
    own->status = dn_ring_pop(own->ring, FOR_EVER, &item);
    return NULL;
}

static dn_status status_after_close(dn_ring *ring, void *(*wait)(void *)) {
    waiter own = {.ring = ring, .status = DN_OK};
    pthread_t thread;
    pthread_create(&thread, NULL, wait, &own);
    while (!atomic_load(&own.begun)) {
        dn_sleep_until_ns(dn_mono_ns() + MS / 10);
    }
    dn_sleep_until_ns(dn_mono_ns() + 5 * MS);
    dn_ring_close(ring);
    pthread_join(thread, NULL);
    return own.status;
}

CASE(close_wakes_a_blocked_pusher) {
    dn_ring *ring = dn_ring_new(1);
    EXPECT_INT(dn_ring_push(ring, number(1), POLL), DN_OK);
    EXPECT_INT(status_after_close(ring, wait_to_push), DN_ABORT);
    EXPECT_INT(dn_ring_read(ring).depth, 1);
    dn_ring_free(ring);
}

CASE(close_wakes_a_starved_popper) {
    dn_ring *ring = dn_ring_new(1);
    EXPECT_INT(status_after_close(ring, wait_to_pop), DN_ABORT);
    dn_ring_free(ring);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
