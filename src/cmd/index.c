#include "sink/index.h"

#include "cmd/cmd.h"

#include <stdio.h>
#include <unistd.h>

static const char help[] =
    "Usage: dunlin index OUTPUT\n\n"
    "Builds OUTPUT/index.h5 anew: all result files as if they were one (HDF5 virtual datasets). A "
    "run does it at its end;\n"
    "this does it while one is going on, or after files were moved.\n\n"
    "Examples:\n"
    "  dunlin index out/tweets\n"
    "  dunlin index /archive/tweets\n"
    "  dunlin index out/tweets && h5ls -r out/tweets/index.h5\n\n"
    "Exit status: 0 done, 65 a file is damaged, 66 nothing there, 73 the index cannot be made.\n";

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{NULL, 0, NULL, 0}};
    optind = 1;
    if (dn_cmd_getopt(argc, argv, ":", options) != -1) {
        return DN_FATAL;
    }
    if (argc - optind != 1) {
        return dn_cmd_usage("index", "written as: index OUTPUT");
    }
    if (access(argv[optind], F_OK) != 0) {
        return DN_FAIL(NO_INPUT, "%s: there is no such output folder", argv[optind]);
    }
    DN_TRY(dn_index_build(argv[optind]));
    printf("%s/index.h5\n", argv[optind]);
    return DN_OK;
}

const dn_command dn_cmd_index = {
    "index", "build the index over all result files of an output folder", help, run};
