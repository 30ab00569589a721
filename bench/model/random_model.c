#include "random_model.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { POSITIONS = 512, TYPES = 2 };

const random_shape random_minilm = {"MiniLM-L6-H384", 6, 384, 12, 1536, 30522};
const random_shape random_bert_large = {"BERT-large", 24, 1024, 16, 4096, 30522};

static const struct {
    const char *name;
    int n_labels;
    const char *labels;
} heads[] = {
    {"sentiment", 3, "\"a\", \"b\", \"c\""},
    {"emotion", 4, "\"a\", \"b\", \"c\", \"d\""},
    {"irony", 2, "\"a\", \"b\""},
    {"hate", 2, "\"a\", \"b\""},
    {"offensive", 2, "\"a\", \"b\""},
};
enum { N_HEADS = sizeof heads / sizeof *heads };

static void write_config(const random_shape *shape, FILE *out) {
    fprintf(
        out,
        "{\"model_type\": \"bert\", \"vocab_size\": %d, \"hidden_size\": %d, "
        "\"num_hidden_layers\": %d,\n"
        " \"num_attention_heads\": %d, \"intermediate_size\": %d, \"hidden_act\": \"gelu\",\n"
        " \"max_position_embeddings\": %d, \"type_vocab_size\": %d, \"layer_norm_eps\": 1e-12,\n"
        " \"dunlin\": {\"max_tokens\": 128, \"pooling\": [\"cls\", \"mean\"], \"heads\": [",
        shape->vocabulary, shape->hidden, shape->layers, shape->heads, shape->inner, POSITIONS,
        TYPES);
    for (int i = 0; i < N_HEADS; i++) {
        fprintf(out, "%s\n  {\"name\": \"%s\", \"kind\": \"softmax\", \"labels\": [%s]}",
                i ? "," : "", heads[i].name, heads[i].labels);
    }
    fputs("]}}\n", out);
}

/** The file is made in two walks over the same tensors: one for the header, one for the data. */
typedef struct writer {
    FILE *out;
    bool header;
    uint64_t offset, random;
} writer;

/** Uniform in [-1, 1). */
static float draw(writer *w) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(int32_t)(w->random >> 32) * 0x1p-31f;
}

static void put_value(writer *w, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    putc_unlocked((int)(bits >> 16 & 255), w->out);
    putc_unlocked((int)(bits >> 24), w->out);
}

/** Values are centre + scale * uniform; rows == 0: a vector. */
static void tensor(writer *w, const char *name, int rows, int columns, float centre, float scale) {
    uint64_t n = (uint64_t)(rows ? rows : 1) * (uint64_t)columns, end = w->offset + 2 * n;
    if (w->header) {
        char shape[32];
        if (rows) {
            snprintf(shape, sizeof shape, "%d,%d", rows, columns);
        } else {
            snprintf(shape, sizeof shape, "%d", columns);
        }
        fprintf(w->out,
                "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%" PRIu64 ",%" PRIu64
                "]}",
                w->offset ? "," : "{", name, shape, w->offset, end);
    }
    for (uint64_t i = 0; i < n && !w->header; i++) {
        put_value(w, centre + scale * draw(w));
    }
    w->offset = end;
}

static void linear(writer *w, const char *prefix, const char *name, int n, int k) {
    char full[160];
    snprintf(full, sizeof full, "%s%s.weight", prefix, name);
    tensor(w, full, n, k, 0, 0.08f);
    snprintf(full, sizeof full, "%s%s.bias", prefix, name);
    tensor(w, full, 0, n, 0, 0.1f);
}

static void norm(writer *w, int width, const char *prefix, const char *name) {
    char full[160];
    snprintf(full, sizeof full, "%s%s.LayerNorm.weight", prefix, name);
    tensor(w, full, 0, width, 1, 0.2f);
    snprintf(full, sizeof full, "%s%s.LayerNorm.bias", prefix, name);
    tensor(w, full, 0, width, 0, 0.1f);
}

static void layer(writer *w, const random_shape *shape, int index) {
    int h = shape->hidden;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.layer.%d.", index);
    linear(w, prefix, "attention.self.query", h, h);
    linear(w, prefix, "attention.self.key", h, h);
    linear(w, prefix, "attention.self.value", h, h);
    linear(w, prefix, "attention.output.dense", h, h);
    linear(w, prefix, "intermediate.dense", shape->inner, h);
    linear(w, prefix, "output.dense", h, shape->inner);
    norm(w, h, prefix, "attention.output");
    norm(w, h, prefix, "output");
}

static void all_tensors(writer *w, const random_shape *shape) {
    int h = shape->hidden;
    tensor(w, "embeddings.word_embeddings.weight", shape->vocabulary, h, 0, 0.1f);
    tensor(w, "embeddings.position_embeddings.weight", POSITIONS, h, 0, 0.1f);
    tensor(w, "embeddings.token_type_embeddings.weight", TYPES, h, 0, 0.1f);
    norm(w, h, "embeddings", "");
    for (int l = 0; l < shape->layers; l++) {
        layer(w, shape, l);
    }
    for (int i = 0; i < N_HEADS; i++) {
        char name[32];
        snprintf(name, sizeof name, "heads.%s", heads[i].name);
        linear(w, "", name, heads[i].n_labels, 2 * h);
    }
}

static FILE *create(const char *dir, const char *name) {
    char *path = dn_format("%s/%s", dir, name);
    FILE *out = fopen(path, "wb");
    if (!out) {
        perror(path);
        exit(EX_CANTCREAT);
    }
    free(path);
    return out;
}

static void finish(FILE *out) {
    if (ferror(out) | fclose(out)) {
        fputs("model: the random model cannot be written; is $TMPDIR full?\n", stderr);
        exit(EX_IOERR);
    }
}

static void write_weights(const random_shape *shape, const char *dir) {
    char *header = NULL;
    size_t n = 0;
    writer w = {.out = open_memstream(&header, &n), .header = true, .random = 1};
    all_tensors(&w, shape);
    putc('}', w.out);
    fclose(w.out);
    w.out = create(dir, "model.safetensors");
    w.header = false;
    for (int i = 0; i < 8; i++) {
        putc((int)(n >> (8 * i) & 255), w.out);
    }
    fwrite(header, 1, n, w.out);
    all_tensors(&w, shape);
    free(header);
    finish(w.out);
}

char *random_model_write(const random_shape *shape) {
    const char *tmp = getenv("TMPDIR");
    char *dir = dn_format("%s/dunlin-model-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(EX_CANTCREAT);
    }
    FILE *out = create(dir, "config.json");
    write_config(shape, out);
    finish(out);
    write_weights(shape, dir);
    return dir;
}

void random_model_remove(char *dir) {
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *path = dn_format("%s/%s", dir, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(dir);
    free(dir);
}
