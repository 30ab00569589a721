#include "model/languages.h"

#include "model/model.h"

#include <stdio.h>
#include <string.h>

bool dn_languages_have(const dn_languages *languages, const char *code) {
    for (int i = 0; i < languages->n; i++) {
        if (strcmp(languages->code[i], code) == 0) {
            return true;
        }
    }
    return false;
}

/** Why `code` cannot be the next one; NULL: it is added. */
static const char *add(dn_languages *languages, const char *code) {
    size_t n = strlen(code);
    if (n < 2 || n >= DN_LANGUAGE_BYTES || strcmp(code, DN_UNDECIDED) == 0 ||
        strspn(code, "abcdefghijklmnopqrstuvwxyz-") != n) {
        return "is no code of a language as `en`, `de` or `zh`";
    }
    if (dn_languages_have(languages, code)) {
        return "stands there twice";
    }
    if (languages->n == DN_MAX_LANGUAGES) {
        return "is one language too many (64)";
    }
    strcpy(languages->code[languages->n++], code);
    return NULL;
}

dn_status dn_languages_read(const dn_json_at *dunlin, dn_languages *out) {
    dn_json_at list;
    out->n = 0;
    if (!dn_json_find(dunlin, "languages", &list)) {
        return DN_OK;
    }
    DN_TRY(dn_json_need(dunlin, "languages", DN_JSON_ARRAY, &list));
    for (size_t i = 0; i < dn_json_count(&list); i++) {
        dn_json_at item = dn_json_item(&list, i);
        const char *code, *fault;
        DN_TRY(dn_json_text(&item, &code));
        fault = add(out, code);
        if (fault) {
            return dn_json_fail(&item, "\"%s\" %s", code, fault);
        }
    }
    return DN_OK;
}

dn_status dn_languages_set(const dn_list *setting, dn_languages *languages) {
    if (setting->n == 0) {
        return DN_OK;
    }
    languages->n = 0;
    if (setting->n == 1 && strcmp(setting->item[0], "any") == 0) {
        return DN_OK;
    }
    for (int i = 0; i < setting->n; i++) {
        const char *fault = add(languages, setting->item[i]);
        if (fault) {
            return DN_FAIL(CONFIG, "languages: '%s' %s; `any` means all", setting->item[i], fault);
        }
    }
    return DN_OK;
}

void dn_languages_print(const dn_languages *languages, size_t room, char *out) {
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < languages->n && n < room; i++) {
        n += (size_t)snprintf(out + n, room - n, "%s%s", i ? "," : "", languages->code[i]);
    }
}

/* ---- rows ---- */

dn_status dn_language_gate_bind(const char *who, const dn_languages *languages, const char *column,
                                const dn_schema *schema, dn_language_gate *out) {
    *out = (dn_language_gate){.field = -1};
    if (languages->n == 0 || dn_schema_find(schema, column) < 0) {
        return DN_OK;
    }
    int index, n_served = 0;
    DN_TRY(dn_schema_need(schema, who, column, DN_LABEL, &index));
    const dn_field *field = &schema->field[index];
    for (int i = 0; i <= DN_NO_LABEL; i++) {
        bool known = i < field->n_labels && strcmp(field->labels[i], DN_UNDECIDED) != 0;
        out->serves[i] = !known || dn_languages_have(languages, field->labels[i]);
        n_served += known && out->serves[i];
    }
    if (n_served == 0) {
        char list[128];
        dn_languages_print(languages, sizeof list, list);
        return DN_FAIL(CONFIG,
                       "%s serves %s, and the column '%s' never says so: set `languages: any`, or "
                       "`language` to the column that does",
                       who, list, column);
    }
    out->field = index;
    return DN_OK;
}

dn_status dn_language_gate_bind_one(const char *who, const char *language, const char *column,
                                    const dn_schema *schema, dn_language_gate *out) {
    dn_languages one = {.n = 1};
    snprintf(one.code[0], sizeof one.code[0], "%s", language);
    DN_TRY(dn_schema_need(schema, who, column, DN_LABEL, &out->field));
    DN_TRY(dn_language_gate_bind(who, &one, column, schema, out));
    const dn_field *field = &schema->field[out->field];
    for (int i = 0; i <= DN_NO_LABEL; i++) {
        out->serves[i] = i < field->n_labels && strcmp(field->labels[i], language) == 0;
    }
    return DN_OK;
}

/* ---- columns ---- */

/** Whether a list as dn_languages_print makes it names a language. */
static bool in_list(const char *list, const char *code) {
    size_t n = strlen(code);
    for (const char *at = strstr(list, code); at; at = strstr(at + 1, code)) {
        if ((at == list || at[-1] == ',') && (at[n] == ',' || !at[n])) {
            return true;
        }
    }
    return false;
}

/** Classes are the same, but that one of the two may have DN_UNDECIDED behind them. */
static bool same_classes(const dn_field *a, const dn_field *b) {
    int less = a->n_labels < b->n_labels ? a->n_labels : b->n_labels;
    bool same = a->type == b->type && a->width == b->width &&
                (a->type == DN_LABEL || a->n_labels == b->n_labels);
    for (int i = 0; same && i < less; i++) {
        same = strcmp(a->labels[i], b->labels[i]) == 0;
    }
    const dn_field *more = a->n_labels > less ? a : b;
    return same && (more->n_labels == less ||
                    (more->n_labels == less + 1 && strcmp(more->labels[less], DN_UNDECIDED) == 0));
}

static dn_status cannot_share(const char *who, const dn_field *field, const char *why) {
    return DN_FAIL(CONFIG, "%s makes the column '%s', which is there already%s", who, field->name,
                   why);
}

dn_status dn_languages_add_column(const char *who, const dn_languages *languages, dn_field field,
                                  dn_schema *schema, int *index) {
    *index = dn_schema_find(schema, field.name);
    if (*index < 0) {
        dn_languages_print(languages, sizeof field.languages, field.languages);
        return dn_schema_add(schema, field, index);
    }
    dn_field *have = &schema->field[*index];
    if (!have->languages[0] || languages->n == 0) {
        return cannot_share(who, &field, ": give the model a `prefix`");
    }
    for (int i = 0; i < languages->n; i++) {
        if (in_list(have->languages, languages->code[i])) {
            return cannot_share(who, &field,
                                " for one of its languages: name different ones by `languages`, or "
                                "give the model a `prefix`");
        }
    }
    if (!same_classes(have, &field)) {
        return cannot_share(who, &field, " with other classes: give the model a `prefix`");
    }
    size_t n = strlen(have->languages);
    have->languages[n] = ',';
    dn_languages_print(languages, sizeof have->languages - n - 1, have->languages + n + 1);
    if (field.n_labels > have->n_labels) {
        have->labels = field.labels;
        have->n_labels = field.n_labels;
    }
    return DN_OK;
}
