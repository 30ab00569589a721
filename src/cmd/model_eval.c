/** `dunlin model eval`: a model on labelled texts, in each precision asked for. */
#include "base/home.h"
#include "base/memory.h"
#include "cmd/eval.h"
#include "model/grams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BACKENDS = 8 };

/** A run of the command: each directory in each precision. */
typedef struct evaluating {
    dn_suite suite;
    int n_sides;
    dn_eval_side side[2 * MAX_BACKENDS + 1];
    char *cascade; /**< directory of the linear model, NULL */
    dn_figures figures;
} evaluating;

static void add_side(evaluating *e, const char *dir, const dn_kernels *kernels, bool with_dir) {
    dn_eval_side *side = &e->side[e->n_sides++];
    side->dir = dn_home_find(dir);
    side->kernels = kernels;
    side->name = with_dir ? dn_format("%s %s %s", dir, kernels->precision, kernels->isa)
                          : dn_format("%s %s", kernels->precision, kernels->isa);
}

static bool is_grams(const char *dir) {
    char *found = dn_home_find(dir);
    bool is = dn_gram_model_found(found);
    free(found);
    return is;
}

/** A model on n-grams has one way to compute. */
static void add_grams(evaluating *e, const char *dir, bool with_dir) {
    dn_eval_side *side = &e->side[e->n_sides++];
    side->dir = dn_home_find(dir);
    side->name = dn_format("%s%sn-grams", with_dir ? dir : "", with_dir ? " " : "");
}

/** Each of the comma-separated backends; one, the best of this machine, where none is named. */
static dn_status add_sides(evaluating *e, const char *dir, const char *backends, bool with_dir) {
    if (is_grams(dir)) {
        add_grams(e, dir, with_dir);
        return DN_OK;
    }
    char *names = dn_strdup(backends ? backends : ""), *rest = names, *name = NULL;
    dn_status status = DN_OK;
    int n = 0;
    do {
        const dn_kernels *kernels;
        name = backends ? strsep(&rest, ",") : NULL;
        status = ++n > MAX_BACKENDS
                     ? dn_cmd_usage("model", "--backend %s: more than %d", backends, MAX_BACKENDS)
                     : dn_kernels_select(name, &kernels);
        if (status == DN_OK) {
            add_side(e, dir, kernels, with_dir);
        }
    } while (status == DN_OK && rest && backends);
    free(names);
    return status;
}

/** Labels are compared by number. */
static dn_status check_alike(const evaluating *e, const dn_eval_side *side) {
    for (int t = 0; t < e->suite.n_tasks; t++) {
        const dn_judged *a = &e->side[0].judged[t], *b = &side->judged[t];
        if (a->outcomes && b->outcomes && a->label_hash != b->label_hash) {
            return DN_FAIL(CONFIG, "head %s has other labels in %s than in %s, or in another order",
                           e->suite.task[t].head, side->dir, e->side[0].dir);
        }
    }
    return DN_OK;
}

/** The first side once more, behind a linear model. */
static dn_status add_cascade(evaluating *e, const char *cascade) {
    const dn_eval_side *alone = &e->side[0];
    if (!alone->kernels) {
        return dn_cmd_usage("model", "--cascade %s: %s is on n-grams itself", cascade, alone->dir);
    }
    dn_eval_side *side = &e->side[e->n_sides++];
    *side = (dn_eval_side){.dir = dn_strdup(alone->dir), .kernels = alone->kernels};
    side->cascade = e->cascade = dn_home_find(cascade);
    side->name = dn_format("cascade %s", alone->name);
    return DN_OK;
}

static dn_status evaluate(evaluating *e, const dn_model_options *options) {
    DN_TRY(dn_suite_read(options->to, &e->suite));
    DN_TRY(add_sides(e, options->dir, options->backend, options->against != NULL));
    if (options->against) {
        DN_TRY(add_sides(e, options->against, options->backend, true));
    }
    if (options->cascade) {
        DN_TRY(add_cascade(e, options->cascade));
    }
    for (int k = 0; k < e->n_sides; k++) {
        DN_TRY(dn_eval_judge(&e->suite, &e->side[k]));
        DN_TRY(check_alike(e, &e->side[k]));
    }
    dn_eval_measure(&e->suite, e->side, e->n_sides, &e->figures);
    dn_figures_print(&e->figures, &e->suite, options->format);
    return DN_OK;
}

dn_status dn_model_cmd_eval(const dn_model_options *options) {
    evaluating e = {0};
    dn_status status = evaluate(&e, options);
    for (int k = 0; k < e.n_sides; k++) {
        dn_eval_side_free(&e.suite, &e.side[k]);
    }
    free(e.figures.figure);
    free(e.cascade);
    dn_suite_free(&e.suite);
    return status;
}
