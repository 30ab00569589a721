#ifndef DN_COMM_LAUNCH_H
#define DN_COMM_LAUNCH_H
/** How this process was started, read from its environment. */
#include "comm/comm.h"

typedef enum dn_launch { DN_LAUNCH_SELF, DN_LAUNCH_MPI } dn_launch;

typedef const char *dn_getenv(const char *name);

/** Decides between self and MPI.
 *  args  env      looks a variable up; NULL when it is not set
 *  errors  CONFIG, as dn_comm_open */
dn_status dn_launch_detect(dn_getenv *env, dn_launch *launch);

/** How many ranks the launcher says that it started; 0 when it does not say. */
int dn_launch_size(dn_getenv *env);

/** The backends. */
dn_status dn_comm_self_open(dn_comm **world);
dn_status dn_comm_mpi_open(dn_comm **world);

#endif
