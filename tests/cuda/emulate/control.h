#ifndef DN_EMULATE_CONTROL_H
#define DN_EMULATE_CONTROL_H
/** What a test may ask of the emulated GPU. */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DN_EMULATE_FORWARD, DN_EMULATE_BACKWARD, DN_EMULATE_SHUFFLED };

/** The order in which later launches run their blocks and, within a block, their threads. */
void dn_emulate_order(int order, uint64_t seed);

/** Whether this program was built to watch accesses to shared memory (races.cpp). */
int dn_emulate_watches(void);
/** Of those watched: without a barrier between them, or before anything was written. */
int dn_emulate_races(void);

#ifdef __cplusplus
}
#endif
#endif
