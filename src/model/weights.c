#include "model/weights.h"

#include "base/memory.h"
#include "model/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, MAX_NAME = 256, MAX_BLOCKS = DN_MAX_HEADS };

typedef struct loader {
    dn_checkpoint *checkpoint;
    const dn_config *config;
    const dn_outliers *outliers;
    const dn_shard *shard;
    const dn_family *family;
    const dn_kernels *kernels;
    const char *prefix; /**< the family's, or "" */
    int64_t bytes;
} loader;

/** Rows of a concatenated matrix: of the tensors NAME.weight and NAME.bias. */
typedef struct block {
    char name[MAX_NAME];
    dn_slice rows;
    const dn_model_head *head; /**< whose scaling they get; NULL: they are taken as they are */
} block;

static float *floats(size_t n) {
    return dn_alloc_aligned(ALIGN, n * sizeof(float));
}

/** Ends the reading of n numbers into `host`: they go where the backend's operations find them.
 * takes  host */
static dn_status settle(loader *load, dn_status status, dn_numbers kind, size_t n, float *host,
                        float **out) {
    const dn_device_ops *device = load->kernels->device;
    load->bytes += (int64_t)(n * sizeof(float));
    if (!device) {
        *out = host;
        return status;
    }
    if (status == DN_OK) {
        status = device->reserve(kind, n, out);
    }
    if (status == DN_OK) {
        status = device->upload(kind, host, n, *out);
    }
    free(host);
    return status;
}

/** Rows [first, first + rows) of the tensor `name` [dim...]. */
static dn_status read_rows(loader *load, const char *name, int n_dims, const uint64_t *dim,
                           uint64_t first, uint64_t rows, float *out) {
    const dn_safetensors *file;
    const dn_tensor *tensor;
    uint64_t width = n_dims == 2 ? dim[1] : 1;
    DN_TRY(dn_checkpoint_need(load->checkpoint, name, n_dims, dim, &file, &tensor));
    return dn_tensor_floats(file, tensor, first * width, rows * width, out);
}

/** The whole tensor "<owner>.<part>". */
static dn_status read_tensor(loader *load, const char *owner, const char *part, int n_dims,
                             const uint64_t *dim, float *out) {
    char *name = dn_format("%s.%s", owner, part);
    dn_status status = read_rows(load, name, n_dims, dim, 0, dim[0], out);
    free(name);
    return status;
}

/** Rows [first, first + keep) of an embedding table [rows][E] below the prefix. */
static dn_status read_table(loader *load, const char *name, int rows, int first, int keep,
                            float **out) {
    char full[MAX_NAME];
    uint64_t dim[2] = {(uint64_t)rows, (uint64_t)load->config->embedding};
    snprintf(full, sizeof full, "%sembeddings.%s.weight", load->prefix, name);
    size_t n = (size_t)keep * dim[1];
    float *table = floats(n);
    dn_status status = read_rows(load, full, 2, dim, (uint64_t)first, (uint64_t)keep, table);
    return settle(load, status, DN_ELEMENTS, n, table, out);
}

static dn_status read_vector(loader *load, const char *owner, const char *part, int width,
                             float **out) {
    uint64_t dim = (uint64_t)width;
    float *vector = floats(dim);
    dn_status status = read_tensor(load, owner, part, 1, &dim, vector);
    return settle(load, status, DN_FLOATS, dim, vector, out);
}

/** Checkpoints that came from TensorFlow call weight and bias gamma and beta. */
static dn_status read_norm(loader *load, const char *name, int width, dn_norm *norm) {
    char *old = dn_format("%s.gamma", name);
    bool is_old = dn_checkpoint_has(load->checkpoint, old);
    free(old);
    DN_TRY(read_vector(load, name, is_old ? "gamma" : "weight", width, &norm->gamma));
    return read_vector(load, name, is_old ? "beta" : "bias", width, &norm->beta);
}

/** Rows and columns of the matrix "<owner>.weight". */
static dn_status read_slice(loader *load, const char *owner, dn_slice rows, dn_slice columns,
                            float *out) {
    const dn_safetensors *file;
    const dn_tensor *tensor;
    uint64_t dim[2] = {(uint64_t)rows.of, (uint64_t)columns.of};
    uint64_t first = (uint64_t)rows.begin, n_rows = (uint64_t)rows.n;
    uint64_t begin = (uint64_t)columns.begin, n = (uint64_t)columns.n;
    char *name = dn_format("%s.weight", owner);
    dn_status status = dn_checkpoint_need(load->checkpoint, name, 2, dim, &file, &tensor);
    free(name);
    if (status == DN_OK && n == dim[1]) {
        return dn_tensor_floats(file, tensor, first * n, n_rows * n, out);
    }
    for (uint64_t row = 0; status == DN_OK && row < n_rows; row++) {
        status = dn_tensor_floats(file, tensor, (first + row) * dim[1] + begin, n, out + row * n);
    }
    return status;
}

static dn_status read_bias(loader *load, const char *owner, dn_slice rows, float *out) {
    uint64_t dim = (uint64_t)rows.of;
    char *name = dn_format("%s.bias", owner);
    dn_status status = read_rows(load, name, 1, &dim, (uint64_t)rows.begin, (uint64_t)rows.n, out);
    free(name);
    return status;
}

static void scale(float *x, size_t n, float shift, float temperature) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (x[i] + shift) / temperature;
    }
}

static dn_status read_blocks(loader *load, const block *blocks, int n_blocks, dn_slice columns,
                             float *matrix, float *bias) {
    for (int i = 0; i < n_blocks; i++) {
        dn_slice rows = blocks[i].rows;
        DN_TRY(read_slice(load, blocks[i].name, rows, columns, matrix));
        DN_TRY(read_bias(load, blocks[i].name, rows, bias));
        const dn_model_head *head = blocks[i].head;
        if (head) {
            scale(matrix, (size_t)rows.n * (size_t)columns.n, 0, head->temperature);
            scale(bias, (size_t)rows.n, head->shift, head->temperature);
        }
        matrix += (size_t)rows.n * (size_t)columns.n;
        bias += rows.n;
    }
    return DN_OK;
}

static const dn_inputs no_inputs;

static const dn_inputs *inputs_of(const loader *load, int layer, dn_matrix matrix) {
    bool kept = load->outliers->layer && !load->kernels->device &&
                strcmp(load->kernels->precision, "int8") == 0;
    return kept ? &load->outliers->layer[layer][matrix] : &no_inputs;
}

/** Moves the columns of these inputs from matrix[n][columns.n] to dense->kept. */
static void keep_inputs(loader *load, const dn_inputs *inputs, dn_slice columns, int n,
                        float *matrix, dn_dense *dense) {
    size_t width = (size_t)columns.n, outputs = (size_t)n;
    dn_kept *kept = &dense->kept;
    for (int i = 0; i < inputs->n; i++) {
        int32_t input = inputs->input[i] - columns.begin;
        if (input >= 0 && input < columns.n) {
            kept->input[kept->n++] = input;
        }
    }
    if (kept->n == 0) {
        return;
    }
    size_t n_columns = (size_t)kept->n * outputs;
    float *column = dense->kept_floats = floats(n_columns + width), *others = column + n_columns;
    load->bytes += (int64_t)((n_columns + width) * sizeof(float));
    for (size_t i = 0; i < width; i++) {
        others[i] = 1;
    }
    for (int i = 0; i < kept->n; i++) {
        float *from = matrix + kept->input[i];
        others[kept->input[i]] = 0;
        for (size_t j = 0; j < outputs; j++) {
            column[(size_t)i * outputs + j] = from[j * width];
            from[j * width] = 0;
        }
    }
    kept->column = column;
    kept->others = others;
}

/** Stacks the blocks into one matrix and packs it. */
static dn_status read_dense(loader *load, const block *blocks, int n_blocks, dn_slice columns,
                            const dn_inputs *inputs, dn_dense *dense) {
    int n = 0, k = columns.n;
    for (int i = 0; i < n_blocks; i++) {
        n += blocks[i].rows.n;
    }
    float *bias = floats((size_t)n), *matrix = floats((size_t)n * (size_t)k);
    dn_status status = read_blocks(load, blocks, n_blocks, columns, matrix, bias);
    if (status == DN_OK) {
        keep_inputs(load, inputs, columns, n, matrix, dense);
        status = load->kernels->pack(matrix, n, k, &dense->weight);
    }
    free(matrix);
    load->bytes += (int64_t)dense->weight.bytes;
    return settle(load, status, DN_FLOATS, (size_t)n, bias, &dense->bias);
}

static dn_status read_one(loader *load, const char *layer, const char *name, dn_slice rows,
                          dn_slice columns, const dn_inputs *inputs, dn_dense *dense) {
    block one = {.rows = rows};
    snprintf(one.name, sizeof one.name, "%s%s", layer, name);
    return read_dense(load, &one, 1, columns, inputs, dense);
}

static dn_status read_qkv(loader *load, const char *layer, const dn_inputs *inputs,
                          dn_dense *dense) {
    const dn_family *family = load->family;
    const char *const names[] = {family->query, family->key, family->value};
    block blocks[3] = {0};
    for (int i = 0; i < 3; i++) {
        blocks[i].rows = load->shard->width;
        snprintf(blocks[i].name, MAX_NAME, "%s%s", layer, names[i]);
    }
    return read_dense(load, blocks, 3, dn_slice_whole(load->config->hidden), inputs, dense);
}

static dn_status read_layer_norm(loader *load, const char *layer, const char *name, dn_norm *norm) {
    char full[MAX_NAME];
    snprintf(full, sizeof full, "%s%s", layer, name);
    return read_norm(load, full, load->config->hidden, norm);
}

static dn_status read_layer(loader *load, int index, dn_layer *out) {
    const dn_family *family = load->family;
    dn_slice hidden = dn_slice_whole(load->config->hidden), inner = load->shard->inner;
    char number[64], layer[128];
    snprintf(number, sizeof number, family->layer, index);
    snprintf(layer, sizeof layer, "%s%s", load->prefix, number);
    DN_TRY(read_qkv(load, layer, inputs_of(load, index, DN_QKV), &out->qkv));
    DN_TRY(read_one(load, layer, family->attention_out, hidden, load->shard->width,
                    inputs_of(load, index, DN_OUT), &out->out));
    DN_TRY(
        read_one(load, layer, family->up, inner, hidden, inputs_of(load, index, DN_UP), &out->up));
    DN_TRY(read_one(load, layer, family->down, hidden, inner, inputs_of(load, index, DN_DOWN),
                    &out->down));
    DN_TRY(read_layer_norm(load, layer, family->attention_norm, &out->attention_norm));
    return read_layer_norm(load, layer, family->output_norm, &out->output_norm);
}

static dn_status read_embeddings(loader *load, dn_weights *out) {
    const dn_config *config = load->config;
    const char *types = load->family->type_table;
    char norm[MAX_NAME];
    DN_TRY(read_table(load, "word_embeddings", config->vocabulary, load->shard->words.begin,
                      load->shard->words.n, &out->word));
    DN_TRY(read_table(load, "position_embeddings", config->position_rows, config->first_position,
                      config->max_positions, &out->position));
    if (types) {
        DN_TRY(read_table(load, types, config->types, 0, 1, &out->type));
    } else {
        size_t n = (size_t)config->embedding;
        DN_TRY(settle(load, DN_OK, DN_ELEMENTS, n, floats(n), &out->type));
    }
    if (config->embedding != config->hidden) {
        DN_TRY(read_one(load, load->prefix, load->family->projection,
                        dn_slice_whole(config->hidden), dn_slice_whole(config->embedding),
                        &no_inputs, &out->projection));
    }
    snprintf(norm, sizeof norm, "%sembeddings.LayerNorm", load->prefix);
    return read_norm(load, norm, config->embedding, &out->embedding_norm);
}

/** A head's scaling is in its weights and bias, so that no backend has to know of it.
 * The heads of one matrix: those on texts, or those on tokens. */
static dn_status read_head_group(loader *load, bool tokens, int k, dn_dense *out) {
    const dn_config *config = load->config;
    block blocks[MAX_BLOCKS] = {0};
    int n = 0;
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        if (head->kind != DN_HEAD_EMBEDDING && (head->kind == DN_HEAD_TOKENS) == tokens) {
            blocks[n].rows = dn_slice_whole(head->n_labels);
            blocks[n].head = head;
            dn_config_head_tensor(config, head, MAX_NAME, blocks[n++].name);
        }
    }
    return n > 0 ? read_dense(load, blocks, n, dn_slice_whole(k), &no_inputs, out) : DN_OK;
}

/** Means of labels at length 1, so that the product with a text of length 1 is their cosine. */
static dn_status read_means(loader *load, int k, dn_dense *out) {
    const dn_config *config = load->config;
    size_t n = (size_t)config->mean_width, width = (size_t)k;
    float *matrix = floats(n * width), *at = matrix;
    dn_status status = DN_OK;
    for (int i = 0; i < config->n_model_heads && status == DN_OK; i++) {
        const dn_model_head *head = &config->model_head[i];
        char name[MAX_NAME];
        uint64_t dim[] = {(uint64_t)head->n_labels, (uint64_t)k};
        if (head->means_begin >= 0) {
            dn_config_head_tensor(config, head, sizeof name, name);
            status = read_tensor(load, name, "mean", 2, dim, at);
            at += dim[0] * dim[1];
        }
    }
    for (size_t i = 0; i < n; i++) {
        dn_make_unit_length(matrix + i * width, width);
    }
    status = status == DN_OK ? load->kernels->pack(matrix, (int)n, k, &out->weight) : status;
    free(matrix);
    load->bytes += (int64_t)out->weight.bytes;
    return settle(load, status, DN_FLOATS, n, floats(n), &out->bias);
}

static dn_status read_heads(loader *load, dn_weights *out) {
    const dn_config *config = load->config;
    if (config->has_dense) {
        dn_slice hidden = dn_slice_whole(config->hidden);
        DN_TRY(read_one(load, "", load->family->dense, hidden, hidden, &no_inputs, &out->dense));
    }
    DN_TRY(read_head_group(load, false, config->n_parts * config->hidden, &out->heads));
    if (config->mean_width > 0) {
        DN_TRY(read_means(load, config->n_parts * config->hidden, &out->means));
    }
    return read_head_group(load, true, config->hidden, &out->token_heads);
}

dn_status dn_weights_load(dn_checkpoint *checkpoint, const dn_config *config,
                          const dn_outliers *outliers, const dn_shard *shard,
                          const dn_kernels *kernels, dn_weights *out) {
    const dn_family *family = config->family;
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", family->prefix);
    loader load = {.checkpoint = checkpoint,
                   .config = config,
                   .outliers = outliers,
                   .shard = shard,
                   .family = family,
                   .kernels = kernels,
                   .prefix = dn_checkpoint_has(checkpoint, name) ? family->prefix : ""};
    *out = (dn_weights){.layer = dn_alloc_array((size_t)config->layers, sizeof(dn_layer)),
                        .n_layers = config->layers,
                        .device = kernels->device};
    DN_TRY(read_embeddings(&load, out));
    for (int i = 0; i < config->layers; i++) {
        DN_TRY(read_layer(&load, i, &out->layer[i]));
    }
    if (shard->leads) {
        DN_TRY(read_heads(&load, out));
    }
    out->bytes = load.bytes;
    return DN_OK;
}

static void free_vector(const dn_weights *weights, float *vector) {
    if (weights->device) {
        weights->device->release(vector);
    } else {
        free(vector);
    }
}

static void free_dense(const dn_weights *weights, dn_dense *dense) {
    dn_weight_free(&dense->weight);
    free_vector(weights, dense->bias);
    free(dense->kept_floats);
}

static void free_norm(const dn_weights *weights, dn_norm *norm) {
    free_vector(weights, norm->gamma);
    free_vector(weights, norm->beta);
}

void dn_weights_free(dn_weights *weights) {
    for (int i = 0; i < weights->n_layers; i++) {
        dn_layer *layer = &weights->layer[i];
        dn_dense *dense[] = {&layer->qkv, &layer->out, &layer->up, &layer->down};
        for (int j = 0; j < 4; j++) {
            free_dense(weights, dense[j]);
        }
        free_norm(weights, &layer->attention_norm);
        free_norm(weights, &layer->output_norm);
    }
    free(weights->layer);
    free_vector(weights, weights->word);
    free_vector(weights, weights->position);
    free_vector(weights, weights->type);
    free_norm(weights, &weights->embedding_norm);
    free_dense(weights, &weights->projection);
    free_dense(weights, &weights->dense);
    free_dense(weights, &weights->heads);
    free_dense(weights, &weights->means);
    free_dense(weights, &weights->token_heads);
    *weights = (dn_weights){0};
}
