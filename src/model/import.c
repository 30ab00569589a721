#include "model/import.h"

#include "base/memory.h"
#include "io/json_write.h"
#include "model/bf16.h"
#include "model/weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20, MAX_CONFIG_BYTES = 4 << 20 };

/** Copied where they are there. */
static const char *const side_files[] = {
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "outliers.json",
    "LICENSE",
    "LICENSE.txt",
    "NOTICE",
    "README.md",
};
enum { N_SIDE_FILES = sizeof side_files / sizeof *side_files };
static const char index_name[] = "model.safetensors.index.json";

typedef struct importing {
    const char *from;
    const dn_import_options *options;
    char *part; /**< where `to` is made */
    dn_config config;
    dn_checkpoint *checkpoint;
    dn_weights weights;
    int n_made;
    char **made; /**< paths, to remove them again */
    dn_import_report *report;
} importing;

/* ---- files ---- */

static FILE *make_file(importing *job, const char *name) {
    char *path = dn_format("%s/%s", job->part, name);
    FILE *file = fopen(path, "wbx");
    job->made = dn_grow(job->made, (size_t)job->n_made + 1, sizeof *job->made);
    job->made[job->n_made++] = path;
    return file;
}

static dn_status close_file(importing *job, FILE *file) {
    const char *path = job->made[job->n_made - 1];
    int64_t size = ftell(file);
    bool failed = ferror(file) || fflush(file) != 0 || fsync(fileno(file)) != 0;
    int error = errno;
    fclose(file);
    job->report->n_files++;
    job->report->bytes += size;
    return failed ? DN_FAIL(IO, "%s: cannot be written: %s", path, strerror(error)) : DN_OK;
}

static dn_status cannot_make(const importing *job) {
    return DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", job->made[job->n_made - 1],
                   strerror(errno));
}

static dn_status write_file(importing *job, const char *name, dn_span bytes) {
    FILE *file = make_file(job, name);
    if (!file) {
        return cannot_make(job);
    }
    fwrite(bytes.ptr, 1, bytes.len, file);
    return close_file(job, file);
}

static dn_status copy_bytes(FILE *in, const char *path, FILE *out) {
    char *block = dn_alloc(COPY_BYTES);
    for (size_t n; (n = fread(block, 1, COPY_BYTES, in)) > 0;) {
        fwrite(block, 1, n, out);
    }
    free(block);
    return ferror(in) ? DN_FAIL(IO, "%s: cannot be read: %s", path, strerror(errno)) : DN_OK;
}

/** A file that is not there is left out. */
static dn_status copy_file(importing *job, const char *name) {
    char *path = dn_format("%s/%s", job->from, name);
    FILE *in = fopen(path, "rb"), *out = NULL;
    dn_status status = DN_OK;
    if (in) {
        out = make_file(job, name);
        status = out ? copy_bytes(in, path, out) : cannot_make(job);
        fclose(in);
    }
    if (out) {
        dn_status closed = close_file(job, out);
        status = status == DN_OK ? closed : status;
    }
    free(path);
    return status;
}

/* ---- config.json ---- */

static void write_embedding(const importing *job, const char *name, dn_out *out) {
    const dn_embedding_form *form = &job->config.form[0];
    dn_out_key(out, "heads");
    dn_out_open(out, '[');
    dn_out_open(out, '{');
    dn_out_key(out, "name");
    dn_out_string(out, dn_span_of(name));
    dn_out_key(out, "kind");
    dn_out_string(out, dn_span_of(dn_head_kind_names[DN_HEAD_EMBEDDING]));
    dn_out_key(out, "pooling");
    dn_out_string(out, dn_span_of(dn_pooling_names[form->pooling]));
    dn_out_key(out, "l2");
    dn_out_bool(out, form->unit_length);
    dn_out_close(out, '}');
    dn_out_close(out, ']');
}

/** The object that takes the place of sentence-transformers' files, too. */
static void write_dunlin(const importing *job, dn_out *out) {
    const dn_import_options *options = job->options;
    const dn_model_head *head = &job->config.model_head[0];
    const char *name = options->head ? options->head : head->name;
    const char *rule = options->normalise ? options->normalise : job->config.normalise;
    dn_out_open(out, '{');
    dn_out_key(out, "normalise");
    dn_out_string(out, dn_span_of(rule));
    dn_out_key(out, "max_tokens");
    dn_out_i64(out, options->max_tokens ? options->max_tokens : job->config.max_tokens);
    if (options->windows) {
        dn_out_key(out, "windows");
        dn_out_i64(out, options->windows);
    }
    if (head->kind == DN_HEAD_EMBEDDING) {
        write_embedding(job, name, out);
    } else {
        dn_out_key(out, "head");
        dn_out_string(out, dn_span_of(name));
    }
    dn_out_close(out, '}');
}

static dn_status read_text(const char *path, dn_out *text) {
    FILE *file = fopen(path, "rb");
    char block[4096];
    if (!file) {
        return DN_FAIL(NO_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    }
    for (size_t n;
         text->len <= MAX_CONFIG_BYTES && (n = fread(block, 1, sizeof block, file)) > 0;) {
        dn_out_bytes(text, block, n);
    }
    bool failed = ferror(file) != 0;
    fclose(file);
    return failed ? DN_FAIL(IO, "%s: cannot be read", path) : DN_OK;
}

/** The text of config.json up to its last brace, then the object. */
static dn_status write_config(importing *job) {
    char *path = dn_format("%s/config.json", job->from);
    dn_out text = {0};
    dn_status status = read_text(path, &text);
    free(path);
    dn_json_at root = dn_json_root(job->config.doc), dunlin;
    if (status == DN_OK && !dn_json_find(&root, "dunlin", &dunlin)) {
        while (text.ptr[text.len - 1] != '}') {
            text.len--;
        }
        for (text.len--; strchr(" \t\r\n", text.ptr[text.len - 1]);) {
            text.len--;
        }
        static const char key[] = ",\n  \"dunlin\":";
        dn_out_bytes(&text, key, strlen(key));
        write_dunlin(job, &text);
        dn_out_bytes(&text, "\n}\n", 3);
    }
    if (status == DN_OK && job->options->added) {
        status = dn_new_head_describe(job->from, &job->config, job->options->added, &text);
    }
    if (status == DN_OK) {
        status = write_file(job, "config.json", (dn_span){text.ptr, text.len});
    }
    dn_out_free(&text);
    return status;
}

static dn_status check_options(const importing *job) {
    const dn_import_options *options = job->options;
    dn_json_at root = dn_json_root(job->config.doc), dunlin;
    bool changes =
        options->head || options->normalise || options->max_tokens || options->windows;
    if (changes && dn_json_find(&root, "dunlin", &dunlin)) {
        return DN_FAIL(CONFIG,
                       "%s/config.json: has a \"dunlin\" object already; leave --head, --normalise, "
                       "--max-tokens and --windows out, and edit the object",
                       job->from);
    }
    if (options->head && (!*options->head || strpbrk(options->head, "/."))) {
        return DN_FAIL(CONFIG, "--head %s: a head needs a name without '/' and '.'", options->head);
    }
    return DN_OK;
}

/* ---- weights ---- */

static dn_status copy_weights(importing *job) {
    int n = dn_checkpoint_files(job->checkpoint);
    for (int i = 0; i < n; i++) {
        const char *path = dn_safetensors_path(dn_checkpoint_file(job->checkpoint, i));
        DN_TRY(copy_file(job, strrchr(path, '/') + 1));
    }
    return n > 1 ? copy_file(job, index_name) : DN_OK;
}

static dn_status write_weights(importing *job) {
    if (!job->options->bf16 && !job->options->added) {
        return copy_weights(job);
    }
    FILE *file = make_file(job, "model.safetensors");
    if (!file) {
        return cannot_make(job);
    }
    dn_status status = job->options->added
                           ? dn_new_head_write(job->checkpoint, job->options->added, file)
                           : dn_bf16_write(job->checkpoint, file, &job->report->n_tensors_left);
    dn_status closed = close_file(job, file);
    return status == DN_OK ? closed : status;
}

/* ---- the whole ---- */

static dn_status open_from(importing *job) {
    const dn_kernels *ref;
    const dn_outliers none = {0};
    dn_shard whole;
    DN_TRY(dn_kernels_select("ref", &ref));
    DN_TRY(dn_config_load(job->from, &job->config));
    DN_TRY(dn_shard_make(job->from, &job->config, NULL, &whole));
    DN_TRY(dn_checkpoint_open(job->from, &job->checkpoint));
    DN_TRY(dn_weights_load(job->checkpoint, &job->config, &none, &whole, ref, &job->weights));
    return check_options(job);
}

static dn_status make_part(importing *job, const char *to) {
    if (access(to, F_OK) == 0) {
        return DN_FAIL(CANT_CREATE, "%s: is there already; name a directory that is not", to);
    }
    if (mkdir(job->part, 0777) != 0) {
        return DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", job->part, strerror(errno));
    }
    DN_TRY(write_config(job));
    DN_TRY(write_weights(job));
    for (int i = 0; i < N_SIDE_FILES; i++) {
        DN_TRY(copy_file(job, side_files[i]));
    }
    return DN_OK;
}

static dn_status publish(const importing *job, const char *to) {
    const dn_kernels *ref;
    dn_model *model;
    DN_TRY(dn_kernels_select("ref", &ref));
    DN_TRY(dn_model_open(job->part, ref, &model));
    dn_model_close(model);
    if (rename(job->part, to) != 0) {
        return DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", to, strerror(errno));
    }
    return DN_OK;
}

static void remove_part(const importing *job) {
    for (int i = 0; i < job->n_made; i++) {
        unlink(job->made[i]);
    }
    rmdir(job->part);
}

static void close_import(importing *job) {
    for (int i = 0; i < job->n_made; i++) {
        free(job->made[i]);
    }
    free(job->made);
    free(job->part);
    dn_weights_free(&job->weights);
    dn_checkpoint_close(job->checkpoint);
    dn_config_free(&job->config);
}

dn_status dn_model_import(const char *from, const char *to, const dn_import_options *options,
                          dn_import_report *out) {
    size_t n = strlen(to);
    while (n > 1 && to[n - 1] == '/') {
        n--;
    }
    *out = (dn_import_report){0};
    importing job = {.from = from,
                     .options = options,
                     .part = dn_format("%.*s.part", (int)n, to),
                     .report = out};
    dn_status status = open_from(&job);
    if (status == DN_OK) {
        status = make_part(&job, to);
        if (status == DN_OK) {
            status = publish(&job, to);
        }
        if (status != DN_OK) {
            remove_part(&job);
        }
    }
    close_import(&job);
    return status;
}
