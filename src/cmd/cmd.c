#include "cmd/cmd.h"

#include "base/home.h"
#include "base/log.h"
#include "cmd/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const dn_command *const commands[] = {
    &dn_cmd_run,
    &dn_cmd_top,
    &dn_cmd_check,
    &dn_cmd_describe,
    &dn_cmd_explain,
    &dn_cmd_corpus,
    &dn_cmd_model,
    &dn_cmd_inspect,
    &dn_cmd_verify,
    &dn_cmd_index,
    &dn_cmd_trace,
    &dn_cmd_report,
    &dn_cmd_submit,
    NULL,
};

static int exit_status;
static bool muted;

void dn_cmd_mute(void) {
    muted = true;
}

void dn_cmd_exit_with(int status) {
    exit_status = status;
}

dn_status dn_cmd_usage(const char *command, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return DN_FAIL(USAGE, "%s: %s (see dunlin %s --help)", command, text, command);
}

int dn_cmd_getopt(int argc, char **argv, const char *letters, const struct option *options) {
    opterr = 0;
    int letter = getopt_long(argc, argv, letters, options, NULL);
    if (letter != '?' && letter != ':') {
        return letter;
    }
    const char *word = argv[optind - 1];
    if (letter == ':') {
        dn_cmd_usage(argv[0], "the option %s needs a value", word);
        return '?';
    }
    for (const struct option *option = options; option->name; option++) {
        if (strncmp(word, "--", 2) == 0 && dn_near(word + 2, option->name)) {
            dn_cmd_usage(argv[0], "unknown option %s; did you mean --%s?", word, option->name);
            return '?';
        }
    }
    dn_cmd_usage(argv[0], "unknown option %s", word);
    return '?';
}

dn_status dn_cmd_parse_format(const char *word, dn_cmd_format *out) {
    static const char *const words[] = {"table", "json", "csv"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (dn_cmd_format)i;
            return DN_OK;
        }
    }
    return DN_FAIL(USAGE, "--output %s: is none of table, json, csv", word);
}

static void print_help(FILE *out) {
    fprintf(out, "Usage: dunlin COMMAND [OPTIONS]\n\n"
                 "Language models over message streams: Kafka or recorded corpora in, HDF5 out, "
                 "exactly once.\n\n");
    for (int i = 0; commands[i]; i++) {
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(
        out,
        "\n"
        "  dunlin COMMAND --help   explains a command, with examples and exit statuses\n"
        "  dunlin help E2001       explains an error code: causes and what to do\n"
        "  dunlin --errors         lists all error codes with their exit statuses\n"
        "  dunlin --version        prints the versions of Dunlin and its libraries\n"
        "  dunlin --home           prints the folder of jobs, models and scripts\n\n"
        "Examples:\n"
        "  dunlin check jobs/tweets.yaml\n"
        "  dunlin run jobs/tweets.yaml --broker none --set output=out/first\n"
        "  dunlin explain jobs/tweets.yaml --text \"what a lovely morning\"\n\n"
        "Exit status: 0 done, others as dunlin --errors says (sysexits.h; 75: start it again to "
        "go on).\n");
}

static int print_errors(FILE *out) {
    fprintf(out, "code   exit  meaning\n");
    for (int i = DN_E_NONE + 1; i < DN_E_COUNT; i++) {
        const dn_error_info *info = dn_error_get((dn_error)i);
        fprintf(out, "E%-5d %4d  %s\n", info->number, info->exit_status, info->sentence);
    }
    return 0;
}

static int print_home(FILE *out) {
    if (!dn_home()) {
        fprintf(stderr, "dunlin: E1301 neither PREFIX/share/dunlin nor a source tree is above this "
                        "program; set DUNLIN_HOME\n");
        return EX_NOINPUT;
    }
    fprintf(out, "%s\n", dn_home());
    return 0;
}

/* "E2001", "e2001" or "2001". */
static const dn_error_info *find_error(const char *word) {
    char *end;
    long number = strtol(word[0] == 'E' || word[0] == 'e' ? word + 1 : word, &end, 10);
    for (int i = DN_E_NONE + 1; i < DN_E_COUNT && !*end; i++) {
        if (dn_error_get((dn_error)i)->number == number) {
            return dn_error_get((dn_error)i);
        }
    }
    return NULL;
}

static int explain_error(const char *word) {
    const dn_error_info *info = find_error(word);
    if (!info) {
        fprintf(stderr, "dunlin: E1001 there is no error code %s (see dunlin --errors)\n", word);
        return EX_USAGE;
    }
    printf("E%d, exit status %d: %s\n\ntypical causes\n  %s\nwhat to do\n  %s\n", info->number,
           info->exit_status, info->sentence, info->causes, info->remedy);
    return 0;
}

static const dn_command *find(const char *name) {
    for (int i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int unknown(const char *name) {
    for (int i = 0; commands[i]; i++) {
        if (dn_near(name, commands[i]->name)) {
            fprintf(stderr, "dunlin: E1001 unknown command '%s'; did you mean '%s'?\n", name,
                    commands[i]->name);
            return EX_USAGE;
        }
    }
    fprintf(stderr, "dunlin: E1001 unknown command '%s' (see dunlin --help)\n", name);
    return EX_USAGE;
}

static void print_command_help(const dn_command *command) {
    printf("dunlin %s: %s\n\n%s", command->name, command->summary, command->help);
}

/* `help`, `help COMMAND` or `help E2001` */
static int help(const char *what) {
    const dn_command *command = find(what);
    if (command) {
        print_command_help(command);
        return 0;
    }
    if (find_error(what) || (what[0] == 'E' && strspn(what + 1, "0123456789") > 0)) {
        return explain_error(what);
    }
    if (what[0]) {
        return unknown(what);
    }
    print_help(stdout);
    return 0;
}

static int run_command(const dn_command *command, int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_command_help(command);
            return 0;
        }
    }
    if (command->run(argc, argv) != DN_OK) {
        if (!muted) {
            dn_log_failure();
        }
        return dn_error_get(dn_failure_last()->error)->exit_status;
    }
    return exit_status;
}

/* What was printed must have arrived. */
static int flushed(int status) {
    if (fflush(stdout) != 0 && status == 0) {
        fprintf(stderr, "dunlin: E1701 standard output cannot be written\n");
        return EX_IOERR;
    }
    return status;
}

static int run_main(int argc, char **argv) {
    const char *first = argc > 1 ? argv[1] : "";
    if (!first[0]) {
        print_help(stderr);
        return EX_USAGE;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        return help(argc > 2 ? argv[2] : "");
    }
    if (strcmp(first, "--version") == 0) {
        dn_version_print(stdout);
        return 0;
    }
    if (strcmp(first, "--errors") == 0) {
        return argc > 2 ? explain_error(argv[2]) : print_errors(stdout);
    }
    if (strcmp(first, "--home") == 0) {
        return print_home(stdout);
    }
    const dn_command *command = find(first);
    return command ? run_command(command, argc - 1, argv + 1) : unknown(first);
}

int dn_cmd_main(int argc, char **argv) {
    return flushed(run_main(argc, argv));
}
