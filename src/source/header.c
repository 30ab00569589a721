/* Which column of a corpus is what. */
#include "source/reader.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const role_names[DN_ROLES] = {
    [DN_ROLE_CREATED_AT] = "created_at", [DN_ROLE_USER] = "user", [DN_ROLE_TEXT] = "text",
    [DN_ROLE_LANGUAGE] = "language",     [DN_ROLE_ID] = "id",
};

/** Corpora recognised by their header: all names of a row must be there. The first match counts. */
static const struct known {
    const char *name[DN_ROLES];
} known[] = {
    /* tweets of the Internet Research Agency, as our copy has them */
    {{"publish_date", "author_id", "content", "language", NULL}},
    /* the same, as first published */
    {{"publish_date", "external_author_id", "content", "language", NULL}},
    /* Dunlin's own, as CSV and as JSON */
    {{"created_at", "user", "text", "lang", NULL}},
    {{"created_at", "user", "text", "language", NULL}},
    {{NULL, NULL, "text", NULL, NULL}},
};

static const struct known *const by_default = &known[2];

/** Role of a word of the job file; "lang" is what the JSON form says for language. */
static int role_of(const char *word) {
    for (int role = 0; role < DN_ROLES; role++) {
        if (!strcmp(word, role_names[role])) {
            return role;
        }
    }
    return strcmp(word, "lang") ? DN_ROLES : DN_ROLE_LANGUAGE;
}

static dn_status mapped_names(const dn_map *fields, const char *name[DN_ROLES]) {
    memset(name, 0, sizeof *name * DN_ROLES);
    for (int i = 0; fields && i < fields->n; i++) {
        int role = role_of(fields->key[i]);
        if (role == DN_ROLES) {
            return DN_FAIL(CONFIG,
                           "fields: '%s' is no field of a record; there are id, created_at, user, "
                           "text and lang",
                           fields->key[i]);
        }
        name[role] = fields->value[i];
    }
    return DN_OK;
}

dn_status dn_fields_resolve(const dn_map *fields, const char *name[DN_ROLES]) {
    DN_TRY(mapped_names(fields, name));
    for (int role = 0; role < DN_ROLES; role++) {
        name[role] = name[role] ? name[role] : by_default->name[role];
    }
    return DN_OK;
}

static int find(const dn_span *names, int n, const char *wanted) {
    int i = 0;
    while (i < n && !dn_span_is(names[i], wanted)) {
        i++;
    }
    return i < n ? i : -1;
}

/** "; did you mean 'x'", or nothing. */
static void nearest(const dn_span *names, int n, const char *wanted, char *out, size_t size) {
    out[0] = 0;
    for (int i = 0; i < n; i++) {
        char *name = dn_format("%.*s", (int)names[i].len, names[i].ptr);
        if (dn_near(wanted, name)) {
            snprintf(out, size, ", did you mean '%s'?", name);
        }
        free(name);
    }
}

static dn_status not_there(const char *path, const dn_span *names, int n, const char *role,
                           const char *wanted) {
    char list[512] = "", near[128];
    size_t used = 0;
    for (int i = 0; i < n && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "",
                                 (int)names[i].len, names[i].ptr);
    }
    nearest(names, n, wanted, near, sizeof near);
    return DN_FAIL(
        CONFIG,
        "%s: there is no column '%s' for the field %s%s The columns are %s. Name the right one "
        "under `fields`",
        path, wanted, role, near[0] ? near : ".", list);
}

static bool all_there(const dn_span *names, int n, const struct known *corpus) {
    for (int role = 0; role < DN_ROLES; role++) {
        if (corpus->name[role] && find(names, n, corpus->name[role]) < 0) {
            return false;
        }
    }
    return true;
}

dn_status dn_header_resolve(const char *path, const dn_span *names, int n, const dn_map *fields,
                            int column[DN_ROLES]) {
    enum { N_KNOWN = sizeof known / sizeof *known };
    const char *wanted[DN_ROLES];
    DN_TRY(mapped_names(fields, wanted));
    int k = 0;
    while (k < N_KNOWN - 1 && !all_there(names, n, &known[k])) {
        k++;
    }
    for (int role = 0; role < DN_ROLES; role++) {
        const char *guess = known[k].name[role] ? known[k].name[role] : by_default->name[role];
        const char *name = wanted[role] ? wanted[role] : guess;
        column[role] = name ? find(names, n, name) : -1;
        if (column[role] < 0 && (wanted[role] || role == DN_ROLE_TEXT)) {
            return not_there(path, names, n, role_names[role], name);
        }
    }
    return DN_OK;
}
