#ifndef DN_SOURCE_CORPUS_H
#define DN_SOURCE_CORPUS_H
/** Corpora as files: what `dunlin corpus describe`, `pack` and `generate` do. */
#include "source/reader.h"

/** How to read a corpus. Zeroed: everything by default, 12 partitions by language+text. */
typedef struct dn_corpus_options {
    int format;    /**< index into dn_format_names */
    dn_map fields; /**< as in the job file */
    dn_key key;
    int32_t n_partitions; /**< 0: 12 */
} dn_corpus_options;

enum { DN_CORPUS_REASONS = 16 };

/** What is in a corpus. */
typedef struct dn_corpus_report {
    const char *format;
    int64_t n_records, n_bad;
    int64_t text_bytes, user_bytes, language_bytes;
    int64_t first_ms, last_ms; /**< earliest and latest event time; INT64_MIN: none */
    int64_t largest;           /**< records of the largest partition */
    int32_t n_partitions;
    int n_reasons; /**< of bad records; further ones are only in n_bad */
    struct {
        const char *reason;
        int64_t n;
    } reason[DN_CORPUS_REASONS];
} dn_corpus_report;

/** Reads a corpus to its end and counts. A corpus that is cut fails with DATA, and `report` holds
 * what came before. blocks  on the disk     cost  O(bytes) */
dn_status dn_corpus_describe(const char *path, const dn_corpus_options *options,
                             dn_corpus_report *report);

/** Writes the corpus as Dunlin's packed form under `out` (replaced when it exists), reading it
 * twice. packed.h shows the layout.     errors  NO_INPUT, DATA (nothing is written), CANT_CREATE,
 * IO, NO_SPACE */
dn_status dn_corpus_pack(const char *path, const char *out, const dn_corpus_options *options,
                         dn_corpus_report *report);

/** What to generate. generator.h says what comes out. */
typedef struct dn_generate_options {
    int64_t n_rows;
    uint64_t seed;
    double bad_share;  /**< of bad records, 0 to 1 */
    const char *truth; /**< path of the side file with what is known of each record, as
                        * JSON Lines {id, kind, of, lang, reason}, or NULL */
} dn_generate_options;

/** Writes JSON Lines. Bytes depend on rows, seed and bad_share only, on every machine.   errors
 * CANT_CREATE, IO, NO_SPACE */
dn_status dn_generate(const char *path, const dn_generate_options *options);

#endif
