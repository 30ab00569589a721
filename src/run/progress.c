#include "run/progress.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TERMINAL_NS = 200 * 1000 * 1000, LINE_MAX_CHARS = 200 };
#define LOG_NS INT64_C(10000000000)

static bool on_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* "41 % ETA 12 s" where the size is known: a pipeline that is fed by another one has that one's. */
static void format_eta(int64_t done, int64_t total, double seconds, char *out, size_t out_size) {
    out[0] = '\0';
    if (total > 0 && done > 0) {
        double share = (double)done / (double)total;
        double left_s = share < 1 ? seconds * (1 - share) / share : 0;
        snprintf(out, out_size, ", %.0f %%, ETA %.0f s", 100 * (share < 1 ? share : 1), left_s);
    }
}

static void format_line(const dn_progress *progress, const dn_control *control, char *out,
                        size_t out_size) {
    double seconds = (double)(dn_mono_ns() - progress->start_mono_ns) / 1e9;
    size_t n = 0;
    int64_t total = -1;
    for (int i = 0; i < control->n && n < out_size; i++) {
        dn_pipeline_stats stats;
        dn_pipeline_read(control->pipeline[i], &stats);
        char eta[48];
        total = stats.source.total_records > 0 ? stats.source.total_records : total;
        format_eta(stats.records_in, total, seconds, eta, sizeof eta);
        n += (size_t)snprintf(out + n, out_size - n, "%s%s %lld records, %.0f/s%s", i ? " | " : "",
                              control->name[i], (long long)stats.records_in,
                              seconds > 0 ? (double)stats.records_in / seconds : 0.0, eta);
        if (stats.fate[DN_DEAD] && n < out_size) {
            n += (size_t)snprintf(out + n, out_size - n, ", %lld dead",
                                  (long long)stats.fate[DN_DEAD]);
        }
    }
}

static void show(dn_progress *progress, const dn_control *control, bool terminal) {
    char line[LINE_MAX_CHARS];
    format_line(progress, control, line, sizeof line);
    if (terminal) {
        fprintf(stderr, "\r\033[K%s", line);
        progress->line_open = true;
    } else {
        dn_log(DN_LOG_INFO, "%s%s", control->size > 1 ? "rank 0: " : "", line);
    }
}

void dn_progress_tick(dn_progress *progress, const dn_control *control) {
    if (!control->progress || control->rank != 0) {
        return;
    }
    bool terminal = on_terminal();
    int64_t now = dn_mono_ns();
    int64_t last = progress->shown_mono_ns ? progress->shown_mono_ns : progress->start_mono_ns;
    if (now - last >= (terminal ? TERMINAL_NS : LOG_NS)) {
        progress->shown_mono_ns = now;
        show(progress, control, terminal);
    }
}

void dn_progress_end(dn_progress *progress, const dn_control *control) {
    if (progress->line_open) {
        show(progress, control, true);
        fputc('\n', stderr);
    }
}
