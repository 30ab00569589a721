#include "cmd/examples.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cmd/example_rows.h"
#include "source/partition.h"

#include <stdlib.h>

/** A text and its label as they were read. */
typedef struct pair {
    dn_span text, label;
    uint64_t key; /**< equal for texts that fold to the same */
    int line;
    bool repeats;
} pair;

struct dn_example_bytes {
    int n;
    char **piece;
};

typedef struct reading {
    const dn_examples_from *from;
    struct dn_example_bytes *bytes;
    pair *pair;
    int n, n_repeats;
} reading;

static dn_span keep(struct dn_example_bytes *bytes, dn_span text) {
    char *copy = dn_alloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    bytes->piece = bytes->n & (bytes->n - 1)
                       ? bytes->piece
                       : dn_grow(bytes->piece, bytes->n ? 2 * (size_t)bytes->n : 1, sizeof copy);
    bytes->piece[bytes->n++] = copy;
    return (dn_span){copy, text.len};
}

/* ---- a row ---- */

static dn_span trim(dn_span text) {
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1])) {
        text.len--;
    }
    while (text.len && strchr(" \t\r\n", *text.ptr)) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static dn_status check(const char *path, int line, const char *what, dn_span text) {
    if (text.len == 0) {
        return DN_FAIL(DATA, "%s:%d: the %s is empty", path, line, what);
    }
    if (memchr(text.ptr, 0, text.len)) {
        return DN_FAIL(DATA,
                       "%s:%d: the %s has a zero byte: the file may be UTF-16, or no text at all; "
                       "save it as UTF-8",
                       path, line, what);
    }
    size_t sound = dn_utf8_valid_prefix(text);
    if (sound != text.len) {
        return DN_FAIL(DATA,
                       "%s:%d: byte %zu of the %s is not UTF-8: save the file as UTF-8, for "
                       "instance with iconv -f latin1 -t utf-8",
                       path, line, sound + 1, what);
    }
    return DN_OK;
}

/** Of texts that fold to nothing, or to more than is looked at, every byte counts. */
static uint64_t key_of(dn_span text) {
    char folded[DN_FOLDED_MAX];
    size_t n = dn_text_fold(text, folded);
    bool whole = n > 0 && n + 4 <= DN_FOLDED_MAX;
    return dn_hash64(whole ? (dn_span){folded, n} : text, 0);
}

static dn_status take(void *ctx, const dn_example_row *row) {
    reading *r = ctx;
    dn_span text = trim(row->text), label = trim(row->label);
    const char *labels = r->from->labels ? r->from->labels : r->from->path;
    DN_TRY(check(r->from->path, row->line, "text", text));
    DN_TRY(check(labels, row->line, "label", label));
    r->pair = r->n & (r->n - 1) ? r->pair
                                : dn_grow(r->pair, r->n ? 2 * (size_t)r->n : 1, sizeof *r->pair);
    r->pair[r->n++] = (pair){.text = keep(r->bytes, text),
                             .label = keep(r->bytes, label),
                             .key = key_of(text),
                             .line = row->line};
    return DN_OK;
}

/* ---- repeats ---- */

static int compare_keys(const void *a, const void *b) {
    const pair *x = *(pair *const *)a, *y = *(pair *const *)b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->line - y->line;
}

static dn_status find_repeats(reading *r) {
    dn_status status = DN_OK;
    pair **list = dn_alloc_array((size_t)r->n + 1, sizeof *list);
    for (int i = 0; i < r->n; i++) {
        list[i] = &r->pair[i];
    }
    qsort(list, (size_t)r->n, sizeof *list, compare_keys);
    for (int i = 1; i < r->n && status == DN_OK; i++) {
        pair *first = list[i - 1], *second = list[i];
        if (first->key != second->key) {
            continue;
        }
        second->repeats = true;
        r->n_repeats++;
        if (!dn_span_equal(first->label, second->label)) {
            status = DN_FAIL(DATA,
                             "%s:%d: is the text of line %d (but for case, links and punctuation), "
                             "which is \"%s\" there and \"%s\" here: decide for one label",
                             r->from->path, second->line, first->line, first->label.ptr,
                             second->label.ptr);
        }
    }
    free(list);
    return status;
}

/* ---- labels ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void name_labels(const reading *r, dn_examples *out) {
    const char **name = dn_alloc_array((size_t)r->n + 1, sizeof *name);
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        name[i] = r->pair[i].label.ptr;
    }
    qsort(name, (size_t)r->n, sizeof *name, compare_names);
    for (int i = 0; i < r->n; i++) {
        if (n == 0 || strcmp(name[n - 1], name[i]) != 0) {
            name[n++] = name[i];
        }
    }
    out->name = name;
    out->n_labels = n;
    out->count = dn_alloc_array((size_t)n + 1, sizeof *out->count);
}

static void fill(const reading *r, dn_examples *out) {
    name_labels(r, out);
    out->example = dn_alloc_array((size_t)r->n + 1, sizeof *out->example);
    for (int i = 0; i < r->n; i++) {
        const pair *p = &r->pair[i];
        if (!p->repeats) {
            const char **at = bsearch(&p->label.ptr, out->name, (size_t)out->n_labels,
                                      sizeof *out->name, compare_names);
            int label = (int)(at - out->name);
            out->count[label]++;
            out->example[out->n++] = (dn_example){p->text, label, p->line};
        }
    }
    out->n_repeats = r->n_repeats;
}

static dn_status check_whole(const char *path, const dn_examples *e) {
    if (e->n_labels < 2) {
        return DN_FAIL(DATA,
                       "%s: has %d examples and %s%s%s; a head decides between 2 labels or more",
                       path, e->n, e->n_labels ? "one label, \"" : "no label",
                       e->n_labels ? e->name[0] : "", e->n_labels ? "\"" : "");
    }
    if (e->n_labels > DN_EXAMPLES_LABELS) {
        return DN_FAIL(DATA, "%s: has %d labels, more than %d: is the label column the right one?",
                       path, e->n_labels, DN_EXAMPLES_LABELS);
    }
    for (int i = 0; i < e->n_labels; i++) {
        if (e->count[i] < DN_EXAMPLES_LEAST) {
            return DN_FAIL(DATA,
                           "%s: label \"%s\" has %d example%s without repeats, at least %d are "
                           "needed, and 50 are a good beginning",
                           path, e->name[i], e->count[i], e->count[i] == 1 ? "" : "s",
                           DN_EXAMPLES_LEAST);
        }
    }
    return DN_OK;
}

/* ---- the whole ---- */

dn_status dn_examples_read(const dn_examples_from *from, dn_examples *out) {
    dn_examples e = {.bytes = dn_alloc(sizeof *e.bytes)};
    reading r = {.from = from, .bytes = e.bytes};
    dn_status status = dn_example_rows_read(from, take, &r);
    if (status == DN_OK) {
        status = find_repeats(&r);
    }
    if (status == DN_OK) {
        fill(&r, &e);
        status = check_whole(from->path, &e);
    }
    free(r.pair);
    if (status != DN_OK) {
        dn_examples_free(&e);
        return status;
    }
    *out = e;
    return DN_OK;
}

void dn_examples_free(dn_examples *e) {
    for (int i = 0; e->bytes && i < e->bytes->n; i++) {
        free(e->bytes->piece[i]);
    }
    if (e->bytes) {
        free(e->bytes->piece);
    }
    free(e->bytes);
    free(e->example);
    free(e->name);
    free(e->count);
    *e = (dn_examples){0};
}
