#ifndef DN_CUDA_NCCL_H
#define DN_CUDA_NCCL_H
/** The few words of nccl.h that are needed, so that the backend's host side is compiled and tested
 * without a toolkit; tests/gpu/nccl_header.c compares them with nccl.h where there is one.
 *
 * Results are 0, DN_NCCL_AT_WORK (a communicator that does not block still works on the call) or
 * an error. */
#include "kernels/cuda/launch.h"

enum { DN_NCCL_OK = 0, DN_NCCL_AT_WORK = 7, DN_NCCL_SUM = 0, DN_NCCL_ID_BYTES = 128 };
enum { DN_NCCL_F16 = 6, DN_NCCL_F32 = 7, DN_NCCL_BF16 = 9 };

/** Version 2.14.0: the first whose communicators need not block. */
enum { DN_NCCL_OLDEST = 21400 };
#define DN_NCCL_FILE "libnccl.so.2"

typedef struct ncclComm *dn_nccl_comm;

typedef struct dn_nccl_id {
    char bytes[DN_NCCL_ID_BYTES];
} dn_nccl_id;

/** ncclConfig_t as it began with the oldest version: newer ones read as much as `size` says, and
 * take their defaults for what `version` did not have. */
typedef struct dn_nccl_conf {
    size_t size;
    unsigned magic, version;
    int blocking, unused;
} dn_nccl_conf;
#define DN_NCCL_CONF                                                                               \
    { sizeof(dn_nccl_conf), 0xcafebeef, DN_NCCL_OLDEST, 0, 0 }

/** Every function that is called: its name after "nccl". */
#define DN_NCCL_FUNCTIONS(F)                                                                       \
    F(int, GetVersion, (int *version))                                                             \
    F(int, GetUniqueId, (dn_nccl_id * id))                                                         \
    F(int, CommInitRankConfig,                                                                     \
      (dn_nccl_comm * comm, int size, dn_nccl_id id, int rank, dn_nccl_conf *conf))                \
    F(int, CommGetAsyncError, (dn_nccl_comm comm, int *result))                                    \
    F(int, CommFinalize, (dn_nccl_comm comm))                                                      \
    F(int, CommDestroy, (dn_nccl_comm comm))                                                       \
    F(int, CommAbort, (dn_nccl_comm comm))                                                         \
    F(int, AllReduce,                                                                              \
      (const void *from, void *to, size_t n, int type, int fold, dn_nccl_comm comm,                \
       cudaStream_t stream))                                                                       \
    F(const char *, GetErrorString, (int result))                                                  \
    F(const char *, GetLastError, (dn_nccl_comm comm))

#endif
