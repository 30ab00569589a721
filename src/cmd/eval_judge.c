/** A suite's texts through a model: what it decided for each. */
#include "base/hash.h"
#include "base/memory.h"
#include "cmd/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const dn_eval_length dn_eval_lengths[DN_EVAL_LENGTHS] = {{"under 16 tokens", 15},
                                                         {"16 to 31 tokens", 31},
                                                         {"32 to 63 tokens", 63},
                                                         {"64 tokens and more", 1 << 30}};

struct dn_judging {
    const dn_suite *suite;
    dn_judged *judged;
    const dn_model_head **head; /**< [n_tasks], NULL: the model has none */
    bool *right, *decided;      /**< [most labels] */
    int *seen;                  /**< [n_tasks]: texts so far */
    bool wants_logits;
};

/** A head of one language answers only the tasks in it. */
static const dn_model_head *find_head(const dn_model_info *info, const dn_suite_task *task) {
    for (int i = 0; i < info->n_model_heads; i++) {
        const dn_model_head *head = &info->model_head[i];
        bool speaks =
            !head->language || (task->language && strcmp(head->language, task->language) == 0);
        if (speaks && strcmp(head->name, task->head) == 0) {
            return head;
        }
    }
    return NULL;
}

static int find_label(const dn_model_head *head, const char *word) {
    for (int i = 0; i < head->n_labels; i++) {
        if (strcmp(head->labels[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- what fits together ---- */

static dn_status check_word(const dn_suite *suite, const dn_model_head *head, int line, int word) {
    if (find_label(head, suite->word[word]) >= 0) {
        return DN_OK;
    }
    char known[256] = "";
    for (int i = 0; i < head->n_labels && strlen(known) < sizeof known - 64; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%.40s", i ? ", " : "", head->labels[i]);
    }
    return DN_FAIL(DATA, "%s:%d: \"%s\" is no label of head %s, which has %d: %s ...", suite->path,
                   line, suite->word[word], head->name, head->n_labels, known);
}

static dn_status check_row(const dn_judging *j, const dn_suite_row *row) {
    const dn_model_head *head = j->head[row->task];
    for (int i = 0; head && i < row->labels.n; i++) {
        DN_TRY(check_word(j->suite, head, row->line, row->labels.begin + i));
    }
    if (head && head->kind != DN_HEAD_SOFTMAX && row->outside) {
        return DN_FAIL(DATA, "%s:%d: is outside of the labels, but head %s may give a text none",
                       j->suite->path, row->line, head->name);
    }
    if (head && head->kind == DN_HEAD_SOFTMAX && row->labels.n != 1 && !row->outside) {
        return DN_FAIL(DATA, "%s:%d: has %d labels, but head %s gives a text exactly one",
                       j->suite->path, row->line, row->labels.n, head->name);
    }
    return DN_OK;
}

static dn_status check_task(const dn_judging *j, int t) {
    const dn_suite_task *task = &j->suite->task[t];
    const dn_model_head *head = j->head[t];
    if (head && head->kind > DN_HEAD_SIGMOID) {
        return DN_FAIL(CONFIG, "%s:%d: head %s gives %s, not labels of texts", j->suite->path,
                       task->line, head->name, dn_head_kind_names[head->kind]);
    }
    for (int i = 0; head && i < task->of.n; i++) {
        DN_TRY(check_word(j->suite, head, task->line, task->of.begin + i));
    }
    return DN_OK;
}

static dn_status check(const dn_judging *j) {
    int n_heads = 0;
    for (int t = 0; t < j->suite->n_tasks; t++) {
        DN_TRY(check_task(j, t));
        n_heads += j->head[t] != NULL;
    }
    for (int i = 0; i < j->suite->n_rows; i++) {
        DN_TRY(check_row(j, &j->suite->row[i]));
    }
    return n_heads ? DN_OK
                   : DN_FAIL(CONFIG, "%s: the model has a head for none of its %d tasks",
                             j->suite->path, j->suite->n_tasks);
}

/* ---- rows ---- */

static void mark_labels(const dn_judging *j, const dn_suite_row *row, const dn_model_head *head) {
    memset(j->right, 0, (size_t)head->n_labels * sizeof *j->right);
    memset(j->decided, 0, (size_t)head->n_labels * sizeof *j->decided);
    for (int i = 0; i < row->labels.n; i++) {
        j->right[find_label(head, j->suite->word[row->labels.begin + i])] = true;
    }
}

static int best_of(const dn_model_head *head, const float *score) {
    int best = 0;
    for (int i = 1; i < head->n_labels; i++) {
        best = score[i] > score[best] ? i : best;
    }
    return best;
}

static void take_outside(const dn_model_head *head, const float *row, dn_judged *to) {
    to->outside[to->n_outside++] = dn_head_likeness(head, row);
    to->n_outside_undecided += dn_head_decide(head, row) == head->n_labels;
}

static void decide_one(const dn_judging *j, const dn_model_head *head, const float *row,
                       dn_judged *to) {
    const float *score = row + head->begin;
    int best = best_of(head, score);
    j->decided[best] = true;
    to->likeness[to->n_decisions] = dn_head_likeness(head, row);
    to->confidence[to->n_decisions] = score[best];
    to->right[to->n_decisions++] = j->right[best];
    to->n_undecided += dn_head_decide(head, row) == head->n_labels;
}

static void decide_each(const dn_judging *j, const dn_model_head *head, const float *row,
                        dn_judged *to) {
    const float *score = row + head->begin;
    for (int i = 0; i < head->n_labels; i++) {
        j->decided[i] = score[i] > head->said_above;
        to->confidence[to->n_decisions] = score[i];
        to->right[to->n_decisions++] = j->right[i];
    }
}

static uint8_t length_of(int n_tokens) {
    int i = 0;
    while (n_tokens > dn_eval_lengths[i].most) {
        i++;
    }
    return (uint8_t)i;
}

void dn_judging_take(dn_judging *j, const dn_row_scores *scores) {
    const dn_suite_row *row = &j->suite->row[scores->number];
    const dn_model_head *head = j->head[row->task];
    dn_judged *to = &j->judged[row->task];
    if (row->outside) {
        take_outside(head, scores->score, to);
        return;
    }
    mark_labels(j, row, head);
    (head->kind == DN_HEAD_SIGMOID ? decide_each : decide_one)(j, head, scores->score, to);
    if (to->logit) {
        size_t n = (size_t)head->n_labels, at = (size_t)j->seen[row->task] * n;
        memcpy(to->logit + at, scores->score + head->begin, n * sizeof *to->logit);
        memcpy(to->label + at, j->right, n * sizeof *to->label);
    }
    to->n_linear += scores->by_linear;
    dn_outcomes_add(to->outcomes, j->right, j->decided);
    to->length[j->seen[row->task]++] = length_of(scores->n_tokens);
}

/* ---- tasks ---- */

static uint64_t hash_labels(const dn_model_head *head) {
    uint64_t hash = 0;
    for (int i = 0; i < head->n_labels; i++) {
        hash = dn_hash64(dn_span_of(head->labels[i]), hash);
    }
    return hash;
}

static void open_task(const dn_judging *j, const dn_suite_task *task, const dn_model_head *head,
                      dn_judged *to) {
    size_t n = (size_t)task->n_rows,
           each = head->kind == DN_HEAD_SIGMOID ? (size_t)head->n_labels : 1;
    *to = (dn_judged){.outcomes = dn_outcomes_new(head->n_labels),
                      .label_hash = hash_labels(head),
                      .kind = head->kind,
                      .undecided_below = head->undecided_below,
                      .n_labels = head->n_labels,
                      .confidence = dn_alloc_array(n * each, sizeof *to->confidence),
                      .right = dn_alloc_array(n * each, sizeof *to->right),
                      .likeness = dn_alloc_array(n * each, sizeof *to->likeness),
                      .outside = dn_alloc_array((size_t)task->n_outside, sizeof *to->outside),
                      .length = dn_alloc_array(n, sizeof *to->length)};
    if (j->wants_logits) {
        to->logit = dn_alloc_array(n * (size_t)head->n_labels, sizeof *to->logit);
        to->label = dn_alloc_array(n * (size_t)head->n_labels, sizeof *to->label);
    }
    if (task->of.n) {
        to->of = dn_alloc_array((size_t)head->n_labels, sizeof *to->of);
        for (int i = 0; i < task->of.n; i++) {
            to->of[find_label(head, j->suite->word[task->of.begin + i])] = true;
        }
    }
}

/* ---- pools ---- */

/** Behind the decisions that `to` has. */
static void append(dn_judged *to, const dn_judged *from, int n_seen) {
    size_t n = (size_t)from->n_decisions, rows = (size_t)dn_outcomes_count(from->outcomes);
    memcpy(to->confidence + to->n_decisions, from->confidence, n * sizeof *to->confidence);
    memcpy(to->right + to->n_decisions, from->right, n * sizeof *to->right);
    memcpy(to->length + n_seen, from->length, rows * sizeof *to->length);
    dn_outcomes_append(to->outcomes, from->outcomes);
    to->n_decisions += from->n_decisions;
    to->n_undecided += from->n_undecided;
}

/** A pool's decisions are those of its tasks; it has none where one of them has no head. */
static dn_status fill_pool(const dn_judging *j, int p) {
    const dn_suite_task *pool = &j->suite->task[p];
    dn_judged *to = &j->judged[p];
    int first = -1;
    for (int t = 0; t < j->suite->n_tasks; t++) {
        bool is_member = j->suite->task[t].pool == p;
        if (is_member && !j->head[t]) {
            return DN_OK;
        }
        first = is_member && first < 0 ? t : first;
        if (is_member && j->judged[t].label_hash != j->judged[first].label_hash) {
            return DN_FAIL(CONFIG, "%s:%d: pool \"%s\": heads %s and %s have different labels",
                           j->suite->path, pool->line, pool->name, j->head[first]->name,
                           j->head[t]->name);
        }
    }
    open_task(j, pool, j->head[first], to);
    for (int t = first; t < j->suite->n_tasks; t++) {
        if (j->suite->task[t].pool == p) {
            append(to, &j->judged[t], dn_outcomes_count(to->outcomes));
        }
    }
    return DN_OK;
}

static dn_status fill_pools(const dn_judging *j) {
    for (int t = 0; t < j->suite->n_tasks; t++) {
        if (j->suite->task[t].n_members) {
            DN_TRY(fill_pool(j, t));
        }
    }
    return DN_OK;
}

/* ---- the whole ---- */

static void find_heads(dn_judging *j, const dn_model_info *info) {
    int most = 1;
    for (int t = 0; t < j->suite->n_tasks; t++) {
        j->head[t] = find_head(info, &j->suite->task[t]);
        most = j->head[t] && j->head[t]->n_labels > most ? j->head[t]->n_labels : most;
    }
    j->right = dn_alloc_array((size_t)most, sizeof *j->right);
    j->decided = dn_alloc_array((size_t)most, sizeof *j->decided);
}

dn_status dn_judging_open(const dn_suite *suite, const dn_model_info *info, dn_eval_side *side,
                          dn_judging **out) {
    size_t n_tasks = (size_t)suite->n_tasks;
    dn_judging *j = *out = dn_alloc(sizeof *j);
    side->judged = dn_alloc_array(n_tasks, sizeof *side->judged);
    *j = (dn_judging){.suite = suite,
                      .judged = side->judged,
                      .wants_logits = side->wants_logits,
                      .head = dn_alloc_array(n_tasks, sizeof(dn_model_head *)),
                      .seen = dn_alloc_array(n_tasks, sizeof(int))};
    find_heads(j, info);
    DN_TRY(check(j));
    for (int t = 0; t < suite->n_tasks; t++) {
        if (j->head[t]) {
            open_task(j, &suite->task[t], j->head[t], &side->judged[t]);
        }
    }
    return DN_OK;
}

/** A pool has no head to calibrate. */
dn_status dn_judging_end(dn_judging *j) {
    return j->wants_logits ? DN_OK : fill_pools(j);
}

void dn_judging_close(dn_judging *j) {
    if (j) {
        free(j->head);
        free(j->seen);
        free(j->right);
        free(j->decided);
        free(j);
    }
}

/* ---- a model ---- */

static void take_row(void *ctx, const dn_row_scores *scores) {
    dn_judging *const *judging = ctx;
    dn_judging_take(*judging, scores);
}

static dn_status open_scorer(const dn_eval_side *side, dn_judging **judging, dn_row_scorer **out) {
    return side->cascade ? dn_row_scorer_open_cascade(side->dir, side->cascade, side->kernels,
                                                      take_row, judging, out)
                         : dn_row_scorer_open(side->dir, side->kernels, side->wants_logits,
                                              take_row, judging, out);
}

static dn_status score_rows(const dn_judging *j, dn_row_scorer *scorer) {
    for (int i = 0; i < j->suite->n_rows; i++) {
        const dn_suite_row *row = &j->suite->row[i];
        if (j->head[row->task] && !(row->outside && j->wants_logits)) {
            dn_span second = row->second ? dn_span_of(row->second) : (dn_span){NULL, 0};
            DN_TRY(dn_row_scorer_add(scorer, i, dn_span_of(row->text), second));
        }
    }
    return dn_row_scorer_flush(scorer);
}

dn_status dn_eval_judge(const dn_suite *suite, dn_eval_side *side) {
    dn_judging *judging = NULL;
    dn_row_scorer *scorer = NULL;
    dn_status status;
    DN_TRY_GO(open_scorer(side, &judging, &scorer), done);
    DN_TRY_GO(dn_judging_open(suite, dn_row_scorer_info(scorer), side, &judging), done);
    DN_TRY_GO(score_rows(judging, scorer), done);
    status = dn_judging_end(judging);
done:
    dn_row_scorer_close(scorer);
    dn_judging_close(judging);
    return status;
}

void dn_eval_side_free(const dn_suite *suite, dn_eval_side *side) {
    for (int t = 0; side->judged && t < suite->n_tasks; t++) {
        dn_judged *to = &side->judged[t];
        dn_outcomes_free(to->outcomes);
        free(to->of);
        free(to->confidence);
        free(to->likeness);
        free(to->right);
        free(to->length);
        free(to->outside);
        free(to->logit);
        free(to->label);
    }
    free(side->judged);
    free(side->dir);
    free(side->name);
    *side = (dn_eval_side){0};
}
