#ifndef DN_JOB_REGISTER_H
#define DN_JOB_REGISTER_H
/** Stages of a foreign program. */
#include "flow/stage.h"

/** Adds a stage: from then on a job file may name it, and `describe --reference` lists it. `stage`
 * stays as it is until the process ends. CONFIG when it lacks a name, a summary, bind or run, when
 * the name is taken, or when there are too many.     thread  main, before any job is opened */
dn_status dn_stage_register(const dn_stage_ops *stage);

#endif
