#include "model/model.h"

#include "base/memory.h"
#include "model/calibrate.h"
#include "model/encoder.h"
#include "model/finite.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, VOCABULARY_STEP = 64 };

struct dn_model {
    dn_config config;
    dn_shard shard;
    dn_comm *devices; /**< shard.group where the parts are on devices that have met */
    dn_weights weights;
    const dn_kernels *kernels;
    char *dir;
    char sha256[DN_SHA256_HEX];
    const char **ignored; /**< names of tensors, each its own */
    int n_ignored;
    dn_model_info info;
};

/** Lines of DIR/vocab.txt, the last with or without its newline; -1 when there is no such file. */
static long count_pieces(const char *dir) {
    char *path = dn_format("%s/vocab.txt", dir), text[64 * 1024];
    FILE *file = fopen(path, "rb");
    free(path);
    if (!file) {
        return -1;
    }
    long lines = 0;
    char last = '\n';
    for (size_t n; (n = fread(text, 1, sizeof text, file)) > 0; last = text[n - 1]) {
        for (const char *p = text, *end = text + n;
             (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
            lines++;
        }
    }
    fclose(file);
    return lines + (last != '\n');
}

/** Some models round the embedding up to a multiple of 64 rows; any other difference means a wrong
 * or cut file. */
static dn_status check_vocabulary(const char *dir, const dn_config *config) {
    long pieces = count_pieces(dir), rows = config->vocabulary;
    long rounded = (pieces + VOCABULARY_STEP - 1) / VOCABULARY_STEP * VOCABULARY_STEP;
    if (pieces >= 0 && rows != pieces && rows != rounded) {
        return DN_FAIL(MODEL,
                       "%s/vocab.txt: %ld pieces, but the embedding has %ld rows (vocab_size); "
                       "the files belong to different models or one is cut",
                       dir, pieces, rows);
    }
    return DN_OK;
}

static double flops_per_token(const dn_config *config, const dn_shard *shard) {
    double hidden = config->hidden, width = shard->width.n, inner = shard->inner.n;
    double embedding = config->embedding == config->hidden ? 0 : config->embedding;
    double once = shard->leads ? embedding + config->token_width : 0;
    return 2.0 * config->layers * (4 * hidden * width + 2 * hidden * inner) + 2.0 * hidden * once;
}

static void fill_info(dn_model *model) {
    const dn_config *config = &model->config;
    model->info = (dn_model_info){
        .dir = model->dir,
        .architecture = config->family->model_type,
        .hidden = config->hidden,
        .layers = config->layers,
        .heads = config->heads,
        .intermediate = config->intermediate,
        .vocabulary = config->vocabulary,
        .max_positions = config->max_positions,
        .max_tokens = config->max_tokens,
        .windows = config->windows,
        .overlap = config->overlap,
        .longest = config->max_tokens * config->windows,
        .n_model_heads = config->n_model_heads,
        .model_head = config->model_head,
        .score_width = config->score_width,
        .token_width = config->token_width,
        .sha256 = model->sha256,
        .normalise = config->normalise,
        .languages = &config->languages,
        .part = model->shard.group ? model->shard.group->rank : 0,
        .n_parts = model->shard.group ? model->shard.group->size : 1,
        .weight_bytes = model->weights.bytes,
        .n_ignored_tensors = model->n_ignored,
        .ignored_tensor = model->ignored,
        .flops_per_token = flops_per_token(config, &model->shard),
    };
}

static dn_status note_ignored(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                              bool needed) {
    (void)file;
    dn_model *model = ctx;
    if (!needed) {
        model->ignored =
            dn_grow(model->ignored, (size_t)model->n_ignored + 1, sizeof *model->ignored);
        model->ignored[model->n_ignored++] = dn_strdup(tensor->name);
    }
    return DN_OK;
}

static dn_status load_weights(dn_model *model) {
    dn_checkpoint *checkpoint;
    dn_outliers outliers = {0};
    DN_TRY(dn_checkpoint_open(model->dir, &checkpoint));
    dn_status status = dn_outliers_load(model->dir, &model->config, &outliers);
    if (status == DN_OK) {
        status = dn_weights_load(checkpoint, &model->config, &outliers, &model->shard,
                                 model->kernels, &model->weights);
    }
    dn_outliers_free(&outliers);
    if (status == DN_OK) {
        dn_checkpoint_each(checkpoint, note_ignored, model);
        status = dn_checkpoint_sha256(checkpoint, model->sha256);
    }
    dn_checkpoint_close(checkpoint);
    return status;
}

/** Whether the parts of a split model are on devices, whose ranks have to meet first. */
static bool is_apart(const dn_model *model) {
    return model->kernels->device && model->shard.group;
}

static dn_status calibrate(dn_model *model) {
    return dn_calibrate(model, model->kernels, &model->weights);
}

static dn_status open_model(const char *dir, const dn_kernels *kernels, dn_comm *group,
                            bool features, dn_model **out) {
    dn_model *model = dn_alloc(sizeof *model);
    model->dir = dn_strdup(dir);
    model->kernels = kernels;
    dn_status status;
    DN_TRY_GO(dn_config_load(dir, &model->config), refused);
    if (features) {
        dn_config_want_features(&model->config);
    }
    DN_TRY_GO(check_vocabulary(dir, &model->config), refused);
    DN_TRY_GO(dn_shard_make(dir, &model->config, group, &model->shard), refused);
    DN_TRY_GO(load_weights(model), refused);
    fill_info(model);
    DN_TRY_GO(is_apart(model) ? DN_OK : calibrate(model), refused);
    *out = model;
    return DN_OK;
refused:
    dn_model_close(model);
    return status;
}

dn_status dn_model_open(const char *dir, const dn_kernels *kernels, dn_model **out) {
    return open_model(dir, kernels, NULL, false, out);
}

dn_status dn_model_open_part(const char *dir, const dn_kernels *kernels, dn_comm *group,
                             dn_model **out) {
    return open_model(dir, kernels, group, false, out);
}

dn_status dn_model_connect(dn_model *model) {
    if (!is_apart(model)) {
        return DN_OK;
    }
    DN_TRY(dn_comm_over_devices(model->shard.group, model->kernels->device, &model->devices));
    model->shard.group = model->devices;
    return calibrate(model);
}

dn_status dn_model_open_features(const char *dir, const dn_kernels *kernels, dn_model **out) {
    return open_model(dir, kernels, NULL, true, out);
}

const dn_model_info *dn_model_describe(const dn_model *model) {
    return &model->info;
}

void dn_model_close(dn_model *model) {
    if (model) {
        dn_comm_close(model->devices);
        dn_weights_free(&model->weights);
        dn_config_free(&model->config);
        for (int i = 0; i < model->n_ignored; i++) {
            free((void *)(uintptr_t)model->ignored[i]);
        }
        free(model->ignored);
        free(model->dir);
        free(model);
    }
}

double dn_model_flops(const dn_model *model, const dn_batch *batch) {
    const dn_config *config = &model->config;
    double hidden = config->hidden, width = model->shard.width.n, pairs = 0;
    for (int i = 0; i < batch->n_rows; i++) {
        double length = batch->row_start[i + 1] - batch->row_start[i];
        double window = config->windows > 1 ? config->max_tokens : length;
        double n = floor(length / window), last = length - n * window;
        pairs += n * window * window + last * last;
    }
    double row = 2 * hidden *
                 (config->n_parts * (config->text_width + config->mean_width) +
                  (config->has_dense ? hidden : 0));
    return model->info.flops_per_token * batch->n_tokens + 4 * width * config->layers * pairs +
           (model->shard.leads ? row * batch->n_rows : 0);
}

size_t dn_model_score_floats(const dn_model *model, int n_rows, int n_tokens) {
    return (size_t)n_rows * (size_t)model->config.score_width +
           (size_t)n_tokens * (size_t)model->config.token_width;
}

/** Windows of any batch of so many tokens and rows: each row has one that is not full. */
static int most_windows(const dn_config *config, int max_tokens, int max_rows) {
    return config->windows > 1 ? max_tokens / config->max_tokens + max_rows : max_rows;
}

/** The batch with its rows split into windows. lends  until the next */
static dn_batch split(const dn_config *config, dn_workspace *space, const dn_batch *batch) {
    int32_t *start = space->window_start, n = 0;
    if (config->windows == 1) {
        return *batch;
    }
    for (int row = 0; row < batch->n_rows; row++) {
        for (int32_t at = batch->row_start[row]; at < batch->row_start[row + 1];
             at += config->max_tokens) {
            start[n++] = at;
        }
    }
    start[n] = batch->n_tokens;
    return (dn_batch){n, batch->n_tokens, batch->token, start};
}

/** A buffer of the workspace: what it holds and how large it is. */
typedef struct buffer {
    float **at;
    dn_numbers kind;
    size_t n;
} buffer;

enum { N_BUFFERS = 9 };

/** All buffers for so many tokens and rows; those of size 0 are not needed by the model. */
static void list_buffers(const dn_model *model, dn_workspace *space, size_t tokens, size_t rows,
                         buffer list[N_BUFFERS]) {
    const dn_config *config = &model->config;
    const dn_shard *shard = &model->shard;
    size_t hidden = (size_t)config->hidden, embedding = (size_t)config->embedding;
    size_t width = (size_t)shard->width.n, inner = (size_t)shard->inner.n;
    size_t parts = config->n_parts > 0 ? (size_t)config->n_parts : 1;
    size_t texts = (size_t)config->text_width, means = (size_t)config->mean_width;
    int longest =
        space->max_tokens < config->max_positions ? space->max_tokens : config->max_positions;
    buffer all[N_BUFFERS] = {
        {&space->x, DN_ELEMENTS, tokens * hidden},
        {&space->wide, DN_ELEMENTS, tokens * (3 * width > inner ? 3 * width : inner)},
        {&space->context, DN_ELEMENTS, tokens * (hidden > embedding ? hidden : embedding)},
        {&space->partial, DN_ELEMENTS, shard->group ? tokens * hidden : 0},
        {&space->pooled, DN_FLOATS, rows * parts * hidden},
        {&space->features, DN_FLOATS, config->has_dense || means ? rows * parts * hidden : 0},
        {&space->logits, DN_FLOATS, rows * (texts > means ? texts : means)},
        {&space->token_logits, DN_FLOATS, tokens * (size_t)config->token_width},
        {&space->scratch, DN_FLOATS,
         model->kernels->attention_scratch(longest, shard->width.n, shard->heads.n)},
    };
    memcpy(list, all, sizeof all);
}

static dn_status reserve(const dn_workspace *space, const buffer *list) {
    for (int i = 0; i < N_BUFFERS; i++) {
        if (list[i].n > 0 && space->device) {
            DN_TRY(space->device->reserve(list[i].kind, list[i].n, list[i].at));
        } else if (list[i].n > 0) {
            *list[i].at = dn_alloc_aligned(ALIGN, list[i].n * sizeof(float));
        }
    }
    return DN_OK;
}

static dn_status open_flights(const dn_model *model, dn_workspace *space) {
    dn_lane_conf conf = {.max_tokens = space->max_tokens,
                         .max_rows =
                             most_windows(&model->config, space->max_tokens, space->max_rows),
                         .row_width = model->config.score_width,
                         .token_width = model->config.token_width};
    /* A part has one batch under way: it is its group's turn as long as there is one, and a thread
     * that waits for others (at a full ring, say) must not have it. */
    space->depth = space->device && !model->shard.group ? space->device->n_lanes : 1;
    space->flight = dn_alloc_array((size_t)space->depth, sizeof *space->flight);
    for (int i = 0; i < space->depth && space->device; i++) {
        conf.beside = space->flight[0].lane;
        DN_TRY(space->device->lane_new(&conf, &space->flight[i].lane));
    }
    return DN_OK;
}

static dn_status prepare_group(const dn_model *model, dn_workspace *space) {
    size_t hidden = (size_t)model->config.hidden, embedding = (size_t)model->config.embedding;
    size_t n = (size_t)space->max_tokens * (hidden > embedding ? hidden : embedding);
    space->message = dn_alloc(dn_shard_message_size(space->max_tokens, space->max_rows));
    return space->device ? DN_OK : dn_comm_reserve(model->shard.group, n);
}

dn_status dn_workspace_new(const dn_model *model, int max_tokens, int max_rows,
                           dn_workspace **out) {
    if (max_tokens < 1 || max_rows < 1) {
        return DN_FAIL(CONFIG, "a batch of %d tokens and %d rows holds no text", max_tokens,
                       max_rows);
    }
    dn_workspace *space = dn_alloc(sizeof *space);
    int tokens = max_tokens, windows = most_windows(&model->config, max_tokens, max_rows);
    int rows = max_rows;
    space->device = model->kernels->device;
    space->max_tokens = max_tokens;
    space->max_rows = max_rows;
    if (space->device) {
        rows = windows;
        space->device->fill_up(&tokens, &rows);
    }
    buffer list[N_BUFFERS];
    list_buffers(model, space, (size_t)tokens, (size_t)rows, list);
    dn_status status;
    DN_TRY_GO(reserve(space, list), refused);
    DN_TRY_GO(open_flights(model, space), refused);
    space->part_start = dn_alloc_array((size_t)windows + 1, sizeof *space->part_start);
    if (model->config.windows > 1) {
        space->window_start = dn_alloc_array((size_t)windows + 1, sizeof *space->window_start);
    }
    if (model->shard.group) {
        DN_TRY_GO(prepare_group(model, space), refused);
    }
    *out = space;
    return DN_OK;
refused:
    dn_workspace_free(space);
    return status;
}

void dn_workspace_free(dn_workspace *workspace) {
    if (!workspace) {
        return;
    }
    for (int i = workspace->depth - 1; i >= 0 && workspace->device; i--) {
        workspace->device->lane_free(workspace->flight[i].lane);
    }
    float *buffers[N_BUFFERS] = {workspace->x,       workspace->wide,         workspace->context,
                                 workspace->pooled,  workspace->features,     workspace->logits,
                                 workspace->scratch, workspace->token_logits, workspace->partial};
    for (int i = 0; i < N_BUFFERS; i++) {
        if (workspace->device) {
            workspace->device->release(buffers[i]);
        } else {
            free(buffers[i]);
        }
    }
    free(workspace->part_start);
    free(workspace->window_start);
    free(workspace->message);
    free(workspace->flight);
    free(workspace);
}

int dn_workspace_depth(const dn_workspace *workspace) {
    return workspace->depth;
}

void dn_workspace_probe(dn_workspace *workspace, dn_layer_probe *probe, void *ctx) {
    workspace->probe = probe;
    workspace->probe_ctx = ctx;
}

void dn_workspace_probe_inputs(dn_workspace *workspace, dn_input_probe *probe, void *ctx) {
    workspace->input_probe = probe;
    workspace->input_probe_ctx = ctx;
}

void dn_workspace_want_logits(dn_workspace *workspace, bool wanted) {
    workspace->wants_logits = wanted;
}

void dn_model_finish(const dn_model *model, const dn_kernels *host, int n_rows, float *score) {
    const dn_kernels *kernels = model->kernels->device ? host : model->kernels;
    dn_heads_finish(&model->config, kernels, false, n_rows, model->config.score_width, score);
}

/** The highest id, or one below 0 where there is one; several at a time. */
static int32_t highest_id(const int32_t *token, int n) {
    uint32_t highest = 0;
    for (int i = 0; i < n; i++) {
        uint32_t id = (uint32_t)token[i];
        highest = id > highest ? id : highest;
    }
    return (int32_t)highest;
}

/** Rows are 1 to `longest` tokens and follow each other; ids lie below the vocabulary. */
static dn_status check_batch(const dn_model *model, const dn_workspace *space,
                             const dn_batch *batch) {
    const dn_config *config = &model->config;
    int longest = config->windows > 1 ? model->info.longest : config->max_positions;
    if (batch->n_rows < 0 || batch->n_rows > space->max_rows ||
        batch->n_tokens > space->max_tokens) {
        return DN_FAIL(INTERNAL, "batch of %d rows and %d tokens; the workspace holds %d and %d",
                       batch->n_rows, batch->n_tokens, space->max_rows, space->max_tokens);
    }
    if (batch->row_start[0] != 0 || batch->row_start[batch->n_rows] != batch->n_tokens) {
        return DN_FAIL(INTERNAL, "batch rows do not cover its %d tokens", batch->n_tokens);
    }
    for (int i = 0; i < batch->n_rows; i++) {
        int length = batch->row_start[i + 1] - batch->row_start[i];
        if (length < 1 || length > longest) {
            return DN_FAIL(DATA,
                           "row of %d tokens; the model takes 1 to %d: set the tokenizer's limit",
                           length, longest);
        }
    }
    int32_t highest = highest_id(batch->token, batch->n_tokens);
    if (highest < 0 || highest >= config->vocabulary) {
        return DN_FAIL(
            DATA, "token id %d; the model's vocabulary has %d: it is another model's tokenizer",
            highest, config->vocabulary);
    }
    return DN_OK;
}

/** Operations differ where logits are wanted, and where the host looks between them. */
enum { SCORES, LOGITS, WATCHED = -1 };

static dn_status run_encoder(const dn_model *model, dn_workspace *space, const dn_batch *batch,
                             const dn_batch *windows, float *score) {
    return dn_encoder_run(&model->config, &model->shard, &model->weights, model->kernels, space,
                          batch, windows, score);
}

static dn_status begin(const dn_model *model, dn_workspace *space, dn_flight *flight) {
    const dn_batch *batch = &flight->batch;
    dn_batch windows = split(&model->config, space, batch);
    dn_pass pass = {.n_tokens = batch->n_tokens,
                    .n_rows = windows.n_rows,
                    .n_texts = batch->n_rows,
                    .token = batch->token,
                    .row_start = windows.row_start,
                    .text_start = batch->row_start,
                    .variant = space->probe || space->input_probe ? WATCHED
                               : space->wants_logits              ? LOGITS
                                                                  : SCORES};
    DN_TRY(space->device->begin(flight->lane, &pass));
    flight->filled_rows = pass.n_texts;
    space->own_tokens = batch->n_tokens;
    dn_status noted = DN_OK;
    if (!pass.known) {
        dn_batch texts = {pass.n_texts, pass.n_tokens, pass.token, pass.text_start};
        windows = (dn_batch){pass.n_rows, pass.n_tokens, pass.token, pass.row_start};
        noted = run_encoder(model, space, &texts, &windows, pass.score);
    }
    dn_status ended = space->device->end(flight->lane);
    return noted != DN_OK ? noted : ended;
}

/** To the other ranks of a group, and onto the device. */
static dn_status launch(const dn_model *model, dn_workspace *space, dn_flight *flight) {
    if (model->shard.group && model->shard.leads) {
        DN_TRY(dn_shard_send(&model->shard, space->message, space->max_tokens, space->max_rows,
                             &flight->batch));
    }
    return space->device ? begin(model, space, flight) : DN_OK;
}

/** Of the passes of several groups. */
static void take_turn(const dn_model *model, bool take) {
    if (model->shard.group) {
        (take ? dn_comm_begin_pass : dn_comm_end_pass)(model->shard.group);
    }
}

dn_status dn_model_submit(const dn_model *model, dn_workspace *workspace, const dn_batch *batch) {
    assert(workspace->n_flying < workspace->depth);
    DN_TRY(check_batch(model, workspace, batch));
    dn_flight *flight =
        &workspace->flight[(workspace->oldest + workspace->n_flying) % workspace->depth];
    flight->batch = *batch;
    take_turn(model, true);
    dn_status status = batch->n_rows > 0 ? launch(model, workspace, flight) : DN_OK;
    if (status != DN_OK) {
        take_turn(model, false);
        return status;
    }
    workspace->n_flying++;
    return DN_OK;
}

/** The pass's scores without the rows that filled it up. */
static dn_status fetch(const dn_model *model, const dn_workspace *space, const dn_flight *flight,
                       float *score, dn_pass_times *times) {
    size_t width = (size_t)model->config.score_width;
    size_t token_width = (size_t)model->config.token_width;
    size_t rows = (size_t)flight->batch.n_rows, tokens = (size_t)flight->batch.n_tokens;
    const float *from;
    DN_TRY(space->device->wait(flight->lane, &from, times));
    if (!model->shard.leads) {
        return DN_OK;
    }
    memcpy(score, from, rows * width * sizeof *score);
    memcpy(score + rows * width, from + (size_t)flight->filled_rows * width,
           tokens * token_width * sizeof *score);
    return DN_OK;
}

/** The head that columns from `at` on of a row, or of a token, belong to. */
static const char *head_at(const dn_config *config, bool tokens, int at) {
    for (int h = 0; h < config->n_model_heads; h++) {
        const dn_model_head *head = &config->model_head[h];
        if ((head->kind == DN_HEAD_TOKENS) == tokens && at >= head->begin &&
            at < head->begin + head->n_labels) {
            return head->name;
        }
    }
    return "";
}

/** Scores are numbers, unless something was too large on the way. */
static dn_status check_scores(const dn_model *model, const dn_batch *batch, const float *score) {
    const dn_config *config = &model->config;
    size_t n = dn_model_score_floats(model, batch->n_rows, batch->n_tokens), at = 0;
    if (dn_all_finite(score, n)) {
        return DN_OK;
    }
    while (dn_all_finite(score + at, 1)) {
        at++;
    }
    size_t of_texts = (size_t)batch->n_rows * (size_t)config->score_width;
    bool tokens = at >= of_texts;
    int column = (int)(tokens ? (at - of_texts) % (size_t)config->token_width
                              : at % (size_t)config->score_width);
    return DN_FAIL(NOT_FINITE, "%s: a score of head %s is not a number in %s: %s", model->dir,
                   head_at(config, tokens, column), model->kernels->precision,
                   model->kernels->device
                       ? "a weight or an activation is larger than that holds (fp16: 65504); set "
                         "`backend` to cuda:bf16 or cpu"
                       : "weights are damaged, or of no use in this precision");
}

bool dn_workspace_is_done(const dn_workspace *workspace) {
    assert(workspace->n_flying > 0);
    const dn_flight *flight = &workspace->flight[workspace->oldest];
    return !workspace->device || flight->batch.n_rows == 0 ||
           workspace->device->is_done(flight->lane);
}

dn_status dn_model_wait(const dn_model *model, dn_workspace *workspace, float *score,
                        dn_pass_times *times) {
    assert(workspace->n_flying > 0);
    dn_flight *flight = &workspace->flight[workspace->oldest];
    dn_pass_times unwanted, *into = times ? times : &unwanted;
    dn_status status = DN_OK;
    workspace->oldest = (workspace->oldest + 1) % workspace->depth;
    workspace->n_flying--;
    *into = (dn_pass_times){0};
    if (flight->batch.n_rows > 0 && workspace->device) {
        status = fetch(model, workspace, flight, score, into);
    } else if (flight->batch.n_rows > 0) {
        dn_batch windows = split(&model->config, workspace, &flight->batch);
        status = run_encoder(model, workspace, &flight->batch, &windows, score);
    }
    take_turn(model, false);
    if (status == DN_OK && flight->batch.n_rows > 0 && model->shard.leads) {
        status = check_scores(model, &flight->batch, score);
    }
    return status;
}

dn_status dn_model_score(const dn_model *model, dn_workspace *workspace, const dn_batch *batch,
                         float *score) {
    DN_TRY(dn_model_submit(model, workspace, batch));
    return dn_model_wait(model, workspace, score, NULL);
}

dn_status dn_model_receive(const dn_model *model, dn_workspace *workspace, dn_batch *batch,
                           bool *end) {
    return dn_shard_receive(&model->shard, workspace->message, workspace->max_tokens,
                            workspace->max_rows, batch, end);
}

dn_status dn_model_dismiss(const dn_model *model, dn_workspace *workspace) {
    return model->shard.group ? dn_shard_send(&model->shard, workspace->message,
                                              workspace->max_tokens, workspace->max_rows, NULL)
                              : DN_OK;
}
