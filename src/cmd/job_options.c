#include "cmd/job_options.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPT_ONLY = 256,
    OPT_REPLAY,
    OPT_PACE,
    OPT_UNTIL,
    OPT_FORCE,
    OPT_OUTPUT,
    OPT_NO_TRACE,
    OPT_NO_PROGRESS,
    OPT_BACKEND,
    OPT_TP,
    OPT_REFERENCE,
    MAX_TP = 1024
};

static const struct option known[] = {
    {"set", required_argument, NULL, 's'},
    {"broker", required_argument, NULL, 'b'},
    {"only", required_argument, NULL, OPT_ONLY},
    {"replay", required_argument, NULL, OPT_REPLAY},
    {"pace", required_argument, NULL, OPT_PACE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"force", no_argument, NULL, OPT_FORCE},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"no-trace", no_argument, NULL, OPT_NO_TRACE},
    {"no-progress", no_argument, NULL, OPT_NO_PROGRESS},
    {"backend", required_argument, NULL, OPT_BACKEND},
    {"tp", required_argument, NULL, OPT_TP},
    {"reference", no_argument, NULL, OPT_REFERENCE},
    {"text", required_argument, NULL, 't'},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

static void add_setting(dn_job_options *out, const char *path, const char *joint,
                        const char *value) {
    char *assignment = dn_format("%s%s%s", path, joint, value);
    dn_list_put(&out->run.set, assignment);
    free(assignment);
}

static dn_status parse_until(const char *word, bool *bounded) {
    if (strcmp(word, "end") != 0 && strcmp(word, "forever") != 0) {
        return DN_FAIL(USAGE, "--until %s: is neither end nor forever", word);
    }
    *bounded = strcmp(word, "end") == 0;
    return DN_OK;
}

static dn_status parse_tp(const char *word, int *tp) {
    char *rest;
    long n = strtol(word, &rest, 10);
    if (rest == word || *rest || n < 1 || n > MAX_TP) {
        return DN_FAIL(USAGE, "--tp %s: is no number of ranks from 1 to %d", word, MAX_TP);
    }
    *tp = (int)n;
    return DN_OK;
}

static dn_status take(int letter, const char *value, dn_job_options *out) {
    switch (letter) {
    case 's':
        dn_list_put(&out->run.set, value);
        return DN_OK;
    case 'b':
        out->run.broker = value;
        return DN_OK;
    case 'X':
        add_setting(out, "kafka", ".", value);
        return DN_OK;
    case 't':
        out->text = value;
        return DN_OK;
    case 'v':
        dn_log_setup(DN_LOG_DEBUG, 0, 1);
        return DN_OK;
    case 'q':
        dn_log_setup(DN_LOG_WARN, 0, 1);
        out->run.progress = false;
        return DN_OK;
    case OPT_ONLY:
        dn_list_put(&out->run.only, value);
        return DN_OK;
    case OPT_REPLAY:
        add_setting(out, "*.corpus.path", "=", value);
        out->run.bounded = true;
        return DN_OK;
    case OPT_PACE:
        add_setting(out, "*.corpus.pace", "=", value);
        return DN_OK;
    case OPT_UNTIL:
        return parse_until(value, &out->run.bounded);
    case OPT_FORCE:
        out->run.force = true;
        return DN_OK;
    case OPT_OUTPUT:
        return dn_cmd_parse_format(value, &out->format);
    case OPT_NO_TRACE:
        out->run.trace = false;
        return DN_OK;
    case OPT_NO_PROGRESS:
        out->run.progress = false;
        return DN_OK;
    case OPT_BACKEND:
        add_setting(out, "*.model.backend", "=", value);
        return DN_OK;
    case OPT_TP:
        return parse_tp(value, &out->run.tp);
    case OPT_REFERENCE:
        out->reference = true;
        return DN_OK;
    default:
        return DN_FATAL;
    }
}

dn_status dn_job_options_parse(int argc, char **argv, dn_job_options *out) {
    *out = (dn_job_options){.run = {.tp = 1, .progress = true, .trace = true}};
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":s:b:X:t:vq", known)) != -1;) {
        DN_TRY(take(letter, optarg, out));
    }
    if (optind < argc) {
        out->run.job_file = argv[optind++];
    }
    if (optind < argc) {
        return dn_cmd_usage(argv[0], "one job file at a time, and then '%s'", argv[optind]);
    }
    if (!out->run.job_file && !out->reference) {
        return dn_cmd_usage(argv[0], "which job? For example jobs/tweets.yaml");
    }
    return DN_OK;
}

void dn_job_options_free(dn_job_options *options) {
    dn_list *lists[] = {&options->run.set, &options->run.only};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < lists[i]->n; k++) {
            free(lists[i]->item[k]);
        }
        free(lists[i]->item);
    }
}
