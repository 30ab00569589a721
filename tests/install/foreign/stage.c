/* A foreign stage: drops the rows whose text is shorter than `least` bytes. The program is dunlin
 * with one stage more, and everything that dunlin has: run, check, explain, describe --reference,
 * on one rank or under mpirun.
 *
 * cc stage.c $(pkg-config --cflags --libs dunlin) -o mydunlin */
#include <dunlin.h>

typedef struct length_conf {
    int64_t least;
    int text;
} length_conf;

static const dn_prop props[] = {
    {.name = "least",
     .type = DN_P_BYTES,
     .offset = offsetof(length_conf, least),
     .initial = "10",
     .text = "Shorter texts are dropped."},
    {0},
};

static dn_status length_bind(void *conf, const dn_bind *bind) {
    length_conf *c = conf;
    return dn_schema_need(bind->schema, "length", "text", DN_BYTES, &c->text);
}

static dn_status length_run(const void *conf, void *worker, dn_chunk *chunk) {
    (void)worker;
    const length_conf *c = conf;
    const dn_span *text = dn_chunk_bytes(chunk, c->text);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        if (text[chunk->sel[i]].len < (size_t)c->least) {
            dn_chunk_drop(chunk, chunk->sel[i], DN_FILTERED);
        }
    }
    dn_chunk_select(chunk);
    return DN_OK;
}

static const dn_stage_ops stage_length = {
    .name = "length",
    .summary = "Drops short texts.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(length_conf),
    .bind = length_bind,
    .run = length_run,
};

int main(int argc, char **argv) {
    if (dn_stage_register(&stage_length) != DN_OK) {
        fprintf(stderr, "mydunlin: %s\n", dn_failure_last()->text);
        return 78;
    }
    return dn_cmd_main(argc, argv);
}
