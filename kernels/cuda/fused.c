/* Plans for long rows: one a shape, kept for ever, because recorded passes run their code. */
#include "kernels/cuda/backend.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct known {
    dn_fused_shape shape;
    dn_fused_plan *plan;
} known;

static struct {
    known *list;
    size_t n;
    pthread_mutex_t lock;
} plans = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool dn_cuda_fused_fits(const dn_cuda_attention_args *a) {
    int head = a->hidden / a->heads;
    return dn_cuda.fused && a->longest > DN_FUSED_FROM && a->type != DN_CUDA_F32 && head % 8 == 0 &&
           head <= DN_FUSED_MOST_HEAD && !a->fp8.out && !a->fp8.largest;
}

static dn_status make(const dn_fused_shape *shape, const dn_fused_plan **out) {
    known made = {.shape = *shape};
    const dn_fused_ops *fused = dn_cuda.api->fused;
    int status = fused->plan(shape, &made.plan);
    if (status) {
        return DN_FAIL(DEVICE,
                       "cuDNN has no plan for attention of %d rows of at most %d tokens, %d heads "
                       "of %d (status %d): unset DN_CUDA_CUDNN for our own kernel",
                       shape->n_rows, shape->longest, shape->heads, shape->head_size, status);
    }
    size_t bytes = fused->workspace_bytes(made.plan);
    if (bytes > DN_BLAS_WORKSPACE) {
        fused->plan_free(made.plan);
        return DN_FAIL(DEVICE,
                       "cuDNN wants a workspace of %zu MiB for attention of %d rows of at most %d "
                       "tokens: unset DN_CUDA_CUDNN for our own kernel",
                       bytes >> 20, shape->n_rows, shape->longest);
    }
    plans.list = dn_grow(plans.list, plans.n + 1, sizeof *plans.list);
    plans.list[plans.n++] = made;
    *out = made.plan;
    return DN_OK;
}

dn_status dn_cuda_fused_plan(const dn_cuda_attention_args *a, const dn_fused_plan **out) {
    dn_fused_shape shape = {.type = a->type,
                            .n_rows = a->n_rows,
                            .longest = a->longest,
                            .heads = a->heads,
                            .head_size = a->hidden / a->heads};
    dn_status status = DN_OK;
    *out = NULL;
    pthread_mutex_lock(&plans.lock);
    for (size_t i = 0; i < plans.n && !*out; i++) {
        *out = memcmp(&plans.list[i].shape, &shape, sizeof shape) == 0 ? plans.list[i].plan : NULL;
    }
    if (!*out) {
        status = make(&shape, out);
    }
    pthread_mutex_unlock(&plans.lock);
    return status;
}

void dn_cuda_fused_reset(void) {
    for (size_t i = 0; i < plans.n; i++) {
        dn_cuda.api->fused->plan_free(plans.list[i].plan);
    }
    free(plans.list);
    plans.list = NULL;
    plans.n = 0;
}
