#include "flow/schema.h"

#include <stdio.h>

static const char *const type_names[] = {[DN_BYTES] = "text",
                                         [DN_I64] = "integer",
                                         [DN_F32] = "scores",
                                         [DN_LABEL] = "label",
                                         [DN_IDS] = "token ids"};

int dn_schema_find(const dn_schema *schema, const char *name) {
    for (int i = 0; i < schema->n; i++) {
        if (strcmp(schema->field[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

dn_status dn_schema_add(dn_schema *schema, dn_field field, int *index) {
    int found = dn_schema_find(schema, field.name);
    if (found >= 0 && schema->field[found].type != field.type) {
        return DN_FAIL(CONFIG, "column '%s' is made twice, as %s and as %s", field.name,
                       type_names[schema->field[found].type], type_names[field.type]);
    }
    if (found < 0) {
        if (schema->n == DN_MAX_FIELDS) {
            return DN_FAIL(CONFIG, "more than %d columns in one pipeline (at '%s')", DN_MAX_FIELDS,
                           field.name);
        }
        found = schema->n++;
        schema->field[found] = field;
    }
    *index = found;
    return DN_OK;
}

static void list_columns(const dn_schema *schema, char *out, size_t out_size) {
    size_t n = 0;
    for (int i = 0; i < schema->n && n < out_size; i++) {
        n += (size_t)snprintf(out + n, out_size - n, "%s%s", i ? ", " : "", schema->field[i].name);
    }
}

dn_status dn_schema_need(const dn_schema *schema, const char *who, const char *name, dn_type type,
                         int *index) {
    int found = dn_schema_find(schema, name);
    if (found < 0) {
        char columns[512] = "none";
        list_columns(schema, columns, sizeof columns);
        return DN_FAIL(CONFIG,
                       "%s needs the column '%s', which no earlier part makes (there are: %s)", who,
                       name, columns);
    }
    if (schema->field[found].type != type) {
        return DN_FAIL(CONFIG, "%s needs the column '%s' as %s, but it is %s", who, name,
                       type_names[type], type_names[schema->field[found].type]);
    }
    *index = found;
    return DN_OK;
}
