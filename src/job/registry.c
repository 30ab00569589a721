#include "job/registry.h"

#include "model/scorer.h"
#include "sink/sinks.h"
#include "source/sources.h"
#include "text/stages.h"

#include <stddef.h>
#include <stdio.h>

const dn_source_ops *const dn_sources[] = {&dn_source_corpus, &dn_source_generator,
                                           &dn_source_kafka_topic, NULL};

enum { MAX_STAGES = 64 }; /* ours and those of a foreign program */
const dn_stage_ops *dn_stages[MAX_STAGES + 1] = {&dn_stage_decode, &dn_stage_clean,
                                                 &dn_stage_mail, &dn_stage_tokenise,
                                                 &dn_stage_linear, &dn_stage_null, NULL};

const dn_scorer_ops *const dn_scorers[] = {&dn_scorer_model, &dn_scorer_none, NULL};

const dn_sink_ops *const dn_sinks[] = {&dn_sink_rows_h5, &dn_sink_kafka_topic, &dn_sink_null,
                                       &dn_sink_dead_letters, NULL};

dn_status dn_stage_register(const dn_stage_ops *stage) {
    if (!stage->name || !stage->summary || !stage->bind || !stage->run) {
        return DN_FAIL(CONFIG, "a stage to register needs a name, a summary, bind and run (%s)",
                       stage->name ? stage->name : "this one has no name");
    }
    int n = 0;
    for (; dn_stages[n]; n++) {
        if (strcmp(dn_stages[n]->name, stage->name) == 0) {
            return DN_FAIL(CONFIG, "there is already a stage '%s'", stage->name);
        }
    }
    if (n == MAX_STAGES) {
        return DN_FAIL(CONFIG, "stage '%s': there are already %d stages", stage->name, n);
    }
    dn_stages[n] = stage;
    return DN_OK;
}

/* Finds a row by name in any of the tables above: each begins with its name. */
static const void *find(const void *const *table, const char *what, const char *name) {
    char all[512] = "";
    size_t n = 0;
    const char *near = NULL;
    for (; *table; table++) {
        const char *row = *(const char *const *)*table;
        if (strcmp(row, name) == 0) {
            return *table;
        }
        if (!near && dn_near(name, row)) {
            near = row;
        }
        if (n < sizeof all) {
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", row);
        }
    }
    if (near) {
        DN_FAIL(CONFIG, "there is no %s '%s'; did you mean '%s'?", what, name, near);
    } else {
        DN_FAIL(CONFIG, "there is no %s '%s' (there are: %s)", what, name, all);
    }
    return NULL;
}

const dn_source_ops *dn_source_get(const char *name) {
    return find((const void *const *)dn_sources, "source", name);
}

const dn_stage_ops *dn_stage_get(const char *name) {
    return find((const void *const *)dn_stages, "stage", name);
}

const dn_scorer_ops *dn_scorer_get(const char *name) {
    return find((const void *const *)dn_scorers, "model", name);
}

const dn_sink_ops *dn_sink_get(const char *name) {
    return find((const void *const *)dn_sinks, "sink", name);
}
