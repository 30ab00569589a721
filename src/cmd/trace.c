#include "trace/chrome.h"

#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: dunlin trace export OUTPUT/trace/RUN [-o FILE]\n\n"
    "Writes the trace of a run, all ranks together, as Chrome trace events: open the file in "
    "Perfetto or\n"
    "chrome://tracing. The trace files themselves are HDF5 (dunlin inspect).\n\n"
    "  -o FILE   where to write (default: standard output)\n\n"
    "Examples:\n"
    "  dunlin trace export out/tweets/trace/20261122T204733Z-4711 -o trace.json\n"
    "  dunlin trace export out/tweets/trace/* | gzip > trace.json.gz\n"
    "  dunlin inspect out/tweets/trace/20261122T204733Z-4711/r0000-0001.h5\n\n"
    "Exit status: 0 done, 65 a file is damaged, 66 nothing there, 73 and 74 it cannot be "
    "written.\n";

static dn_status export_to(const char *folder, const char *path) {
    if (!path) {
        return dn_trace_chrome(folder, stdout);
    }
    FILE *out = fopen(path, "w");
    if (!out) {
        return DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", path, strerror(errno));
    }
    dn_status status = dn_trace_chrome(folder, out);
    if (fclose(out) != 0 && status == DN_OK) {
        status = DN_FAIL(IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    return status;
}

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{NULL, 0, NULL, 0}};
    const char *path = NULL;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":o:", options)) != -1;) {
        if (letter != 'o') {
            return DN_FATAL;
        }
        path = optarg;
    }
    if (argc - optind != 2 || strcmp(argv[optind], "export") != 0) {
        return dn_cmd_usage("trace", "written as: trace export OUTPUT/trace/RUN [-o FILE]");
    }
    return export_to(argv[optind + 1], path);
}

const dn_command dn_cmd_trace = {"trace", "export a run's trace for Perfetto", help, run};
