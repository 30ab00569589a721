#include "harness.h"

#include "base/memory.h"

#include <lzma.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static char *text_of(dn_span span) {
    if (!span.ptr) {
        return NULL;
    }
    char *text = malloc(span.len + 1);
    memcpy(text, span.ptr, span.len);
    text[span.len] = 0;
    return text;
}

static dn_status set_prop(const dn_prop *props, void *conf, const char *word) {
    const char *equals = strchr(word, '=');
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
    char *dot = strchr(name, '.');
    if (dot) {
        *dot = 0;
        const dn_prop *prop = dn_prop_find(props, name);
        dn_map_put((dn_map *)((char *)conf + prop->offset), dot + 1, equals + 1);
        return DN_OK;
    }
    return dn_prop_set(dn_prop_find(props, name), conf, equals + 1);
}

static void keep(outcome *run, const dn_chunk *chunk) {
    const dn_schema *schema = chunk->schema;
    int user = dn_schema_find(schema, "user"), text = dn_schema_find(schema, "text");
    int language = dn_schema_find(schema, "language");
    int source_id = dn_schema_find(schema, "source_id");
    run->rows = dn_grow(run->rows, run->n + chunk->n_rows, sizeof *run->rows);
    for (uint32_t i = 0; i < chunk->n_rows; i++) {
        dn_span value = dn_chunk_bytes(chunk, text)[i];
        got *g = &run->rows[run->n + i];
        *g = (got){.offset = chunk->offset[i],
                   .event_ms = chunk->event_ms[i],
                   .sent_ns = chunk->sent_ns[i],
                   .partition = chunk->partition,
                   .user = text_of(dn_chunk_bytes(chunk, user)[i]),
                   .text = text_of(value),
                   .text_size = value.len,
                   .language = text_of(dn_chunk_bytes(chunk, language)[i])};
    }
    for (uint32_t i = 0; source_id >= 0 && i < chunk->n_rows; i++) {
        run->rows[run->n + i].source_id = text_of(dn_chunk_bytes(chunk, source_id)[i]);
    }
    for (uint32_t i = 0; i < chunk->n_letters; i++) {
        const dn_letter *letter = &chunk->letters[i];
        got *g = &run->rows[run->n + letter->row];
        g->reason = dn_strdup(letter->reason);
        g->detail = text_of(letter->detail);
        g->raw = text_of(letter->raw);
    }
    run->n += chunk->n_rows;
    run->n_chunks++;
}

static dn_status drain(const plan *setup, const dn_source_ops *ops, dn_source *source,
                       const dn_schema *schema, outcome *run) {
    dn_chunk *chunk = dn_chunk_new(schema);
    dn_status status = DN_OK;
    dn_poll what = DN_POLL_IDLE;
    bool more = true;
    while (status == DN_OK && more) {
        dn_chunk_reset(chunk);
        status = ops->poll(source, 20000000, chunk, &what);
        if (status == DN_OK && what == DN_POLL_CHUNK) {
            keep(run, chunk);
        }
        more = what != DN_POLL_END && (!setup->stop_after || (int64_t)run->n < setup->stop_after);
    }
    dn_chunk_free(chunk);
    return status;
}

static dn_status go(const plan *setup, void *conf, outcome *run) {
    const dn_source_ops *ops = setup->ops;
    dn_schema schema = {0};
    const char *topic;
    dn_source *source;
    dn_bind bind = {
        .schema = &schema, .job = "test", .pipeline = "test", .base_dir = "", .output = ""};
    DN_TRY(dn_props_init(ops->props, conf));
    for (int i = 0; setup->props[i]; i++) {
        DN_TRY(set_prop(ops->props, conf, setup->props[i]));
    }
    DN_TRY(ops->bind(conf, &bind));
    DN_TRY(ops->describe(conf, NULL, &topic, &run->n_partitions));
    snprintf(run->topic, sizeof run->topic, "%s", topic);
    dn_source_env env = {.job = "test",
                         .pipeline = "test",
                         .output = "",
                         .rank = setup->rank,
                         .size = setup->size ? setup->size : 1,
                         .n_partitions = run->n_partitions,
                         .start = setup->start,
                         .bounded = true};
    DN_TRY(ops->open(conf, &env, &source));
    dn_status status = drain(setup, ops, source, &schema, run);
    ops->stats(source, &run->stats);
    ops->close(source);
    return status;
}

outcome run_source(const plan *setup) {
    outcome run = {0};
    void *conf = dn_alloc(setup->ops->conf_size);
    run.status = go(setup, conf, &run);
    if (run.status != DN_OK) {
        run.failure = *dn_failure_last();
    }
    setup->ops->unbind(conf);
    dn_props_free(setup->ops->props, conf);
    free(conf);
    return run;
}

void run_free(outcome *run) {
    for (size_t i = 0; i < run->n; i++) {
        got *g = &run->rows[i];
        free(g->user);
        free(g->text);
        free(g->language);
        free(g->source_id);
        free(g->reason);
        free(g->detail);
        free(g->raw);
    }
    free(run->rows);
    run->rows = NULL;
    run->n = 0;
}

void run_add(outcome *to, outcome *from) {
    to->rows = dn_grow(to->rows, to->n + from->n + 1, sizeof *to->rows);
    for (size_t i = 0; i < from->n; i++) {
        to->rows[to->n++] = from->rows[i];
    }
    free(from->rows);
    from->rows = NULL;
    from->n = 0;
}

static int by_offset(const void *a, const void *b) {
    int64_t x = ((const got *)a)->offset, y = ((const got *)b)->offset;
    return (x > y) - (x < y);
}

void run_sort(outcome *run) {
    if (run->n) {
        qsort(run->rows, run->n, sizeof *run->rows, by_offset);
    }
}

static char temp_folder[64];

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", temp_folder);
    if (system(command) != 0) {
        perror(command);
    }
}

const char *temp_path(const char *name) {
    static char paths[4][256];
    static int next;
    if (!*temp_folder) {
        snprintf(temp_folder, sizeof temp_folder, "/tmp/dunlin-source-XXXXXX");
        if (!mkdtemp(temp_folder)) {
            abort();
        }
        atexit(remove_folder);
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", temp_folder, name);
    return path;
}

const char *temp_file(const char *name, const void *bytes, size_t size) {
    const char *path = temp_path(name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
    return path;
}

static size_t gzip(const void *bytes, size_t size, unsigned char *out, size_t room) {
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes,
                  .avail_in = (uInt)size,
                  .next_out = out,
                  .avail_out = (uInt)room};
    deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    size_t made = room - z.avail_out;
    deflateEnd(&z);
    return made;
}

unsigned char *squeeze(const char *codec, const void *bytes, size_t size, size_t *out_size) {
    size_t room = size + size / 2 + 4096;
    unsigned char *out = malloc(room);
    *out_size = 0;
    if (!strcmp(codec, "gzip")) {
        *out_size = gzip(bytes, size, out, room);
    } else if (!strcmp(codec, "zstd")) {
        ZSTD_CCtx *zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
        *out_size = ZSTD_compress2(zstd, out, room, bytes, size);
        ZSTD_freeCCtx(zstd);
    } else if (!strcmp(codec, "xz")) {
        if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, bytes, size, out, out_size, room) !=
            LZMA_OK) {
            abort();
        }
    } else {
        memcpy(out, bytes, size);
        *out_size = size;
    }
    return out;
}
