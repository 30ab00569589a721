#include "base/memory.h"
#include "model/grams.h"
#include "model/safetensors_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_config(const dn_new_head *head, const char *normalise, FILE *file) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_key(&out, "model_type");
    dn_out_string(&out, DN_SPAN("dunlin-ngrams"));
    dn_out_key(&out, "dunlin");
    dn_out_open(&out, '{');
    dn_out_key(&out, "normalise");
    dn_out_string(&out, dn_span_of(normalise));
    dn_out_key(&out, "heads");
    dn_out_open(&out, '[');
    dn_new_head_print(head, &out);
    dn_out_close(&out, ']');
    dn_out_close(&out, '}');
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, file);
    dn_out_free(&out);
}

static void write_weights(const dn_new_head *head, const int32_t *bucket, FILE *file) {
    char name[256];
    dn_tensor_header header;
    uint64_t width = (uint64_t)head->width, n_labels = (uint64_t)head->n_labels;
    dn_tensor_header_open(&header);
    dn_tensor_header_add(&header, "ngrams.bucket", DN_DT_I32, 1, &width);
    snprintf(name, sizeof name, "heads.%s.weight", head->name);
    dn_tensor_header_add(&header, name, DN_DT_F32, 2, (uint64_t[]){width, n_labels});
    snprintf(name, sizeof name, "heads.%s.bias", head->name);
    dn_tensor_header_add(&header, name, DN_DT_F32, 1, &n_labels);
    dn_tensor_header_write(&header, file);
    fwrite(bucket, sizeof *bucket, width, file);
    fwrite(head->weight, sizeof *head->weight, width * n_labels, file);
    fwrite(head->bias, sizeof *head->bias, n_labels, file);
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

static dn_status write_files(const char *config, const char *weights, const dn_new_head *head,
                             const int32_t *bucket, const char *normalise) {
    FILE *file = fopen(config, "wbx");
    if (!file) {
        return cannot_make(config);
    }
    write_config(head, normalise, file);
    DN_TRY(end_file(file, config));
    file = fopen(weights, "wbx");
    if (!file) {
        return cannot_make(weights);
    }
    write_weights(head, bucket, file);
    return end_file(file, weights);
}

dn_status dn_gram_model_write(const char *dir, const dn_new_head *head, const int32_t *bucket,
                              const char *normalise) {
    char *part = dn_format("%s.part", dir);
    char *config = dn_format("%s/config.json", part);
    char *weights = dn_format("%s/model.safetensors", part);
    dn_status status = mkdir(part, 0777) == 0 ? DN_OK : cannot_make(part);
    if (status == DN_OK) {
        status = write_files(config, weights, head, bucket, normalise);
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
