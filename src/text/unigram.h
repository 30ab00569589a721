#ifndef DN_TEXT_UNIGRAM_H
#define DN_TEXT_UNIGRAM_H
/** SentencePiece's unigram model as the reference library runs it (XLMRobertaTokenizerFast):
 * normalise, split at white space, put a mark before each word, then of all ways to cut a word into
 * tokens the one of the largest sum of scores (Viterbi). What no token covers is unknown; unknown
 * neighbours are one. */
#include "text/charsmap.h"
#include "text/token_kind.h"
#include "text/token_trie.h"

typedef enum dn_form_kind {
    DN_FORM_CHARSMAP = 0,
    DN_FORM_REPLACE, /**< a text by another */
    DN_FORM_BLANKS,  /**< two blanks or more by a text */
    DN_FORM_STRIP,   /**< white space at the ends */
} dn_form_kind;

/** A step of the normaliser. */
typedef struct dn_form_step {
    dn_form_kind kind;
    dn_charsmap charsmap;
    char *from, *to;
    bool left, right;
} dn_form_step;

enum { DN_FORM_STEPS = 8 };

typedef struct dn_form {
    dn_form_step step[DN_FORM_STEPS];
    int n;
} dn_form;

void dn_form_free(dn_form *form);

/** The normal form, in scratch 0 or 1 of the cache, or the text itself. */
dn_span dn_form_apply(const dn_form *form, dn_token_cache *cache, dn_span text);

/** Bytes that a byte of text can become. */
int64_t dn_form_growth(const dn_form *form);

typedef struct dn_unigram {
    dn_form form;
    dn_token_trie trie;
    double *score; /**< [n] of each id */
    int32_t n, unknown;
    double unknown_score;
    char mark[5]; /**< before each word, and for each blank in one */
    size_t mark_size;
    bool split_white; /**< at white space, which goes; else only at marks */
    bool split_marks, prepend;
} dn_unigram;

/** Takes tokens and scores, whose ids are their places. `where` names the list in MODEL errors. */
dn_status dn_unigram_take(dn_unigram *unigram, const dn_span *token, const double *score, int32_t n,
                          int32_t unknown, const char *where);

#endif
