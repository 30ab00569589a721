#ifndef DN_SINK_LEDGER_H
#define DN_SINK_LEDGER_H
/** What a result file says about itself, and whether it tells the truth. The folder of a partition
 * is its ledger:
 *
 *    rows/tweets/3/00000000000000000000.h5   first 0      next 81920   previous -1
 *    rows/tweets/3/00000000000000081920.h5   first 81920  next 97001   previous 0
 *
 * Each file answers for the offsets [first, next); the cursor of the partition is the last file's
 * next. */
#include "io/h5.h"

#include <stdint.h>

#define DN_KIND_ROWS "dunlin.rows"
#define DN_KIND_DEAD "dunlin.dead_letters"
enum { DN_LEDGER_VERSION = 1 };

/** records_in = rows_out + repeats_dropped + filtered + dead_letters, in every file. */
typedef struct dn_counts {
    int64_t records_in, rows_out, repeats_dropped, filtered, dead_letters;
} dn_counts;

typedef struct dn_entry {
    char *kind, *topic, *pipeline, *run_id; /**< ownership: the entry */
    int64_t partition, first, next;
    int64_t previous; /**< first of the file before it, -1 for none */
    dn_counts counts;
    int64_t n_rows;   /**< length of every column */
    uint64_t content; /**< content_xxh3 */
} dn_entry;

void dn_entry_free(dn_entry *entry);

/** XXH3-64 over everything in the entry that must not change: kept in the file as ledger_xxh3. */
uint64_t dn_entry_seal(const dn_entry *entry);

/** Writes the entry as root attributes. */
dn_status dn_entry_write(dn_h5_file *file, const dn_entry *entry);

/** Gets every block of values while they are checked; may be NULL. */
typedef struct dn_ledger_reader {
    void (*block)(void *ctx, const dn_h5_info *info, const void *rows, size_t n_rows);
    void *ctx;
} dn_ledger_reader;

/** Opens a result file, checks its attributes, its seal and the length of every column, and, when
 * `deep`, all values against their hashes. VERIFY names the file and what is wrong. On OK the entry
 * is the caller's, dn_entry_free. blocks  on the disk      cost  deep: one pass over the file */
dn_status dn_ledger_check(const char *path, bool deep, const dn_ledger_reader *reader,
                          dn_entry *entry);

/** First offsets of the files in a partition's folder, rising. Names that are not ours are left
 * out. ownership: the caller, free. A missing folder has none. */
dn_status dn_ledger_list(const char *folder, int64_t **first, int *n);

/** "<folder>/<first offset, 20 digits>.h5"; ownership: the caller */
char *dn_ledger_path(const char *folder, int64_t first);

#endif
