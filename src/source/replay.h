#ifndef DN_SOURCE_REPLAY_H
#define DN_SOURCE_REPLAY_H
/** The engine behind the sources "corpus" and "generator": deals records to bins, keeps the pace.
 * Their property tables and bindings are in replay_conf.c. */
#include "source/bins.h"
#include "source/sources.h"

/** Set by the job file, completed by bind, const afterwards. */
typedef struct dn_replay_conf {
    char *path;
    int format;
    dn_map fields;
    int64_t n_partitions;
    int key;
    char *pace;
    int64_t limit;
    char *name;
    bool generated; /**< nothing is read: n_rows made-up records instead */
    int64_t n_rows, seed;
    double bad_share;
    char *file; /**< path from the working directory */
    char *topic;
    double speed; /**< of event time against wall time; 0: as fast as can be */
    dn_bins_columns columns;
} dn_replay_conf;

/** The reader's part of it, for one rank of one. */
dn_reader_spec dn_replay_spec(const dn_replay_conf *conf);

/** The calls of dn_source_ops. */
dn_status dn_replay_open(const void *conf, const dn_source_env *env, dn_source **source);
dn_status dn_replay_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk, dn_poll *what);
void dn_replay_stats(const dn_source *source, dn_source_stats *stats);
void dn_replay_close(dn_source *source);

#endif
