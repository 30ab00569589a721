#ifndef DN_SOURCE_PARTITION_H
#define DN_SOURCE_PARTITION_H
/** Which partition a record belongs to: a pure function of the record, the key and the number of
 * partitions, equal on every machine, so that ranks agree without a word and a packed corpus can
 * carry an index.
 *
 *   key            partition
 *   language+text  a point on the line [0, 1): the language's slot is as long as its usual share,
 * the hash of the folded text says where in it; partition = floor(point * n)
 *
 *                  |------------- English ------------|-- Cyrillic ---|German|
 *                  0         1         2        3     ...                   n
 *
 *                  Languages without a slot, and records without a language, spread over the whole
 * line. Languages that guessers confuse with each other (Russian, Ukrainian, Bulgarian ...) share
 * one slot. text           hash of the folded text mod n language       hash of the language mod n
 *   hashtag        hash of the first hashtag, folded, mod n; of the author where there is none
 *   author         hash of the author mod n
 *
 * Repeats that differ in links, mentions, RT, punctuation or case meet in one partition with the
 * first two keys, because folding takes these out. Slots and their shares are constants: another
 * table would be another placement. */
#include "base/span.h"

#include <stdint.h>

typedef enum dn_key {
    DN_KEY_LANGUAGE_TEXT,
    DN_KEY_LANGUAGE,
    DN_KEY_HASHTAG,
    DN_KEY_AUTHOR,
    DN_KEY_TEXT,
} dn_key;

/** Words of the job file in the order of the enum, NULL-terminated. */
extern const char *const dn_key_names[];

enum { DN_FOLDED_MAX = 1024 };

/** Folds a text for comparing: letters and digits in lower case (ASCII, Latin-1, Greek, Cyrillic);
 * links, @mentions, the word RT, entities (&amp;), punctuation, blanks, symbols and emoji are left
 * out. Well-formed UTF-8 is required for a sensible result, not for safety. Returns the length in
 * `out`, at most DN_FOLDED_MAX; the rest is not looked at. */
size_t dn_text_fold(dn_span text, char out[DN_FOLDED_MAX]);

/** Partition in [0, n) of a sound record; null spans count as empty.     cost  O(length of the
 * text) */
int32_t dn_partition_of(dn_key key, dn_span user, dn_span text, dn_span language, int32_t n);

/** Partition of a record that cannot be read: by its number in the corpus. */
int32_t dn_partition_of_bad(int64_t number, int32_t n);

#endif
