#include "io/json.h"

#include "base/memory.h"
#include "io/publish.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dn_json {
    json_t *root;
    char *origin;
    dn_error error;
};

static const char *const kind_names[] = {"an object", "a list",        "a text", "a whole number",
                                         "a number",  "true or false", "null"};

dn_status dn_json_parse(dn_span text, const char *origin, dn_error error, dn_json **out) {
    json_error_t why;
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        return dn_fail(DN_FATAL, error, __FILE__, __LINE__, "%s:%d:%d: not valid JSON: %s", origin,
                       why.line, why.column, why.text);
    }
    dn_json *doc = dn_alloc(sizeof *doc);
    *doc = (dn_json){root, dn_strdup(origin), error};
    *out = doc;
    return DN_OK;
}

/** Reads at most max_bytes + 1, so that the caller sees that there was more. */
static dn_status read_all(const char *path, size_t max_bytes, char **bytes, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return DN_FAIL(NO_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    }
    size_t room = 64 * 1024, used = 0, n;
    char *text = dn_grow(NULL, room, 1);
    while ((n = fread(text + used, 1, room - used, file)) > 0 && used + n <= max_bytes) {
        used += n;
        if (used == room) {
            text = dn_grow(text, room *= 2, 1);
        }
    }
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    *bytes = text;
    *size = used + n;
    if (failed) {
        free(text);
        return DN_FAIL(NO_INPUT, "%s: cannot be read: %s", path, strerror(failed));
    }
    return DN_OK;
}

dn_status dn_json_load(const char *path, size_t max_bytes, dn_error error, dn_json **out) {
    char *text = NULL;
    size_t size = 0;
    DN_TRY(read_all(path, max_bytes, &text, &size));
    dn_status status =
        size > max_bytes
            ? dn_fail(DN_FATAL, error, __FILE__, __LINE__,
                      "%s: larger than %zu bytes, which no such file is", path, max_bytes)
            : dn_json_parse((dn_span){text, size}, path, error, out);
    free(text);
    return status;
}

void dn_json_free(dn_json *doc) {
    if (doc) {
        json_decref(doc->root);
        free(doc->origin);
        free(doc);
    }
}

dn_json_at dn_json_root(const dn_json *doc) {
    return (dn_json_at){.doc = doc, .value = doc->root};
}

dn_json_kind dn_json_kind_of(const dn_json_at *at) {
    static const dn_json_kind kinds[] = {
        [JSON_OBJECT] = DN_JSON_OBJECT, [JSON_ARRAY] = DN_JSON_ARRAY, [JSON_STRING] = DN_JSON_TEXT,
        [JSON_INTEGER] = DN_JSON_INT,   [JSON_REAL] = DN_JSON_REAL,   [JSON_TRUE] = DN_JSON_BOOL,
        [JSON_FALSE] = DN_JSON_BOOL,    [JSON_NULL] = DN_JSON_NULL,
    };
    return kinds[json_typeof((const json_t *)at->value)];
}

size_t dn_json_count(const dn_json_at *at) {
    const json_t *value = at->value;
    return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

bool dn_json_find(const dn_json_at *object, const char *key, dn_json_at *out) {
    const json_t *value = json_object_get(object->value, key);
    if (!value || json_is_null(value)) {
        return false;
    }
    *out = (dn_json_at){.doc = object->doc, .value = value, .parent = object, .key = key};
    return true;
}

static dn_status expect(const dn_json_at *at, dn_json_kind kind) {
    dn_json_kind is = dn_json_kind_of(at);
    if (is == kind || (kind == DN_JSON_REAL && is == DN_JSON_INT)) {
        return DN_OK;
    }
    return dn_json_fail(at, "is %s, expected %s", kind_names[is], kind_names[kind]);
}

dn_status dn_json_need(const dn_json_at *object, const char *key, dn_json_kind kind,
                       dn_json_at *out) {
    DN_TRY(expect(object, DN_JSON_OBJECT));
    if (!dn_json_find(object, key, out)) {
        return dn_json_fail(object, "has no \"%s\"", key);
    }
    return expect(out, kind);
}

dn_json_at dn_json_item(const dn_json_at *array, size_t index) {
    const json_t *value = json_array_get(array->value, index);
    return (dn_json_at){.doc = array->doc, .value = value, .parent = array, .index = index};
}

bool dn_json_next(const dn_json_at *object, void **cursor, dn_json_at *member) {
    json_t *value = (json_t *)(uintptr_t)object->value;
    *cursor = *cursor ? json_object_iter_next(value, *cursor) : json_object_iter(value);
    if (!*cursor) {
        return false;
    }
    *member = (dn_json_at){.doc = object->doc,
                           .value = json_object_iter_value(*cursor),
                           .parent = object,
                           .key = json_object_iter_key(*cursor)};
    return true;
}

dn_status dn_json_text(const dn_json_at *at, const char **out) {
    DN_TRY(expect(at, DN_JSON_TEXT));
    *out = json_string_value(at->value);
    return DN_OK;
}

dn_status dn_json_bool(const dn_json_at *at, bool *out) {
    DN_TRY(expect(at, DN_JSON_BOOL));
    *out = json_is_true((const json_t *)at->value);
    return DN_OK;
}

dn_status dn_json_int(const dn_json_at *at, int64_t min, int64_t max, int64_t *out) {
    DN_TRY(expect(at, DN_JSON_INT));
    int64_t value = json_integer_value(at->value);
    if (value < min || value > max) {
        return dn_json_fail(at, "is %lld, expected %lld to %lld", (long long)value, (long long)min,
                            (long long)max);
    }
    *out = value;
    return DN_OK;
}

dn_status dn_json_real(const dn_json_at *at, double min, double max, double *out) {
    DN_TRY(expect(at, DN_JSON_REAL));
    double value = json_number_value(at->value);
    if (!(value >= min && value <= max)) {
        return dn_json_fail(at, "is %g, expected %g to %g", value, min, max);
    }
    *out = value;
    return DN_OK;
}

void dn_json_put_real(const dn_json_at *object, const char *key, double value) {
    json_object_set_new((json_t *)(uintptr_t)object->value, key, json_real(value));
}

static json_t *value_of(const char *json) {
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert(value);
    return value;
}

void dn_json_put(const dn_json_at *object, const char *key, const char *json) {
    json_object_set_new((json_t *)(uintptr_t)object->value, key, value_of(json));
}

void dn_json_append(const dn_json_at *list, const char *json) {
    json_array_append_new((json_t *)(uintptr_t)list->value, value_of(json));
}

enum { FORM = JSON_INDENT(2) | JSON_REAL_PRECISION(15) };

char *dn_json_print(const dn_json *doc) {
    char *text = json_dumps(doc->root, FORM), *out = dn_format("%s\n", text);
    free(text);
    return out;
}

dn_status dn_json_save(const dn_json *doc, const char *path) {
    char *part = dn_format("%s.part", path);
    FILE *file = fopen(part, "wb");
    dn_status status = DN_OK;
    if (!file) {
        status = DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", part, strerror(errno));
    } else {
        bool failed = json_dumpf(doc->root, file, FORM) != 0 || fputc('\n', file) == EOF;
        if (fclose(file) != 0 || failed) {
            status = DN_FAIL(IO, "%s: cannot be written: %s", part, strerror(errno));
        }
    }
    status = status == DN_OK ? dn_publish_replace(part, path) : status;
    free(part);
    return status;
}

/** Appends like snprintf, from the root down: "dunlin.heads[1].name". */
static size_t print_path(const dn_json_at *at, char *out, size_t room) {
    if (!at->parent) {
        return 0;
    }
    size_t used = print_path(at->parent, out, room);
    if (used >= room) {
        return used;
    }
    int n = at->key ? snprintf(out + used, room - used, "%s%s", used ? "." : "", at->key)
                    : snprintf(out + used, room - used, "[%zu]", at->index);
    return used + (size_t)n;
}

dn_status dn_json_fail(const dn_json_at *at, const char *fmt, ...) {
    char path[256] = "", message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    bool named = print_path(at, path, sizeof path) > 0;
    return dn_fail(DN_FATAL, at->doc->error, __FILE__, __LINE__, "%s: %s%s%s", at->doc->origin,
                   path, named ? ": " : "", message);
}
