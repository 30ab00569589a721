#include "cmd/suite.h"

#include "base/home.h"
#include "base/memory.h"
#include "io/json.h"
#include "io/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, MAX_BYTES = 1 << 30 };
static const char folder[] = "build/suites";

/* ---- growing lists ---- */

/** Makes room for one more where a list of n is full: rooms are powers of two. */
static void *one_more(void *list, int n, size_t size) {
    return n & (n - 1) ? list : dn_grow(list, n ? 2 * (size_t)n : 1, size);
}

static void add_word(dn_suite *suite, dn_words *words, const char *word) {
    suite->word = one_more(suite->word, suite->n_words, sizeof *suite->word);
    suite->word[suite->n_words++] = word;
    words->n++;
}

static int find_task(const dn_suite *suite, const char *name) {
    for (int i = 0; i < suite->n_tasks; i++) {
        if (strcmp(suite->task[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int add_task(dn_suite *suite, const char *name, int line) {
    suite->task = one_more(suite->task, suite->n_tasks, sizeof *suite->task);
    suite->task[suite->n_tasks] = (dn_suite_task){
        .name = name, .head = name, .line = line, .pool = -1};
    return suite->n_tasks++;
}

/* ---- a line ---- */

/** Keys that a line of some kind may have; NULL at the end. */
static dn_status check_keys(const dn_json_at *line, const char *const *known) {
    dn_json_at member;
    for (void *cursor = NULL; dn_json_next(line, &cursor, &member);) {
        bool found = false;
        for (int i = 0; known[i] && !found; i++) {
            found = strcmp(member.key, known[i]) == 0;
        }
        if (!found) {
            return dn_json_fail(&member, "is not a key of such a line");
        }
    }
    return DN_OK;
}

static dn_status need_text(const dn_json_at *object, const char *key, const char **out) {
    dn_json_at at;
    DN_TRY(dn_json_need(object, key, DN_JSON_TEXT, &at));
    return dn_json_text(&at, out);
}

static dn_status find_text(const dn_json_at *object, const char *key, const char **out) {
    dn_json_at at;
    return dn_json_find(object, key, &at) ? need_text(object, key, out) : DN_OK;
}

static dn_status read_words(dn_suite *suite, const dn_json_at *object, const char *key,
                            dn_words *out) {
    dn_json_at list;
    *out = (dn_words){.begin = suite->n_words};
    DN_TRY(dn_json_need(object, key, DN_JSON_ARRAY, &list));
    for (size_t i = 0; i < dn_json_count(&list); i++) {
        dn_json_at item = dn_json_item(&list, i);
        const char *word;
        DN_TRY(dn_json_text(&item, &word));
        add_word(suite, out, word);
    }
    return DN_OK;
}

static dn_status read_metric(const dn_json_at *line, dn_metric_kind *out) {
    dn_json_at at;
    const char *word;
    if (!dn_json_find(line, "metric", &at)) {
        return DN_OK;
    }
    DN_TRY(dn_json_text(&at, &word));
    for (int kind = 0; kind < DN_METRIC_KINDS; kind++) {
        if (strcmp(word, dn_metric_names[kind]) == 0) {
            *out = (dn_metric_kind)kind;
            return DN_OK;
        }
    }
    return dn_json_fail(&at, "\"%s\" is none of f1, recall, accuracy", word);
}

static bool same_metric(const dn_suite *suite, const dn_suite_task *a, const dn_suite_task *b) {
    bool same = a->metric == b->metric && a->of.n == b->of.n;
    for (int i = 0; same && i < a->of.n; i++) {
        same = strcmp(suite->word[a->of.begin + i], suite->word[b->of.begin + i]) == 0;
    }
    return same;
}

/** The pool of a declaration, which stands before its first task; -1: it has none. */
static dn_status find_pool(dn_suite *suite, const dn_json_at *line, int number, int *pool) {
    const char *name = NULL;
    DN_TRY(find_text(line, "pool", &name));
    *pool = name ? find_task(suite, name) : -1;
    if (name && *pool < 0) {
        *pool = add_task(suite, name, number);
        suite->task[*pool].head = "";
    } else if (name && suite->task[*pool].n_members == 0) {
        return dn_json_fail(line, "\"%s\" is a task of its own, no pool", name);
    }
    return DN_OK;
}

static dn_status join_pool(dn_suite *suite, const dn_json_at *line, dn_suite_task *task) {
    dn_suite_task *pool = &suite->task[task->pool];
    if (pool->n_members == 0) {
        pool->metric = task->metric;
        pool->of = task->of;
    } else if (!same_metric(suite, pool, task)) {
        return dn_json_fail(line, "has another metric than the other tasks of pool \"%s\"",
                            pool->name);
    }
    pool->n_members++;
    return DN_OK;
}

static dn_status read_declaration(dn_suite *suite, const dn_json_at *line, int number) {
    static const char *const known[] = {"task", "head", "language", "metric",
                                        "of",   "pool", NULL};
    const char *name;
    dn_json_at of;
    DN_TRY(check_keys(line, known));
    DN_TRY(need_text(line, "task", &name));
    if (find_task(suite, name) >= 0) {
        return dn_json_fail(line, "task \"%s\" is declared twice, or behind its first text", name);
    }
    int pool;
    DN_TRY(find_pool(suite, line, number, &pool));
    int index = add_task(suite, name, number);
    dn_suite_task *task = &suite->task[index];
    task->pool = pool;
    DN_TRY(find_text(line, "head", &task->head));
    DN_TRY(find_text(line, "language", &task->language));
    DN_TRY(read_metric(line, &task->metric));
    if (dn_json_find(line, "of", &of)) {
        DN_TRY(read_words(suite, line, "of", &task->of));
    }
    return pool >= 0 ? join_pool(suite, line, task) : DN_OK;
}

static dn_status read_reference(dn_suite *suite, const dn_json_at *line) {
    static const char *const known[] = {"reference", "split", "scores", NULL};
    dn_suite_reference reference = {0};
    dn_json_at scores, member;
    DN_TRY(check_keys(line, known));
    DN_TRY(need_text(line, "reference", &reference.model));
    DN_TRY(find_text(line, "split", &reference.split));
    DN_TRY(dn_json_need(line, "scores", DN_JSON_OBJECT, &scores));
    for (void *cursor = NULL; dn_json_next(&scores, &cursor, &member);) {
        reference.task = member.key;
        DN_TRY(dn_json_real(&member, 0, 100, &reference.percent));
        suite->reference =
            one_more(suite->reference, suite->n_references, sizeof *suite->reference);
        suite->reference[suite->n_references++] = reference;
    }
    return DN_OK;
}

static dn_status read_labels(dn_suite *suite, const dn_json_at *line, dn_suite_row *row) {
    dn_json_at one, list, outside;
    bool has_one = dn_json_find(line, "label", &one),
         has_list = dn_json_find(line, "labels", &list);
    if (dn_json_find(line, "outside", &outside)) {
        DN_TRY(dn_json_bool(&outside, &row->outside));
    }
    if (has_one + has_list + row->outside != 1) {
        return dn_json_fail(line, "needs one of \"label\", \"labels\" and \"outside\": true");
    }
    if (row->outside) {
        return DN_OK;
    }
    row->listed = has_list;
    if (has_list) {
        return read_words(suite, line, "labels", &row->labels);
    }
    const char *label;
    DN_TRY(dn_json_text(&one, &label));
    row->labels = (dn_words){.begin = suite->n_words};
    add_word(suite, &row->labels, label);
    return DN_OK;
}

static dn_status read_slices(dn_suite *suite, const dn_json_at *line, dn_suite_row *row) {
    dn_json_at slices, member;
    if (!dn_json_find(line, "slices", &slices)) {
        return DN_OK;
    }
    DN_TRY(dn_json_need(line, "slices", DN_JSON_OBJECT, &slices));
    row->slices = (dn_words){.begin = suite->n_words};
    for (void *cursor = NULL; dn_json_next(&slices, &cursor, &member);) {
        const char *value;
        DN_TRY(dn_json_text(&member, &value));
        add_word(suite, &row->slices, member.key);
        add_word(suite, &row->slices, value);
    }
    return DN_OK;
}

static dn_status read_row(dn_suite *suite, const dn_json_at *line, int number) {
    static const char *const known[] = {"task",   "text",   "second", "label",
                                        "labels", "outside", "slices", NULL};
    dn_suite_row row = {.line = number};
    const char *name;
    DN_TRY(check_keys(line, known));
    DN_TRY(need_text(line, "task", &name));
    DN_TRY(need_text(line, "text", &row.text));
    DN_TRY(find_text(line, "second", &row.second));
    DN_TRY(read_labels(suite, line, &row));
    DN_TRY(read_slices(suite, line, &row));
    row.task = find_task(suite, name);
    row.task = row.task < 0 ? add_task(suite, name, number) : row.task;
    dn_suite_task *task = &suite->task[row.task];
    if (task->n_members) {
        return dn_json_fail(line, "task \"%s\" is a pool of others, without texts", name);
    }
    (*(row.outside ? &task->n_outside : &task->n_rows))++;
    if (task->pool >= 0 && !row.outside) {
        suite->task[task->pool].n_rows++;
    }
    suite->row = one_more(suite->row, suite->n_rows, sizeof *suite->row);
    suite->row[suite->n_rows++] = row;
    return DN_OK;
}

static dn_status read_line(dn_suite *suite, dn_span bytes, int number) {
    char *origin = dn_format("%s:%d", suite->path, number);
    dn_json *doc;
    dn_status status = dn_json_parse(bytes, origin, DN_E_DATA, &doc);
    free(origin);
    DN_TRY(status);
    suite->doc = one_more(suite->doc, suite->n_docs, sizeof *suite->doc);
    suite->doc[suite->n_docs++] = doc;
    dn_json_at line = dn_json_root(doc), at;
    if (dn_json_kind_of(&line) != DN_JSON_OBJECT) {
        return dn_json_fail(&line, "is no object");
    }
    if (dn_json_find(&line, "text", &at)) {
        return read_row(suite, &line, number);
    }
    return dn_json_find(&line, "reference", &at) ? read_reference(suite, &line)
                                                 : read_declaration(suite, &line, number);
}

/* ---- the file ---- */

static bool is_blank(dn_span line) {
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr(" \t\r", line.ptr[i])) {
            return false;
        }
    }
    return true;
}

static dn_status read_lines(dn_suite *suite, dn_span bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    for (int number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        dn_span line = {at, (size_t)(stop - at)};
        if (!is_blank(line)) {
            DN_TRY(read_line(suite, line, number));
        }
        at = stop + 1;
    }
    return DN_OK;
}

static dn_status check_whole(const dn_suite *suite) {
    if (suite->n_rows == 0) {
        return DN_FAIL(DATA, "%s: has no line with a \"text\"", suite->path);
    }
    for (int i = 0; i < suite->n_tasks; i++) {
        if (suite->task[i].n_rows == 0) {
            return DN_FAIL(DATA, "%s:%d: task \"%s\" has no text with a label", suite->path,
                           suite->task[i].line, suite->task[i].name);
        }
    }
    return DN_OK;
}

static dn_status read_bytes(const char *path, char **bytes, size_t *size) {
    dn_stream *stream;
    size_t got = BLOCK;
    DN_TRY(dn_stream_open(path, &stream));
    dn_status status = DN_OK;
    while (status == DN_OK && got > 0) {
        *bytes = dn_grow(*bytes, *size + BLOCK, 1);
        status = dn_stream_read(stream, *bytes + *size, BLOCK, &got);
        *size += status == DN_OK ? got : 0;
        if (*size > MAX_BYTES) {
            status = DN_FAIL(DATA, "%s: larger than 1 GiB, which no suite is", path);
        }
    }
    dn_stream_close(stream);
    return status;
}

/** The file of that name, else the suite that datasets/suites.py made. */
static dn_status find_file(const char *name, char **path) {
    const char *set = getenv("DUNLIN_SUITES");
    if (access(name, F_OK) == 0 || strchr(name, '/')) {
        *path = dn_strdup(name);
        return DN_OK;
    }
    char *below = dn_format("%s/%s.jsonl", set ? set : folder, name);
    *path = dn_home_find(below);
    free(below);
    return access(*path, F_OK) == 0 ? DN_OK
                                    : DN_FAIL(NO_INPUT,
                                              "%s: there is no such file, and no %s: `python3 "
                                              "datasets/suites.py` makes the suites",
                                              name, *path);
}

dn_status dn_suite_read(const char *name, dn_suite *out) {
    dn_suite suite = {0};
    char *bytes = NULL;
    size_t size = 0;
    dn_status status;
    DN_TRY_GO(find_file(name, &suite.path), done);
    DN_TRY_GO(read_bytes(suite.path, &bytes, &size), done);
    DN_TRY_GO(read_lines(&suite, (dn_span){bytes, size}), done);
    status = check_whole(&suite);
done:
    free(bytes);
    if (status != DN_OK) {
        dn_suite_free(&suite);
        return status;
    }
    *out = suite;
    return DN_OK;
}

void dn_suite_free(dn_suite *suite) {
    for (int i = 0; i < suite->n_docs; i++) {
        dn_json_free(suite->doc[i]);
    }
    free(suite->doc);
    free(suite->task);
    free(suite->row);
    free(suite->reference);
    free(suite->word);
    free(suite->path);
    *suite = (dn_suite){0};
}

void dn_suite_metric_name(const dn_suite *suite, const dn_suite_task *task, size_t room,
                          char *out) {
    static const char *const words[DN_METRIC_KINDS] = {"F1", "recall", "accuracy"};
    const char *word = words[task->metric];
    if (task->metric == DN_METRIC_ACCURACY) {
        snprintf(out, room, "%s", word);
    } else if (task->of.n == 0) {
        snprintf(out, room, "macro %s", word);
    } else {
        int used = snprintf(out, room, task->of.n == 1 ? "%s of" : "mean %s of", word);
        for (int i = 0; i < task->of.n && used < (int)room; i++) {
            used += snprintf(out + used, room - (size_t)used, "%s %s", i ? "," : "",
                             suite->word[task->of.begin + i]);
        }
    }
}
