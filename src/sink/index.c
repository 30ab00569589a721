#include "sink/index.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "io/publish.h"
#include "sink/ledger.h"
#include "sink/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_ROWS = 65536 };

typedef struct part {
    char *path;  /* below the output folder */
    char *group; /* "/rows/tweets" */
    dn_entry entry;
    dn_h5_info *infos;
    int n_infos;
} part;

typedef struct builder {
    const char *output;
    part *part;
    int n;
    dn_h5_file *index;
} builder;

static dn_status add_part(builder *b, const dn_place *place, int64_t first) {
    char *path = dn_ledger_path(place->folder, first);
    part made = {0};
    dn_h5_file *file;
    dn_status status = dn_ledger_check(path, false, NULL, &made.entry);
    if (status == DN_OK) {
        status = dn_h5_open(path, &file);
    }
    if (status == DN_OK) {
        status = dn_h5_list(file, &made.infos, &made.n_infos);
        dn_h5_abandon(file);
    }
    if (status == DN_OK) {
        made.path = dn_ledger_path(place->relative, first);
        made.group = dn_format("/%s", place->relative);
        *strrchr(made.group, '/') = '\0'; /* the partition */
        b->part = dn_grow(b->part, (size_t)b->n + 1, sizeof *b->part);
        b->part[b->n++] = made;
    } else {
        dn_entry_free(&made.entry);
    }
    free(path);
    return status;
}

static dn_status visit(void *ctx, const dn_place *place) {
    for (int i = 0; i < place->n_files; i++) {
        DN_TRY(add_part(ctx, place, place->first[i]));
    }
    return DN_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool same_labels(const dn_h5_info *a, const dn_h5_info *b) {
    bool same = a->n_labels == b->n_labels;
    for (int i = 0; same && i < a->n_labels; i++) {
        same = strcmp(a->labels[i] ? a->labels[i] : "", b->labels[i] ? b->labels[i] : "") == 0;
    }
    return same;
}

/* The part's dataset when it means the same as the model's; a job may have changed between two
 * files. */
static const dn_h5_info *matching(const part *p, const dn_h5_info *model) {
    const dn_h5_info *info = dn_h5_find(p->infos, p->n_infos, model->path);
    bool same = info && info->type == model->type && info->width == model->width &&
                same_labels(info, model);
    return same ? info : NULL;
}

static dn_h5_spec spec_of(const dn_h5_info *model, const char *path) {
    return (dn_h5_spec){.path = path,
                        .type = model->type,
                        .width = model->width,
                        .labels = (const char *const *)model->labels,
                        .n_labels = model->n_labels,
                        .units = model->units,
                        .long_name = model->long_name};
}

static dn_status add_virtual(builder *b, const part *parts, int n, const dn_h5_info *model,
                             const char *path) {
    bool bytes = ends_with(model->path, "/bytes");
    dn_h5_piece *pieces = dn_alloc_array((size_t)n, sizeof *pieces);
    for (int i = 0; i < n; i++) {
        const dn_h5_info *info = matching(&parts[i], model);
        uint64_t missing = bytes ? 0 : (uint64_t)parts[i].entry.n_rows;
        pieces[i] = (dn_h5_piece){.file = info ? parts[i].path : NULL,
                                  .path = model->path,
                                  .n_rows = info ? info->n_rows : missing};
    }
    const dn_h5_spec spec = spec_of(model, path);
    dn_status status = dn_h5_add_virtual(b->index, &spec, pieces, n);
    free(pieces);
    return status;
}

/* The ends of one file's texts, counted from the texts of the files before it. */
static dn_status append_ends(const char *output, const part *p, const dn_h5_info *info,
                             uint64_t *base, uint64_t *block, dn_h5_column *column) {
    char *path = dn_format("%s/%s", output, p->path);
    dn_h5_file *file;
    dn_status status = dn_h5_open(path, &file);
    free(path);
    DN_TRY(status);
    uint64_t n_rows = info->n_rows - 1, end = *base;
    for (uint64_t row = 0; row < n_rows && status == DN_OK; row += BLOCK_ROWS) {
        uint64_t n = n_rows - row < BLOCK_ROWS ? n_rows - row : BLOCK_ROWS;
        status = dn_h5_read(file, info->path, row + 1, n, block);
        for (uint64_t i = 0; i < n; i++) {
            block[i] += *base;
        }
        end = block[n - 1];
        if (status == DN_OK) {
            status = dn_h5_append(column, block, n);
        }
    }
    *base = end;
    dn_h5_abandon(file);
    return status;
}

static dn_status append_empty(int64_t n_rows, uint64_t base, dn_h5_column *column) {
    dn_status status = DN_OK;
    for (int64_t i = 0; i < n_rows && status == DN_OK; i++) {
        status = dn_h5_append(column, &base, 1);
    }
    return status;
}

static dn_status add_ends(builder *b, const part *parts, int n, const dn_h5_info *model,
                          const char *path) {
    const dn_h5_spec spec = spec_of(model, path);
    dn_h5_column *column;
    DN_TRY(dn_h5_add(b->index, &spec, &column));
    uint64_t base = 0;
    DN_TRY(dn_h5_append(column, &base, 1));
    uint64_t *block = dn_alloc_array(BLOCK_ROWS, sizeof *block);
    dn_status status = DN_OK;
    for (int i = 0; i < n && status == DN_OK; i++) {
        const dn_h5_info *info = matching(&parts[i], model);
        status = info ? append_ends(b->output, &parts[i], info, &base, block, column)
                      : append_empty(parts[i].entry.n_rows, base, column);
    }
    free(block);
    return status;
}

static dn_status add_column(builder *b, const part *parts, int n, const dn_h5_info *model) {
    char *path = dn_format("%s%s", parts->group, model->path);
    dn_status status = ends_with(path, "/offsets") ? add_ends(b, parts, n, model, path)
                                                   : add_virtual(b, parts, n, model, path);
    free(path);
    return status;
}

/* Every column that some part has, as the newest part has it. */
static dn_status add_group(builder *b, const part *parts, int n) {
    for (int i = n - 1; i >= 0; i--) {
        for (int c = 0; c < parts[i].n_infos; c++) {
            const dn_h5_info *model = &parts[i].infos[c];
            bool done = model->type == DN_H5_TYPES;
            for (int later = i + 1; later < n && !done; later++) {
                done = dn_h5_find(parts[later].infos, parts[later].n_infos, model->path) != NULL;
            }
            if (!done) {
                DN_TRY(add_column(b, parts, n, model));
            }
        }
    }
    return DN_OK;
}

static dn_status add_groups(builder *b) {
    for (int from = 0, to; from < b->n; from = to) {
        for (to = from + 1; to < b->n && strcmp(b->part[to].group, b->part[from].group) == 0;) {
            to++;
        }
        DN_TRY(add_group(b, b->part + from, to - from));
    }
    return DN_OK;
}

enum { PARTITION, FIRST, NEXT, N_ROWS, ROW_START, N_NUMBERS };

static const dn_h5_spec file_columns[N_NUMBERS] = {
    [PARTITION] = {.path = "/files/partition",
                   .type = DN_H5_I64,
                   .units = "1",
                   .long_name = "Partition of the topic"},
    [FIRST] = {.path = "/files/first_offset",
               .type = DN_H5_I64,
               .units = "1",
               .long_name = "First offset the file answers for"},
    [NEXT] = {.path = "/files/next_offset",
              .type = DN_H5_I64,
              .units = "1",
              .long_name = "First offset it does not"},
    [N_ROWS] = {.path = "/files/n_rows",
                .type = DN_H5_I64,
                .units = "1",
                .long_name = "Rows of the file"},
    [ROW_START] = {.path = "/files/row_start",
                   .type = DN_H5_I64,
                   .units = "1",
                   .long_name = "Its first row in the virtual datasets of its group"},
};

static dn_status add_files(builder *b) {
    const dn_h5_spec path_spec = {.path = "/files/path",
                                  .type = DN_H5_TEXT,
                                  .long_name = "File, below the folder of this index"};
    dn_h5_column *path, *number[N_NUMBERS];
    DN_TRY(dn_h5_add(b->index, &path_spec, &path));
    for (int c = 0; c < N_NUMBERS; c++) {
        DN_TRY(dn_h5_add(b->index, &file_columns[c], &number[c]));
    }
    int64_t start = 0;
    for (int i = 0; i < b->n; i++) {
        const part *p = &b->part[i];
        start = i && strcmp(p->group, b->part[i - 1].group) == 0 ? start : 0;
        const int64_t value[N_NUMBERS] = {
            [PARTITION] = p->entry.partition, [FIRST] = p->entry.first, [NEXT] = p->entry.next,
            [N_ROWS] = p->entry.n_rows,       [ROW_START] = start,
        };
        const dn_span name = dn_span_of(p->path);
        DN_TRY(dn_h5_append_texts(path, &name, 1));
        for (int c = 0; c < N_NUMBERS; c++) {
            DN_TRY(dn_h5_append(number[c], &value[c], 1));
        }
        start += p->entry.n_rows;
    }
    return DN_OK;
}

static dn_status write_index(builder *b, const char *path) {
    DN_TRY(dn_h5_create(path, &b->index));
    char created[21];
    dn_wall_format(dn_wall_ns(), created);
    dn_status status = add_groups(b);
    if (status == DN_OK) {
        status = add_files(b);
    }
    if (status == DN_OK) {
        status = dn_h5_set_text(b->index, "/", "schema_name", "dunlin.index");
    }
    if (status == DN_OK) {
        status = dn_h5_set_text(b->index, "/", "created_utc", created);
    }
    if (status == DN_OK) {
        status = dn_h5_set_text(b->index, "/", "git_commit", dn_git_commit());
    }
    if (status != DN_OK) {
        dn_h5_abandon(b->index);
        return status;
    }
    return dn_h5_close(b->index);
}

static void builder_free(builder *b) {
    for (int i = 0; i < b->n; i++) {
        free(b->part[i].path);
        free(b->part[i].group);
        dn_h5_infos_free(b->part[i].infos, b->part[i].n_infos);
        dn_entry_free(&b->part[i].entry);
    }
    free(b->part);
}

/* Left by a run that was killed while it built its index. */
static bool is_stale(const char *name, void *ctx) {
    (void)ctx;
    return strncmp(name, "index.h5.p", 10) == 0 && ends_with(name, ".part");
}

dn_status dn_index_build(const char *output) {
    DN_TRY(dn_folder_sweep(output, is_stale, NULL));
    builder b = {.output = output};
    char *path = dn_format("%s/index.h5", output);
    char *part_path = dn_format("%s.p%d.part", path, (int)getpid());
    dn_status status = dn_tree_walk(output, visit, &b);
    if (status == DN_OK) {
        status = write_index(&b, part_path);
    }
    if (status == DN_OK) {
        status = dn_publish_replace(part_path, path);
    }
    if (status != DN_OK) {
        unlink(part_path);
    }
    builder_free(&b);
    free(part_path);
    free(path);
    return status;
}

static dn_status read_paths(dn_h5_file *file, uint64_t **ends, char **bytes, uint64_t *n) {
    dn_h5_info *infos;
    int n_infos;
    DN_TRY(dn_h5_list(file, &infos, &n_infos));
    const dn_h5_info *info = dn_h5_find(infos, n_infos, "/files/path/offsets");
    uint64_t n_ends = info && info->type == DN_H5_U64 ? info->n_rows : 0;
    dn_h5_infos_free(infos, n_infos);
    if (!n_ends) {
        return DN_FAIL(VERIFY, "index.h5 holds no list of files; delete it");
    }
    *n = n_ends - 1;
    *ends = dn_alloc_array(n_ends, sizeof **ends);
    DN_TRY(dn_h5_read(file, "/files/path/offsets", 0, n_ends, *ends));
    *bytes = dn_alloc((*ends)[*n] + 1);
    return dn_h5_read(file, "/files/path/bytes", 0, (*ends)[*n], *bytes);
}

dn_status dn_index_files(const char *index_path, dn_index_visitor *visit_file, void *ctx) {
    dn_h5_file *file;
    DN_TRY(dn_h5_open(index_path, &file));
    uint64_t *ends = NULL, n = 0;
    char *bytes = NULL;
    dn_status status = read_paths(file, &ends, &bytes, &n);
    for (uint64_t i = 0; i < n && status == DN_OK; i++) {
        char *path = dn_format("%.*s", (int)(ends[i + 1] - ends[i]), bytes + ends[i]);
        visit_file(ctx, path);
        free(path);
    }
    free(ends);
    free(bytes);
    dn_h5_abandon(file);
    return status;
}
