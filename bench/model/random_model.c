#include "random_model.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { LAYERS = 6, H = 384, I = 1536, V = 30522, P = 512, FEATURES = 2 * H };

static const char config[] =
    "{\"model_type\": \"bert\", \"vocab_size\": 30522, \"hidden_size\": 384, "
    "\"num_hidden_layers\": 6,\n"
    " \"num_attention_heads\": 12, \"intermediate_size\": 1536, \"hidden_act\": \"gelu\",\n"
    " \"max_position_embeddings\": 512, \"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12,\n"
    " \"dunlin\": {\"max_tokens\": 128, \"pooling\": [\"cls\", \"mean\"], \"heads\": [\n"
    "  {\"name\": \"sentiment\", \"kind\": \"softmax\", \"labels\": [\"a\", \"b\", \"c\"]},\n"
    "  {\"name\": \"emotion\", \"kind\": \"softmax\", \"labels\": [\"a\", \"b\", \"c\", \"d\"]},\n"
    "  {\"name\": \"irony\", \"kind\": \"softmax\", \"labels\": [\"a\", \"b\"]},\n"
    "  {\"name\": \"hate\", \"kind\": \"softmax\", \"labels\": [\"a\", \"b\"]},\n"
    "  {\"name\": \"offensive\", \"kind\": \"softmax\", \"labels\": [\"a\", \"b\"]}]}}\n";

/** Linear layers: NAME.weight [n][k] and NAME.bias [n]. */
static const struct {
    const char *name;
    int n, k;
} layer_parts[] =
    {
        {"attention.self.query", H, H}, {"attention.self.key", H, H},
        {"attention.self.value", H, H}, {"attention.output.dense", H, H},
        {"intermediate.dense", I, H},   {"output.dense", H, I},
},
  heads[] = {
      {"heads.sentiment", 3, FEATURES}, {"heads.emotion", 4, FEATURES},
      {"heads.irony", 2, FEATURES},     {"heads.hate", 2, FEATURES},
      {"heads.offensive", 2, FEATURES},
};

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

static void norm(writer *w, const char *prefix, const char *name) {
    char full[160];
    snprintf(full, sizeof full, "%s%s.LayerNorm.weight", prefix, name);
    tensor(w, full, 0, H, 1, 0.2f);
    snprintf(full, sizeof full, "%s%s.LayerNorm.bias", prefix, name);
    tensor(w, full, 0, H, 0, 0.1f);
}

static void all_tensors(writer *w) {
    tensor(w, "embeddings.word_embeddings.weight", V, H, 0, 0.1f);
    tensor(w, "embeddings.position_embeddings.weight", P, H, 0, 0.1f);
    tensor(w, "embeddings.token_type_embeddings.weight", 2, H, 0, 0.1f);
    norm(w, "embeddings", "");
    for (int l = 0; l < LAYERS; l++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "encoder.layer.%d.", l);
        for (size_t i = 0; i < sizeof layer_parts / sizeof *layer_parts; i++) {
            linear(w, prefix, layer_parts[i].name, layer_parts[i].n, layer_parts[i].k);
        }
        norm(w, prefix, "attention.output");
        norm(w, prefix, "output");
    }
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        linear(w, "", heads[i].name, heads[i].n, heads[i].k);
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

static void write_weights(const char *dir) {
    char *header = NULL;
    size_t n = 0;
    writer w = {.out = open_memstream(&header, &n), .header = true, .random = 1};
    all_tensors(&w);
    putc('}', w.out);
    fclose(w.out);
    w.out = create(dir, "model.safetensors");
    w.header = false;
    for (int i = 0; i < 8; i++) {
        putc((int)(n >> (8 * i) & 255), w.out);
    }
    fwrite(header, 1, n, w.out);
    all_tensors(&w);
    free(header);
    finish(w.out);
}

char *random_model_write(void) {
    const char *tmp = getenv("TMPDIR");
    char *dir = dn_format("%s/dunlin-model-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(EX_CANTCREAT);
    }
    FILE *out = create(dir, "config.json");
    fputs(config, out);
    finish(out);
    write_weights(dir);
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
