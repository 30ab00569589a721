/* The page itself is made by bench/report in Python; this finds both and becomes them. */
#include "base/home.h"
#include "base/memory.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 8 };

static const char help[] =
    "Usage: dunlin report RUN [-o PAGE]\n\n"
    "Makes one HTML page about a run from its trace and results: what ran, what limited it, "
    "throughput, latency,\n"
    "batches, labels by language, dead letters, topology, share of each measured ceiling. The page "
    "needs neither\n"
    "network nor scripts. RUN is an output folder (its newest trace) or one folder below "
    "trace/.\n\n"
    "  -o PAGE   where to write (default: RUN/report.html)\n\n"
    "Needs Python with h5py and numpy: $DUNLIN_PYTHON, else build/venv of the source tree (made by "
    "scripts/python),\n"
    "else python3.\n\n"
    "Examples:\n"
    "  dunlin report out/tweets\n"
    "  dunlin report out/tweets/trace/20261122T204733Z-4711 -o page.html\n"
    "  DUNLIN_PYTHON=/opt/conda/bin/python dunlin report out/tweets\n\n"
    "Exit status: 0 done, 65 a file is damaged, 66 no run there, 69 Python or its packages are "
    "missing, 73 the page\n"
    "cannot be written.\n";

static dn_status find_report(char **report) {
    const char *home = dn_home();
    *report = dn_format("%s/bench/report", home ? home : ".");
    return access(*report, R_OK) == 0
               ? DN_OK
               : DN_FAIL(NO_INPUT,
                         "%s is missing: is this a whole source tree or installation? DUNLIN_HOME "
                         "names another",
                         *report);
}

static char *find_python(void) {
    const char *named = getenv("DUNLIN_PYTHON");
    if (named && named[0]) {
        return dn_strdup(named);
    }
    char *venv = dn_format("%s/build/venv/bin/python", dn_home());
    if (access(venv, X_OK) == 0) {
        return venv;
    }
    free(venv);
    return dn_strdup("python3");
}

static dn_status become(char *report, char *python, const char *run, const char *page) {
    const char *words[MAX_WORDS] = {python, "-B", report};
    int n = 3;
    if (page) {
        words[n++] = "-o";
        words[n++] = page;
    }
    words[n++] = "--";
    words[n] = run;
    execvp(python, (char *const *)words);
    return DN_FAIL(UNAVAILABLE,
                   "%s: %s; the page needs Python with h5py and numpy: scripts/python makes "
                   "build/venv with both, or name one with DUNLIN_PYTHON",
                   python, strerror(errno));
}

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{NULL, 0, NULL, 0}};
    const char *page = NULL;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":o:", options)) != -1;) {
        if (letter != 'o') {
            return DN_FATAL;
        }
        page = optarg;
    }
    if (argc - optind != 1) {
        return dn_cmd_usage("report", "written as: report RUN [-o PAGE]");
    }
    char *report;
    dn_status status = find_report(&report);
    if (status == DN_OK) {
        char *python = find_python();
        status = become(report, python, argv[optind], page);
        free(python);
    }
    free(report);
    return status;
}

const dn_command dn_cmd_report = {"report", "make one page of pictures about a run", help, run};
