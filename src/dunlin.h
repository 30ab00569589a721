#ifndef DN_DUNLIN_H
#define DN_DUNLIN_H
/** The library for other programs: two things, both in docs/extending.md with a whole example.
 *
 *    score texts       dn_classifier_open, dn_classifier_score       run/classify.h
 *    a stage of yours  dn_stage_register, then dn_cmd_main           job/register.h, flow/stage.h
 *
 * Functions that can fail return dn_status; the reason is dn_failure_last()->text (base/status.h).
 * What these headers declare is the interface; until version 1 it may change with the second number
 * of the version, which is the library's SOVERSION. */
#ifdef __cplusplus
extern "C" {
#endif

#include "base/memory.h"
#include "base/props.h"
#include "base/span.h"
#include "base/status.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "flow/stage.h"
#include "job/register.h"
#include "run/classify.h"

#ifdef __cplusplus
}
#endif

#endif
