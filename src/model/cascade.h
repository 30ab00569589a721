#ifndef DN_MODEL_CASCADE_H
#define DN_MODEL_CASCADE_H
/** A linear model on n-grams before an encoder: it answers the texts that it is sure of, for all
 * heads at once, and only the others reach the encoder.
 *
 *    text ──▶ n-grams ──▶ every head above its `sure_above`? ── yes ──▶ these are the scores
 *                                    no ──▶ encoder
 *
 * How sure a head is: the probability of its label; of a sigmoid head, of the label that is nearest
 * to undecided. DIR/config.json says above which value each head is sure, and for which weights of
 * the encoder these were chosen (`dunlin model calibrate --cascade`):
 *
 *    "dunlin": {"cascade": {"encoder": SHA-256}, "heads": [{"name": ..., "sure_above": 0.93}]}
 *
 * What is answered depends on the text alone, so it is the same in any batch and on any rank. */
#include "model/grams.h"

enum { DN_TIER_LINEAR, DN_TIER_ENCODER, DN_TIERS };
extern const char *const dn_tier_names[DN_TIERS];

typedef struct dn_cascade dn_cascade;

/** CONFIG where DIR lacks a head of the encoder or has other labels, where the encoder has heads
 * that label tokens or give vectors, and, if `chosen` is asked for, where no thresholds were chosen
 * for these weights.
 *  ownership  the caller: dn_cascade_close     lends  `encoder` until then
 *  thread  const afterwards, shared by any number */
dn_status dn_cascade_open(const char *dir, const dn_model_info *encoder, bool chosen,
                          dn_cascade **out);
void dn_cascade_close(dn_cascade *cascade);

/** Of the linear model. lends until close */
const dn_model_info *dn_cascade_describe(const dn_cascade *cascade);

/** A worker's scratch.    ownership  the caller: dn_cascade_scratch_free */
typedef struct dn_cascade_scratch {
    dn_ngrams *ngrams;
    float *own; /**< [score_width], as the linear model has its heads */
} dn_cascade_scratch;
void dn_cascade_scratch_new(const dn_cascade *cascade, dn_cascade_scratch *out);
void dn_cascade_scratch_free(dn_cascade_scratch *scratch);

/** score[score_width], laid out as the encoder's, of a text that was normalised for the linear
 * model; whether all heads are sure.     cost  as dn_gram_model_score, no malloc */
bool dn_cascade_answer(const dn_cascade *cascade, dn_cascade_scratch *scratch, dn_span text,
                       float *score);

/** How sure a head is of its part of a row of scores. */
float dn_head_certainty(const dn_model_head *head, const float *score);

#endif
