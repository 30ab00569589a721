#ifndef DN_BASE_LOG_H
#define DN_BASE_LOG_H
/** Lines for the person at the terminal: standard error, prefixed with time, level and, in a job of
 * several ranks, rank and host. Called by run/ and cmd/ only; libraries return failures instead. */

typedef enum dn_level { DN_LOG_ERROR, DN_LOG_WARN, DN_LOG_INFO, DN_LOG_DEBUG } dn_level;

void dn_log_setup(dn_level level, int rank, int size);
dn_level dn_log_level(void);
void dn_log(dn_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Prints the thread's last failure as one line: "dunlin: E2001 jobs/x.yaml:3:5: ...". */
void dn_log_failure(void);

#endif
