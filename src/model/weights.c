#include "model/weights.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, MAX_NAME = 256, MAX_BLOCKS = DN_MAX_HEADS };

typedef struct loader {
    const dn_safetensors *file;
    const dn_config *config;
    const dn_kernels *kernels;
    const char *prefix;
    int64_t bytes;
    size_t n_read;
} loader;

/** Rows of a concatenated matrix: the tensors NAME.weight [rows][k] and NAME.bias [rows]. */
typedef struct block {
    char name[MAX_NAME];
    int rows;
} block;

static float *floats(size_t n) {
    return dn_alloc_aligned(ALIGN, n * sizeof(float));
}

/** The whole tensor "<owner>.<part>". */
static dn_status read_tensor(loader *load, const char *owner, const char *part, int n_dims,
                             const uint64_t *dim, float *out) {
    char *name = dn_format("%s.%s", owner, part);
    const dn_tensor *tensor;
    dn_status status = dn_safetensors_need(load->file, name, n_dims, dim, &tensor);
    free(name);
    DN_TRY(status);
    load->n_read++;
    return dn_tensor_floats(load->file, tensor, 0, tensor->n_elements, out);
}

/** The first `keep` rows of a table [rows][H] below the prefix. */
static dn_status read_table(loader *load, const char *name, int rows, int keep, float **out) {
    char full[MAX_NAME];
    snprintf(full, sizeof full, "%sembeddings.%s.weight", load->prefix, name);
    uint64_t hidden = (uint64_t)load->config->hidden, dim[2] = {(uint64_t)rows, hidden};
    const dn_tensor *tensor;
    DN_TRY(dn_safetensors_need(load->file, full, 2, dim, &tensor));
    uint64_t n = (uint64_t)keep * hidden;
    *out = floats(n);
    load->n_read++;
    load->bytes += (int64_t)(n * sizeof(float));
    return dn_tensor_floats(load->file, tensor, 0, n, *out);
}

static dn_status read_norm(loader *load, const char *name, dn_norm *norm) {
    uint64_t dim = (uint64_t)load->config->hidden;
    norm->gamma = floats(dim);
    norm->beta = floats(dim);
    load->bytes += (int64_t)(2 * dim * sizeof(float));
    DN_TRY(read_tensor(load, name, "weight", 1, &dim, norm->gamma));
    return read_tensor(load, name, "bias", 1, &dim, norm->beta);
}

static dn_status read_blocks(loader *load, const block *blocks, int n_blocks, int k, float *matrix,
                             float *bias) {
    for (int i = 0; i < n_blocks; i++) {
        uint64_t dim[2] = {(uint64_t)blocks[i].rows, (uint64_t)k};
        DN_TRY(read_tensor(load, blocks[i].name, "weight", 2, dim, matrix));
        DN_TRY(read_tensor(load, blocks[i].name, "bias", 1, dim, bias));
        matrix += dim[0] * dim[1];
        bias += dim[0];
    }
    return DN_OK;
}

/** Stacks the blocks into one matrix and packs it. */
static dn_status read_dense(loader *load, const block *blocks, int n_blocks, int k,
                            dn_dense *dense) {
    int n = 0;
    for (int i = 0; i < n_blocks; i++) {
        n += blocks[i].rows;
    }
    dense->bias = floats((size_t)n);
    float *matrix = floats((size_t)n * (size_t)k);
    dn_status status = read_blocks(load, blocks, n_blocks, k, matrix, dense->bias);
    if (status == DN_OK) {
        status = load->kernels->pack(matrix, n, k, &dense->weight);
    }
    free(matrix);
    load->bytes += (int64_t)dense->weight.bytes + (int64_t)((size_t)n * sizeof(float));
    return status;
}

static dn_status read_one(loader *load, const char *layer, const char *name, int n, int k,
                          dn_dense *dense) {
    block one = {.rows = n};
    snprintf(one.name, sizeof one.name, "%s%s", layer, name);
    return read_dense(load, &one, 1, k, dense);
}

static dn_status read_qkv(loader *load, const char *layer, dn_dense *dense) {
    static const char *const names[] = {"query", "key", "value"};
    block blocks[3];
    for (int i = 0; i < 3; i++) {
        blocks[i].rows = load->config->hidden;
        snprintf(blocks[i].name, MAX_NAME, "%sattention.self.%s", layer, names[i]);
    }
    return read_dense(load, blocks, 3, load->config->hidden, dense);
}

static dn_status read_layer(loader *load, int index, dn_layer *out) {
    char layer[64], norm[MAX_NAME];
    int hidden = load->config->hidden, inner = load->config->intermediate;
    snprintf(layer, sizeof layer, "%sencoder.layer.%d.", load->prefix, index);
    DN_TRY(read_qkv(load, layer, &out->qkv));
    DN_TRY(read_one(load, layer, "attention.output.dense", hidden, hidden, &out->out));
    DN_TRY(read_one(load, layer, "intermediate.dense", inner, hidden, &out->up));
    DN_TRY(read_one(load, layer, "output.dense", hidden, inner, &out->down));
    snprintf(norm, sizeof norm, "%sattention.output.LayerNorm", layer);
    DN_TRY(read_norm(load, norm, &out->attention_norm));
    snprintf(norm, sizeof norm, "%soutput.LayerNorm", layer);
    return read_norm(load, norm, &out->output_norm);
}

static dn_status read_embeddings(loader *load, dn_weights *out) {
    const dn_config *config = load->config;
    char norm[MAX_NAME];
    DN_TRY(read_table(load, "word_embeddings", config->vocabulary, config->vocabulary, &out->word));
    DN_TRY(read_table(load, "position_embeddings", config->max_positions, config->max_positions,
                      &out->position));
    DN_TRY(read_table(load, "token_type_embeddings", config->types, 1, &out->type));
    snprintf(norm, sizeof norm, "%sembeddings.LayerNorm", load->prefix);
    return read_norm(load, norm, &out->embedding_norm);
}

static dn_status read_heads(loader *load, dn_weights *out) {
    const dn_config *config = load->config;
    block blocks[MAX_BLOCKS];
    if (config->has_pooler) {
        DN_TRY(read_one(load, load->prefix, "pooler.dense", config->hidden, config->hidden,
                        &out->pooler));
    }
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        blocks[i].rows = head->n_labels;
        snprintf(blocks[i].name, MAX_NAME, config->has_pooler ? "classifier" : "heads.%s",
                 head->name);
    }
    return read_dense(load, blocks, config->n_model_heads, config->n_parts * config->hidden,
                      &out->heads);
}

dn_status dn_weights_load(const dn_safetensors *file, const dn_config *config,
                          const dn_kernels *kernels, dn_weights *out) {
    bool prefixed = dn_safetensors_find(file, "bert.embeddings.word_embeddings.weight");
    loader load = {
        .file = file, .config = config, .kernels = kernels, .prefix = prefixed ? "bert." : ""};
    *out = (dn_weights){.layer = dn_alloc_array((size_t)config->layers, sizeof(dn_layer)),
                        .n_layers = config->layers};
    DN_TRY(read_embeddings(&load, out));
    for (int i = 0; i < config->layers; i++) {
        DN_TRY(read_layer(&load, i, &out->layer[i]));
    }
    DN_TRY(read_heads(&load, out));
    out->bytes = load.bytes;
    out->n_ignored = (int)(dn_safetensors_count(file) - load.n_read);
    return DN_OK;
}

static void free_dense(dn_dense *dense) {
    dn_weight_free(&dense->weight);
    free(dense->bias);
}

static void free_norm(dn_norm *norm) {
    free(norm->gamma);
    free(norm->beta);
}

void dn_weights_free(dn_weights *weights) {
    for (int i = 0; i < weights->n_layers; i++) {
        dn_layer *layer = &weights->layer[i];
        dn_dense *dense[] = {&layer->qkv, &layer->out, &layer->up, &layer->down};
        for (int j = 0; j < 4; j++) {
            free_dense(dense[j]);
        }
        free_norm(&layer->attention_norm);
        free_norm(&layer->output_norm);
    }
    free(weights->layer);
    free(weights->word);
    free(weights->position);
    free(weights->type);
    free_norm(&weights->embedding_norm);
    free_dense(&weights->pooler);
    free_dense(&weights->heads);
    *weights = (dn_weights){0};
}
