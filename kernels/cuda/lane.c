/* A lane is a batch under way.
 *
 *    host       pinned in ─┐ fill                                     ┌─▶ pinned out
 *    copies in             └─▶ copy ──┐                               │
 *    computing                        └▶ pass (recorded once a size) ─┤
 *    copies out                                                       └─ copy
 *
 * Lanes beside each other share the computing stream: their passes follow each other and may use
 * the same activations, while their copies run next to another lane's pass. */
#include "kernels/cuda/backend.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_GRAPHS = 48,   /* recorded passes of a lane; the one unused for longest goes */
    MAX_MARKS = 512,   /* steps that are timed one by one */
    TIMED_EVERY = 64,  /* passes: events between all steps cost a few per cent */
    PAD_ROW = 32,      /* tokens of a row of padding */
    LEAST_TOKENS = 64, /* of a pass, and the steps of small ones */
    LEAST_ROWS = 16,
    STEPS_PER_OCTAVE = 8,
};

/** What a recorded pass is for. */
typedef struct recorded {
    dn_cuda_graph graph;
    int n_tokens, n_rows, longest, variant;
    bool timed;
    int n_marks;
    int64_t used; /**< number of the pass that used it last */
} recorded;

struct dn_lane {
    dn_lane_conf conf;
    int most_tokens, most_rows;
    cudaStream_t in, compute, out;
    dn_cuda_event arrived, begun, done, fetched;
    int32_t *host_in, *device_in; /**< token [T], place [T], row start [R + 1] */
    float *host_out, *device_out;
    dn_steps steps;
    dn_step_marks marks;
    recorded recorded[MAX_GRAPHS];
    int n_recorded, variant;
    recorded *known; /**< what the open pass will replay */
    recorded now;    /**< sizes of the open pass */
    int64_t n_passes;
    bool settled;   /**< the host has looked: what was noted has been run */
    bool is_flying; /**< between end() and wait() */
};

static _Thread_local dn_lane *current;

/* ---- sizes ---- */

static int floor_power(int n) {
    int power = 1;
    while (power <= n / 2) {
        power *= 2;
    }
    return power;
}

/** Eight sizes an octave: at most an eighth of a pass is padding, and few sizes recur. */
static int step_at(int n, int least) {
    int step = floor_power(n) / STEPS_PER_OCTAVE;
    return step > least ? step : least;
}

static int round_up(int n, int step) {
    return (n + step - 1) / step * step;
}

/** Rows behind those of the batch, for padding that is less than a step of the tokens. */
static int rows_of_padding(int n_tokens) {
    return step_at(n_tokens, LEAST_TOKENS) / PAD_ROW + 1;
}

void dn_lane_fill_up(int *n_tokens, int *n_rows) {
    int tokens = round_up(*n_tokens, step_at(*n_tokens, LEAST_TOKENS));
    int rows = *n_rows + rows_of_padding(tokens);
    *n_tokens = tokens;
    *n_rows = round_up(rows, step_at(rows, LEAST_ROWS));
}

/** A bound of the rows' lengths that recurs: a power of two. */
static int bound_of_rows(const dn_pass *pass) {
    int longest = PAD_ROW;
    for (int r = 0; r < pass->n_rows; r++) {
        int length = pass->row_start[r + 1] - pass->row_start[r];
        longest = length > longest ? length : longest;
    }
    int bound = floor_power(longest);
    return bound < longest ? 2 * bound : bound;
}

/* ---- set-up ---- */

static size_t input_bytes(const dn_lane *lane) {
    return 2 * ((size_t)lane->most_tokens + (size_t)lane->most_rows + 1) * sizeof(int32_t);
}

static size_t output_floats(const dn_lane *lane, int n_tokens, int n_rows) {
    return (size_t)n_rows * (size_t)lane->conf.row_width +
           (size_t)n_tokens * (size_t)lane->conf.token_width;
}

static dn_status pin(size_t bytes, void **out) {
    int error = dn_cuda.api->alloc_pinned(out, bytes);
    return error ? dn_cuda_fault(error, "reserving pinned memory") : DN_OK;
}

static dn_status make_streams(dn_lane *lane) {
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_event *timed[] = {&lane->begun, &lane->done};
    dn_cuda_event *others[] = {&lane->arrived, &lane->fetched};
    int error = api->stream_new(&lane->in);
    error = error ? error : api->stream_new(&lane->out);
    if (lane->conf.beside) {
        lane->compute = lane->conf.beside->compute;
    } else if (!error) {
        error = api->stream_new(&lane->compute);
    }
    for (int i = 0; i < 2 && !error; i++) {
        error = api->event_new(true, timed[i]);
        error = error ? error : api->event_new(false, others[i]);
    }
    for (int i = 0; i < MAX_MARKS && !error; i++) {
        error = api->event_new(true, &lane->marks.event[i]);
        lane->marks.max = error ? i : i + 1;
    }
    return error ? dn_cuda_fault(error, "making streams and events") : DN_OK;
}

static dn_status make_buffers(dn_lane *lane) {
    size_t out_bytes =
        (output_floats(lane, lane->most_tokens, lane->most_rows) + 1) * sizeof(float);
    void *memory = NULL;
    DN_TRY(pin(input_bytes(lane), &memory));
    lane->host_in = memory;
    memory = NULL;
    DN_TRY(pin(out_bytes, &memory));
    lane->host_out = memory;
    DN_TRY(dn_cuda_alloc(input_bytes(lane), "tokens", &memory));
    lane->device_in = memory;
    DN_TRY(dn_cuda_alloc(out_bytes, "scores", &memory));
    lane->device_out = memory;
    return dn_cuda_alloc(DN_BLAS_WORKSPACE, "workspace", &lane->steps.workspace);
}

dn_status dn_lane_new(const dn_cuda_mode *mode, const dn_lane_conf *conf, dn_lane **out) {
    dn_lane *lane = dn_alloc(sizeof *lane);
    lane->conf = *conf;
    lane->most_tokens = conf->max_tokens;
    lane->most_rows = conf->max_rows;
    dn_lane_fill_up(&lane->most_tokens, &lane->most_rows);
    lane->steps.mode = mode;
    lane->steps.most_tokens = lane->most_tokens;
    lane->steps.most_rows = lane->most_rows;
    lane->marks.event = dn_alloc_array(MAX_MARKS, sizeof *lane->marks.event);
    lane->marks.group = dn_alloc_array(MAX_MARKS, sizeof *lane->marks.group);
    dn_steps_open(&lane->steps);
    dn_status status;
    DN_TRY_GO(dn_cuda_enter(), refused);
    DN_TRY_GO(make_streams(lane), refused);
    DN_TRY_GO(make_buffers(lane), refused);
    *out = lane;
    return DN_OK;
refused:
    dn_lane_free(lane);
    return status;
}

static void free_streams(dn_lane *lane) {
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_event events[] = {lane->arrived, lane->begun, lane->done, lane->fetched};
    for (int i = 0; i < 4; i++) {
        if (events[i]) {
            api->event_free(events[i]);
        }
    }
    for (int i = 0; i < lane->marks.max; i++) {
        api->event_free(lane->marks.event[i]);
    }
    cudaStream_t streams[] = {lane->in, lane->out, lane->conf.beside ? NULL : lane->compute};
    for (int i = 0; i < 3; i++) {
        if (streams[i]) {
            api->stream_free(streams[i]);
        }
    }
}

/** A pass of a group ends when all of its ranks take part: it is waited for by looks, between which
 * the group may have ended. */
static dn_status await(const dn_lane *lane, dn_cuda_event event, int *error) {
    const dn_cuda_api *api = dn_cuda.api;
    int64_t begun_ns = dn_mono_ns();
    bool at_work;
    if (!lane->steps.group) {
        *error = api->event_finish(event);
        return DN_OK;
    }
    while ((*error = api->event_query(event)) == DN_CUDA_NOT_READY) {
        DN_TRY(dn_group_moment(lane->steps.group, begun_ns, &at_work));
    }
    return DN_OK;
}

void dn_lane_free(dn_lane *lane) {
    if (!lane) {
        return;
    }
    const dn_cuda_api *api = dn_cuda.api;
    int error;
    if (lane->is_flying) {
        (void)await(lane, lane->fetched, &error);
    }
    cudaStream_t streams[] = {lane->in, lane->compute, lane->out};
    for (int i = 0; i < 3; i++) { /* batches may be under way when a run ends by an error */
        if (streams[i]) {
            (void)api->stream_finish(streams[i]);
        }
    }
    for (int i = 0; i < lane->n_recorded; i++) {
        api->graph_free(lane->recorded[i].graph);
    }
    void *pinned[] = {lane->host_in, lane->host_out};
    for (int i = 0; i < 2; i++) {
        if (pinned[i]) {
            (void)api->release_pinned(pinned[i]);
        }
    }
    dn_cuda_release((float *)lane->device_in);
    dn_cuda_release(lane->device_out);
    dn_cuda_release(lane->steps.workspace);
    dn_steps_close(&lane->steps);
    free_streams(lane);
    free(lane->marks.event);
    free(lane->marks.group);
    free(lane);
}

/* ---- a pass ---- */

dn_steps *dn_lane_steps(void) {
    assert(current);
    return &current->steps;
}

/** Starts of n rows, filled up to n_rows by rows of padding and empty rows. */
static void fill_rows(const int32_t *from, int n, int n_tokens, int n_rows, int32_t *start) {
    memcpy(start, from, ((size_t)n + 1) * sizeof *start);
    for (int r = n; r < n_rows; r++) {
        int left = n_tokens - start[r];
        start[r + 1] = start[r] + (left < PAD_ROW ? left : PAD_ROW);
    }
}

/** Tokens, each one's place in its row, the rows' starts and those of the texts, all filled up. */
static void fill(const dn_pass *pass, int n_tokens, int n_rows, int32_t *token) {
    int32_t *place = token + n_tokens, *row_start = place + n_tokens;
    bool split = pass->text_start != NULL;
    int t = pass->n_tokens;
    memcpy(token, pass->token, (size_t)t * sizeof *token);
    memset(token + t, 0, (size_t)(n_tokens - t) * sizeof *token);
    fill_rows(pass->row_start, pass->n_rows, n_tokens, n_rows, row_start);
    fill_rows(split ? pass->text_start : pass->row_start, split ? pass->n_texts : pass->n_rows,
              n_tokens, n_rows, row_start + n_rows + 1);
    for (int r = 0; r < n_rows; r++) {
        int length = row_start[r + 1] - row_start[r];
        int32_t *at = place + row_start[r];
        for (int i = 0; i < length; i++) {
            at[i] = i;
        }
    }
}

static recorded *find(dn_lane *lane) {
    const recorded *want = &lane->now;
    for (int i = 0; i < lane->n_recorded; i++) {
        recorded *r = &lane->recorded[i];
        if (r->n_tokens == want->n_tokens && r->n_rows == want->n_rows &&
            r->longest == want->longest && r->variant == want->variant && r->timed == want->timed) {
            return r;
        }
    }
    return NULL;
}

/** Numbers of the next pass to the device, behind the last pass of this lane. */
static dn_status send(dn_lane *lane) {
    const dn_cuda_api *api = dn_cuda.api;
    size_t n = 2 * ((size_t)lane->now.n_tokens + (size_t)lane->now.n_rows + 1);
    int error = api->copy(lane->device_in, lane->host_in, n * sizeof(int32_t), lane->in);
    error = error ? error : api->event_record(lane->arrived, lane->in, false);
    error = error ? error : api->stream_after(lane->compute, lane->arrived);
    return error ? dn_cuda_fault(error, "copying a batch to the device") : DN_OK;
}

dn_status dn_lane_begin(dn_lane *lane, dn_pass *pass) {
    bool recurs = pass->variant >= 0 && !dn_cuda.checks;
    int n_tokens = pass->n_tokens, n_rows = pass->n_rows;
    DN_TRY(dn_cuda_enter());
    dn_lane_fill_up(&n_tokens, &n_rows);
    lane->now = (recorded){.n_tokens = n_tokens,
                           .n_rows = n_rows,
                           .longest = bound_of_rows(pass),
                           .variant = pass->variant,
                           .timed = recurs && lane->n_passes % TIMED_EVERY == TIMED_EVERY - 1};
    lane->n_passes++;
    fill(pass, n_tokens, n_rows, lane->host_in);
    DN_TRY(send(lane));
    lane->known = recurs ? find(lane) : NULL;
    lane->settled = !recurs;
    lane->steps.place = lane->device_in + n_tokens;
    lane->steps.longest = lane->now.longest;
    dn_steps_clear(&lane->steps);
    int error = dn_cuda.api->event_record(lane->begun, lane->compute, false);
    if (error) {
        return dn_cuda_fault(error, "beginning a pass");
    }
    const int32_t *row_start = lane->device_in + 2 * (size_t)n_tokens;
    *pass = (dn_pass){.n_tokens = n_tokens,
                      .n_rows = n_rows,
                      .n_texts = n_rows,
                      .token = lane->device_in,
                      .row_start = row_start,
                      .text_start = row_start + n_rows + 1,
                      .variant = pass->variant,
                      .score = lane->device_out,
                      .known = lane->known != NULL};
    current = lane;
    return DN_OK;
}

/** Launches what has been noted since the last time. */
static dn_status run_now(dn_lane *lane) {
    dn_status status = dn_steps_prepare(&lane->steps, lane->compute);
    if (status == DN_OK) {
        status = dn_steps_run(&lane->steps, lane->compute, false, NULL);
    }
    dn_steps_clear(&lane->steps);
    return status;
}

dn_status dn_lane_settle(cudaStream_t *stream) {
    *stream = current ? current->compute : NULL;
    if (!current) {
        return DN_OK;
    }
    DN_TRY(run_now(current));
    int error = dn_cuda.api->event_record(current->done, current->compute, false);
    if (!error) {
        DN_TRY(await(current, current->done, &error));
    }
    return error ? dn_cuda_fault(error, "a pass that is watched") : DN_OK;
}

static recorded *place_for_one(dn_lane *lane) {
    if (lane->n_recorded < MAX_GRAPHS) {
        return &lane->recorded[lane->n_recorded++];
    }
    recorded *oldest = &lane->recorded[0];
    for (int i = 1; i < MAX_GRAPHS; i++) {
        oldest = lane->recorded[i].used < oldest->used ? &lane->recorded[i] : oldest;
    }
    dn_cuda.api->graph_free(oldest->graph);
    return oldest;
}

/** The noted operations as a graph. */
static dn_status record(dn_lane *lane) {
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_graph graph = NULL;
    DN_TRY(dn_steps_prepare(&lane->steps, lane->compute));
    lane->marks.n = 0;
    int error = api->capture_begin(lane->compute);
    if (error) {
        return dn_cuda_fault(error, "recording a pass");
    }
    dn_status status =
        dn_steps_run(&lane->steps, lane->compute, true, lane->now.timed ? &lane->marks : NULL);
    error = api->capture_end(lane->compute, &graph);
    if (status != DN_OK && graph) {
        api->graph_free(graph);
    }
    DN_TRY(status);
    if (error) {
        return dn_cuda_fault(error, "recording a pass");
    }
    lane->now.graph = graph;
    lane->now.n_marks = lane->marks.n;
    lane->known = place_for_one(lane);
    *lane->known = lane->now;
    return DN_OK;
}

static dn_status run(dn_lane *lane) {
    if (lane->settled) {
        return run_now(lane);
    }
    if (!lane->known) {
        DN_TRY(record(lane));
    }
    lane->known->used = lane->n_passes;
    int error = dn_cuda.api->graph_launch(lane->known->graph, lane->compute);
    return error ? dn_cuda_fault(error, "launching a recorded pass") : DN_OK;
}

static dn_status take_out(dn_lane *lane) {
    const dn_cuda_api *api = dn_cuda.api;
    size_t n = output_floats(lane, lane->now.n_tokens, lane->now.n_rows);
    int error = api->event_record(lane->done, lane->compute, false);
    error = error ? error : api->stream_after(lane->out, lane->done);
    error =
        error ? error : api->copy(lane->host_out, lane->device_out, n * sizeof(float), lane->out);
    error = error ? error : api->event_record(lane->fetched, lane->out, false);
    return error ? dn_cuda_fault(error, "copying scores from the device") : DN_OK;
}

dn_status dn_lane_end(dn_lane *lane) {
    dn_status status = run(lane);
    current = NULL;
    dn_steps_clear(&lane->steps);
    status = status == DN_OK ? take_out(lane) : status;
    lane->is_flying = status == DN_OK;
    if (status != DN_OK && lane->steps.group) {
        dn_group_abort(lane->steps.group); /* the sums before the fault would wait for ever */
    }
    return status;
}

static int read_marks(const dn_lane *lane, dn_pass_times *times) {
    for (int i = 1; i < lane->known->n_marks; i++) {
        int64_t ns = 0;
        int error = dn_cuda.api->event_ns(lane->marks.event[i - 1], lane->marks.event[i], &ns);
        if (error) {
            return error;
        }
        times->group_ns[lane->marks.group[i]] += ns;
    }
    return 0;
}

bool dn_lane_is_done(const dn_lane *lane) {
    return dn_cuda.api->event_query(lane->fetched) != DN_CUDA_NOT_READY;
}

dn_status dn_lane_wait(dn_lane *lane, const float **score, dn_pass_times *times) {
    const dn_cuda_api *api = dn_cuda.api;
    *times = (dn_pass_times){0};
    int error = 0;
    lane->is_flying = false;
    DN_TRY(dn_cuda_enter());
    DN_TRY(await(lane, lane->fetched, &error));
    error = error ? error : api->event_ns(lane->begun, lane->done, &times->device_ns);
    if (!error && lane->known && lane->known->timed) {
        error = read_marks(lane, times);
    }
    if (error) {
        char text[128];
        snprintf(text, sizeof text, "a pass of %d tokens in %d rows (filled up)",
                 lane->now.n_tokens, lane->now.n_rows);
        return dn_cuda_fault(error, text);
    }
    *score = lane->host_out;
    return DN_OK;
}
