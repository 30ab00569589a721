#include "base/ring.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct dn_ring {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t head, count, capacity;
    bool closed;
    int64_t blocked_ns, starved_ns;
    uint64_t depth_sum, depth_n;
    void *item[];
};

dn_ring *dn_ring_new(size_t capacity) {
    dn_ring *ring = dn_alloc(sizeof *ring + capacity * sizeof(void *));
    ring->capacity = capacity;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ring->not_empty, &attr);
    pthread_cond_init(&ring->not_full, &attr);
    pthread_condattr_destroy(&attr);
    return ring;
}

void dn_ring_free(dn_ring *ring) {
    if (!ring) {
        return;
    }
    pthread_cond_destroy(&ring->not_empty);
    pthread_cond_destroy(&ring->not_full);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* Waits on `cond` until `*ready` changes its mind, the ring closes or the time is over; adds the
 * wait to `*waited_ns`. */
static dn_status wait(dn_ring *ring, pthread_cond_t *cond, bool (*ready)(const dn_ring *),
                      int64_t timeout_ns, int64_t *waited_ns) {
    if (ready(ring) || ring->closed) {
        return DN_OK;
    }
    if (timeout_ns == 0) {
        return DN_AGAIN;
    }
    int64_t begin = dn_mono_ns();
    int64_t end = begin + timeout_ns;
    struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    int rc = 0;
    while (!ready(ring) && !ring->closed && rc != ETIMEDOUT) {
        rc = timeout_ns < 0 ? pthread_cond_wait(cond, &ring->lock)
                            : pthread_cond_timedwait(cond, &ring->lock, &until);
    }
    *waited_ns += dn_mono_ns() - begin;
    return ready(ring) || ring->closed ? DN_OK : DN_AGAIN;
}

static bool has_room(const dn_ring *ring) {
    return ring->count < ring->capacity;
}

static bool has_item(const dn_ring *ring) {
    return ring->count > 0;
}

static void note_depth(dn_ring *ring) {
    ring->depth_sum += ring->count;
    ring->depth_n++;
}

dn_status dn_ring_push(dn_ring *ring, void *item, int64_t timeout_ns) {
    pthread_mutex_lock(&ring->lock);
    dn_status status = wait(ring, &ring->not_full, has_room, timeout_ns, &ring->blocked_ns);
    if (status == DN_OK && ring->closed) {
        status = DN_ABORT;
    }
    if (status == DN_OK) {
        ring->item[(ring->head + ring->count++) % ring->capacity] = item;
        note_depth(ring);
        pthread_cond_signal(&ring->not_empty);
    }
    pthread_mutex_unlock(&ring->lock);
    return status;
}

dn_status dn_ring_pop(dn_ring *ring, int64_t timeout_ns, void **item) {
    pthread_mutex_lock(&ring->lock);
    dn_status status = wait(ring, &ring->not_empty, has_item, timeout_ns, &ring->starved_ns);
    if (status == DN_OK && !has_item(ring)) {
        status = DN_ABORT;
    }
    if (status == DN_OK) {
        note_depth(ring);
        *item = ring->item[ring->head];
        ring->head = (ring->head + 1) % ring->capacity;
        ring->count--;
        pthread_cond_signal(&ring->not_full);
    }
    pthread_mutex_unlock(&ring->lock);
    return status;
}

void dn_ring_close(dn_ring *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->not_empty);
    pthread_cond_broadcast(&ring->not_full);
    pthread_mutex_unlock(&ring->lock);
}

dn_ring_stats dn_ring_read(dn_ring *ring) {
    pthread_mutex_lock(&ring->lock);
    dn_ring_stats stats = {
        .depth = ring->count,
        .capacity = ring->capacity,
        .blocked_ns = ring->blocked_ns,
        .starved_ns = ring->starved_ns,
        .mean_depth = ring->depth_n ? (double)ring->depth_sum / (double)ring->depth_n : 0.0,
    };
    pthread_mutex_unlock(&ring->lock);
    return stats;
}
