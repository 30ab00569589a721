#ifndef DN_KERNELS_DEVICE_H
#define DN_KERNELS_DEVICE_H
/** What a backend has beside its operations when its operands do not lie in the host's memory.
 *
 * Its memory holds two kinds of numbers: elements (activations, tables, matrices: bf16, fp16 ...)
 * and floats (parameters of norms, biases, pooled texts, logits, scores). In the arguments of
 * operations both are `float *`; only the backend follows them. The host's backends know one kind.
 *
 * A lane is a batch on its way with its own inputs and scores, so that the next batches are packed
 * and copied while one is computed:
 *
 *    begin(batch) ─▶ operations of the pass, unless they are known ─▶ end ─ ─ ─ ─▶ wait ─▶ scores
 *
 * Operations only note what is to be done. What fails is told by end() or wait(), with the
 * operation and its shape. */
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dn_numbers { DN_ELEMENTS, DN_FLOATS } dn_numbers;

typedef struct dn_lane dn_lane;
struct dn_weight;

/** The largest batch of a lane, and how many scores a text and a token have. */
typedef struct dn_lane_conf {
    int max_tokens, max_rows;
    int row_width, token_width;
    dn_lane *beside; /**< a lane whose passes use the same buffers, so that one follows the other;
                        NULL: none */
} dn_lane_conf;

/** Before begin(): the batch, in the host's memory. After it: the same in the backend's, filled up
 * to sizes that recur; the rows behind those of the batch mean nothing. Where texts are
 * longer than rows, text_start says where they begin; after begin() there are as many as rows. */
typedef struct dn_pass {
    int n_tokens, n_rows, n_texts;
    const int32_t *token, *row_start;
    const int32_t *text_start; /**< NULL before begin(): each row is a text */
    int variant; /**< passes of equal sizes and variant are made of the same operations; below 0: of
                    this time only, and the host may look at numbers between them */
    float *score; /**< out: [texts][row_width], behind it [T][token_width] */
    bool known;   /**< out: leave the operations out */
} dn_pass;

/** What a group of operations cost. */
typedef enum dn_pass_group {
    DN_GROUP_EMBED,
    DN_GROUP_LINEAR, /**< matrix products with what is fused to them */
    DN_GROUP_ATTENTION,
    DN_GROUP_NORM,
    DN_GROUP_HEADS, /**< pooling, heads, scores */
    DN_GROUP_SUMS,  /**< over the devices of a group, with the wait for the others */
    DN_GROUPS
} dn_pass_group;
extern const char *const dn_pass_group_names[DN_GROUPS];

/** Device time by the device's own clock; group_ns is measured now and then, else all 0. */
typedef struct dn_pass_times {
    int64_t device_ns, group_ns[DN_GROUPS];
} dn_pass_times;

/** The devices of several processes, one each: ranks of a group that a model is split over. What
 * has begun on them ends only when every rank takes part, or when one gives the group up.
 *
 *   join ─▶ ready, again and again: AGAIN while the others come ─▶ sum, in passes ─▶ leave */
typedef struct dn_device_group dn_device_group;

enum { DN_GROUP_ID_BYTES = 128 };

/** What ranks of a group compare before they join: equal libraries, different devices. */
typedef struct dn_group_card {
    char library[32]; /**< "NCCL 2.28.9" */
    char uuid[48];
} dn_group_card;

/** A rank's place in a group, and how it learns, while it waits, that it should not. */
typedef struct dn_group_seat {
    int rank, size;
    bool (*cancelled)(const void *ctx); /**< then a wait is ABORT and the group has ended */
    const void *ctx;
} dn_group_seat;

typedef struct dn_group_ops {
    const char *name;
    /** Loads what is needed.    errors  DEVICE: it is missing or too old     thread  main */
    dn_status (*open)(dn_group_card *out);
    /** A group's name, for one rank to make and all to join with. */
    dn_status (*make_id)(char id[DN_GROUP_ID_BYTES]);
    /** Begins, and returns before the others have come.    errors  DEVICE_FAULT   ownership  gives;
     * leave */
    dn_status (*join)(const char id[DN_GROUP_ID_BYTES], const dn_group_seat *seat,
                      dn_device_group **out);
    /** OK once all have joined and a sum of known numbers was right; AGAIN before.    errors
     * DEVICE: it was wrong; DEVICE_FAULT */
    dn_status (*ready)(dn_device_group *group);
    /** An operation of a pass: adds n elements over the group, in place, the same bits on all of
     * them. What fails is told by the pass's end() or wait(); a rank whose wait takes longer than
     * DN_GROUP_TIMEOUT seconds (120) gives up with DEVICE_FAULT. */
    void (*sum)(dn_device_group *group, float *elements, size_t n);
    /** After the lanes that used it.    NULL is allowed     blocks  until all leave, 10 s at most
     */
    void (*leave)(dn_device_group *group);
} dn_group_ops;

typedef enum dn_finish { DN_AS_IS, DN_FINISH_SOFTMAX, DN_FINISH_SIGMOID, DN_UNIT_LENGTH } dn_finish;

/** Columns [begin, begin + width) that belong to one head. */
typedef struct dn_columns {
    int begin, width;
    dn_finish finish;
} dn_columns;

enum { DN_MAX_COLUMNS = 16 };

/** out[r][out_begin + c] = finished x[r][c]; the columns follow each other and cover [0, width). */
typedef struct dn_score_args {
    int n_rows, width, n_columns;
    dn_columns columns[DN_MAX_COLUMNS];
    const float *x; /**< floats [R][width] */
    float *out;     /**< floats [R][out_stride] */
    int out_begin, out_stride;
} dn_score_args;

typedef struct dn_device_ops {
    int n_lanes; /**< batches in flight that keep the device busy */
    /** Room for n numbers, 256-byte aligned. RETRY with a MEMORY error that names the device and
     * the sizes: less may fit.   ownership  the caller: release    blocks  yes */
    dn_status (*reserve)(dn_numbers kind, size_t n, float **out);
    void (*release)(float *numbers);
    /** Host floats to the backend's kind.   thread  any      blocks  until they are there */
    dn_status (*upload)(dn_numbers kind, const float *host, size_t n, float *out);
    /** And back; inside a pass only of a variant below 0.   blocks  until all before is done */
    dn_status (*download)(dn_numbers kind, const float *numbers, size_t n, float *host);
    /** Rounds the sizes of a batch up to those of its pass. */
    void (*fill_up)(int *n_tokens, int *n_rows);
    dn_status (*lane_new)(const dn_lane_conf *conf, dn_lane **out);
    void (*lane_free)(dn_lane *lane);
    /** From here to end() this thread's operations are those of the pass.   errors  DEVICE_FAULT */
    dn_status (*begin)(dn_lane *lane, dn_pass *pass);
    dn_status (*end)(dn_lane *lane);
    /** Whether wait() would not block; also where it would fail. */
    bool (*is_done)(const dn_lane *lane);
    /** Blocks until the pass is done. Scores as begin() laid them out, in the host's memory.
     * lends  until the lane's next begin    errors  DEVICE_FAULT */
    dn_status (*wait)(dn_lane *lane, const float **score, dn_pass_times *times);
    /** After passes of a variant below 0 over typical batches: fixes the range of what the matrix
     * is multiplied with. NULL: the backend need not know it.    errors  DEVICE_FAULT */
    dn_status (*calibrate)(struct dn_weight *weight);
    /** An operation like those of dn_kernels, which the host has no need of. */
    void (*score)(const dn_score_args *args);
    const dn_group_ops *group; /**< NULL: a model cannot be split over devices of this backend */
} dn_device_ops;

#ifdef __cplusplus
}
#endif
#endif
