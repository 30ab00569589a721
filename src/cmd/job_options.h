#ifndef DN_CMD_JOB_OPTIONS_H
#define DN_CMD_JOB_OPTIONS_H
/** Options that run, check and describe share: which job, and what the command line changes in it.
 */
#include "cmd/cmd.h"
#include "run/run.h"

typedef struct dn_job_options {
    dn_run_options run;
    dn_cmd_format format;
    const char *text; /**< explain */
    bool reference;   /**< describe */
} dn_job_options;

#define DN_JOB_OPTIONS_HELP                                                                        \
    "  -s, --set PATH=VALUE   set a property of the job: output=DIR, or "                          \
    "PIPELINE.PART.PROPERTY=VALUE\n"                                                               \
    "                         such as ingest.corpus.limit=10k (all of them: dunlin describe "      \
    "--reference)\n"                                                                               \
    "  -b, --broker WHERE     the Kafka broker: HOST:PORT, local (started here) or none (topics "  \
    "stay in memory)\n"                                                                            \
    "  -X NAME=VALUE          a property of librdkafka, the Kafka library\n"                       \
    "      --only NAME        only this pipeline (may be repeated)\n"                              \
    "      --replay FILE      read this corpus instead of the job's: CSV, JSON Lines or packed; "  \
    "gzip, zstd, xz\n"                                                                             \
    "      --pace PACE        of a corpus: max, recorded (by its times) or a factor such as 8x\n"

/** Parses; the job file is the one argument that is no option. USAGE failures. */
dn_status dn_job_options_parse(int argc, char **argv, dn_job_options *out);
void dn_job_options_free(dn_job_options *options);

#endif
