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
    "  -s, --set PATH=VALUE   set a property: output=DIR, ingest.corpus.limit=10k, "               \
    "enrich.model.path=DIR\n"                                                                      \
    "  -b, --broker WHERE     HOST:PORT, local or none\n"                                          \
    "  -X NAME=VALUE          a librdkafka property\n"                                             \
    "      --only NAME        only this pipeline (may be repeated)\n"                              \
    "      --replay FILE      read this corpus\n"                                                  \
    "      --pace PACE        max, recorded or a factor such as 8x\n"

/** Parses; the job file is the one argument that is no option. USAGE failures. */
dn_status dn_job_options_parse(int argc, char **argv, dn_job_options *out);
void dn_job_options_free(dn_job_options *options);

#endif
