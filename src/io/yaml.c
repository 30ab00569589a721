#include "io/yaml.h"

#include "base/arena.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { ARENA_BLOCK = 16 << 10, MAX_DEPTH = 32 };

struct dn_yaml_document {
    dn_arena arena;
    const char *file;
    dn_yaml *root;
};

typedef struct yaml_reader {
    dn_yaml_document *document;
    yaml_parser_t parser;
    yaml_event_t event;
    int depth;
} yaml_reader;

static dn_status fail_at(const yaml_reader *reader, yaml_mark_t mark, const char *what) {
    return DN_FAIL(CONFIG, "%s:%zu:%zu: %s", reader->document->file, mark.line + 1, mark.column + 1,
                   what);
}

static dn_status next_event(yaml_reader *reader) {
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        char text[256];
        snprintf(text, sizeof text, "this is not YAML: %s%s%s",
                 reader->parser.problem ? reader->parser.problem : "unreadable",
                 reader->parser.context ? ", " : "",
                 reader->parser.context ? reader->parser.context : "");
        return fail_at(reader, reader->parser.problem_mark, text);
    }
    return DN_OK;
}

static dn_yaml *node_new(yaml_reader *reader, dn_yaml_kind kind) {
    dn_yaml *node = dn_arena_zeroed(&reader->document->arena, sizeof *node);
    node->kind = kind;
    node->file = reader->document->file;
    node->line = (int)reader->event.start_mark.line + 1;
    node->column = (int)reader->event.start_mark.column + 1;
    return node;
}

static const char *scalar_text(yaml_reader *reader) {
    const yaml_char_t *bytes = reader->event.data.scalar.value;
    return dn_arena_copy(&reader->document->arena,
                         (dn_span){(const char *)bytes, reader->event.data.scalar.length})
        .ptr;
}

static dn_status read_node(yaml_reader *reader, dn_yaml **out);

static dn_status read_list(yaml_reader *reader, dn_yaml *list) {
    dn_yaml **end = &list->first;
    for (;;) {
        DN_TRY(next_event(reader));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT) {
            return DN_OK;
        }
        DN_TRY(read_node(reader, end));
        end = &(*end)->next;
    }
}

static dn_status read_entry(yaml_reader *reader, dn_yaml *map, dn_yaml **end) {
    if (reader->event.type != YAML_SCALAR_EVENT) {
        return fail_at(reader, reader->event.start_mark, "a key must be plain text");
    }
    const char *key = scalar_text(reader);
    yaml_mark_t mark = reader->event.start_mark;
    if (dn_yaml_get(map, key)) {
        char text[160];
        snprintf(text, sizeof text, "the key '%.100s' stands here a second time", key);
        return fail_at(reader, mark, text);
    }
    DN_TRY(next_event(reader));
    DN_TRY(read_node(reader, end));
    (*end)->key = key;
    (*end)->key_line = (int)mark.line + 1;
    (*end)->key_column = (int)mark.column + 1;
    return DN_OK;
}

static dn_status read_map(yaml_reader *reader, dn_yaml *map) {
    dn_yaml **end = &map->first;
    for (;;) {
        DN_TRY(next_event(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return DN_OK;
        }
        DN_TRY(read_entry(reader, map, end));
        end = &(*end)->next;
    }
}

/* The anchor or tag in front of the node that the current event begins, NULL for none. */
static const yaml_char_t *decoration(const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor, tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor, tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor, tag = event->data.mapping_start.tag;
    }
    return anchor ? anchor : tag;
}

/* Reads the node that the current event begins. */
static dn_status read_node(yaml_reader *reader, dn_yaml **out) {
    if (++reader->depth > MAX_DEPTH) {
        return fail_at(reader, reader->event.start_mark, "nested too deeply");
    }
    if (decoration(&reader->event)) {
        return fail_at(reader, reader->event.start_mark,
                       "anchors (&name) and tags (!name) are not allowed in a job file");
    }
    dn_status status = DN_OK;
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        *out = node_new(reader, DN_YAML_TEXT);
        (*out)->text = scalar_text(reader);
        break;
    case YAML_SEQUENCE_START_EVENT:
        *out = node_new(reader, DN_YAML_LIST);
        status = read_list(reader, *out);
        break;
    case YAML_MAPPING_START_EVENT:
        *out = node_new(reader, DN_YAML_MAP);
        status = read_map(reader, *out);
        break;
    case YAML_ALIAS_EVENT:
        status = fail_at(reader, reader->event.start_mark,
                         "aliases (*name) are not allowed in a job file; write it out");
        break;
    default:
        status = fail_at(reader, reader->event.start_mark, "a value is missing");
        break;
    }
    reader->depth--;
    return status;
}

static dn_status read_document(yaml_reader *reader) {
    do {
        DN_TRY(next_event(reader));
        if (reader->event.type == YAML_STREAM_END_EVENT) {
            return fail_at(reader, reader->event.start_mark, "the file is empty");
        }
    } while (reader->event.type != YAML_DOCUMENT_START_EVENT);
    DN_TRY(next_event(reader));
    DN_TRY(read_node(reader, &reader->document->root));
    DN_TRY(next_event(reader));
    DN_TRY(next_event(reader));
    if (reader->event.type != YAML_STREAM_END_EVENT) {
        return fail_at(reader, reader->event.start_mark,
                       "a second document begins here; a job file holds one");
    }
    return DN_OK;
}

dn_status dn_yaml_open(const char *path, dn_yaml_document **out) {
    FILE *file = fopen(path, "rb");
    int first = file ? fgetc(file) : EOF;
    if (!file || ferror(file)) {
        dn_status status = DN_FAIL(NO_INPUT, "%s: cannot be read: %s", path, strerror(errno));
        if (file) {
            fclose(file);
        }
        return status;
    }
    ungetc(first, file);
    dn_yaml_document *document = dn_alloc(sizeof *document);
    dn_arena_init(&document->arena, ARENA_BLOCK);
    document->file = dn_arena_copy(&document->arena, dn_span_of(path)).ptr;
    yaml_reader reader = {.document = document};
    yaml_parser_initialize(&reader.parser);
    yaml_parser_set_input_file(&reader.parser, file);
    dn_status status = read_document(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    fclose(file);
    if (status != DN_OK) {
        dn_yaml_close(document);
        return status;
    }
    *out = document;
    return DN_OK;
}

const dn_yaml *dn_yaml_root(const dn_yaml_document *document) {
    return document->root;
}

void dn_yaml_close(dn_yaml_document *document) {
    if (document) {
        dn_arena_free(&document->arena);
        free(document);
    }
}

const dn_yaml *dn_yaml_get(const dn_yaml *map, const char *key) {
    for (const dn_yaml *child = map->first; child; child = child->next) {
        if (child->key && strcmp(child->key, key) == 0) {
            return child;
        }
    }
    return NULL;
}
