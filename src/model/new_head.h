#ifndef DN_MODEL_NEW_HEAD_H
#define DN_MODEL_NEW_HEAD_H
/** A softmax head for a model that was trained without it: its row in config.json's "dunlin" object
 * and its tensors beside those that are there. model/import.h makes the directory. */
#include "io/json_write.h"
#include "model/checkpoint.h"
#include "model/config.h"

#include <stdio.h>

typedef struct dn_new_head {
    const char *name;
    int n_labels, width; /**< inputs: hidden size x poolings */
    const char *const *label;
    const float *weight, *bias; /**< [n_labels][width], [n_labels] */
    dn_head_kind kind;          /**< softmax, or on n-grams sigmoid */
    double undecided_below;     /**< 0: every text has a label */
    const float *mean;          /**< [n_labels][width]: of each label's examples; NULL: none */
} dn_new_head;

/** Whether a head of that name may be added to the model of a directory: CONFIG otherwise. */
dn_status dn_new_head_check(const char *dir, const char *name);

/** The text of a config.json with the head behind those of its list. A checkpoint's own head gives
 * way to the list: it is not in the new directory. CONFIG where the name is taken or no name. */
dn_status dn_new_head_describe(const char *dir, const dn_config *config, const dn_new_head *head,
                               dn_out *text);

/** Its object in the list of heads. */
void dn_new_head_print(const dn_new_head *head, dn_out *out);

/** All tensors of the checkpoint as they are, and those of the head in fp32, as one .safetensors
 * file. Errors of the file are the caller's to look for (ferror). */
dn_status dn_new_head_write(const dn_checkpoint *checkpoint, const dn_new_head *head, FILE *out);

#endif
