#ifndef DN_SOURCE_READER_H
#define DN_SOURCE_READER_H
/** A corpus, record by record: what CSV, JSON Lines and the packed form have in common. */
#include "base/props.h"
#include "base/span.h"
#include "source/feed.h"
#include "source/partition.h"

/** What a field of a corpus is for us. The job file's `fields` maps these names to the names in the
 * corpus. */
typedef enum dn_role {
    DN_ROLE_CREATED_AT,
    DN_ROLE_USER,
    DN_ROLE_TEXT,
    DN_ROLE_LANGUAGE,
    DN_ROLE_ID, /**< the corpus's own identifier; read only when it is mapped */
    DN_ROLES
} dn_role;

/** A record. Spans are views that live until the next call, or until close where `stable`. Null:
 * absent. */
typedef struct dn_record {
    int64_t number;     /**< in the corpus, from 0; bad records count */
    int64_t created_ms; /**< INT64_MIN: unknown */
    dn_span user, text, language, source_id;
    const char *reason;  /**< NULL: sound; else a literal, a class for counting: "bad UTF-8" */
    dn_span detail;      /**< bad: what exactly and where */
    dn_span raw;         /**< bad: its bytes, or their beginning when oversize */
    uint32_t size_bytes; /**< what it takes in a chunk */
    bool stable;
} dn_record;

/** Which records. lends until close */
typedef struct dn_reader_spec {
    const char *path;
    const dn_map *fields; /**< may be empty */
    dn_key key;
    int32_t n_partitions;
    int rank, size;
    const int64_t *start; /**< [n_partitions] first number wanted; NULL: all */
    dn_feed_pull
        *pull; /**< jsonl: where the bytes come from instead of a file; path is then a name */
    void *pull_ctx;
} dn_reader_spec;

typedef struct dn_reader dn_reader;

/** How far: bytes of the file, or records where the total is known. */
typedef struct dn_progress {
    uint64_t done, total; /**< total 0: unknown */
} dn_progress;

typedef struct dn_reader_ops {
    const char *name;
    /** NO_INPUT; CONFIG when a mapped field is not there; DATA when the file is not of this kind.
     */
    dn_status (*open)(const dn_reader_spec *spec, dn_reader **reader);
    /** The next record of this rank and its partition, rising by number; `*end` instead at the end.
     * DATA when the corpus is cut or damaged, after all whole records. A text format gives every
     * partition's records. */
    dn_status (*next)(dn_reader *reader, dn_record *record, int32_t *partition, bool *end);
    dn_progress (*progress)(const dn_reader *reader);
    void (*close)(dn_reader *reader);
} dn_reader_ops;

extern const dn_reader_ops dn_reader_csv, dn_reader_jsonl, dn_reader_packed;

/** "auto", then the names of the readers, NULL-terminated: the words of the prop `format`. */
extern const char *const dn_format_names[];

/** The reader for a word of dn_format_names by its index; for auto by the first bytes of the
 * (decompressed) file: an HDF5 signature, a brace, or else CSV. */
dn_status dn_reader_choose(const char *path, int format, const dn_reader_ops **ops);

/** Where each role stands among the names of a header; -1: not there. `fields` decides; what it
 * leaves open is taken from the known corpora and from Dunlin's own names. CONFIG when a mapped
 * name or the text is not there: lists the names that are and the nearest one. */
dn_status dn_header_resolve(const char *path, const dn_span *names, int n, const dn_map *fields,
                            int column[DN_ROLES]);

/** The JSON name of each role, NULL: not wanted. CONFIG for a role that does not exist. */
dn_status dn_fields_resolve(const dn_map *fields, const char *name[DN_ROLES]);

/** Checks the texts of a record (UTF-8, NUL, absent and empty text) and its time, or gives the
 * reason and its detail. */
void dn_record_check(dn_record *record, dn_span created_at, char *detail, size_t detail_size);

/** Marks it bad: empties it, sets the reason and prints the detail into the buffer. */
void dn_record_spoil(dn_record *record, const char *reason, dn_span raw, char *detail,
                     size_t detail_size, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/** Partition of a record, sound or bad. */
int32_t dn_record_place(const dn_record *record, dn_key key, int32_t n_partitions);

#endif
