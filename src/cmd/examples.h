#ifndef DN_CMD_EXAMPLES_H
#define DN_CMD_EXAMPLES_H
/** Texts with a label each, to learn from. A file (plain, gzip, zstd or xz) is one of
 *
 *    {"text": "my card is gone", "label": "lost card"}      JSON Lines: its first byte is a brace
 *    text<TAB>label                                         a header with a tab: TSV, no quotes
 *    text,label                                             a header without: CSV (RFC 4180)
 *    my card is gone                                        with a file of labels: a text a line
 *
 * Other names of the two columns may be given; further columns are not read.
 *
 * Refused with file and line, before anything is learned: bytes that are not UTF-8, empty texts and
 * labels, texts that are equal once folded (source/partition.h: case, links, punctuation) but have
 * two labels, files of different length, fewer than 2 labels, a label with fewer than
 * DN_EXAMPLES_LEAST texts. Repeats with the same label are left out and counted: in two folds they
 * would make the expected quality too good. */
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

enum { DN_EXAMPLES_LEAST = 5, DN_EXAMPLES_LABELS = 254 };

typedef struct dn_examples_from {
    const char *path;
    const char *labels;                     /**< NULL, or a file with the label of each line */
    const char *text_column, *label_column; /**< NULL: "text", "label" */
} dn_examples_from;

typedef struct dn_example {
    dn_span text;
    int label;
    int line;
} dn_example;

typedef struct dn_examples {
    int n, n_labels, n_repeats;
    dn_example *example;            /**< in the order of the file */
    const char **name;              /**< [n_labels], sorted by bytes */
    int *count;                     /**< [n_labels] */
    struct dn_example_bytes *bytes; /**< keeps texts and names alive */
} dn_examples;

/** NO_INPUT; DATA as said above; CONFIG for a column that is not there.
 *  ownership  the caller: dn_examples_free */
dn_status dn_examples_read(const dn_examples_from *from, dn_examples *out);
void dn_examples_free(dn_examples *examples);

#endif
