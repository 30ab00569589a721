#include "run/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "run/progress.h"
#include "run/status.h"
#include "run/telemetry.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { TICK_NS = 50 * 1000 * 1000 };

static const int handled[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT};

static sigset_t handled_set(void) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        sigaddset(&set, handled[i]);
    }
    return set;
}

void dn_control_block_signals(void) {
    sigset_t set = handled_set();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool all_ended(const dn_control *control) {
    for (int i = 0; i < control->n; i++) {
        if (!atomic_load(&control->ended[i])) {
            return false;
        }
    }
    return true;
}

/* A pipeline that is fed through memory ends by itself when its writer has: it must take what is
 * under way. */
static void drain(dn_control *control) {
    control->drained = true;
    for (int i = 0; i < control->n; i++) {
        if (!dn_wiring_feeds(control->wiring, i)) {
            dn_pipeline_drain(control->pipeline[i]);
        }
    }
}

static void abort_all(dn_control *control) {
    for (int i = 0; i < control->n; i++) {
        dn_pipeline_abort(control->pipeline[i]);
    }
    dn_wiring_release(control->wiring);
    for (int i = 0; i < control->n_groups; i++) {
        dn_comm_cancel(control->group[i]);
    }
}

static void stop_now(dn_control *control, int signal_number) {
    control->killed_by = signal_number;
    abort_all(control);
}

/* A pipeline that broke off takes the others of its rank with it: they could wait for it for ever.
 * One whose input broke off has committed all; where the others would go on without it, they are
 * drained. */
static void check_failures(dn_control *control) {
    for (int i = 0; i < control->n; i++) {
        if (dn_pipeline_aborted(control->pipeline[i])) {
            abort_all(control);
            return;
        }
        if (!control->bounded && atomic_load(&control->ended[i]) &&
            dn_pipeline_failed(control->pipeline[i])) {
            drain(control);
        }
    }
}

static void dump_state(dn_control *control) {
    for (int i = 0; i < control->n; i++) {
        dn_pipeline_stats stats;
        dn_pipeline_read(control->pipeline[i], &stats);
        fprintf(stderr, "pipeline %s: %lld records in, %lld out, %lld dead\n", control->name[i],
                (long long)stats.records_in, (long long)stats.fate[DN_KEPT],
                (long long)stats.fate[DN_DEAD]);
        for (int k = 0; k < stats.n_rings; k++) {
            fprintf(stderr, "  queue %-8s %zu of %zu chunks, blocked %.3f s, starved %.3f s\n",
                    stats.ring[k].name, stats.ring[k].stats.depth, stats.ring[k].stats.capacity,
                    (double)stats.ring[k].stats.blocked_ns / 1e9,
                    (double)stats.ring[k].stats.starved_ns / 1e9);
        }
    }
}

/* Returns the instant by which a drain must have ended, unchanged for signals that set none. */
static int64_t handle(dn_control *control, int signal_number, int64_t limit_ns) {
    switch (signal_number) {
    case SIGUSR1:
        dn_log(DN_LOG_INFO,
               "USR1: no more records are read; finishing and committing what is under way");
        drain(control);
        break;
    case SIGTERM:
    case SIGINT:
        if (control->drained) {
            dn_log(DN_LOG_WARN,
                   "second signal: stopping at once; the next start goes on at the last commit");
            stop_now(control, signal_number);
            break;
        }
        dn_log(DN_LOG_INFO,
               "stopping: finishing and committing what is under way (once more: at once)");
        drain(control);
        return control->follows ? limit_ns : dn_mono_ns() + DN_DRAIN_LIMIT_NS;
    case SIGHUP:
        dn_log(DN_LOG_INFO, "HUP: this job has no rules or secrets to read again");
        break;
    case SIGUSR2:
        dump_state(control);
        break;
    default:
        break;
    }
    return limit_ns;
}

void dn_control_loop(dn_control *control) {
    sigset_t set = handled_set();
    struct timespec tick = {.tv_nsec = TICK_NS};
    int64_t limit_ns = INT64_MAX;
    dn_progress progress = {.start_mono_ns = dn_mono_ns()};
    while (!all_ended(control)) {
        int signal_number = sigtimedwait(&set, NULL, &tick);
        if (signal_number > 0) {
            limit_ns = handle(control, signal_number, limit_ns);
        }
        if (dn_mono_ns() > limit_ns && !control->killed_by) {
            dn_log(DN_LOG_WARN, "draining took too long; stopping at once");
            stop_now(control, SIGTERM);
        }
        check_failures(control);
        dn_telemetry_tick(control->telemetry, control->pipeline);
        dn_status_writer_tick(control->status, control);
        dn_progress_tick(&progress, control);
    }
    dn_progress_end(&progress, control);
}
