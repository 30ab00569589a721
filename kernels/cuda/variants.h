#ifndef DN_CUDA_VARIANTS_H
#define DN_CUDA_VARIANTS_H
/** Kernels that do the same in another way. Each launch chooses by its shape; what is best can only
 * be measured, so bench and tests may force one: bench/gpu/run times all of them in one session. */
#ifdef __cplusplus
extern "C" {
#endif

typedef struct dn_cuda_variant {
    const char *operation, *name;
    const char *idea; /**< what it is, and when it should win */
} dn_cuda_variant;

/** All of them; of each operation the first is the one chosen where it fits. */
extern const dn_cuda_variant dn_cuda_variants[];
extern const int dn_n_cuda_variants;

/** From now on this variant wherever it can do the shape, NULL: the choice by shape again. 0, or -1
 * where there is no such one. For bench and tests.   thread  one, while nobody launches */
int dn_cuda_force(const char *operation, const char *name);

/** Whether this one was forced.   thread  any, while nobody forces */
int dn_cuda_is_forced(const char *operation, const char *name);

#ifdef __cplusplus
}
#endif
#endif
