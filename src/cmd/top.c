#include "base/clock.h"
#include "base/memory.h"
#include "cmd/cmd.h"
#include "io/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_ONCE = 256, OPT_OUTPUT, STATUS_MAX = 4 << 20, MAX_RANKS = 4096 };
static const int64_t STALE_NS = 10000000000;

static const char help[] =
    "Usage: dunlin top OUTPUT [--once] [--output table|json]\n\n"
    "Shows a running job, rank by rank: rates, queues, busy share and p95 of each part, lag of "
    "each partition. It reads\n"
    "OUTPUT/status, which the ranks write once a second, so it works from any machine that sees "
    "the folder.\n\n"
    "      --once             print once and end (also when standard output is no terminal)\n"
    "      --output FORMAT    table, or json: the ranks' own lines\n\n"
    "Examples:\n"
    "  dunlin top out/tweets\n"
    "  dunlin top out/tweets --once\n"
    "  watch -n 10 dunlin top /scratch/run1 --once --output json\n\n"
    "Exit status: 0 done, 66 no job runs there.\n";

static int64_t whole(const dn_json_at *at, const char *key) {
    dn_json_at value;
    int64_t number = -1;
    if (dn_json_find(at, key, &value)) {
        dn_json_int(&value, INT64_MIN, INT64_MAX, &number);
    }
    return number;
}

static double real(const dn_json_at *at, const char *key) {
    dn_json_at value;
    double number = 0;
    if (dn_json_find(at, key, &value)) {
        dn_json_real(&value, -1e300, 1e300, &number);
    }
    return number;
}

static const char *word(const dn_json_at *at, const char *key) {
    dn_json_at value;
    const char *text = "";
    if (dn_json_find(at, key, &value)) {
        dn_json_text(&value, &text);
    }
    return text;
}

typedef void item_printer(const dn_json_at *item);

static void each(const dn_json_at *at, const char *key, item_printer *print) {
    dn_json_at list;
    if (dn_json_find(at, key, &list)) {
        for (size_t i = 0; i < dn_json_count(&list); i++) {
            dn_json_at item = dn_json_item(&list, i);
            print(&item);
        }
    }
}

static void print_part(const dn_json_at *part) {
    printf("    %-14s %3lld thread%s  busy %5.1f %%  p95 %9.3f ms a call\n", word(part, "name"),
           (long long)whole(part, "threads"), whole(part, "threads") == 1 ? " " : "s",
           100 * real(part, "busy"), 1e3 * real(part, "p95_s"));
}

static void print_queue(const dn_json_at *queue) {
    printf("  %s %lld/%lld", word(queue, "name"), (long long)whole(queue, "depth"),
           (long long)whole(queue, "capacity"));
}

static void print_lag(const dn_json_at *lag) {
    if (whole(lag, "lag") >= 0) {
        printf("  %lld:%lld", (long long)whole(lag, "partition"), (long long)whole(lag, "lag"));
    }
}

static bool has_any(const dn_json_at *at, const char *key) {
    dn_json_at list;
    return dn_json_find(at, key, &list) && dn_json_count(&list) > 0;
}

/* Only topics of a broker have one. */
static bool knows_lag(const dn_json_at *pipeline) {
    dn_json_at lags, first;
    if (!dn_json_find(pipeline, "lags", &lags) || dn_json_count(&lags) == 0) {
        return false;
    }
    first = dn_json_item(&lags, 0);
    return whole(&first, "lag") >= 0;
}

static void print_pipeline(const dn_json_at *pipeline) {
    printf("  %s: %lld in, %lld out, %lld dead", word(pipeline, "name"),
           (long long)whole(pipeline, "records_in"), (long long)whole(pipeline, "rows_out"),
           (long long)whole(pipeline, "dead_letters"));
    if (whole(pipeline, "total") > 0) {
        printf(", %.0f %%",
               100.0 * (double)whole(pipeline, "records_in") / (double)whole(pipeline, "total"));
    }
    printf("; %.0f records/s, %.0f tokens/s\n", real(pipeline, "records_per_s"),
           real(pipeline, "tokens_per_s"));
    each(pipeline, "parts", print_part);
    if (has_any(pipeline, "queues")) {
        printf("    queues");
        each(pipeline, "queues", print_queue);
        printf("\n");
    }
    if (knows_lag(pipeline)) {
        printf("    lag   ");
        each(pipeline, "lags", print_lag);
        printf("\n");
    }
}

static void print_table(const dn_json_at *root) {
    int64_t age_ns = dn_wall_ns() - whole(root, "wall_ns");
    char grid[64] = "";
    if (whole(root, "tensor_parallel") > 1) {
        snprintf(grid, sizeof grid, ", part %lld of group %lld", (long long)whole(root, "part"),
                 (long long)whole(root, "group"));
    }
    printf("rank %lld of %lld%s, process %lld, run %s, %.0f s%s\n", (long long)whole(root, "rank"),
           (long long)whole(root, "size"), grid, (long long)whole(root, "pid"), word(root, "run"),
           real(root, "elapsed_s"),
           age_ns > STALE_NS ? "  (no news for over 10 s: is it still alive?)" : "");
    each(root, "pipelines", print_pipeline);
}

static void print_raw(const char *path) {
    FILE *file = fopen(path, "r");
    if (file) {
        for (int c; (c = fgetc(file)) != EOF;) {
            putchar(c);
        }
        fclose(file);
    }
}

static int is_status(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] == 'r' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

/* A file that a rank removes just now is no error: the rank has ended. */
static void print_rank(const char *path, dn_cmd_format format) {
    dn_json *doc;
    if (format == DN_FORMAT_JSON) {
        print_raw(path);
    } else if (dn_json_load(path, STATUS_MAX, DN_E_DATA, &doc) == DN_OK) {
        dn_json_at root = dn_json_root(doc);
        print_table(&root);
        dn_json_free(doc);
    }
}

static dn_status print_all(const char *output, dn_cmd_format format, int *n_ranks) {
    char *folder = dn_format("%s/status", output);
    struct dirent **entry = NULL;
    *n_ranks = scandir(folder, &entry, is_status, alphasort);
    for (int i = 0; i < *n_ranks; i++) {
        char *path = dn_format("%s/%s", folder, entry[i]->d_name);
        print_rank(path, format);
        free(path);
        free(entry[i]);
    }
    free(entry);
    free(folder);
    return *n_ranks > 0
               ? DN_OK
               : DN_FAIL(
                     NO_INPUT,
                     "%s: no job runs there (no %s/status/r*.json); `dunlin inspect` shows results",
                     output, output);
}

/* Every second until the last rank has ended. */
static dn_status follow(const char *output) {
    int n_ranks;
    DN_TRY(print_all(output, DN_FORMAT_TABLE, &n_ranks));
    do {
        sleep(1);
        printf("\033[H\033[2J");
        (void)print_all(output, DN_FORMAT_TABLE, &n_ranks);
        fflush(stdout);
    } while (n_ranks > 0);
    printf("the job has ended\n");
    return DN_OK;
}

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{"once", no_argument, NULL, OPT_ONCE},
                                            {"output", required_argument, NULL, OPT_OUTPUT},
                                            {NULL, 0, NULL, 0}};
    bool once = !isatty(STDOUT_FILENO);
    dn_cmd_format format = DN_FORMAT_TABLE;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":", options)) != -1;) {
        if (letter == OPT_OUTPUT) {
            DN_TRY(dn_cmd_parse_format(optarg, &format));
        } else if (letter != OPT_ONCE) {
            return DN_FATAL;
        }
        once = true;
    }
    if (argc - optind != 1 || format == DN_FORMAT_CSV) {
        return dn_cmd_usage("top", "written as: top OUTPUT [--once] [--output table|json]");
    }
    int n_ranks;
    return once ? print_all(argv[optind], format, &n_ranks) : follow(argv[optind]);
}

const dn_command dn_cmd_top = {"top", "watch a running job", help, run};
