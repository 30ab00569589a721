/* The closing policy under a virtual clock: texts come by a schedule, model threads take a known
 * time for a batch, and nothing here waits. Percentiles are exact: every response is kept and
 * sorted. */
#include "batch/closing.h"

#include "test.h"

#include <stdlib.h>

enum { US = 1000, MS = 1000000, MAX_THREADS = 8, MAX_LANES = 3, MAX_OPEN = 4096 };

typedef struct text {
    int64_t sent_ns, done_ns;
    int tokens;
} text;

/** A machine, the rules, and how its texts come. */
typedef struct scene {
    int threads;
    int lanes;       /**< batches under way at once: scored one after the other */
    int64_t pack_ns; /**< what a thread has to do for a batch before it can be scored */
    int64_t call_ns, token_ns, square_ns; /**< what a batch takes */
    double noise;                         /**< share by which it wavers */
    dn_closing_rules rules;
    double load; /**< arrivals as a share of what full batches can do */
    int burst;   /**< texts that come at once */
    int n_texts;
    int64_t stall_every_ns, stall_ns; /**< all threads stand still so long, so often; 0: never */
} scene;

static const scene plain = {
    .threads = 2,
    .lanes = 1,
    .call_ns = 500000,
    .token_ns = 40000,
    .square_ns = 100,
    .noise = 0.1,
    .rules = {.slo_ns = 200 * MS, .deadline_ns = 20 * MS, .max_tokens = 512},
    .burst = 1,
    .n_texts = 20000};

typedef struct result {
    int64_t p50_ns, p95_ns, worst_ns;
    double texts_a_batch, busy, rate_share; /**< of the capacity */
    int n_late, most_under_way;
} result;

typedef struct flight {
    int text[MAX_OPEN], n;
    dn_closing_batch closed;
    int64_t done_ns, took_ns;
} flight;

typedef struct thread {
    dn_closing closing;
    flight flight[MAX_LANES + 1]; /**< the oldest, others under way behind it, then the open one */
    int oldest, n_under_way;
    int64_t until_ns; /**< it packs, or waits for its oldest batch */
} thread;

typedef struct world {
    const scene *scene;
    text *text;
    thread thread[MAX_THREADS];
    int come, taken; /**< texts that have come, that a thread has taken */
    int64_t now_ns, busy_ns;
    int n_batches, n_late, most_under_way;
} world;

static double uniform(void) {
    return ((double)(dn_random() >> 11) + 0.5) / 9007199254740992.0;
}

static int64_t work_ns(const scene *s, dn_cost_load load) {
    return s->call_ns + s->token_ns * load.tokens + s->square_ns * load.squares;
}

/** Texts a second that full batches of mean texts allow. */
static double capacity(const scene *s, const text *texts) {
    dn_cost_load load = {0};
    for (int i = 0; i < s->n_texts; i++) {
        load.tokens += texts[i].tokens;
        load.squares += (int64_t)texts[i].tokens * texts[i].tokens;
    }
    double batches = (double)load.tokens / (double)s->rules.max_tokens;
    double ns = (double)s->call_ns * batches + (double)(work_ns(s, load) - s->call_ns);
    return s->threads * (double)s->n_texts / ns * 1e9;
}

/** Poisson arrivals (bursts of `burst`) of texts of 5 to 55 tokens; gives the capacity. */
static double schedule(const scene *s, text *texts) {
    for (int i = 0; i < s->n_texts; i++) {
        texts[i] = (text){.tokens = 5 + (int)(dn_random() % 51)};
    }
    double most = capacity(s, texts), at_ns = 0;
    for (int i = 0; i < s->n_texts; i++) {
        at_ns += i % s->burst ? 0 : -log(uniform()) * s->burst * 1e9 / (s->load * most);
        texts[i].sent_ns = (int64_t)at_ns;
    }
    return most;
}

static int64_t stalled(const scene *s, int64_t from_ns, int64_t ns) {
    int64_t end_ns = from_ns + ns;
    for (int64_t stall_ns = s->stall_every_ns; s->stall_ns && stall_ns < end_ns;
         stall_ns += s->stall_every_ns) {
        end_ns += stall_ns >= from_ns ? s->stall_ns : 0;
    }
    return end_ns - from_ns;
}

static flight *flight_at(thread *t, int i) {
    return &t->flight[(t->oldest + i) % (MAX_LANES + 1)];
}

static void start(world *w, thread *t) {
    const scene *s = w->scene;
    flight *f = flight_at(t, t->n_under_way);
    double waver = 1 + s->noise * (2 * uniform() - 1);
    int64_t begin_ns = w->now_ns + s->pack_ns;
    if (t->n_under_way && flight_at(t, t->n_under_way - 1)->done_ns > begin_ns) {
        begin_ns = flight_at(t, t->n_under_way - 1)->done_ns;
    }
    f->took_ns = (int64_t)(waver * (double)work_ns(s, t->closing.open.load));
    f->took_ns = stalled(s, begin_ns, f->took_ns);
    f->done_ns = begin_ns + f->took_ns;
    f->closed = dn_closing_close(&t->closing, w->now_ns);
    t->until_ns = w->now_ns + s->pack_ns;
    if (++t->n_under_way == s->lanes && flight_at(t, 0)->done_ns > t->until_ns) {
        t->until_ns = flight_at(t, 0)->done_ns;
    }
    w->most_under_way = t->n_under_way > w->most_under_way ? t->n_under_way : w->most_under_way;
    w->n_late += f->closed.n_late;
    w->busy_ns += f->took_ns;
    w->n_batches++;
}

static void finish(world *w, thread *t) {
    flight *f = flight_at(t, 0);
    for (int i = 0; i < f->n; i++) {
        w->text[f->text[i]].done_ns = w->now_ns;
    }
    dn_closing_scored(&t->closing, &f->closed, f->took_ns, w->now_ns);
    f->n = 0;
    t->oldest = (t->oldest + 1) % (MAX_LANES + 1);
    t->n_under_way--;
}

/** As scoring.c does: the next text does not fit, or the batch is due. */
static void fill(world *w, thread *t) {
    while (w->taken < w->come && t->until_ns <= w->now_ns) {
        const text *next = &w->text[w->taken];
        flight *f = flight_at(t, t->n_under_way);
        if (t->closing.open.load.tokens + next->tokens > w->scene->rules.max_tokens ||
            f->n == MAX_OPEN) {
            start(w, t);
            continue;
        }
        f->text[f->n++] = w->taken++;
        dn_closing_add(&t->closing, next->tokens, w->now_ns);
        dn_closing_expect(&t->closing, next->sent_ns, w->now_ns);
        if (dn_closing_is_due(&t->closing, w->now_ns)) {
            start(w, t);
        }
    }
}

/** As the model thread does: takes what is done, fills a batch with what is at hand, closes it when
 * it is time, or else waits for the oldest. */
static void act(world *w, thread *t) {
    while (t->until_ns <= w->now_ns) {
        while (t->n_under_way && flight_at(t, 0)->done_ns <= w->now_ns) {
            finish(w, t);
        }
        fill(w, t);
        if (t->until_ns > w->now_ns) {
            return;
        }
        if (dn_closing_moment(&t->closing, w->now_ns) <= w->now_ns) {
            start(w, t);
        } else if (t->n_under_way) {
            t->until_ns = flight_at(t, 0)->done_ns;
        } else {
            return;
        }
    }
}

/** The next instant at which something happens. */
static int64_t next_event(const world *w) {
    int64_t at_ns = w->come < w->scene->n_texts ? w->text[w->come].sent_ns : INT64_MAX;
    for (int i = 0; i < w->scene->threads; i++) {
        const thread *t = &w->thread[i];
        int64_t own_ns = t->until_ns > w->now_ns ? t->until_ns
                                                 : dn_closing_moment(&t->closing, w->now_ns);
        at_ns = own_ns < at_ns ? own_ns : at_ns;
    }
    return at_ns;
}

static void step(world *w) {
    w->now_ns = next_event(w);
    while (w->come < w->scene->n_texts && w->text[w->come].sent_ns <= w->now_ns) {
        w->come++;
    }
    for (int i = 0; i < w->scene->threads; i++) {
        act(w, &w->thread[i]);
    }
}

static int by_value(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static result play(const scene *s) {
    world *w = calloc(1, sizeof *w);
    w->scene = s;
    w->text = calloc((size_t)s->n_texts, sizeof *w->text);
    double most = schedule(s, w->text);
    for (int i = 0; i < s->threads; i++) {
        dn_closing_init(&w->thread[i].closing, s->rules);
    }
    while (next_event(w) != INT64_MAX) {
        step(w);
    }
    int64_t *response = calloc((size_t)s->n_texts, sizeof *response);
    for (int i = 0; i < s->n_texts; i++) {
        response[i] = w->text[i].done_ns - w->text[i].sent_ns;
    }
    qsort(response, (size_t)s->n_texts, sizeof *response, by_value);
    result r = {.p50_ns = response[s->n_texts / 2],
                .p95_ns = response[s->n_texts * 95 / 100],
                .worst_ns = response[s->n_texts - 1],
                .texts_a_batch = (double)s->n_texts / w->n_batches,
                .busy = (double)w->busy_ns / (double)w->now_ns / s->threads,
                .rate_share = (double)s->n_texts / (double)w->now_ns * 1e9 / most,
                .n_late = w->n_late,
                .most_under_way = w->most_under_way};
    printf("    load %3.0f %%: p50 %6.1f p95 %6.1f worst %6.1f ms, %5.1f texts a batch, busy %3.0f "
           "%%, "
           "late %d\n",
           100 * s->load, (double)r.p50_ns / MS, (double)r.p95_ns / MS, (double)r.worst_ns / MS,
           r.texts_a_batch, 100 * r.busy, r.n_late);
    EXPECT(response[0] > 0);
    free(response);
    free(w->text);
    free(w);
    return r;
}

CASE(p95_holds_below_saturation) {
    static const double loads[] = {0.05, 0.5, 0.8, 0.95};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        scene s = plain;
        s.load = loads[i];
        EXPECT(play(&s).p95_ns <= s.rules.slo_ns);
    }
}

CASE(p95_holds_when_texts_come_in_bursts) {
    static const double loads[] = {0.5, 0.8};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        scene s = plain;
        s.load = loads[i];
        s.burst = 40;
        EXPECT(play(&s).p95_ns <= s.rules.slo_ns);
    }
}

/* A budget that takes 660 ms to score: only closing early keeps the goal. */
CASE(p95_holds_where_a_full_batch_takes_longer_than_the_goal) {
    static const double loads[] = {0.3, 0.5, 0.8, 0.9};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        scene s = plain;
        s.rules.max_tokens = 16384;
        s.load = loads[i];
        EXPECT(play(&s).p95_ns <= s.rules.slo_ns);
    }
}

/* A dear call (a device): batches must grow to be worth it, and p95 still holds. */
CASE(dear_calls_make_batches_wait_for_others) {
    scene s = plain;
    s.call_ns = 20 * MS;
    s.token_ns = 1000;
    s.square_ns = 0;
    s.rules.max_tokens = 16384;
    s.load = 0.3;
    result r = play(&s);
    EXPECT(r.p95_ns <= s.rules.slo_ns);
    EXPECT(r.texts_a_batch > 100);
}

/* Where a call costs nothing, waiting would buy nothing. */
CASE(cheap_calls_do_not_wait) {
    scene s = plain;
    s.call_ns = 0;
    s.load = 0.2;
    result r = play(&s);
    EXPECT(r.p50_ns < 10 * MS);
}

/* Above capacity nothing can hold p95: texts are late before the model sees them, that is counted,
 * and throughput does not suffer from the haste. */
CASE(overload_is_counted_and_keeps_its_throughput) {
    scene s = plain;
    s.load = 1.3;
    s.noise = 0;
    result r = play(&s);
    EXPECT(r.p95_ns > s.rules.slo_ns);
    EXPECT(r.n_late > s.n_texts / 2);
    EXPECT(r.rate_share > 0.93);
}

CASE(nobody_is_late_where_there_is_time) {
    scene s = plain;
    s.load = 0.5;
    EXPECT_INT(play(&s).n_late, 0);
}

/* A machine that stands still for 60 ms twice a second: half the goal's time is not spent waiting.
 */
CASE(p95_survives_a_neighbour) {
    scene s = plain;
    s.load = 0.7;
    s.stall_every_ns = 500 * MS;
    s.stall_ns = 60 * MS;
    EXPECT(play(&s).p95_ns <= s.rules.slo_ns);
}

/* ---- several batches under way, as on a device ---- */

static const scene device = {
    .threads = 1,
    .lanes = 3,
    .pack_ns = 100 * US,
    .call_ns = 100 * US,
    .token_ns = 40,
    .noise = 0.1,
    .rules = {.slo_ns = 10 * MS, .deadline_ns = 5 * MS, .max_tokens = 5632},
    .burst = 1,
    .n_texts = 100000};

CASE(p95_holds_with_batches_under_way) {
    static const double loads[] = {0.05, 0.5, 0.8, 0.95};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        scene s = device;
        s.load = loads[i];
        EXPECT(play(&s).p95_ns <= s.rules.slo_ns);
    }
}

/* What a batch needs of its thread costs nothing while another one is scored. */
CASE(packing_costs_nothing_while_others_are_scored) {
    scene s = device;
    s.load = 1.3;
    result r = play(&s);
    EXPECT_INT(r.most_under_way, s.lanes);
    EXPECT(r.rate_share > 0.93);
    s.lanes = 1;
    r = play(&s);
    EXPECT_INT(r.most_under_way, 1);
    EXPECT(r.rate_share < 0.8);
}

/* ---- the rules by themselves ---- */

static dn_closing learned(dn_closing_rules rules) {
    dn_closing c;
    dn_closing_init(&c, rules);
    for (int i = 1; i < 200; i++) {
        dn_closing_add(&c, 1 + i % 64 * 8, 0);
        dn_closing_batch closed = dn_closing_close(&c, 0);
        dn_closing_scored(&c, &closed, 10 * MS + 100000 * (1 + i % 64 * 8), 0);
    }
    return c;
}

CASE(throughput_waits_for_the_deadline_alone) {
    dn_closing c = learned((dn_closing_rules){.deadline_ns = 20 * MS, .max_tokens = 512});
    EXPECT(dn_closing_moment(&c, 5) == INT64_MAX);
    dn_closing_add(&c, 30, 7 * MS);
    dn_closing_add(&c, 30, 9 * MS);
    EXPECT(dn_closing_moment(&c, 10 * MS) == 27 * MS);
    EXPECT(!dn_closing_is_due(&c, 500 * MS));
}

CASE(the_first_batch_does_not_wait_for_a_forecast) {
    dn_closing c;
    dn_closing_init(&c, plain.rules);
    dn_closing_add(&c, 30, 0);
    dn_closing_expect(&c, 0, 0);
    EXPECT(dn_closing_moment(&c, 0) == DN_AT_ONCE);
}

CASE(the_oldest_row_sets_the_moment) {
    dn_closing c = learned(plain.rules);
    dn_closing_add(&c, 20, 100 * MS);
    dn_closing_expect(&c, 90 * MS, 100 * MS);
    int64_t first_ns = dn_closing_moment(&c, 100 * MS);
    EXPECT(first_ns < 90 * MS + 200 * MS - 20 * MS - 11 * MS && first_ns > 200 * MS);
    dn_closing_add(&c, 20, 101 * MS);
    dn_closing_expect(&c, 60 * MS, 101 * MS);
    int64_t second_ns = dn_closing_moment(&c, 101 * MS);
    EXPECT(second_ns < first_ns - 29 * MS && second_ns > first_ns - 40 * MS);
}

CASE(a_full_enough_batch_goes_at_once) {
    dn_closing c = learned(plain.rules);
    dn_closing_add(&c, 480, 0);
    dn_closing_expect(&c, 0, 0);
    EXPECT(dn_closing_moment(&c, 0) == DN_AT_ONCE);
    EXPECT(!dn_closing_is_due(&c, 0));
    EXPECT(dn_closing_is_due(&c, 125 * MS));
}

CASE(late_rows_go_at_once_but_do_not_make_small_batches) {
    dn_closing c = learned(plain.rules);
    dn_closing_add(&c, 20, 500 * MS);
    dn_closing_expect(&c, 100 * MS, 500 * MS);
    EXPECT_INT(c.open.n_late, 1);
    EXPECT(dn_closing_moment(&c, 500 * MS) == DN_AT_ONCE);
    EXPECT(!dn_closing_is_due(&c, 500 * MS));
}

/* 480 tokens take 58 ms; what comes behind them begins no sooner. */
CASE(behind_another_batch_there_is_time_to_grow) {
    dn_closing c = learned(plain.rules);
    dn_closing_add(&c, 480, 0);
    dn_closing_expect(&c, 0, 0);
    dn_closing_batch first = dn_closing_close(&c, 0);
    EXPECT(first.predicted_ns > 57 * MS && first.predicted_ns < 59 * MS);
    EXPECT(dn_closing_moment(&c, 0) == INT64_MAX);
    dn_closing_add(&c, 480, 1 * MS);
    dn_closing_expect(&c, 1 * MS, 1 * MS);
    EXPECT(dn_closing_moment(&c, 1 * MS) == first.predicted_ns);
    dn_closing_batch second = dn_closing_close(&c, 1 * MS);
    dn_closing_add(&c, 480, 2 * MS);
    dn_closing_expect(&c, 2 * MS, 2 * MS);
    EXPECT(dn_closing_moment(&c, 2 * MS) == first.predicted_ns + second.predicted_ns);
    dn_closing_scored(&c, &first, 40 * MS, 40 * MS); /* sooner than expected */
    EXPECT(dn_closing_moment(&c, 40 * MS) == 40 * MS + second.predicted_ns);
    dn_closing_scored(&c, &second, 40 * MS, 80 * MS);
    EXPECT(dn_closing_moment(&c, 80 * MS) == DN_AT_ONCE);
}

CASE(behind_another_batch_a_row_is_due_earlier) {
    dn_closing c = learned(plain.rules);
    dn_closing_add(&c, 480, 0);
    dn_closing_expect(&c, 0, 0);
    dn_closing alone = c;
    dn_closing_batch first = dn_closing_close(&c, 0);
    dn_closing_add(&c, 480, 0);
    dn_closing_expect(&c, 0, 0);
    EXPECT(!dn_closing_is_due(&alone, 70 * MS) && !dn_closing_is_due(&c, 0)); /* 58 + 58 < 180 */
    c.free_ns += 70 * MS; /* more under way */
    EXPECT(dn_closing_is_due(&c, 0));
    c.free_ns += 70 * MS; /* late whatever is done: full batches are quicker */
    EXPECT(!dn_closing_is_due(&c, 0));
    EXPECT(dn_closing_moment(&c, 0) == first.predicted_ns + 140 * MS);
}

CASE(throughput_waits_until_the_device_is_free) {
    dn_closing c = learned((dn_closing_rules){.deadline_ns = 20 * MS, .max_tokens = 512});
    dn_closing_add(&c, 480, 0);
    dn_closing_batch first = dn_closing_close(&c, 0);
    dn_closing_add(&c, 30, 1 * MS);
    EXPECT(dn_closing_moment(&c, 1 * MS) == first.predicted_ns);
    dn_closing_scored(&c, &first, 3 * MS, 3 * MS);
    EXPECT(dn_closing_moment(&c, 3 * MS) == 21 * MS);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
