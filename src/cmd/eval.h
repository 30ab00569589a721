#ifndef DN_CMD_EVAL_H
#define DN_CMD_EVAL_H
/** What `dunlin model eval` finds, as one flat list of figures: judge.c makes it, figures.c prints
 * it. */
#include "cmd/cmd.h"
#include "cmd/model_parts.h"
#include "cmd/suite.h"

/** One model in one precision, and what it decided for the texts of each task. */
typedef struct dn_eval_side {
    char *dir;
    const dn_kernels *kernels;
    const char *cascade; /**< a linear model before it, NULL: none */
    bool wants_logits;   /**< judged has logits; what it says of decisions means nothing then */
    char *name;          /**< in tables: the precision, and the directory where there are two */
    struct dn_judged *judged; /**< [n_tasks] */
} dn_eval_side;

/** What a model decided for a task; outcomes NULL: it has no such head. */
typedef struct dn_judged {
    dn_outcomes *outcomes;
    bool *of;            /**< [n_labels]: the metric's labels, NULL: all */
    uint64_t label_hash; /**< of their names, in order */
    dn_head_kind kind;
    int n_labels, n_decisions, n_undecided;
    int n_linear; /**< texts that the cascade's linear model answered */
    float undecided_below;
    float *confidence; /**< [n_decisions]: of the label of a text, or of each label of a sigmoid */
    float *likeness;   /**< [n_decisions] of a softmax head: dn_head_likeness */
    bool *right;       /**< [n_decisions] */
    int n_outside, n_outside_undecided;
    float *outside;  /**< [n_outside]: likeness of a text that no label fits */
    float *logit;    /**< [n_rows][n_labels] where they are wanted */
    bool *label;     /**< [n_rows][n_labels]: the right ones, where logits are wanted */
    uint8_t *length; /**< [n_rows]: which of dn_eval_lengths its tokens are in */
} dn_judged;

typedef enum dn_figure_kind {
    DN_FIGURE_MODEL,     /**< a model on a task, or the mean over tasks */
    DN_FIGURE_ABSENT,    /**< no such head */
    DN_FIGURE_REFERENCE, /**< a known figure on the same texts */
    DN_FIGURE_SLICE,     /**< a model on some of the texts */
    DN_FIGURE_OUTSIDE,   /**< how well a model knows texts that belong to no label */
    DN_FIGURE_PAIR,      /**< a model less the first one, on the same texts */
    DN_FIGURE_OTHER,     /**< a known figure on other texts: never to be compared */
    DN_FIGURE_KINDS
} dn_figure_kind;
extern const char *const dn_figure_kind_names[DN_FIGURE_KINDS];

/** What does not apply is NaN, NULL or -1. Values are shares of 1. */
typedef struct dn_figure {
    dn_figure_kind kind;
    const char *task; /**< "mean": over the tasks of which there is a head */
    const char *model, *split;
    char metric[96], slice[96];
    int n, first_only, second_only;
    double value, low, high; /**< of a pair: the difference */
    double error, noise;     /**< of calibration: model/metrics.h */
    double linear;           /**< share of texts that a cascade's linear model answered */
    double undecided;        /**< share of texts below the head's threshold */
    double threshold;        /**< of a recall of texts outside: what it would be */
    double p;
} dn_figure;

typedef struct dn_figures {
    int n;
    dn_figure *figure;
} dn_figures;

dn_figure *dn_figures_add(dn_figures *figures, dn_figure_kind kind, const char *task,
                          const char *model);

/** Slices by number of tokens, special tokens included. */
typedef struct dn_eval_length {
    const char *name;
    int most;
} dn_eval_length;
enum { DN_EVAL_LENGTHS = 4 };
extern const dn_eval_length dn_eval_lengths[DN_EVAL_LENGTHS];

/** Scores the suite's texts by the side's model. DATA errors name the line of a label that the head
 * has not, CONFIG errors a head that does not decide between labels. */
dn_status dn_eval_judge(const dn_suite *suite, dn_eval_side *side);
void dn_eval_side_free(const dn_suite *suite, dn_eval_side *side);

/** The same with scores that are made elsewhere: opened for the model that makes them, given each
 * text of the tasks that it has heads for, those of a task in the suite's order, and ended, which
 * fills the side's pools. Scores are numbered by the suite's rows.
 *  ownership  the caller: dn_judging_close, also after an error      errors  of dn_eval_judge */
typedef struct dn_judging dn_judging;
dn_status dn_judging_open(const dn_suite *suite, const dn_model_info *info, dn_eval_side *side,
                          dn_judging **out);
void dn_judging_take(dn_judging *judging, const dn_row_scores *scores);
dn_status dn_judging_end(dn_judging *judging);
void dn_judging_close(dn_judging *judging);

/** All figures of all sides. */
void dn_eval_measure(const dn_suite *suite, const dn_eval_side *side, int n_sides,
                     dn_figures *figures);

void dn_figures_print(const dn_figures *figures, const dn_suite *suite, dn_cmd_format format);

#endif
