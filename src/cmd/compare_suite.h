#ifndef DN_CMD_COMPARE_SUITE_H
#define DN_CMD_COMPARE_SUITE_H
/** Two openings of a model on the labelled texts of a suite: what differs head by head, and what it
 * does to the heads' metrics on their own texts. */
#include "cmd/eval.h"
#include "model/compare.h"

/** A task that the model has a head for. */
typedef struct dn_task_difference {
    const char *task, *metric;
    int head;               /**< its place in the model */
    double value[2];        /**< the metric by each opening, 0 to 1 */
    int64_t texts, changed; /**< the task's, and those that the head decided otherwise */
} dn_task_difference;

typedef struct dn_suite_difference {
    dn_suite suite;
    dn_eval_side side[2]; /**< what each of them decided */
    char (*metric)[96];
    int n_tasks;
    dn_task_difference *task;
    dn_head_difference *head; /**< [n_model_heads], over the texts of all tasks */
    int64_t n_texts;
} dn_suite_difference;

/** Each model scores a text once. Errors of dn_suite_read and dn_eval_judge.
 *  ownership  the caller: dn_suite_difference_free, also after an error */
dn_status dn_suite_compare(const char *name, dn_model *const model[2], dn_suite_difference *out);
void dn_suite_difference_free(dn_suite_difference *difference);

#endif
