/* The words of NCCL that kernels/cuda/nccl.h spells itself, against nccl.h: it only has to compile.
 */
#include "kernels/cuda/nccl.h"

#include <nccl.h>

#include <stddef.h>

_Static_assert(DN_NCCL_OK == (int)ncclSuccess && DN_NCCL_AT_WORK == (int)ncclInProgress, "results");
_Static_assert(DN_NCCL_SUM == (int)ncclSum && DN_NCCL_F16 == (int)ncclFloat16 &&
                   DN_NCCL_F32 == (int)ncclFloat32 && DN_NCCL_BF16 == (int)ncclBfloat16,
               "folds and types");
_Static_assert(sizeof(dn_nccl_id) == sizeof(ncclUniqueId) && sizeof(ncclResult_t) == sizeof(int) &&
                   sizeof(ncclDataType_t) == sizeof(int) && sizeof(ncclRedOp_t) == sizeof(int),
               "what is passed by value");
_Static_assert(offsetof(dn_nccl_conf, magic) == offsetof(ncclConfig_t, magic) &&
                   offsetof(dn_nccl_conf, version) == offsetof(ncclConfig_t, version) &&
                   offsetof(dn_nccl_conf, blocking) == offsetof(ncclConfig_t, blocking) &&
                   sizeof(dn_nccl_conf) <= sizeof(ncclConfig_t),
               "ncclConfig_t");
_Static_assert(DN_NCCL_OLDEST == NCCL_VERSION(2, 14, 0), "versions");

/* Every function takes what it is given; enumerations count as int. */
ncclResult_t (*const dn_nccl_version)(int *) = ncclGetVersion;
ncclResult_t (*const dn_nccl_id_of)(ncclUniqueId *) = ncclGetUniqueId;
ncclResult_t (*const dn_nccl_join)(ncclComm_t *, int, ncclUniqueId, int,
                                   ncclConfig_t *) = ncclCommInitRankConfig;
ncclResult_t (*const dn_nccl_look)(ncclComm_t, ncclResult_t *) = ncclCommGetAsyncError;
ncclResult_t (*const dn_nccl_ends[])(ncclComm_t) = {ncclCommFinalize, ncclCommDestroy,
                                                    ncclCommAbort};
ncclResult_t (*const dn_nccl_sum)(const void *, void *, size_t, ncclDataType_t, ncclRedOp_t,
                                  ncclComm_t, cudaStream_t) = ncclAllReduce;
const char *(*const dn_nccl_text)(ncclResult_t) = ncclGetErrorString;
const char *(*const dn_nccl_more)(ncclComm_t) = ncclGetLastError;
