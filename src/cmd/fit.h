#ifndef DN_CMD_FIT_H
#define DN_CMD_FIT_H
/** `dunlin model fit`: its two ways to see a text. Each turns examples into labelled rows for
 * model/folds.h. */
#include "cmd/examples.h"
#include "cmd/model_parts.h"
#include "model/folds.h"

/** What an encoder makes of the examples, brought to mean 0 and deviation 1 in each column. */
typedef struct dn_encoded {
    const dn_kernels *fp32; /**< that learn */
    int width;
    float *x; /**< [n][width] */
    float *mean, *deviation;
} dn_encoded;

/** `kernels`: that read the texts.  ownership  the caller: dn_encoded_free, also after an error */
dn_status dn_encode_examples(const char *dir, const dn_kernels *kernels, const dn_examples *from,
                             dn_encoded *out);
void dn_encoded_free(dn_encoded *encoded);

/** lends  both until the last use */
void dn_encoded_rows(const dn_encoded *encoded, const dn_examples *from, int *label,
                     dn_labelled *out);

/** Puts back what bringing the columns to one scale did: weight[n_labels][width] and bias are then
 * for what the encoder gives. */
void dn_encoded_restore(const dn_encoded *encoded, dn_logistic *logistic);

/** mean[n_labels][width] of each label's rows, as the encoder gave them; those whose part[row] is
 * `without` are left out, NULL: none. */
void dn_encoded_means(const dn_encoded *encoded, const dn_labelled *rows, const int *part,
                      int without, float *mean);

/** likeness[n_rows], as dn_head_likeness has it, by classifier and means of the other parts. */
void dn_encoded_likeness(const dn_encoded *encoded, const dn_labelled *rows,
                         const dn_expected *expected, float *likeness);

/** The n-grams that at least two examples have, of more than `most` those of the most examples;
 * rare ones larger: of bucket b, column[b] - 1 is the column (0: none), and weight[column] what its
 * values are multiplied by. */
typedef struct dn_grams {
    dn_sparse x;
    int32_t *column;
    float *weight;
} dn_grams;

/** ownership  the caller: dn_grams_free */
void dn_count_examples(const dn_examples *from, dn_convention convention, int most, dn_grams *out);
void dn_grams_free(dn_grams *grams);
void dn_grams_rows(const dn_grams *grams, const dn_examples *from, int *label, dn_labelled *out);

/** The same without rows: which, and their labels, are the caller's to fill in. */
void dn_grams_labelled(const dn_grams *grams, dn_labelled *out);

/** bucket[n_columns]: of each column. */
void dn_grams_buckets(const dn_grams *grams, int32_t *bucket);

/** --suite: a head on n-grams for each head of the model. */
dn_status dn_fit_suite(const dn_model_options *options);

#endif
