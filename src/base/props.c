#include "base/props.h"

#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_WORD = 63 };

typedef struct unit {
    const char *suffix;
    double factor;
} unit;

static const unit count_units[] = {{"", 1},         {"k", 1e3},         {"K", 1e3},
                                   {"M", 1e6},      {"G", 1e9},         {"Ki", 1024},
                                   {"Mi", 1048576}, {"Gi", 1073741824}, {NULL, 0}};

static const unit byte_units[] = {{"", 1},
                                  {"B", 1},
                                  {"kB", 1e3},
                                  {"KB", 1e3},
                                  {"MB", 1e6},
                                  {"GB", 1e9},
                                  {"TB", 1e12},
                                  {"KiB", 1024},
                                  {"MiB", 1048576},
                                  {"GiB", 1073741824},
                                  {"TiB", 1099511627776.0},
                                  {"Ki", 1024},
                                  {"Mi", 1048576},
                                  {"Gi", 1073741824},
                                  {"k", 1e3},
                                  {"M", 1e6},
                                  {"G", 1e9},
                                  {NULL, 0}};

static const unit duration_units[] = {{"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},
                                      {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0}};

static const unit real_units[] = {{"", 1}, {"%", 0.01}, {NULL, 0}};

/* The units a person may write, for the error message. */
static void list_units(const unit *units, char *out, size_t out_size) {
    size_t n = 0;
    for (const unit *u = units; u->suffix && n < out_size; u++) {
        if (u->suffix[0]) {
            n += (size_t)snprintf(out + n, out_size - n, "%s%s", n ? " " : "", u->suffix);
        }
    }
}

static dn_status parse_number(const char *text, const unit *units, const char *kind, double *out) {
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    while (isspace((unsigned char)*end)) {
        end++;
    }
    if (end != text && errno == 0 && isfinite(value)) {
        for (const unit *u = units; u->suffix; u++) {
            if (strcmp(end, u->suffix) == 0) {
                *out = value * u->factor;
                return DN_OK;
            }
        }
    }
    char known[160] = "";
    list_units(units, known, sizeof known);
    return DN_FAIL(CONFIG, "'%s' is not a %s (a number with one of the units %s)", text, kind,
                   known);
}

static dn_status parse_integer(const char *text, const unit *units, const char *kind,
                               int64_t *out) {
    double value;
    DN_TRY(parse_number(text, units, kind, &value));
    double whole = nearbyint(value);
    if (fabs(value) > 9e15 || fabs(value - whole) > 1e-6 * fmax(1.0, fabs(value))) {
        return DN_FAIL(CONFIG, "'%s' is not a whole %s", text, kind);
    }
    *out = (int64_t)whole;
    return DN_OK;
}

dn_status dn_parse_count(const char *text, int64_t *out) {
    return parse_integer(text, count_units, "count", out);
}

dn_status dn_parse_bytes(const char *text, int64_t *out) {
    return parse_integer(text, byte_units, "size", out);
}

dn_status dn_parse_duration(const char *text, int64_t *out_ns) {
    if (strcmp(text, "0") == 0) {
        *out_ns = 0;
        return DN_OK;
    }
    return parse_integer(text, duration_units, "duration", out_ns);
}

static dn_status parse_bool(const char *text, bool *out) {
    static const char *const words[] = {"true", "yes", "on", "false", "no", "off"};
    for (int i = 0; i < 6; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i < 3;
            return DN_OK;
        }
    }
    return DN_FAIL(CONFIG, "'%s' is neither true nor false", text);
}

static dn_status parse_choice(const dn_prop *prop, const char *text, int *out) {
    char all[256] = "";
    size_t n = 0;
    const char *near = NULL;
    for (int i = 0; prop->choices[i]; i++) {
        if (strcmp(prop->choices[i], text) == 0) {
            *out = i;
            return DN_OK;
        }
        if (!near && dn_near(text, prop->choices[i])) {
            near = prop->choices[i];
        }
        n += (size_t)snprintf(all + n, n < sizeof all ? sizeof all - n : 0, "%s%s", n ? ", " : "",
                              prop->choices[i]);
        n = n < sizeof all ? n : sizeof all - 1;
    }
    return DN_FAIL(CONFIG, "'%s' is not one of %s%s%s%s", text, all, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

static dn_status check_range(const dn_prop *prop, double value, const char *text) {
    bool bounded = prop->min != 0 || prop->max != 0;
    if (bounded && (value < prop->min || value > prop->max)) {
        return DN_FAIL(CONFIG, "'%s' is outside %.12g to %.12g", text, prop->min, prop->max);
    }
    return DN_OK;
}

static void *value_of(const dn_prop *prop, const void *conf) {
    return (char *)(uintptr_t)conf + prop->offset;
}

/* A time within which most records should be through, or none: as many as possible. */
static dn_status parse_goal(const char *text, int64_t *out_ns) {
    static const char p95[] = "p95=";
    if (strcmp(text, "throughput") == 0) {
        *out_ns = 0;
        return DN_OK;
    }
    const char *time = strncmp(text, p95, sizeof p95 - 1) == 0 ? text + sizeof p95 - 1 : text;
    if (dn_parse_duration(time, out_ns) != DN_OK) {
        return DN_FAIL(CONFIG, "'%s' is neither throughput nor a time ({p95: 200ms}, or 200ms)",
                       text);
    }
    return DN_OK;
}

static dn_status set_integer(const dn_prop *prop, const char *text, void *slot,
                             dn_status (*parse)(const char *, int64_t *)) {
    int64_t value;
    DN_TRY(parse(text, &value));
    DN_TRY(check_range(prop, (double)value, text));
    *(int64_t *)slot = value;
    return DN_OK;
}

static void set_text(char **slot, const char *text) {
    char *copy = dn_strdup(text);
    free(*slot);
    *slot = copy;
}

static void free_strings(char **strings, int n) {
    for (int i = 0; i < n; i++) {
        free(strings[i]);
    }
    free(strings);
}

/* A written list replaces the default one. */
static void set_list(dn_list *list, const char *text) {
    free_strings(list->item, list->n);
    *list = (dn_list){0};
    char *copy = dn_strdup(text);
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) {
        while (isspace((unsigned char)*item)) {
            item++;
        }
        size_t n = strlen(item);
        while (n && isspace((unsigned char)item[n - 1])) {
            item[--n] = '\0';
        }
        if (n) {
            dn_list_put(list, item);
        }
    }
    free(copy);
}

static dn_status set_map(dn_map *map, const char *text) {
    const char *sign = strchr(text, '=');
    if (!sign || sign == text) {
        return DN_FAIL(
            CONFIG, "'%s' is not a mapping (key: value, or key=value on the command line)", text);
    }
    char *key = dn_strdup(text);
    key[sign - text] = '\0';
    dn_map_put(map, key, sign + 1);
    free(key);
    return DN_OK;
}

dn_status dn_prop_set(const dn_prop *prop, void *conf, const char *value) {
    void *slot = value_of(prop, conf);
    switch (prop->type) {
    case DN_P_TEXT:
    case DN_P_PATH:
    case DN_P_SECRET:
        set_text(slot, value);
        return DN_OK;
    case DN_P_BOOL:
        return parse_bool(value, slot);
    case DN_P_COUNT:
        return set_integer(prop, value, slot, dn_parse_count);
    case DN_P_BYTES:
        return set_integer(prop, value, slot, dn_parse_bytes);
    case DN_P_DURATION:
        return set_integer(prop, value, slot, dn_parse_duration);
    case DN_P_GOAL:
        return set_integer(prop, value, slot, parse_goal);
    case DN_P_REAL: {
        double real;
        DN_TRY(parse_number(value, real_units, "number", &real));
        DN_TRY(check_range(prop, real, value));
        *(double *)slot = real;
        return DN_OK;
    }
    case DN_P_CHOICE:
        return parse_choice(prop, value, slot);
    case DN_P_MAP:
        return set_map(slot, value);
    case DN_P_LIST:
        set_list(slot, value);
        return DN_OK;
    }
    return DN_FAIL(INTERNAL, "property %s has no type", prop->name);
}

dn_status dn_props_init(const dn_prop *props, void *conf) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        if (prop->initial) {
            DN_TRY(dn_prop_set(prop, conf, prop->initial));
        }
    }
    return DN_OK;
}

void dn_map_put(dn_map *map, const char *key, const char *value) {
    for (int i = 0; i < map->n; i++) {
        if (strcmp(map->key[i], key) == 0) {
            set_text(&map->value[i], value);
            return;
        }
    }
    map->key = dn_grow(map->key, (size_t)map->n + 1, sizeof *map->key);
    map->value = dn_grow(map->value, (size_t)map->n + 1, sizeof *map->value);
    map->key[map->n] = dn_strdup(key);
    map->value[map->n++] = dn_strdup(value);
}

const char *dn_map_get(const dn_map *map, const char *key) {
    for (int i = 0; i < map->n; i++) {
        if (strcmp(map->key[i], key) == 0) {
            return map->value[i];
        }
    }
    return NULL;
}

void dn_list_put(dn_list *list, const char *item) {
    list->item = dn_grow(list->item, (size_t)list->n + 1, sizeof *list->item);
    list->item[list->n++] = dn_strdup(item);
}

const dn_prop *dn_prop_find(const dn_prop *props, const char *name) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        if (strcmp(prop->name, name) == 0) {
            return prop;
        }
    }
    return NULL;
}

const dn_prop *dn_props_missing(const dn_prop *props, const void *conf) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        bool text = prop->type == DN_P_TEXT || prop->type == DN_P_PATH || prop->type == DN_P_SECRET;
        if (text && !prop->initial && !*(char **)value_of(prop, conf)) {
            return prop;
        }
    }
    return NULL;
}

static void print_scaled(int64_t value, const unit *units, char *out, size_t out_size) {
    const unit *best = NULL;
    for (const unit *u = units; u->suffix; u++) {
        bool divides = value != 0 && u->factor >= 1 && value % (int64_t)u->factor == 0;
        if (divides && (!best || u->factor > best->factor)) {
            best = u;
        }
    }
    if (best) {
        snprintf(out, out_size, "%lld%s", (long long)(value / (int64_t)best->factor), best->suffix);
    } else {
        snprintf(out, out_size, "%lld", (long long)value);
    }
}

static void print_goal(int64_t ns, char *out, size_t out_size) {
    if (ns == 0) {
        snprintf(out, out_size, "throughput");
    } else {
        print_scaled(ns, duration_units, out, out_size);
    }
}

static void print_list(const dn_list *list, char *out, size_t out_size) {
    size_t n = (size_t)snprintf(out, out_size, "[");
    for (int i = 0; i < list->n && n < out_size; i++) {
        n += (size_t)snprintf(out + n, out_size - n, "%s%s", i ? ", " : "", list->item[i]);
    }
    if (n < out_size) {
        snprintf(out + n, out_size - n, "]");
    }
}

static void print_map(const dn_map *map, char *out, size_t out_size) {
    size_t n = (size_t)snprintf(out, out_size, "{");
    for (int i = 0; i < map->n && n < out_size; i++) {
        n += (size_t)snprintf(out + n, out_size - n, "%s%s: %s", i ? ", " : "", map->key[i],
                              map->value[i]);
    }
    if (n < out_size) {
        snprintf(out + n, out_size - n, "}");
    }
}

void dn_prop_print(const dn_prop *prop, const void *conf, char *out, size_t out_size) {
    const void *slot = value_of(prop, conf);
    switch (prop->type) {
    case DN_P_TEXT:
    case DN_P_PATH:
        snprintf(out, out_size, "%s", *(char *const *)slot ? *(char *const *)slot : "");
        break;
    case DN_P_SECRET:
        snprintf(out, out_size, "%s", *(char *const *)slot ? "***" : "");
        break;
    case DN_P_BOOL:
        snprintf(out, out_size, "%s", *(const bool *)slot ? "true" : "false");
        break;
    case DN_P_COUNT:
        print_scaled(*(const int64_t *)slot,
                     (const unit[]){{"", 1}, {"Ki", 1024}, {"Mi", 1048576}, {NULL, 0}}, out,
                     out_size);
        break;
    case DN_P_BYTES:
        print_scaled(*(const int64_t *)slot,
                     (const unit[]){
                         {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}},
                     out, out_size);
        break;
    case DN_P_DURATION:
        print_scaled(*(const int64_t *)slot, duration_units, out, out_size);
        break;
    case DN_P_GOAL:
        print_goal(*(const int64_t *)slot, out, out_size);
        break;
    case DN_P_REAL:
        snprintf(out, out_size, "%.9g", *(const double *)slot);
        break;
    case DN_P_CHOICE:
        snprintf(out, out_size, "%s", prop->choices[*(const int *)slot]);
        break;
    case DN_P_MAP:
        print_map(slot, out, out_size);
        break;
    case DN_P_LIST:
        print_list(slot, out, out_size);
        break;
    }
}

void dn_props_free(const dn_prop *props, void *conf) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        void *slot = value_of(prop, conf);
        if (prop->type == DN_P_TEXT || prop->type == DN_P_PATH || prop->type == DN_P_SECRET) {
            free(*(char **)slot);
            *(char **)slot = NULL;
        } else if (prop->type == DN_P_MAP) {
            dn_map *map = slot;
            free_strings(map->key, map->n);
            free_strings(map->value, map->n);
            *map = (dn_map){0};
        } else if (prop->type == DN_P_LIST) {
            dn_list *list = slot;
            free_strings(list->item, list->n);
            *list = (dn_list){0};
        }
    }
}

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Two letters that changed places are one edit: it is what fingers do most. */
int dn_edit_distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX_WORD || m > MAX_WORD) {
        return MAX_WORD;
    }
    int rows[3][MAX_WORD + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) {
        last[j] = (int)j;
    }
    for (size_t i = 1; i <= n; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        int *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

bool dn_near(const char *word, const char *candidate) {
    size_t longest = strlen(word) > strlen(candidate) ? strlen(word) : strlen(candidate);
    return dn_edit_distance(word, candidate) <= (longest <= 4 ? 1 : longest <= 8 ? 2 : 3);
}
