#include "model/checkpoint.h"

#include "base/memory.h"
#include "io/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_INDEX_BYTES = 64 << 20, MAX_SHARDS = 4096 };

static const char whole_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

/** A file and which of its tensors were asked for. */
typedef struct shard {
    const char *name; /**< of the index; NULL without one */
    dn_safetensors *file;
    bool *needed;
} shard;

struct dn_checkpoint {
    char *dir, *origin; /**< of messages: the file, or the index */
    dn_json *index;
    shard *shard;
    int n_shards;
};

static dn_status open_shard(dn_checkpoint *checkpoint, const char *name, shard *out) {
    char *path = dn_format("%s/%s", checkpoint->dir, name);
    dn_status status = dn_safetensors_open(path, &out->file);
    free(path);
    DN_TRY(status);
    out->needed = dn_alloc_array(dn_safetensors_count(out->file) + 1, sizeof *out->needed);
    return DN_OK;
}

static dn_status open_whole(dn_checkpoint *checkpoint) {
    checkpoint->origin = dn_format("%s/%s", checkpoint->dir, whole_name);
    checkpoint->shard = dn_alloc_array(1, sizeof *checkpoint->shard);
    checkpoint->n_shards = 1;
    return open_shard(checkpoint, whole_name, &checkpoint->shard[0]);
}

static bool is_plain_name(const char *name) {
    size_t n = strlen(name), end = strlen(".safetensors");
    return n > end && strcmp(name + n - end, ".safetensors") == 0 && name[0] != '.' &&
           !strpbrk(name, "/\\");
}

static shard *find_shard(const dn_checkpoint *checkpoint, const char *name) {
    for (int i = 0; i < checkpoint->n_shards; i++) {
        if (strcmp(checkpoint->shard[i].name, name) == 0) {
            return &checkpoint->shard[i];
        }
    }
    return NULL;
}

static dn_status add_shard(dn_checkpoint *checkpoint, const dn_json_at *entry) {
    const char *name;
    DN_TRY(dn_json_text(entry, &name));
    if (!is_plain_name(name)) {
        return dn_json_fail(entry, "\"%s\" is not the name of a .safetensors file beside the index",
                            name);
    }
    if (find_shard(checkpoint, name)) {
        return DN_OK;
    }
    if (checkpoint->n_shards == MAX_SHARDS) {
        return dn_json_fail(entry, "more than %d shards", MAX_SHARDS);
    }
    checkpoint->shard =
        dn_grow(checkpoint->shard, (size_t)checkpoint->n_shards + 1, sizeof *checkpoint->shard);
    checkpoint->shard[checkpoint->n_shards++] = (shard){.name = name};
    return DN_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const shard *)a)->name, ((const shard *)b)->name);
}

/** What the index says of a tensor and what the shard holds agree. */
static dn_status check_entry(const dn_checkpoint *checkpoint, const dn_json_at *entry) {
    const char *name;
    DN_TRY(dn_json_text(entry, &name));
    const shard *from = find_shard(checkpoint, name);
    return dn_safetensors_find(from->file, entry->key)
               ? DN_OK
               : dn_json_fail(entry, "\"%s\" has no such tensor", name);
}

static dn_status check_shard(const dn_checkpoint *checkpoint, const shard *from,
                             const dn_json_at *map) {
    for (size_t i = 0; i < dn_safetensors_count(from->file); i++) {
        const char *tensor = dn_safetensors_get(from->file, i)->name, *name = NULL;
        dn_json_at entry;
        if (dn_json_find(map, tensor, &entry)) {
            DN_TRY(dn_json_text(&entry, &name));
        }
        if (!name || strcmp(name, from->name) != 0) {
            return DN_FAIL(MODEL,
                           "%s: %s: the index has this tensor %s%s; the files are not of "
                           "one save",
                           dn_safetensors_path(from->file), tensor, name ? "in " : "nowhere",
                           name ? name : "");
        }
    }
    (void)checkpoint;
    return DN_OK;
}

static dn_status open_index(dn_checkpoint *checkpoint) {
    checkpoint->origin = dn_format("%s/%s", checkpoint->dir, index_name);
    DN_TRY(dn_json_load(checkpoint->origin, MAX_INDEX_BYTES, DN_E_MODEL, &checkpoint->index));
    dn_json_at root = dn_json_root(checkpoint->index), map, entry;
    DN_TRY(dn_json_need(&root, "weight_map", DN_JSON_OBJECT, &map));
    if (dn_json_count(&map) == 0) {
        return dn_json_fail(&map, "names no tensor");
    }
    for (void *cursor = NULL; dn_json_next(&map, &cursor, &entry);) {
        DN_TRY(add_shard(checkpoint, &entry));
    }
    qsort(checkpoint->shard, (size_t)checkpoint->n_shards, sizeof *checkpoint->shard, by_name);
    for (int i = 0; i < checkpoint->n_shards; i++) {
        DN_TRY(open_shard(checkpoint, checkpoint->shard[i].name, &checkpoint->shard[i]));
        DN_TRY(check_shard(checkpoint, &checkpoint->shard[i], &map));
    }
    for (void *cursor = NULL; dn_json_next(&map, &cursor, &entry);) {
        DN_TRY(check_entry(checkpoint, &entry));
    }
    return DN_OK;
}

static bool has_file(const char *dir, const char *name) {
    char *path = dn_format("%s/%s", dir, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

dn_status dn_checkpoint_open(const char *dir, dn_checkpoint **out) {
    dn_checkpoint *checkpoint = dn_alloc(sizeof *checkpoint);
    checkpoint->dir = dn_strdup(dir);
    bool sharded = !has_file(dir, whole_name) && has_file(dir, index_name);
    dn_status status = sharded ? open_index(checkpoint) : open_whole(checkpoint);
    if (status != DN_OK) {
        dn_checkpoint_close(checkpoint);
        return status;
    }
    *out = checkpoint;
    return DN_OK;
}

void dn_checkpoint_close(dn_checkpoint *checkpoint) {
    if (!checkpoint) {
        return;
    }
    for (int i = 0; i < checkpoint->n_shards; i++) {
        dn_safetensors_close(checkpoint->shard[i].file);
        free(checkpoint->shard[i].needed);
    }
    free(checkpoint->shard);
    dn_json_free(checkpoint->index);
    free(checkpoint->origin);
    free(checkpoint->dir);
    free(checkpoint);
}

int dn_checkpoint_files(const dn_checkpoint *checkpoint) {
    return checkpoint->n_shards;
}

const dn_safetensors *dn_checkpoint_file(const dn_checkpoint *checkpoint, int i) {
    return checkpoint->shard[i].file;
}

static shard *holder_of(const dn_checkpoint *checkpoint, const char *name) {
    for (int i = 0; i < checkpoint->n_shards; i++) {
        if (dn_safetensors_find(checkpoint->shard[i].file, name)) {
            return &checkpoint->shard[i];
        }
    }
    return NULL;
}

bool dn_checkpoint_has(const dn_checkpoint *checkpoint, const char *name) {
    return holder_of(checkpoint, name) != NULL;
}

dn_status dn_checkpoint_need(dn_checkpoint *checkpoint, const char *name, int n_dims,
                             const uint64_t *dim, const dn_safetensors **file,
                             const dn_tensor **out) {
    shard *from = holder_of(checkpoint, name);
    if (!from) {
        return DN_FAIL(MODEL, "%s: has no tensor \"%s\", which config.json asks for",
                       checkpoint->origin, name);
    }
    DN_TRY(dn_safetensors_need(from->file, name, n_dims, dim, out));
    from->needed[*out - dn_safetensors_get(from->file, 0)] = true;
    *file = from->file;
    return DN_OK;
}

dn_status dn_checkpoint_each(const dn_checkpoint *checkpoint, dn_tensor_visit *visit, void *ctx) {
    for (int s = 0; s < checkpoint->n_shards; s++) {
        const shard *from = &checkpoint->shard[s];
        for (size_t i = 0; i < dn_safetensors_count(from->file); i++) {
            DN_TRY(visit(ctx, from->file, dn_safetensors_get(from->file, i), from->needed[i]));
        }
    }
    return DN_OK;
}

static dn_status sum_of(const dn_safetensors *file, char *out) {
    dn_span all;
    all.ptr = dn_safetensors_bytes(file, &all.len);
    return dn_sha256(all, out);
}

dn_status dn_checkpoint_sha256(const dn_checkpoint *checkpoint, char out[DN_SHA256_HEX]) {
    if (checkpoint->n_shards == 1) {
        return sum_of(checkpoint->shard[0].file, out);
    }
    size_t line = DN_SHA256_HEX;
    char *list = dn_alloc((size_t)checkpoint->n_shards * line + 1);
    dn_status status = DN_OK;
    for (int i = 0; i < checkpoint->n_shards && status == DN_OK; i++) {
        char *at = list + (size_t)i * line;
        status = sum_of(checkpoint->shard[i].file, at);
        at[line - 1] = '\n';
    }
    if (status == DN_OK) {
        status = dn_sha256((dn_span){list, (size_t)checkpoint->n_shards * line}, out);
    }
    free(list);
    return status;
}
