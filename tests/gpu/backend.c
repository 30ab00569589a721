/* The backend's host side on a GPU of our own making: what it says when something is wrong, that
 * nothing stays behind, what it records and what it keeps. That its results are right is shown by
 * the tests of the model, which run on the same GPU (CMakeLists.txt). */
#include "gpu.h"

#include "kernels/cuda/backend.h"
#include "model/model.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS = 96, ROWS = 8, BF16 = 0, FP8 = 2 };

static const dn_kernels *table(int i) {
    return dn_cuda_plugin.table[i];
}

static bool says(const char *text) {
    if (!strstr(dn_failure_last()->text, text)) {
        fprintf(stderr, "no \"%s\" in: %s\n", text, dn_failure_last()->text);
        return false;
    }
    return true;
}

static void open_gpu(void) {
    REQUIRE(dn_cuda_plugin.open(0) == DN_OK);
    dn_cuda_gemm_reset();
    dn_cuda_fused_reset();
}

/* ---- finding and opening ---- */

CASE(a_machine_without_driver_or_device_has_none) {
    dn_gpu list[4];
    int n = 7;
    test_gpu_reset();
    test_gpu_state.driver = 0;
    EXPECT(dn_cuda_plugin.find(list, 4, &n) == DN_OK);
    EXPECT_INT(n, 0);
    test_gpu_reset();
    test_gpu_state.n_devices = 0;
    EXPECT(dn_cuda_plugin.find(list, 4, &n) == DN_OK);
    EXPECT_INT(n, 0);
}

CASE(devices_are_listed_with_bus_and_name) {
    dn_gpu list[2];
    int n = 0;
    test_gpu_reset();
    test_gpu_state.n_devices = 3;
    EXPECT(dn_cuda_plugin.find(list, 2, &n) == DN_OK);
    EXPECT_INT(n, 2);
    EXPECT_TEXT(list[1].pci, "0000:19:00.0");
    EXPECT_TEXT(list[0].name, "Test H200");
    EXPECT_INT(list[0].n_multiprocessors, 132);
}

CASE(an_old_driver_is_told_with_both_versions) {
    dn_gpu list[1];
    int n;
    test_gpu_reset();
    test_gpu_state.driver = 11080;
    test_gpu_state.bad_driver = DN_CUDA_OLD_DRIVER;
    EXPECT(dn_cuda_plugin.find(list, 1, &n) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE);
    EXPECT(says("11.8") && says("13.0") && says("driver is too old"));
}

CASE(a_driver_that_does_not_start_is_told) {
    dn_gpu list[1];
    int n;
    test_gpu_reset();
    test_gpu_state.bad_driver = DN_CUDA_NOT_INITIALISED;
    EXPECT(dn_cuda_plugin.find(list, 1, &n) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE);
    EXPECT(says("list its devices"));
}

CASE(a_device_without_code_is_told_how_to_build) {
    test_gpu_reset();
    test_gpu_state.no_code = 1;
    test_gpu_state.capability = 75;
    EXPECT(dn_cuda_plugin.open(0) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE);
    EXPECT(says("7.5") && says("DUNLIN_CUDA_ARCHITECTURES=75"));
}

CASE(a_missing_library_is_named) {
    test_gpu_reset();
    test_gpu_state.no_blas = 1;
    EXPECT(dn_cuda_plugin.open(0) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE);
    EXPECT(says("libcublasLt") && says("Test H200"));
}

CASE(fp8_wants_a_device_that_has_it) {
    test_gpu_reset();
    open_gpu();
    EXPECT(dn_cuda_plugin.usable(BF16) && dn_cuda_plugin.usable(FP8));
    test_gpu_state.capability = 80;
    open_gpu();
    EXPECT(dn_cuda_plugin.usable(BF16) && !dn_cuda_plugin.usable(FP8));
}

CASE(what_was_opened_stands_in_one_line) {
    test_gpu_reset();
    open_gpu();
    const char *note = dn_cuda_plugin.describe();
    EXPECT(strstr(note, "Test H200 at 0000:18:00.0") && strstr(note, "132 multiprocessors"));
    EXPECT(strstr(note, "cuBLASLt 13.1.0") && !strchr(note, '\n'));
}

/* ---- memory ---- */

CASE(numbers_come_back_as_they_went_or_rounded) {
    const dn_device_ops *device = table(BF16)->device;
    const float x[3] = {1, -2.5f, 1.0f / 3};
    float back[3], *there;
    test_gpu_reset();
    open_gpu();
    for (dn_numbers kind = DN_ELEMENTS; kind <= DN_FLOATS; kind++) {
        REQUIRE(device->reserve(kind, 3, &there) == DN_OK);
        REQUIRE(device->upload(kind, x, 3, there) == DN_OK);
        REQUIRE(device->download(kind, there, 3, back) == DN_OK);
        EXPECT(back[0] == 1 && back[1] == -2.5f);
        EXPECT((back[2] == x[2]) == (kind == DN_FLOATS) && fabsf(back[2] - x[2]) < 0.001f);
        device->release(there);
    }
    EXPECT_INT(test_gpu_state.memory_bytes, 0);
}

CASE(too_much_names_device_and_sizes_and_may_be_tried_smaller) {
    float *there = NULL;
    test_gpu_reset();
    test_gpu_state.memory_mib = 16;
    open_gpu();
    EXPECT(table(BF16)->device->reserve(DN_ELEMENTS, 32 << 20, &there) == DN_RETRY);
    EXPECT(there == NULL);
    EXPECT_INT(dn_failure_last()->error, DN_E_MEMORY);
    EXPECT(says("Test H200 at 0000:18:00.0") && says("65 MiB") && says("16 of 16 MiB"));
}

/* ---- sizes of a pass ---- */

CASE(a_pass_holds_its_batch_and_little_more) {
    int before_tokens = 0, before_rows = 0;
    for (int n = 1; n <= 40000; n += 1 + n / 50) {
        int tokens = n, rows = n / 4 + 1;
        dn_lane_fill_up(&tokens, &rows);
        EXPECT(tokens >= n && tokens <= n + n / 8 + 64);
        EXPECT((rows - n / 4 - 1) * 32 >= tokens - n);
        EXPECT(tokens >= before_tokens && rows >= before_rows);
        before_tokens = tokens;
        before_rows = rows;
    }
    int whole_waves = 5632, rows = 200;
    dn_lane_fill_up(&whole_waves, &rows);
    EXPECT_INT(whole_waves, 5632);
}

/* ---- a model on it ---- */

typedef struct fixture {
    dn_model *model;
    dn_workspace *space;
    int32_t token[TOKENS], row_start[ROWS + 1];
    dn_batch batch;
    float score[ROWS * 64];
} fixture;

/** Rows of 3, 4, 5 ... tokens. */
static void fill_batch(fixture *f, int n_rows) {
    int t = 0;
    for (int r = 0; r < n_rows; r++) {
        f->row_start[r] = t;
        for (int i = 0; i < 3 + r; i++, t++) {
            f->token[t] = 5 + (t * 7 + r) % 50;
        }
    }
    f->row_start[n_rows] = t;
    f->batch = (dn_batch){n_rows, t, f->token, f->row_start};
}

static fixture *open_fixture(int which) {
    fixture *f = calloc(1, sizeof *f);
    open_gpu();
    if (dn_model_open("tests/data/tiny", table(which), &f->model) != DN_OK ||
        dn_workspace_new(f->model, TOKENS, ROWS, &f->space) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    fill_batch(f, ROWS);
    return f;
}

static void close_fixture(fixture *f) {
    dn_workspace_free(f->space);
    dn_model_close(f->model);
    free(f);
}

CASE(a_closed_model_leaves_nothing_on_the_device) {
    test_gpu_reset();
    fixture *f = open_fixture(BF16);
    EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    EXPECT(test_gpu_state.memory_bytes > 0 && test_gpu_state.n_objects > 0);
    close_fixture(f);
    EXPECT_INT(test_gpu_state.memory_bytes, 0);
    EXPECT_INT(test_gpu_state.pinned_bytes, 0);
    EXPECT_INT(test_gpu_state.n_objects, 0);
}

CASE(a_pass_is_recorded_once_for_each_lane_and_size) {
    test_gpu_reset();
    fixture *f = open_fixture(BF16);
    int depth = dn_workspace_depth(f->space);
    EXPECT(depth > 1);
    for (int i = 0; i < 2 * depth; i++) {
        EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    }
    int once = test_gpu_state.n_recorded, replayed = test_gpu_state.n_replayed;
    for (int i = 0; i < depth; i++) {
        EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    }
    EXPECT_INT(test_gpu_state.n_recorded, once);
    EXPECT_INT(test_gpu_state.n_replayed, replayed + depth);
    close_fixture(f);
}

CASE(batches_under_way_keep_their_own_scores) {
    test_gpu_reset();
    fixture *f = open_fixture(BF16);
    int depth = dn_workspace_depth(f->space), width = dn_model_describe(f->model)->score_width;
    float alone[4][ROWS * 64], together[ROWS * 64];
    REQUIRE(depth <= 4);
    for (int i = 0; i < depth; i++) {
        fill_batch(f, ROWS - i);
        EXPECT(dn_model_score(f->model, f->space, &f->batch, alone[i]) == DN_OK);
    }
    EXPECT(memcmp(alone[0], alone[1], sizeof(float) * (size_t)width) == 0); /* the same first row */
    for (int i = 0; i < depth; i++) {
        fill_batch(f, ROWS - i);
        EXPECT(dn_model_submit(f->model, f->space, &f->batch) == DN_OK);
    }
    for (int i = 0; i < depth; i++) {
        size_t n = (size_t)(ROWS - i) * (size_t)width;
        EXPECT(dn_model_wait(f->model, f->space, together, NULL) == DN_OK);
        EXPECT(memcmp(together, alone[i], n * sizeof *together) == 0);
    }
    close_fixture(f);
}

CASE(times_of_groups_come_now_and_then_and_add_up) {
    test_gpu_reset();
    fixture *f = open_fixture(BF16);
    int n_timed = 0, n_passes = 64 * dn_workspace_depth(f->space);
    for (int i = 0; i < n_passes; i++) {
        dn_pass_times times;
        int64_t sum_ns = 0;
        EXPECT(dn_model_submit(f->model, f->space, &f->batch) == DN_OK);
        EXPECT(dn_model_wait(f->model, f->space, f->score, &times) == DN_OK);
        EXPECT(times.device_ns > 0);
        for (int g = 0; g < DN_GROUPS; g++) {
            sum_ns += times.group_ns[g];
        }
        n_timed += sum_ns > 0;
        EXPECT(sum_ns <= times.device_ns);
        EXPECT(sum_ns == 0 ||
               (times.group_ns[DN_GROUP_LINEAR] > 0 && times.group_ns[DN_GROUP_ATTENTION] > 0 &&
                times.group_ns[DN_GROUP_HEADS] > 0));
    }
    EXPECT_INT(n_timed, dn_workspace_depth(f->space));
    close_fixture(f);
}

/* ---- faults ---- */

CASE(a_launch_that_fails_names_operation_and_shape) {
    static const char *const names[] = {"embed", "attention", "norm", "activate", "pool", "heads"};
    static const char *const said[] = {"embed of",      "attention of", "norm of",
                                       "activation of", "pooling of",   "heads of"};
    for (int i = 0; i < 6; i++) {
        test_gpu_reset();
        fixture *f = open_fixture(BF16);
        strcpy(test_gpu_state.fails, names[i]);
        EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_FATAL);
        EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE_FAULT);
        EXPECT(says(said[i]) && says("cudaErrorLaunchFailure") && says("Test H200"));
        test_gpu_state.fails[0] = '\0';
        close_fixture(f);
        EXPECT_INT(test_gpu_state.memory_bytes, 0);
    }
}

CASE(a_product_that_no_algorithm_can_do_is_told) {
    test_gpu_reset();
    fixture *f = open_fixture(BF16);
    strcpy(test_gpu_state.fails, "product");
    EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE_FAULT);
    EXPECT(says("no algorithm for a product of 64 x"));
    close_fixture(f);
}

CASE(memory_that_runs_out_frees_what_was_taken) {
    dn_model *model = NULL;
    test_gpu_reset();
    open_gpu();
    REQUIRE(dn_model_open("tests/data/tiny", table(BF16), &model) == DN_OK);
    int64_t held = test_gpu_state.memory_bytes;
    dn_workspace *space = NULL;
    test_gpu_state.memory_mib = 40; /* one lane's workspace, not three */
    EXPECT(dn_workspace_new(model, TOKENS, ROWS, &space) == DN_RETRY);
    EXPECT_INT(dn_failure_last()->error, DN_E_MEMORY);
    EXPECT_INT(test_gpu_state.memory_bytes, held);
    dn_model_close(model);
}

/* ---- long rows ---- */

enum { LONG = 160, HIDDEN = 64, HEADS = 2 };

/** Two layers' attention over two rows, one of them long; the lane's status. */
static dn_status attend_twice(dn_lane *lane, const float *qkv, float *out) {
    static const int32_t token[LONG + 20], row_start[] = {0, LONG, LONG + 20};
    const dn_kernels *kernels = table(BF16);
    const float *score;
    dn_pass_times times;
    dn_pass pass = {.n_tokens = LONG + 20, .n_rows = 2, .token = token, .row_start = row_start};
    DN_TRY(kernels->device->begin(lane, &pass));
    for (int layer = 0; layer < 2 && !pass.known; layer++) {
        kernels->attention(&(dn_attention_args){.n_tokens = pass.n_tokens,
                                                .n_rows = pass.n_rows,
                                                .hidden = HIDDEN,
                                                .heads = HEADS,
                                                .row_start = pass.row_start,
                                                .qkv = qkv,
                                                .out = out});
    }
    DN_TRY(kernels->device->end(lane));
    return kernels->device->wait(lane, &score, &times);
}

/** Three passes of one size; the status of the first. */
static dn_status attend_on(const char *wanted) {
    const dn_device_ops *device = table(BF16)->device;
    dn_lane_conf conf = {.max_tokens = 256, .max_rows = 16, .row_width = 1};
    float *qkv, *out, zeros[256 * 3 * HIDDEN] = {0};
    dn_lane *lane = NULL;
    setenv("DN_CUDA_CUDNN", wanted, 1);
    open_gpu();
    EXPECT(device->reserve(DN_ELEMENTS, 256 * 3 * HIDDEN, &qkv) == DN_OK);
    EXPECT(device->reserve(DN_ELEMENTS, 256 * HIDDEN, &out) == DN_OK);
    EXPECT(device->upload(DN_ELEMENTS, zeros, 256 * 3 * HIDDEN, qkv) == DN_OK);
    EXPECT(device->lane_new(&conf, &lane) == DN_OK);
    dn_status status = attend_twice(lane, qkv, out);
    for (int i = 0; i < 2 && status == DN_OK; i++) {
        EXPECT(attend_twice(lane, qkv, out) == DN_OK);
    }
    device->lane_free(lane);
    device->release(qkv), device->release(out);
    EXPECT_INT(test_gpu_state.memory_bytes, 0);
    unsetenv("DN_CUDA_CUDNN");
    return status;
}

CASE(long_rows_go_to_cudnn_where_it_is_asked_for) {
    test_gpu_reset();
    EXPECT(attend_on("0") == DN_OK);
    EXPECT_INT(test_gpu_state.n_planned + test_gpu_state.n_fused, 0);
    EXPECT(!strstr(dn_cuda_plugin.describe(), "cuDNN"));
    EXPECT(attend_on("1") == DN_OK);
    EXPECT_INT(test_gpu_state.n_planned, 1);
    EXPECT_INT(test_gpu_state.n_fused, 3 * 2);
    EXPECT(strstr(dn_cuda_plugin.describe(), "rows over 128 tokens by cuDNN 9.19.0"));
}

CASE(without_cudnn_our_own_kernel_answers_and_that_is_told) {
    test_gpu_reset();
    test_gpu_state.no_dnn = 1;
    EXPECT(attend_on("1") == DN_OK);
    EXPECT_INT(test_gpu_state.n_fused, 0);
    EXPECT(strstr(dn_cuda_plugin.describe(), "by our own kernel, not by cuDNN: libcudnn.so.9 is"));
}

CASE(a_shape_that_cudnn_cannot_do_is_told) {
    test_gpu_reset();
    test_gpu_state.no_plan = 1;
    EXPECT(attend_on("1") == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE);
    EXPECT(says("at most 256 tokens, 2 heads of 32 (status 3000): unset DN_CUDA_CUDNN"));
}

/* ---- algorithms ---- */

/** The one file below the cache. */
static bool cache_file(const char *folder, char path[512]) {
    char command[512];
    snprintf(command, sizeof command, "ls %s/dunlin/gemm-*.txt 2>/dev/null", folder);
    FILE *list = popen(command, "r");
    bool found = list && fgets(path, 512, list);
    if (list) {
        pclose(list);
    }
    path[found ? strcspn(path, "\n") : 0] = '\0';
    return found;
}

static int suggested_by_one_pass(void) {
    test_gpu_state.n_suggested = 0;
    fixture *f = open_fixture(BF16);
    EXPECT(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    close_fixture(f);
    return test_gpu_state.n_suggested;
}

CASE(algorithms_are_timed_once_and_found_again) {
    char folder[] = "/tmp/dunlin-test-XXXXXX", path[512];
    REQUIRE(mkdtemp(folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    test_gpu_reset();
    int first = suggested_by_one_pass();
    EXPECT(first > 0);
    EXPECT_INT(suggested_by_one_pass(), 0);
    REQUIRE(cache_file(folder, path));
    FILE *file = fopen(path, "r+"); /* another device's algorithms are not ours */
    REQUIRE(file && fputs("dunlin gemm 0", file) >= 0 && fclose(file) == 0);
    EXPECT_INT(suggested_by_one_pass(), first);
    unlink(path);
    EXPECT_INT(suggested_by_one_pass(), first);
    struct stat info;
    REQUIRE(cache_file(folder, path) && stat(path, &info) == 0);
    REQUIRE(truncate(path, info.st_size - 3) == 0);
    EXPECT_INT(suggested_by_one_pass(), 1); /* a cut line is timed again, the others are not */
    unlink(path);
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    EXPECT_INT(suggested_by_one_pass(), first); /* a folder that cannot be made is no error */
}

int main(int argc, char **argv) {
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1); /* nothing is kept unless a case wants it */
    return dn_test_main(argc, argv);
}
