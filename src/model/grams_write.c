#include "base/memory.h"
#include "model/bf16.h"
#include "model/grams.h"
#include "model/safetensors_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_config(const dn_gram_parts *parts, FILE *file) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_key(&out, "model_type");
    dn_out_string(&out, DN_SPAN("dunlin-ngrams"));
    dn_out_key(&out, "dunlin");
    dn_out_open(&out, '{');
    dn_out_key(&out, "ngrams");
    dn_out_i64(&out, DN_NGRAMS_RULE);
    dn_out_key(&out, "normalise");
    dn_out_string(&out, dn_span_of(parts->normalise));
    dn_out_key(&out, "heads");
    dn_out_open(&out, '[');
    for (int i = 0; i < parts->n_heads; i++) {
        dn_new_head_print(&parts->head[i], &out);
    }
    dn_out_close(&out, ']');
    dn_out_close(&out, '}');
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, file);
    dn_out_free(&out);
}

static void write_floats(const dn_gram_parts *parts, const float *x, size_t n, FILE *file) {
    if (parts->narrow) {
        dn_bf16_write_floats(x, n, file);
    } else {
        fwrite(x, sizeof *x, n, file);
    }
}

static void write_weights(const dn_gram_parts *parts, FILE *file) {
    char name[256];
    dn_tensor_header header;
    dn_dtype dtype = parts->narrow ? DN_DT_BF16 : DN_DT_F32;
    uint64_t width = (uint64_t)parts->n_columns;
    dn_tensor_header_open(&header);
    dn_tensor_header_add(&header, "ngrams.bucket", DN_DT_I32, 1, &width);
    for (int i = 0; i < parts->n_heads; i++) {
        const dn_new_head *head = &parts->head[i];
        uint64_t dim[] = {width, (uint64_t)head->n_labels};
        snprintf(name, sizeof name, "heads.%s.weight", head->name);
        dn_tensor_header_add(&header, name, dtype, 2, dim);
        snprintf(name, sizeof name, "heads.%s.bias", head->name);
        dn_tensor_header_add(&header, name, dtype, 1, dim + 1);
    }
    dn_tensor_header_write(&header, file);
    fwrite(parts->bucket, sizeof *parts->bucket, width, file);
    for (int i = 0; i < parts->n_heads; i++) {
        const dn_new_head *head = &parts->head[i];
        write_floats(parts, head->weight, width * (size_t)head->n_labels, file);
        write_floats(parts, head->bias, (size_t)head->n_labels, file);
    }
}

/** Makes file `path` durable; what its writer wrote is looked at here. */
static dn_status end_file(FILE *file, const char *path) {
    bool failed = ferror(file) || fflush(file) != 0 || fsync(fileno(file)) != 0;
    int error = errno;
    fclose(file);
    return failed ? DN_FAIL(IO, "%s: cannot be written: %s", path, strerror(error)) : DN_OK;
}

static dn_status cannot_make(const char *path) {
    return DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", path, strerror(errno));
}

static dn_status write_files(const char *config, const char *weights, const dn_gram_parts *parts) {
    FILE *file = fopen(config, "wbx");
    if (!file) {
        return cannot_make(config);
    }
    write_config(parts, file);
    DN_TRY(end_file(file, config));
    file = fopen(weights, "wbx");
    if (!file) {
        return cannot_make(weights);
    }
    write_weights(parts, file);
    return end_file(file, weights);
}

dn_status dn_gram_model_write(const char *dir, const dn_gram_parts *parts) {
    char *part = dn_format("%s.part", dir);
    char *config = dn_format("%s/config.json", part);
    char *weights = dn_format("%s/model.safetensors", part);
    dn_status status = mkdir(part, 0777) == 0 ? DN_OK : cannot_make(part);
    if (status == DN_OK) {
        status = write_files(config, weights, parts);
        if (status == DN_OK && rename(part, dir) != 0) {
            status = cannot_make(dir);
        }
        if (status != DN_OK) {
            unlink(config);
            unlink(weights);
            rmdir(part);
        }
    }
    free(part);
    free(config);
    free(weights);
    return status;
}
