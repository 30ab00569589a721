/* text -> clean: the form in which the model saw its training texts. */
#include "base/memory.h"
#include "text/normalise.h"
#include "text/stages.h"

#include <stdlib.h>

typedef struct clean_conf {
    int convention; /* dn_convention */
    char *from;
    int text, clean;
} clean_conf;

static const char *const conventions[] = {"tweeteval", "none", NULL};

static const dn_prop props[] = {
    {.name = "from",
     .type = DN_P_TEXT,
     .offset = offsetof(clean_conf, from),
     .initial = "text",
     .text = "The column to read: text, or mail.text of the stage `mail`."},
    {.name = "convention",
     .type = DN_P_CHOICE,
     .offset = offsetof(clean_conf, convention),
     .initial = "tweeteval",
     .choices = conventions,
     .text = "How texts are normalised: tweeteval (users, links, entities, white space) or none."},
    {0},
};

static dn_status clean_bind(void *conf, const dn_bind *bind) {
    clean_conf *c = conf;
    DN_TRY(dn_schema_need(bind->schema, "clean", c->from, DN_BYTES, &c->text));
    dn_field clean = {.name = "clean",
                      .type = DN_BYTES,
                      .width = 1,
                      .units = "",
                      .long_name = "text as the model sees it, normalised",
                      .group = "records"};
    return dn_schema_add(bind->schema, clean, &c->clean);
}

static dn_status clean_open(const void *conf, void **worker) {
    (void)conf;
    *worker = dn_alloc(sizeof(dn_normaliser));
    return DN_OK;
}

static dn_status clean_run(const void *conf, void *worker, dn_chunk *chunk) {
    const clean_conf *c = conf;
    const dn_span *text = dn_chunk_bytes(chunk, c->text);
    dn_span *clean = dn_chunk_bytes(chunk, c->clean);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        if (!text[row].ptr) {
            continue;
        }
        dn_span result = dn_normalise(worker, (dn_convention)c->convention, text[row]);
        bool unchanged = result.ptr == text[row].ptr;
        clean[row] = unchanged ? result : dn_arena_copy(&chunk->arena, result);
    }
    return DN_OK;
}

static void clean_close(void *worker) {
    dn_normaliser_free(worker);
    free(worker);
}

const dn_stage_ops dn_stage_clean = {
    .name = "clean",
    .summary = "Normalises the text as the model was trained: users, links, entities, white space.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(clean_conf),
    .bind = clean_bind,
    .open = clean_open,
    .run = clean_run,
    .close = clean_close,
};
