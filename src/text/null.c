/* The template of a text stage: it copies one column into another and changes nothing. To add a
 * stage, copy this file, keep the order of its parts, add a line to stages.h, a row to
 * job/registry.c and a test. */
#include "base/memory.h"
#include "text/stages.h"

#include <stdlib.h>

/* The configuration: filled from the property table, completed by bind, const and shared by all
 * workers from then on. Column indices found in bind live here too. */
typedef struct null_conf {
    char *from; /* TEXT: set before bind, freed by dn_props_free */
    bool copy;
    int input, output;
} null_conf;

/* What one worker needs between chunks: scratch that keeps its memory. A stage without scratch has
 * no open and close. */
typedef struct null_worker {
    int64_t rows_seen;
} null_worker;

/* The table is the only place that knows a property's name, default, range and sentence: the job
 * file's parser, the checks, `describe` and the reference manual all read it. */
static const dn_prop props[] = {
    {.name = "from",
     .type = DN_P_TEXT,
     .offset = offsetof(null_conf, from),
     .initial = "text",
     .text = "The column to read."},
    {.name = "copy",
     .type = DN_P_BOOL,
     .offset = offsetof(null_conf, copy),
     .initial = "true",
     .text = "Whether the column null_copy is filled."},
    {0},
};

/* Once, on the main thread, before any worker starts: look up the columns that are read (a missing
 * one is an error that names this stage), add those that are made, check the properties against
 * each other, load tables. */
static dn_status null_bind(void *conf, const dn_bind *bind) {
    null_conf *c = conf;
    DN_TRY(dn_schema_need(bind->schema, "null", c->from, DN_BYTES, &c->input));
    dn_field made = {.name = "null_copy",
                     .type = DN_BYTES,
                     .width = 1,
                     .units = "",
                     .long_name = "the column read, unchanged",
                     .group = "records",
                     .transient = true};
    return dn_schema_add(bind->schema, made, &c->output);
}

/* Once per worker, on its own thread: memory is reserved here, so that run allocates nothing after
 * warm-up. */
static dn_status null_open(const void *conf, void **worker) {
    (void)conf;
    *worker = dn_alloc(sizeof(null_worker));
    return DN_OK;
}

/* Per chunk. Loop over sel[], the rows still in the stream. Views may point into the chunk's arena
 * or into what the source lent; both live as long as the chunk, and nothing may be kept beyond it.
 * A pure stage depends on nothing but the row, its properties and its tables. A bad record is
 * buried (dn_chunk_bury), a filtered one dropped (dn_chunk_drop), and dn_chunk_select is called
 * once at the end if there was any. FATAL stops the run: never for what is in a record. */
static dn_status null_run(const void *conf, void *worker, dn_chunk *chunk) {
    const null_conf *c = conf;
    null_worker *w = worker;
    const dn_span *from = dn_chunk_bytes(chunk, c->input);
    dn_span *to = dn_chunk_bytes(chunk, c->output);
    for (uint32_t i = 0; c->copy && i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        to[row] = from[row];
    }
    w->rows_seen += chunk->n_sel;
    return DN_OK;
}

/* Per worker, after its last chunk. */
static void null_close(void *worker) {
    free(worker);
}

/* Gives back what bind took, at the end of the job; NULL here, since that is nothing. The
 * properties are freed by whoever set them. */
const dn_stage_ops dn_stage_null = {
    .name = "null",
    .summary = "Changes nothing: the annotated template that new stages are copied from.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(null_conf),
    .bind = null_bind,
    .open = null_open,
    .run = null_run,
    .close = null_close,
};
