#include "batch/reuse.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIPES = 16,
    WAYS = 4,
    UNIT = 8,
    CACHE_LINE = 64,
    MIN_BYTES = 64 << 10,
    TYPICAL_TOKENS = 24
};

/** Positions count bytes ever written, so they order entries by age; modulo log_bytes they are
 * places in the log. 0 is no position: the log begins at UNIT. */
typedef struct slot {
    uint64_t position;
    _Atomic uint64_t hash; /**< written under the stripe's lock, read by anyone */
} slot;

static uint64_t hash_in(const slot *at) {
    return atomic_load_explicit(&at->hash, memory_order_relaxed);
}

/** What stands in the log before the ids and the scores. */
typedef struct entry {
    uint64_t hash;
    int32_t n;
    int32_t unused;
} entry;

typedef struct stripe {
    pthread_mutex_t lock;
    slot *slots;
    unsigned char *log;
    uint64_t tail;
} stripe;

struct dn_reuse {
    int width, token_width;
    unsigned char *memory; /**< of all stripes: slots and log of each */
    uint64_t log_bytes;    /**< per stripe, a multiple of UNIT */
    uint64_t n_sets;       /**< per stripe, a power of two */
    stripe stripe[STRIPES];
};

static uint64_t entry_bytes(const dn_reuse *reuse, int n) {
    uint64_t per_token = 1 + (uint64_t)reuse->token_width;
    uint64_t bytes = sizeof(entry) + 4 * ((uint64_t)n * per_token + (uint64_t)reuse->width);
    return (bytes + UNIT - 1) / UNIT * UNIT;
}

dn_status dn_reuse_new(size_t bytes, int width, int token_width, dn_reuse **out) {
    if (bytes < MIN_BYTES) {
        return DN_FAIL(CONFIG,
                       "%zu bytes for the reuse of scores; at least %d are needed, 0 turns it off",
                       bytes, MIN_BYTES);
    }
    dn_reuse *reuse = dn_alloc(sizeof *reuse);
    reuse->width = width;
    reuse->token_width = token_width;
    uint64_t share = bytes / STRIPES / CACHE_LINE * CACHE_LINE;
    uint64_t per_text = entry_bytes(reuse, TYPICAL_TOKENS) + sizeof(slot);
    reuse->n_sets = 1;
    while (reuse->n_sets * WAYS * per_text < share) {
        reuse->n_sets *= 2;
    }
    uint64_t slot_bytes = reuse->n_sets * WAYS * sizeof(slot);
    reuse->log_bytes = (share - slot_bytes) / UNIT * UNIT;
    reuse->memory = dn_alloc_large(STRIPES * share);
    for (int i = 0; i < STRIPES; i++) {
        stripe *s = &reuse->stripe[i];
        pthread_mutex_init(&s->lock, NULL);
        s->slots = (slot *)(void *)(reuse->memory + (uint64_t)i * share);
        s->log = (unsigned char *)s->slots + slot_bytes;
        s->tail = UNIT;
    }
    *out = reuse;
    return DN_OK;
}

void dn_reuse_free(dn_reuse *reuse) {
    if (reuse) {
        for (int i = 0; i < STRIPES; i++) {
            pthread_mutex_destroy(&reuse->stripe[i].lock);
        }
        free(reuse->memory);
        free(reuse);
    }
}

static int stripe_number(uint64_t hash) {
    return (int)(hash >> 60);
}

static stripe *stripe_of(dn_reuse *reuse, uint64_t hash) {
    return &reuse->stripe[stripe_number(hash)];
}

static slot *set_of(const dn_reuse *reuse, const stripe *s, uint64_t hash) {
    return &s->slots[(hash & (reuse->n_sets - 1)) * WAYS];
}

void dn_reuse_announce(const dn_reuse *reuse, uint64_t hash) {
    __builtin_prefetch(set_of(reuse, &reuse->stripe[stripe_number(hash)], hash));
}

static bool alive(const dn_reuse *reuse, const stripe *s, const slot *at) {
    return at->position != 0 && s->tail - at->position <= reuse->log_bytes;
}

/** The entry's scores when it holds exactly these ids, else NULL. */
static const unsigned char *match(const dn_reuse *reuse, const stripe *s, const slot *at,
                                  const int32_t *id, int n) {
    const unsigned char *bytes = s->log + at->position % reuse->log_bytes;
    entry head;
    memcpy(&head, bytes, sizeof head);
    size_t id_bytes = (size_t)n * sizeof *id;
    bool same =
        head.hash == hash_in(at) && head.n == n && memcmp(bytes + sizeof head, id, id_bytes) == 0;
    return same ? bytes + sizeof head + id_bytes : NULL;
}

/** Without the lock: most texts are new, and false is then an answer; true is worth a look. */
static bool may_hold(const dn_reuse *reuse, const stripe *s, uint64_t hash) {
    const slot *set = set_of(reuse, s, hash);
    bool found = false;
    for (int i = 0; i < WAYS; i++) {
        found = found || hash_in(&set[i]) == hash;
    }
    return found;
}

/** Requires the stripe's lock. */
static const unsigned char *lookup(const dn_reuse *reuse, const stripe *s, uint64_t hash,
                                   const int32_t *id, int n) {
    const slot *set = set_of(reuse, s, hash);
    for (int i = 0; i < WAYS; i++) {
        if (hash_in(&set[i]) == hash && alive(reuse, s, &set[i])) {
            const unsigned char *scores = match(reuse, s, &set[i], id, n);
            if (scores) {
                return scores;
            }
        }
    }
    return NULL;
}

/** Bytes of one text's scores, and of its tokens'. */
static size_t score_bytes(const dn_reuse *reuse) {
    return (size_t)reuse->width * sizeof(float);
}

static size_t token_bytes(const dn_reuse *reuse, int n) {
    return (size_t)n * (size_t)reuse->token_width * sizeof(float);
}

bool dn_reuse_find(dn_reuse *reuse, uint64_t hash, const int32_t *id, int n, float *score,
                   float *token_score) {
    stripe *s = stripe_of(reuse, hash);
    if (!may_hold(reuse, s, hash)) {
        return false;
    }
    pthread_mutex_lock(&s->lock);
    const unsigned char *scores = lookup(reuse, s, hash, id, n);
    if (scores) {
        memcpy(score, scores, score_bytes(reuse));
        if (reuse->token_width) {
            memcpy(token_score, scores + score_bytes(reuse), token_bytes(reuse, n));
        }
    }
    pthread_mutex_unlock(&s->lock);
    return scores != NULL;
}

/** Room at the tail; an entry that would wrap begins at the front, and the gap dies with what it
 * overwrites. */
static uint64_t append(const dn_reuse *reuse, stripe *s, uint64_t bytes) {
    uint64_t to_end = reuse->log_bytes - s->tail % reuse->log_bytes;
    if (to_end < bytes) {
        s->tail += to_end;
    }
    uint64_t position = s->tail;
    s->tail += bytes;
    return position;
}

static slot *oldest(slot *set) {
    slot *choice = set;
    for (int i = 1; i < WAYS; i++) {
        if (set[i].position < choice->position) {
            choice = &set[i];
        }
    }
    return choice;
}

void dn_reuse_add(dn_reuse *reuse, uint64_t hash, const int32_t *id, int n, const float *score,
                  const float *token_score) {
    uint64_t bytes = entry_bytes(reuse, n);
    if (bytes > reuse->log_bytes) {
        return;
    }
    stripe *s = stripe_of(reuse, hash);
    pthread_mutex_lock(&s->lock);
    if (!lookup(reuse, s, hash, id, n)) {
        uint64_t position = append(reuse, s, bytes);
        unsigned char *to = s->log + position % reuse->log_bytes;
        entry head = {.hash = hash, .n = n};
        size_t id_bytes = (size_t)n * sizeof *id;
        memcpy(to, &head, sizeof head);
        memcpy(to + sizeof head, id, id_bytes);
        to += sizeof head + id_bytes;
        memcpy(to, score, score_bytes(reuse));
        if (reuse->token_width) {
            memcpy(to + score_bytes(reuse), token_score, token_bytes(reuse, n));
        }
        slot *at = oldest(set_of(reuse, s, hash));
        at->position = position;
        atomic_store_explicit(&at->hash, hash, memory_order_relaxed);
    }
    pthread_mutex_unlock(&s->lock);
}
