#include "cmd/batch_script.h"

#include "base/home.h"
#include "base/memory.h"
#include "run/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLURM_EARLY_S = 60, NS_PER_S = 1000000000 };

/* ---- the signal before the time limit ---- */

static int64_t duration_of(const dn_prop *props, const void *conf, const char *name) {
    const dn_prop *prop = props ? dn_prop_find(props, name) : NULL;
    return prop && prop->type == DN_P_DURATION
               ? *(const int64_t *)((const char *)conf + prop->offset)
               : 0;
}

static int64_t longer(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Slurm may send the signal 60 s early (sbatch's manual), and late by as much as it is slow. */
int64_t dn_batch_lead_s(const dn_job *job) {
    int64_t batch_ns = 0, commit_ns = 0;
    for (int i = 0; i < job->n_pipelines; i++) {
        const dn_pipeline_plan *p = &job->pipeline[i];
        int64_t models_ns = 0; /* a text may wait in a batch of each, one after the other */
        for (int k = 0; k < p->n_scorers; k++) {
            models_ns += duration_of(p->scorer[k]->props, p->scorer_conf[k], "deadline");
        }
        batch_ns = longer(batch_ns, models_ns);
        for (int k = 0; k < p->n_sinks; k++) {
            commit_ns =
                longer(commit_ns, duration_of(p->sink[k]->props, p->sink_conf[k], "commit"));
        }
    }
    return SLURM_EARLY_S +
           (DN_DRAIN_LIMIT_NS + batch_ns + commit_ns + NS_PER_S - 1) / (int64_t)NS_PER_S;
}

/* Seconds of M, M:S, H:M:S, D-H, D-H:M and D-H:M:S; -1 when it is none of them. */
static int64_t limit_s(const char *text) {
    static const int64_t without_days[3][3] = {{60}, {60, 1}, {3600, 60, 1}};
    static const int64_t with_days[3] = {3600, 60, 1};
    const char *dash = strchr(text, '-');
    long days = 0, field[3] = {0};
    char rest;
    if (dash && sscanf(text, "%ld-", &days) != 1) {
        return -1;
    }
    const char *clock = dash ? dash + 1 : text;
    int n = sscanf(clock, "%ld:%ld:%ld%c", &field[0], &field[1], &field[2], &rest);
    if (n < 1 || n > 3 || clock[strspn(clock, "0123456789:")] != '\0') {
        return -1;
    }
    int64_t sum = (int64_t)days * 24 * 3600;
    for (int i = 0; i < n; i++) {
        sum += field[i] * (dash ? with_days[i] : without_days[n - 1][i]);
    }
    return sum;
}

static dn_status check_time(const dn_batch_script *script) {
    if (!script->time) {
        return DN_OK;
    }
    int64_t limit = limit_s(script->time), lead = dn_batch_lead_s(script->job);
    if (limit < 0) {
        return DN_FAIL(USAGE,
                       "submit: --time %s: is none of MINUTES, HOURS:MINUTES:SECONDS, DAYS-HOURS",
                       script->time);
    }
    return limit > lead
               ? DN_OK
               : DN_FAIL(USAGE,
                         "submit: --time %s: the job has to hear of its end %lld s before; "
                         "give it %lld minutes at least",
                         script->time, (long long)lead, (long long)lead / 60 + 2);
}

/* ---- head ---- */

char *dn_batch_log_folder(const dn_batch_script *script) {
    char *folder = dn_strdup(script->job->conf.output);
    char *task = script->array ? strstr(folder, "%a") : NULL;
    if (task) {
        *task = '\0';
        char *slash = strrchr(folder, '/');
        char *above = slash ? dn_format("%.*s", (int)(slash - folder), folder) : dn_strdup(".");
        free(folder);
        return above;
    }
    return folder;
}

static void write_count(FILE *out, const char *option, int64_t n) {
    if (n) {
        fprintf(out, "#SBATCH --%s%lld\n", option, (long long)n);
    }
}

static void write_word(FILE *out, const char *option, const char *word) {
    if (word) {
        const char *quote = strpbrk(word, " \t") ? "\"" : "";
        fprintf(out, "#SBATCH --%s=%s%s%s\n", option, quote, word, quote);
    }
}

static void write_head(const dn_batch_script *script, FILE *out) {
    fprintf(out, "#!/usr/bin/env bash\n# %s, written by dunlin submit from %s\n",
            script->live ? "A run without end" : "A run that ends", script->job_file);
    write_word(out, "job-name", script->job->conf.job);
    write_count(out, "nodes=", script->nodes);
    write_count(out, "ntasks-per-node=", script->ranks_per_node);
    write_count(out, "gres=gpu:", script->gpus_per_node);
    write_count(out, "cpus-per-task=", script->cores_per_rank);
    write_word(out, "time", script->time);
    write_word(out, "array", script->array);
    fprintf(out,
            "# %d s by which Slurm may be early, %lld s to drain, the longest batch and "
            "transaction\n",
            SLURM_EARLY_S, (long long)(DN_DRAIN_LIMIT_NS / NS_PER_S));
    fprintf(out, "#SBATCH --signal=USR1@%lld\n", (long long)dn_batch_lead_s(script->job));
    fprintf(out, "#SBATCH --requeue\n#SBATCH --open-mode=append\n");
    char *folder = dn_batch_log_folder(script);
    char *log = dn_format("%s/slurm-%s.log", folder, script->array ? "%A_%a" : "%j");
    write_word(out, "output", log);
    free(log);
    free(folder);
}

/* ---- body ---- */

/* Copies the lines of a file that are #SBATCH lines, or those that are not. */
static dn_status copy_lines(const char *path, bool sbatch, FILE *out) {
    FILE *file = fopen(path, "r");
    if (!file) {
        return DN_FAIL(NO_INPUT, "submit: %s: %s", path, strerror(errno));
    }
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        if ((strncmp(line, "#SBATCH", 7) == 0) == sbatch) {
            fputs(line, out);
            fputs(strchr(line, '\n') ? "" : "\n", out);
        }
    }
    free(line);
    fclose(file);
    return DN_OK;
}

static bool is_plain(const char *text) {
    return text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_-+=:,./@%")] == '\0';
}

/* Where it is needed in single quotes, which end where the shell has to put in the task's number.
 */
static void write_quoted(const dn_batch_script *script, const char *text, FILE *out) {
    if (is_plain(text) && !(script->array && strstr(text, "%a"))) {
        fprintf(out, " %s", text);
        return;
    }
    fputs(" '", out);
    for (const char *at = text; *at; at++) {
        if (*at == '\'') {
            fputs("'\\''", out);
        } else if (script->array && strncmp(at, "%a", 2) == 0) {
            fputs("'\"$SLURM_ARRAY_TASK_ID\"'", out);
            at++;
        } else {
            fputc(*at, out);
        }
    }
    fputc('\'', out);
}

static void write_run(const dn_batch_script *script, FILE *out) {
    fputs("dunlin_ranks run", out);
    write_quoted(script, script->job_file, out);
    if (script->tp > 1) {
        fprintf(out, " --tp %lld", (long long)script->tp);
    }
    for (int i = 0; i < script->n_run_options; i++) {
        write_quoted(script, script->run_options[i], out);
    }
    if (script->array && !strstr(script->job->conf.output, "%a")) {
        char *own = dn_format("output=%s/%%a", script->job->conf.output);
        fputs(" --set", out);
        write_quoted(script, own, out);
        free(own);
    }
    fprintf(out, "%s\ndunlin_end $?\n", script->live ? "" : " --until end");
}

static dn_status write_ranks(FILE *out) {
    char *ranks = dn_home_find("slurm/ranks.sh");
    dn_status status = copy_lines(ranks, false, out);
    free(ranks);
    return status == DN_OK
               ? DN_OK
               : DN_FAIL(NO_INPUT, "submit: slurm/ranks.sh is neither here nor beside the program; "
                                   "name the folder that has slurm/ in it by DUNLIN_HOME");
}

dn_status dn_batch_script_write(const dn_batch_script *script, FILE *out) {
    DN_TRY(check_time(script));
    write_head(script, out);
    if (script->site) {
        DN_TRY(copy_lines(script->site, true, out));
        fprintf(out, "\n# ---- site: %s\n", script->site);
        DN_TRY(copy_lines(script->site, false, out));
    }
    fputs("\n# ---- slurm/ranks.sh\n: \"${DUNLIN:=", out);
    fprintf(out, "%s}\"\n", script->program);
    DN_TRY(write_ranks(out));
    fputs("\n# ---- the run\nset -uo pipefail\n", out);
    write_run(script, out);
    return DN_OK;
}
