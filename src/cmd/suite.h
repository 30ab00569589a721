#ifndef DN_CMD_SUITE_H
#define DN_CMD_SUITE_H
/** A suite: labelled texts to judge a model by, as JSON Lines (plain, gzip, zstd or xz).
 *
 *    {"task": "irony", "of": ["irony"]}                                        a declaration
 *    {"reference": "linear SVM", "scores": {"irony": 61.4}}                    a known figure
 *    {"task": "irony", "text": "oh great", "label": "irony"}                   a text
 *    {"task": "topic", "text": "...", "labels": ["sports"], "slices": {"language": "es"}}
 *    {"task": "intent", "text": "...", "outside": true}                        none of its labels
 *
 * A task is judged by the head of its name, or by the one that its declaration gives as "head"; its
 * metric is "f1", "recall" or "accuracy" (model/metrics.h; default f1, over all labels or those of
 * "of"). Tasks that declare the same "pool" are judged together too, as a task of that name without
 * texts of its own, and count as one in means: several heads of which the publisher's metric knows
 * only the whole. "language" chooses among heads of one name that answer for one language each.
 * "second" is a second segment of the text. A reference with a "split" was measured on other texts.
 * The format for users: datasets/README.md. */
#include "base/status.h"
#include "model/metrics.h"

/** Members of a list of words: word[begin .. begin + n). */
typedef struct dn_words {
    int begin, n;
} dn_words;

typedef struct dn_suite_task {
    const char *name, *head; /**< a pool's head is "", which no head is called */
    const char *language;    /**< NULL: not said */
    dn_metric_kind metric;
    dn_words of; /**< n 0: all labels */
    int line;    /**< where it is declared, or first met */
    int n_rows;    /**< with labels; of a pool: of its tasks together */
    int n_outside; /**< that belong to no label; they are not in the pool */
    int pool;      /**< the task that pools this one, -1: none */
    int n_members; /**< tasks that this one pools */
} dn_suite_task;

typedef struct dn_suite_row {
    int task, line;
    const char *text, *second; /**< second: NULL where there is none */
    bool listed;               /**< "labels", not "label" */
    bool outside;              /**< no label fits: `labels` is empty */
    dn_words labels, slices;   /**< slices: key, value, key, value ... */
} dn_suite_row;

typedef struct dn_suite_reference {
    const char *model, *split; /**< split NULL: these very texts */
    const char *task;
    double percent;
} dn_suite_reference;

typedef struct dn_suite {
    char *path;
    int n_tasks, n_rows, n_references, n_words, n_docs;
    dn_suite_task *task;
    dn_suite_row *row;
    dn_suite_reference *reference;
    const char **word;
    struct dn_json **doc; /**< keeps the texts alive */
} dn_suite;

/** Reads a file, or where `name` is a word and no file, build/suites/NAME.jsonl ($DUNLIN_SUITES/
 * NAME.jsonl). NO_INPUT when there is none; DATA errors name file and line.
 *  ownership  the caller: dn_suite_free */
dn_status dn_suite_read(const char *name, dn_suite *out);
void dn_suite_free(dn_suite *suite);

/** "macro F1", "F1 of irony" ... into out[room]. */
void dn_suite_metric_name(const dn_suite *suite, const dn_suite_task *task, size_t room, char *out);

#endif
