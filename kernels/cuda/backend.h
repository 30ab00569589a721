#ifndef DN_CUDA_BACKEND_H
#define DN_CUDA_BACKEND_H
/** What the files of the backend share; internal to this folder. README.md has the list of them. */
#include "kernels/cuda/api.h"
#include "kernels/plugin.h"

/** How a table computes. */
typedef struct dn_cuda_mode {
    dn_cuda_type type; /**< of the elements */
    bool fp8;          /**< matrix products of layers in e4m3 */
} dn_cuda_mode;

/** The process's device. Set by dn_cuda_open, const from then on. */
typedef struct dn_cuda_state {
    const dn_cuda_api *api;
    int device, driver_version;
    bool checks; /**< DN_CUDA_CHECK: wait after every operation */
    bool fused;  /**< DN_CUDA_CUDNN, and the library is there */
    dn_cuda_properties properties;
    char note[1024];
} dn_cuda_state;
extern dn_cuda_state dn_cuda;

/* open.c */
dn_status dn_cuda_find(const dn_cuda_api *api, dn_gpu *list, int max, int *n);
dn_status dn_cuda_open(const dn_cuda_api *api, int device);
/** Forwards a CUDA error as DEVICE_FAULT: "<what>: <name>: <text> (device)". */
dn_status dn_cuda_fault(int error, const char *what);
/** The calling thread's device is the process's. */
dn_status dn_cuda_enter(void);

/* memory.c */
size_t dn_cuda_element_bytes(dn_cuda_type type);
/** RETRY with a MEMORY error where it does not fit. 256-byte aligned. */
dn_status dn_cuda_alloc(size_t bytes, const char *what, void **out);
dn_status dn_cuda_reserve(dn_cuda_type type, dn_numbers kind, size_t n, float **out);
void dn_cuda_release(float *numbers);
dn_status dn_cuda_upload(dn_cuda_type type, dn_numbers kind, const float *host, size_t n,
                         float *out);
dn_status dn_cuda_download(dn_cuda_type type, dn_numbers kind, const float *numbers, size_t n,
                           cudaStream_t stream, float *host);
/** Floats are followed by the same as elements: the form that a product's bias has. */
const void *dn_cuda_elements_of(const float *floats, int n);

/** A packed matrix on the device: dn_weight.packed points to one, in the host's memory. */
typedef struct dn_cuda_matrix {
    void *elements;  /**< [n][k] */
    void *fp8;       /**< e4m3 [n][k], NULL without */
    float *scales;   /**< on the device: w scale, x scale, x factor, largest |x| seen */
    bool calibrated; /**< x scale and factor are set */
    int n, k;
} dn_cuda_matrix;
enum { DN_SCALE_W, DN_SCALE_X, DN_FACTOR_X, DN_LARGEST_X, DN_SCALES };

dn_status dn_cuda_pack(const dn_cuda_mode *mode, const float *w, int n, int k, dn_weight *out);
/** Fixes the scale of x by the largest that was seen; without one the matrix stays wide. */
dn_status dn_cuda_calibrate(dn_cuda_matrix *matrix);

/* gemm.c */
/** Runs the product by the best algorithm known for its shape; times them at the first meeting,
 * which must be outside of a capture (dn_cuda_gemm_prepare). 0, a cudaError_t, or below 0: the
 * library's status. */
dn_status dn_cuda_gemm_prepare(const dn_gemm_shape *shape, const dn_gemm_operands *operands,
                               cudaStream_t stream);
int dn_cuda_gemm(const dn_gemm_shape *shape, const dn_gemm_operands *operands, cudaStream_t stream);
/** Forgets what was learned and the file's name: the device has changed. For tests. */
void dn_cuda_gemm_reset(void);

/* fused.c */
/** Whether the library is to do it: long rows, an even head, nobody wants a copy in e4m3. */
bool dn_cuda_fused_fits(const dn_cuda_attention_args *args);
/** The plan for the shape, made at the first meeting.    errors  DEVICE    lends  for ever */
dn_status dn_cuda_fused_plan(const dn_cuda_attention_args *args, const dn_fused_plan **out);
/** Forgets the plans. For tests. */
void dn_cuda_fused_reset(void);

/* nccl.c */
extern const dn_group_ops dn_cuda_groups;
/** Enqueues the sum of n elements, in place; may be recorded.    errors  those of a moment */
dn_status dn_group_sum(dn_device_group *group, dn_cuda_type type, void *x, size_t n,
                       cudaStream_t stream);
/** Between two looks at what a rank has waited for since then: a pause, or why to wait no longer.
 * The group has ended then.   errors  ABORT: cancelled; DEVICE_FAULT */
dn_status dn_group_moment(dn_device_group *group, int64_t since_ns, bool *at_work);
/** Ends what the group has under way on this device. */
void dn_group_abort(dn_device_group *group);

/* steps.c */
typedef struct dn_step dn_step;
/** The operations of one pass in order, noted by the functions of the table. */
typedef struct dn_steps {
    const dn_cuda_mode *mode;
    dn_step *step;
    int n, max;
    bool overflow;
    const int32_t *place; /**< of each token in its row */
    int longest;          /**< bound of a row's tokens */
    int most_tokens;      /**< of any pass of the lane */
    int most_rows;
    void *starts; /**< of rows, as a library wants them: length [R], qkv [R + 1], out [R + 1] */
    size_t starts_bytes;
    void *spare;          /**< a product's result on its way to a norm */
    size_t spare_bytes;
    void *narrow; /**< x of the next product in e4m3 */
    size_t narrow_bytes;
    void *workspace;
    dn_device_group *group; /**< that passes add up over; NULL: none has yet */
} dn_steps;

/** Instants between the steps of a pass, by the device's clock. */
typedef struct dn_step_marks {
    dn_cuda_event *event; /**< [max]: the first before the first step, then one behind each */
    dn_pass_group *group; /**< [max]: of the step before it */
    int max, n;
} dn_step_marks;

void dn_steps_open(dn_steps *steps);
void dn_steps_close(dn_steps *steps);
/** Buffers and algorithms for the noted operations. Outside of a capture. */
dn_status dn_steps_prepare(dn_steps *steps, cudaStream_t stream);
/** Launches them; `marks` may be NULL. Names the operation and its shape where it fails. */
dn_status dn_steps_run(dn_steps *steps, cudaStream_t stream, bool captured, dn_step_marks *marks);
void dn_steps_clear(dn_steps *steps);

void dn_steps_embed(dn_steps *steps, const dn_embed_args *args);
void dn_steps_linear(dn_steps *steps, const dn_linear_args *args);
void dn_steps_add_norm(dn_steps *steps, const dn_add_norm_args *args);
void dn_steps_attention(dn_steps *steps, const dn_attention_args *args);
void dn_steps_pool(dn_steps *steps, const dn_pool_args *args);
void dn_steps_softmax(dn_steps *steps, const dn_softmax_args *args);
void dn_steps_score(dn_steps *steps, const dn_score_args *args);
void dn_steps_sum(dn_steps *steps, dn_device_group *group, float *elements, size_t n);

/* lane.c */
/** The lane of the pass that this thread is in. Requires one. */
dn_steps *dn_lane_steps(void);
/** The stream of that pass; NULL outside of one. Runs first what has been noted. */
dn_status dn_lane_settle(cudaStream_t *stream);
void dn_lane_fill_up(int *n_tokens, int *n_rows);
dn_status dn_lane_new(const dn_cuda_mode *mode, const dn_lane_conf *conf, dn_lane **out);
void dn_lane_free(dn_lane *lane);
dn_status dn_lane_begin(dn_lane *lane, dn_pass *pass);
dn_status dn_lane_end(dn_lane *lane);
bool dn_lane_is_done(const dn_lane *lane);
dn_status dn_lane_wait(dn_lane *lane, const float **score, dn_pass_times *times);

/* tables.c */
extern const dn_plugin dn_cuda_plugin;

#endif
