/* cuDNN's fused attention, by the C functions of its graphs: one operation over packed rows, which
 * cuDNN has since 9.15. It is opened at run time: a machine without it has the other kernels. */
#include "kernels/cuda/fused.h"
#include "kernels/cuda/libraries.h"

#include <cudnn.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST = 91500, MAX_DESCRIPTORS = 24, MAX_ENGINES = 8, DIMENSIONS = 4 };
enum { ALIGNED = 16, ROOM = 512 };

#define FUNCTIONS(F)                                                                               \
    F(Create)                                                                                      \
    F(GetVersion)                                                                                  \
    F(SetStream)                                                                                   \
    F(BackendCreateDescriptor)                                                                     \
    F(BackendDestroyDescriptor)                                                                    \
    F(BackendSetAttribute)                                                                         \
    F(BackendGetAttribute)                                                                         \
    F(BackendFinalize)                                                                             \
    F(BackendExecute)

static struct {
#define F(name) __typeof__(cudnn##name) *name;
    FUNCTIONS(F)
#undef F
    cudnnHandle_t handle; /* one: its calls are made one at a time */
    pthread_mutex_t lock;
} dnn = {.lock = PTHREAD_MUTEX_INITIALIZER};

/** Names of the operands. */
enum { Q = 1, K, V, OUT, SCALE, LENGTH, QKV_START, OUT_START, N_OPERANDS = OUT_START };

struct dn_fused_plan {
    cudnnBackendDescriptor_t made[MAX_DESCRIPTORS]; /* all but the plan's own, oldest first */
    int n_made;
    cudnnBackendDescriptor_t plan;
    int64_t workspace_bytes;
    dn_fused_shape shape;
    float scale;
};

static bool find_functions(void *library, char why[ROOM]) {
    void *symbol;
#define F(name)                                                                                    \
    symbol = dlsym(library, "cudnn" #name);                                                        \
    if (!symbol) {                                                                                 \
        snprintf(why, ROOM, "libcudnn has no function cudnn%s: it is too old", #name);             \
        return false;                                                                              \
    }                                                                                              \
    memcpy(&dnn.name, &symbol, sizeof symbol);
    FUNCTIONS(F)
#undef F
    return true;
}

static const char *dnn_open(void) {
    static char why[ROOM];
    if (dnn.handle) {
        return NULL;
    }
    char file[32];
    snprintf(file, sizeof file, "libcudnn.so.%d", CUDNN_MAJOR);
    void *library = dn_cuda_library(file, why, sizeof why);
    if (!library || !find_functions(library, why)) {
        return why;
    }
    if (dnn.GetVersion() < OLDEST) {
        snprintf(why, sizeof why, "cuDNN %zu is older than 9.15, the first with packed rows",
                 dnn.GetVersion());
        return why;
    }
    cudnnStatus_t status = dnn.Create(&dnn.handle);
    if (status != CUDNN_STATUS_SUCCESS) {
        dnn.handle = NULL;
        snprintf(why, sizeof why, "cudnnCreate failed with status %d", (int)status);
        return why;
    }
    return NULL;
}

static int dnn_version(void) {
    return dnn.handle ? (int)dnn.GetVersion() : 0;
}

/* ---- descriptors ---- */

/** What is being built, and the first status that was not success: then the rest does nothing. */
typedef struct builder {
    dn_fused_plan *plan;
    cudnnStatus_t status;
} builder;

static cudnnBackendDescriptor_t make(builder *b, cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t made = NULL;
    if (b->status == CUDNN_STATUS_SUCCESS) {
        b->status = b->plan->n_made == MAX_DESCRIPTORS ? CUDNN_STATUS_INTERNAL_ERROR
                                                       : dnn.BackendCreateDescriptor(type, &made);
    }
    if (b->status == CUDNN_STATUS_SUCCESS) {
        b->plan->made[b->plan->n_made++] = made;
    }
    return made;
}

static void set(builder *b, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *value) {
    if (b->status == CUDNN_STATUS_SUCCESS) {
        b->status = dnn.BackendSetAttribute(to, name, type, n, value);
    }
}

static void link(builder *b, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                 cudnnBackendDescriptor_t value) {
    set(b, to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finish(builder *b, cudnnBackendDescriptor_t descriptor) {
    if (b->status == CUDNN_STATUS_SUCCESS) {
        b->status = dnn.BackendFinalize(descriptor);
    }
}

static cudnnBackendDescriptor_t tensor(builder *b, int64_t name, cudnnDataType_t type,
                                       const int64_t size[DIMENSIONS],
                                       const int64_t stride[DIMENSIONS]) {
    cudnnBackendDescriptor_t t = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    int64_t aligned = type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_INT32 ? 4 : ALIGNED;
    set(b, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &name);
    set(b, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(b, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &aligned);
    set(b, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, DIMENSIONS, size);
    set(b, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, DIMENSIONS, stride);
    return t;
}

/** n numbers of the device's memory. */
static cudnnBackendDescriptor_t numbers(builder *b, int64_t name, int n) {
    const int64_t size[] = {n, 1, 1, 1}, stride[] = {1, 1, 1, 1};
    cudnnBackendDescriptor_t t = tensor(b, name, CUDNN_DATA_INT32, size, stride);
    finish(b, t);
    return t;
}

/** One float that is given when the plan runs. */
static cudnnBackendDescriptor_t scale_of(builder *b) {
    const int64_t size[] = {1, 1, 1, 1}, stride[] = {1, 1, 1, 1};
    bool by_value = true;
    cudnnBackendDescriptor_t t = tensor(b, SCALE, CUDNN_DATA_FLOAT, size, stride);
    set(b, t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finish(b, t);
    return t;
}

/** [rows][heads][longest][head size] of tokens `pitch` elements apart, each row from its start. */
static cudnnBackendDescriptor_t packed(builder *b, int64_t name, int pitch,
                                       cudnnBackendDescriptor_t starts) {
    const dn_fused_shape *s = &b->plan->shape;
    const int64_t size[] = {s->n_rows, s->heads, s->longest, s->head_size};
    const int64_t stride[] = {(int64_t)s->longest * pitch, s->head_size, pitch, 1};
    cudnnDataType_t type = s->type == DN_CUDA_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_HALF;
    cudnnBackendDescriptor_t t = tensor(b, name, type, size, stride);
    link(b, t, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, starts);
    finish(b, t);
    return t;
}

static cudnnBackendDescriptor_t operation(builder *b) {
    const dn_fused_shape *s = &b->plan->shape;
    int hidden = s->heads * s->head_size;
    cudnnBackendDescriptor_t in = numbers(b, QKV_START, s->n_rows + 1);
    cudnnBackendDescriptor_t out = numbers(b, OUT_START, s->n_rows + 1);
    cudnnBackendDescriptor_t length = numbers(b, LENGTH, s->n_rows);
    cudnnBackendDescriptor_t q = packed(b, Q, 3 * hidden, in), k = packed(b, K, 3 * hidden, in);
    cudnnBackendDescriptor_t v = packed(b, V, 3 * hidden, in), o = packed(b, OUT, hidden, out);
    cudnnBackendDescriptor_t scale = scale_of(b);
    cudnnBackendDescriptor_t op = make(b, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, o);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_QDESC, length);
    link(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_KVDESC, length);
    finish(b, op);
    return op;
}

/** The engines that cuDNN would take for the operation, best first. */
static int64_t engines_for(builder *b, cudnnBackendDescriptor_t op,
                           cudnnBackendDescriptor_t engine[MAX_ENGINES]) {
    cudnnBackendDescriptor_t graph = make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn.handle);
    link(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, op);
    finish(b, graph);
    cudnnBackendDescriptor_t guesses = make(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    link(b, guesses, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(b, guesses, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finish(b, guesses);
    for (int i = 0; i < MAX_ENGINES; i++) {
        engine[i] = make(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    }
    int64_t n = 0;
    if (b->status == CUDNN_STATUS_SUCCESS) {
        b->status = dnn.BackendGetAttribute(guesses, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                            CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_ENGINES, &n, engine);
    }
    return n < MAX_ENGINES ? n : MAX_ENGINES;
}

/** The first engine that can be built for this device. */
static void choose(builder *b, int64_t n, const cudnnBackendDescriptor_t engine[MAX_ENGINES]) {
    cudnnStatus_t last = CUDNN_STATUS_NOT_SUPPORTED;
    for (int64_t i = 0; i < n && b->status == CUDNN_STATUS_SUCCESS; i++) {
        cudnnBackendDescriptor_t plan = NULL;
        builder one = {b->plan, dnn.BackendCreateDescriptor(
                                    CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan)};
        set(&one, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn.handle);
        link(&one, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine[i]);
        finish(&one, plan);
        if (one.status == CUDNN_STATUS_SUCCESS) {
            b->plan->plan = plan;
            return;
        }
        last = one.status;
        if (plan) {
            dnn.BackendDestroyDescriptor(plan);
        }
    }
    b->status = b->status == CUDNN_STATUS_SUCCESS ? last : b->status;
}

static void dnn_plan_free(dn_fused_plan *plan) {
    if (plan) {
        if (plan->plan) {
            dnn.BackendDestroyDescriptor(plan->plan);
        }
        while (plan->n_made > 0) {
            dnn.BackendDestroyDescriptor(plan->made[--plan->n_made]);
        }
        free(plan);
    }
}

static int dnn_plan(const dn_fused_shape *shape, dn_fused_plan **out) {
    cudnnBackendDescriptor_t engine[MAX_ENGINES];
    builder b = {calloc(1, sizeof *b.plan), CUDNN_STATUS_SUCCESS};
    if (!b.plan) {
        return CUDNN_STATUS_ALLOC_FAILED;
    }
    b.plan->shape = *shape;
    b.plan->scale = 1 / sqrtf((float)shape->head_size);
    pthread_mutex_lock(&dnn.lock);
    int64_t n = engines_for(&b, operation(&b), engine);
    choose(&b, n, engine);
    if (b.status == CUDNN_STATUS_SUCCESS) {
        b.status = dnn.BackendGetAttribute(b.plan->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                           CUDNN_TYPE_INT64, 1, NULL, &b.plan->workspace_bytes);
    }
    if (b.status != CUDNN_STATUS_SUCCESS) {
        dnn_plan_free(b.plan);
    } else {
        *out = b.plan;
    }
    pthread_mutex_unlock(&dnn.lock);
    return (int)b.status;
}

static size_t dnn_workspace_bytes(const dn_fused_plan *plan) {
    return (size_t)plan->workspace_bytes;
}

static int dnn_run(const dn_fused_plan *plan, const dn_fused_operands *o, cudaStream_t stream) {
    const dn_fused_shape *s = &plan->shape;
    size_t part = (size_t)s->heads * (size_t)s->head_size * 2; /* bytes of q in a token */
    const char *qkv = o->qkv;
    const int64_t name[] = {Q, K, V, OUT, SCALE, LENGTH, QKV_START, OUT_START};
    const void *at[N_OPERANDS] = {qkv,          qkv + part, qkv + 2 * part, o->out,
                                  &plan->scale, o->length,  o->qkv_start,   o->out_start};
    cudnnBackendDescriptor_t pack = NULL;
    builder b = {NULL, dnn.BackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack)};
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, N_OPERANDS, name);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, N_OPERANDS, at);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &o->workspace);
    finish(&b, pack);
    pthread_mutex_lock(&dnn.lock);
    if (b.status == CUDNN_STATUS_SUCCESS) {
        b.status = dnn.SetStream(dnn.handle, stream);
    }
    if (b.status == CUDNN_STATUS_SUCCESS) {
        b.status = dnn.BackendExecute(dnn.handle, plan->plan, pack);
    }
    pthread_mutex_unlock(&dnn.lock);
    if (pack) {
        dnn.BackendDestroyDescriptor(pack);
    }
    return (int)b.status;
}

const dn_fused_ops dn_fused_cudnn = {.open = dnn_open,
                                     .version = dnn_version,
                                     .plan = dnn_plan,
                                     .workspace_bytes = dnn_workspace_bytes,
                                     .plan_free = dnn_plan_free,
                                     .run = dnn_run};
