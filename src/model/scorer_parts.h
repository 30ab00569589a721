#ifndef DN_MODEL_SCORER_PARTS_H
#define DN_MODEL_SCORER_PARTS_H
/** What scorer.c (set-up, once per rank) and scoring.c (the data path, once per model thread)
 * share.
 */
#include "batch/builder.h"
#include "batch/reuse.h"
#include "model/cascade.h"
#include "model/columns.h"
#include "model/config.h"
#include "model/languages.h"
#include "model/scorer.h"

/** Settings, then what bind made of them. Const and shared by the model threads from then on. */
typedef struct dn_scorer_conf {
    char *name, *path, *ids, *prefix, *backend, *language, *cascade_dir, *text;
    dn_list languages;
    int64_t max_tokens, max_rows, deadline_ns, slo_ns, reuse_bytes;
    int ids_field;      /**< -1: no tokeniser in this pipeline; its rows count no tokens */
    dn_comm *group;     /**< ranks that the model is split over, NULL: it is not */
    dn_model *model;    /**< NULL: the scorer `none` */
    int device_threads; /**< that have room on its device; 0: the host computes */
    dn_reuse *reuse;    /**< NULL: off */
    int width, token_width, n_heads;
    dn_languages served; /**< those of the job file, or the model's own */
    dn_language_gate gate;
    dn_cascade *cascade; /**< NULL: off; then */
    int text_field, tier_field;
    char *tier_name;
    dn_head_columns head[DN_MAX_HEADS];
} dn_scorer_conf;

dn_status dn_scoring_open(const void *conf, const dn_scorer_env *env, dn_scorer **out);
dn_status dn_scoring_put(dn_scorer *scoring, dn_chunk *chunk);
dn_chunk *dn_scoring_take(dn_scorer *scoring);
dn_status dn_scoring_flush(dn_scorer *scoring, dn_close_reason reason);
int dn_scoring_under_way(const dn_scorer *scoring);
dn_status dn_scoring_wait(dn_scorer *scoring);
int64_t dn_scoring_deadline(const dn_scorer *scoring);
dn_status dn_scoring_end(dn_scorer *scoring);
dn_status dn_scoring_follow(dn_scorer *scoring);
void dn_scoring_close(dn_scorer *scoring);

#endif
