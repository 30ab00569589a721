#include "cmd/batch_script.h"
#include "cmd/job_options.h"
#include "run/output.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "Usage: dunlin submit JOB.yaml [OPTIONS] [-- OPTIONS OF dunlin run]\n\n"
    "Writes a batch script for Slurm from a job file, hands it to sbatch and prints the number of "
    "the job. When its\n"
    "time limit comes near, the job drains, goes back to the queue and goes on where it "
    "stopped.\n\n"
    "  -n, --dry-run          print the script, submit nothing\n"
    "      --nodes N          nodes (default 1)\n"
    "      --ranks-per-node N ranks on each (default: one per GPU, else 1)\n"
    "      --gpus-per-node N  GPUs of each node; every rank sees them all (default 0)\n"
    "      --tp N             split each model over groups of N ranks (default 1); a group is "
    "fastest within a node\n"
    "      --cores-per-rank N cores of each rank (default: what the site gives)\n"
    "      --time LIMIT       MINUTES, HOURS:MINUTES:SECONDS or DAYS-HOURS (default: the "
    "partition's)\n"
    "      --array RANGE      one job per number, as 1-8 or 1-100%4; %a in the options of run is "
    "the "
    "number, and\n"
    "                         results are in OUTPUT/%a unless the output has one\n"
    "      --live             a run without end (default: until the end of what is there)\n"
    "      --site FILE        what your computing centre needs: see slurm/env.sh\n\n"
    "Examples:\n"
    "  dunlin submit jobs/tweets.yaml --dry-run\n"
    "  dunlin submit jobs/tweets.yaml --nodes 4 --gpus-per-node 8 --time 2:00:00 --site my-site.sh "
    "-- "
    "\\\n"
    "      -b broker:9092 --set output=out/mine\n"
    "  dunlin submit jobs/tweets.yaml --array 1-16%4 -- --broker none --replay parts/%a.csv.xz\n\n"
    "Exit status: 0 submitted, 64 an option is wrong, 66 a file is not there, 69 no sbatch, or it "
    "refuses, 78 the job\n"
    "file is wrong.\n";

enum {
    OPT_NODES = 256,
    OPT_RANKS,
    OPT_GPUS,
    OPT_CORES,
    OPT_TP,
    OPT_TIME,
    OPT_ARRAY,
    OPT_LIVE,
    OPT_SITE,
    N_MAX = 100000
};

static const struct option known[] = {
    {"dry-run", no_argument, NULL, 'n'},
    {"nodes", required_argument, NULL, OPT_NODES},
    {"ranks-per-node", required_argument, NULL, OPT_RANKS},
    {"gpus-per-node", required_argument, NULL, OPT_GPUS},
    {"cores-per-rank", required_argument, NULL, OPT_CORES},
    {"tp", required_argument, NULL, OPT_TP},
    {"time", required_argument, NULL, OPT_TIME},
    {"array", required_argument, NULL, OPT_ARRAY},
    {"live", no_argument, NULL, OPT_LIVE},
    {"site", required_argument, NULL, OPT_SITE},
    {NULL, 0, NULL, 0},
};

static dn_status take_count(const char *option, const char *word, int64_t *out) {
    char *end;
    long n = strtol(word, &end, 10);
    if (end == word || *end || n < 1 || n > N_MAX) {
        return dn_cmd_usage("submit", "--%s %s: is no number from 1 to %d", option, word, N_MAX);
    }
    *out = n;
    return DN_OK;
}

static dn_status take_array(const char *word, const char **out) {
    if (!word[0] || word[strspn(word, "0123456789-,:%")]) {
        return dn_cmd_usage("submit", "--array %s: is no range as 1-8, 1-100%%4 or 1,5,7", word);
    }
    *out = word;
    return DN_OK;
}

static dn_status take(int letter, const char *value, dn_batch_script *out, bool *dry_run) {
    switch (letter) {
    case 'n':
        *dry_run = true;
        return DN_OK;
    case OPT_NODES:
        return take_count("nodes", value, &out->nodes);
    case OPT_RANKS:
        return take_count("ranks-per-node", value, &out->ranks_per_node);
    case OPT_GPUS:
        return take_count("gpus-per-node", value, &out->gpus_per_node);
    case OPT_CORES:
        return take_count("cores-per-rank", value, &out->cores_per_rank);
    case OPT_TP:
        return take_count("tp", value, &out->tp);
    case OPT_TIME:
        out->time = value;
        return DN_OK;
    case OPT_ARRAY:
        return take_array(value, &out->array);
    case OPT_LIVE:
        out->live = true;
        return DN_OK;
    case OPT_SITE:
        out->site = value;
        return DN_OK;
    default:
        return DN_FATAL;
    }
}

/* Everything behind "--" is left to dunlin run. */
static int own_arguments(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return i;
        }
    }
    return argc;
}

static dn_status check_groups(const dn_batch_script *script) {
    int64_t ranks = script->nodes * script->ranks_per_node;
    if (script->tp > 1 && ranks % script->tp) {
        return dn_cmd_usage("submit",
                            "--tp %lld: %lld rank%s cannot be put in groups of %lld; give "
                            "--ranks-per-node %lld, or a multiple",
                            (long long)script->tp, (long long)ranks, ranks == 1 ? "" : "s",
                            (long long)script->tp, (long long)script->tp);
    }
    return DN_OK;
}

static dn_status parse(int argc, char **argv, dn_batch_script *out, bool *dry_run) {
    int own = own_arguments(argc, argv);
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(own, argv, ":n", known)) != -1;) {
        DN_TRY(take(letter, optarg, out, dry_run));
    }
    if (optind + 1 != own) {
        return dn_cmd_usage("submit",
                            optind < own ? "one job file at a time; options of run follow behind --"
                                         : "which job? For example jobs/tweets.yaml");
    }
    out->job_file = argv[optind];
    out->n_run_options = own < argc ? argc - own - 1 : 0;
    out->run_options = argv + argc - out->n_run_options;
    out->nodes = out->nodes ? out->nodes : 1;
    if (!out->ranks_per_node) {
        out->ranks_per_node = out->gpus_per_node ? out->gpus_per_node : 1;
    }
    return check_groups(out);
}

/* The options of run, taken as run will take them: a mistake shows now, not when the job starts. */
static dn_status parse_run(const dn_batch_script *script, dn_job_options *options) {
    int argc = script->n_run_options + 2;
    char **argv = calloc((size_t)argc + 1, sizeof *argv);
    argv[0] = "run";
    for (int i = 0; i < script->n_run_options; i++) {
        argv[i + 1] = script->run_options[i];
    }
    argv[argc - 1] = (char *)script->job_file;
    dn_status status = dn_job_options_parse(argc, argv, options);
    free(argv);
    return status;
}

/* sbatch reads the script and prints the number of the job, or why not, for the user to see. */
static dn_status hand_over(const char *text) {
    signal(SIGPIPE, SIG_IGN);
    FILE *sbatch = popen("command -v sbatch >/dev/null || exit 127; exec sbatch --parsable", "w");
    if (!sbatch) {
        return DN_FAIL(SYSTEM, "submit: no shell can be started");
    }
    fputs(text, sbatch);
    int rc = pclose(sbatch);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) == 127) {
        return DN_FAIL(SCHEDULER, "submit: there is no sbatch here; run this where Slurm is (a "
                                  "login node), or see the script with --dry-run");
    }
    return rc == 0 ? DN_OK
                   : DN_FAIL(SCHEDULER, "submit: sbatch refused the job, its reason stands above; "
                                        "partition and account stand in a site file (--site)");
}

static dn_status submit(dn_batch_script *script, bool dry_run) {
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    dn_status status = dn_batch_script_write(script, memory);
    fclose(memory);
    if (status == DN_OK && dry_run) {
        fputs(text, stdout);
    } else if (status == DN_OK) {
        char *folder = dn_batch_log_folder(script);
        status = dn_make_folders(folder);
        free(folder);
        status = status == DN_OK ? hand_over(text) : status;
    }
    free(text);
    return status;
}

static dn_status open_and_submit(dn_batch_script *script, const dn_job_options *options,
                                 bool dry_run) {
    dn_job *job;
    DN_TRY(dn_job_open(script->job_file, &options->run.set, &job));
    dn_status status = dn_job_only(job, &options->run.only);
    script->job = job;
    status = status == DN_OK ? submit(script, dry_run) : status;
    dn_job_close(job);
    return status;
}

static dn_status run(int argc, char **argv) {
    dn_batch_script script = {0};
    dn_job_options options = {0};
    char program[PATH_MAX] = "";
    bool dry_run = false;
    DN_TRY(parse(argc, argv, &script, &dry_run));
    script.program = realpath("/proc/self/exe", program) ? program : "dunlin";
    dn_status status = parse_run(&script, &options);
    status = status == DN_OK ? open_and_submit(&script, &options, dry_run) : status;
    dn_job_options_free(&options);
    return status;
}

const dn_command dn_cmd_submit = {"submit", "have Slurm run a job", help, run};
