#ifndef DN_BASE_STATUS_H
#define DN_BASE_STATUS_H
/** Errors as values.
 *
 * Functions that can fail return dn_status. Whoever decides an error records it once with DN_FAIL
 * (code, text, file and line, kept per thread); everyone else forwards with DN_TRY. Libraries never
 * print and never exit. */

/** What a caller can do about it. */
typedef enum dn_status {
    DN_OK = 0, /**< done */
    DN_AGAIN,  /**< nothing now, or back-pressure: call again later */
    DN_RETRY,  /**< transient; the same call with the same arguments may succeed */
    DN_ABORT,  /**< drop the open transaction and make its outputs again */
    DN_FATAL,  /**< the run ends; the failure is recorded */
} dn_status;

/** What happened: one entry per row of errors.def. */
typedef enum dn_error {
    DN_E_NONE = 0,
#define DN_ERROR(name, number, exit, sentence, causes, remedy) DN_E_##name,
#include "base/errors.def"
#undef DN_ERROR
    DN_E_COUNT
} dn_error;

/** A row of the error table, for `--help`, the manual and the exit status. */
typedef struct dn_error_info {
    const char *name;
    int number;      /**< printed as E<number> */
    int exit_status; /**< sysexits.h */
    const char *sentence;
    const char *causes; /**< typical ones */
    const char *remedy; /**< what to do */
} dn_error_info;

enum { DN_FAILURE_TEXT = 1024 };

/** A recorded error: what, where in the input, what to do (text), and where in the source. */
typedef struct dn_failure {
    dn_error error;
    const char *file;
    int line;
    char text[DN_FAILURE_TEXT];
} dn_failure;

const dn_error_info *dn_error_get(dn_error error);

/** Records a failure for this thread and returns `status`.
 *  thread  any; per thread      blocks  never */
dn_status dn_fail(dn_status status, dn_error error, const char *file, int line, const char *fmt,
                  ...) __attribute__((format(printf, 5, 6)));

/** The thread's last failure; error is DN_E_NONE when there was none. lends until the next DN_FAIL
 * of this thread */
const dn_failure *dn_failure_last(void);

/** Copies another thread's failure into this thread, so that it can be forwarded. */
void dn_failure_set(const dn_failure *failure);

/** Records with the status FATAL: `return DN_FAIL(CONFIG, "%s:%d: ...", ...)`. */
#define DN_FAIL(code, ...)            dn_fail(DN_FATAL, DN_E_##code, __FILE__, __LINE__, __VA_ARGS__)
#define DN_FAIL_AS(status, code, ...) dn_fail(status, DN_E_##code, __FILE__, __LINE__, __VA_ARGS__)

#ifdef __clang_analyzer__ /* it sees one file at a time: tell it that a failure never returns OK   \
                           */
#undef DN_FAIL
#define DN_FAIL(code, ...)                                                                         \
    (dn_fail(DN_FATAL, DN_E_##code, __FILE__, __LINE__, __VA_ARGS__), DN_FATAL)
#endif

/** Forwards anything but OK. */
#define DN_TRY(call)                                                                               \
    do {                                                                                           \
        dn_status dn_try_status_ = (call);                                                         \
        if (dn_try_status_ != DN_OK) {                                                             \
            return dn_try_status_;                                                                 \
        }                                                                                          \
    } while (0)

/** Unwinds: sets `status` (a local of the caller) and jumps. */
#define DN_TRY_GO(call, label)                                                                     \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != DN_OK) {                                                                     \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#endif
