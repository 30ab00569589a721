#ifndef DN_CMD_CMD_H
#define DN_CMD_CMD_H
/** The command line: one file per subcommand, one row each in the table of cmd.c. Data goes to
 * standard output, all else to standard error; exit statuses are those of sysexits.h. */
#include "base/props.h"
#include "base/status.h"

#include <getopt.h>

typedef struct dn_command {
    const char *name;
    const char *summary; /**< one line */
    const char *help;    /**< usage, options, three examples, exit statuses */
    dn_status (*run)(
        int argc,
        char **argv); /**< argv[0] is the subcommand; failures are recorded, main prints them */
} dn_command;

extern const dn_command dn_cmd_run, dn_cmd_check, dn_cmd_describe, dn_cmd_corpus, dn_cmd_verify,
    dn_cmd_inspect, dn_cmd_model, dn_cmd_index, dn_cmd_trace, dn_cmd_explain, dn_cmd_top, dn_cmd_submit,
    dn_cmd_report;

/** Called by main. The exit status. */
int dn_cmd_main(int argc, char **argv);

/** What a run that ended well wants as exit status (75 after a drain); 0 unless set. */
void dn_cmd_exit_with(int status);

/** Leaves the printing of this process's failure to rank 0, which has the same. */
void dn_cmd_mute(void);

/** USAGE failure of a subcommand, with a hint at its --help. */
dn_status dn_cmd_usage(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** getopt_long with our error text: the option's letter, -1 at the end, '?' with a recorded USAGE
 * failure. */
int dn_cmd_getopt(int argc, char **argv, const char *letters, const struct option *options);

/** How results are printed. */
typedef enum dn_cmd_format { DN_FORMAT_TABLE, DN_FORMAT_JSON, DN_FORMAT_CSV } dn_cmd_format;
dn_status dn_cmd_parse_format(const char *word, dn_cmd_format *out);

#endif
