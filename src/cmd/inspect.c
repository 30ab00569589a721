#include "sink/inspect.h"

#include "cmd/cmd.h"

#include <stdio.h>

static const char help[] = "Usage: dunlin inspect PATH [-n ROWS]\n\n"
                           "Shows what a result file holds (attributes, datasets, first rows) or "
                           "lists the files of an output folder.\n\n"
                           "  -n, --rows ROWS   rows to show (default 10)\n\n"
                           "Examples:\n"
                           "  dunlin inspect out/tweets\n"
                           "  dunlin inspect out/tweets/index.h5 -n 20\n"
                           "  dunlin inspect out/tweets/rows/tweets/3/00000000000000000000.h5\n\n"
                           "Exit status: 0 done, 65 a file is damaged, 66 nothing there.\n";

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{"rows", required_argument, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    int64_t n_rows = 10;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":n:", options)) != -1;) {
        DN_TRY(letter == 'n' ? dn_parse_count(optarg, &n_rows) : DN_FATAL);
    }
    if (argc - optind != 1) {
        return dn_cmd_usage("inspect", "written as: inspect PATH [-n ROWS]");
    }
    return dn_inspect(argv[optind], n_rows, stdout);
}

const dn_command dn_cmd_inspect = {"inspect", "show what a result file or an output folder holds",
                                   help, run};
