#ifndef DN_TEXT_OWN_WORDS_H
#define DN_TEXT_OWN_WORDS_H
/** What the writer of a mail said in it: the text without what is quoted, signed and appended.
 *
 *    footer        a list's: a rule, then "mailing list", "unsubscribe" ... near the end
 *    original      "-----Original Message-----", or From: Sent: To: Subject: lines, to the end
 *                  or, where a quote follows, to that
 *    forward       "---------- Forwarded message ----------", to the end
 *    quote         lines with '>' or the sign that begins the lines behind an attribution
 *    attribution   "On ... wrote:" before a quote
 *    signature     "-- " and the few lines behind it
 *    closing       "Best regards," and what stands below it, if that is a few short lines
 *
 * In English, German, French, Spanish, Italian and Portuguese. A rule that is not sure cuts
 * nothing: a quote that stays costs less than words that are lost. */
#include "text/text_buffer.h"

#include <stdint.h>

typedef enum dn_cut {
    DN_CUT_NOTHING = 0,
    DN_CUT_FOOTER,
    DN_CUT_ORIGINAL,
    DN_CUT_FORWARD,
    DN_CUT_QUOTE,
    DN_CUT_ATTRIBUTION,
    DN_CUT_SIGNATURE,
    DN_CUT_CLOSING,
    DN_CUTS
} dn_cut;

typedef struct dn_mail_line {
    dn_span text; /**< without white space at its end */
    uint8_t cut;  /**< dn_cut */
} dn_mail_line;

/** Lines that are reused from text to text. Zeroed at first. */
typedef struct dn_own_words {
    bool rule[DN_CUTS]; /**< set before: which are cut */
    dn_mail_line *line;
    size_t n, room;
    char mark;              /**< with which this text quotes besides '>', 0: none */
    int64_t n_cut[DN_CUTS]; /**< lines of each kind, blank ones not counted */
} dn_own_words;

/** Appends to `out` what is kept of `text` (valid UTF-8, line feeds): lines as they stand but for
 * white space at their ends; of blank lines between them one is kept.     cost  O(text) */
void dn_own_words_cut(dn_own_words *own, dn_span text, dn_text_buffer *out);
void dn_own_words_free(dn_own_words *own);

#endif
