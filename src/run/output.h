#ifndef DN_RUN_OUTPUT_H
#define DN_RUN_OUTPUT_H
/** The output folder, which belongs to one run at a time.
 *
 *    OUT/run.lock    host, pid, Slurm job, start and restarts of the owner; O_EXCL
 *    OUT/job.yaml    the resolved job of the newest run
 *    OUT/labels.json how often it gave each label: run/drift.h
 *    OUT/sources/    which input each pipeline's offsets count
 *    OUT/rows/ OUT/dead/ OUT/topics/ OUT/trace/ OUT/index.h5
 *
 * A lock is taken over when it is of the same Slurm job before a requeue or on another host, when
 * its process on this host is dead, or with `force`. */
#include "base/status.h"

#include <stdbool.h>

typedef struct dn_output dn_output;

/** Makes the folder and takes it. OUTPUT_BUSY names the owner and says what to do; CANT_CREATE,
 * DENIED. thread  main of rank 0 */
dn_status dn_output_claim(const char *path, bool force, dn_output **out);

/** Remembers which input a pipeline's results in this folder are of (OUT/sources/<pipeline>), and
 * refuses another one: OUTPUT_OTHER. An empty identity is always right.     thread  main of rank 0
 */
dn_status dn_output_check_source(const dn_output *output, const char *pipeline,
                                 const char *identity);

/** Writes OUT/job.yaml. */
dn_status dn_output_write_job(const dn_output *output, const char *resolved_job);

/** Writes OUT/labels.json. */
dn_status dn_output_write_labels(const dn_output *output, const char *json);

/** Gives the folder back. */
void dn_output_release(dn_output *output);

/** Makes a folder and those above it. */
dn_status dn_make_folders(const char *path);

#endif
