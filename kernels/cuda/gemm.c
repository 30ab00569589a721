/* Which algorithm of the library is fastest depends on shape, device and versions. The library's
 * own guess is not always the best of its list, so the first product of a shape times the list,
 * and a file remembers the result: the next start finds it. */
#include "kernels/cuda/backend.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_ALGORITHMS = 12, RUNS = 20, MAX_LINE = 512, MAX_PATH = 4096 };

typedef struct choice {
    dn_gemm_shape shape;
    dn_gemm_algorithm algorithm;
} choice;

static struct {
    pthread_mutex_t lock;
    choice *choice;
    int n;
    bool loaded;
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_shape(const dn_gemm_shape *a, const dn_gemm_shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->in_type == b->in_type &&
           a->out_type == b->out_type && a->has_bias == b->has_bias;
}

static const choice *find(const dn_gemm_shape *shape) {
    for (int i = 0; i < self.n; i++) {
        if (is_shape(&self.choice[i].shape, shape)) {
            return &self.choice[i];
        }
    }
    return NULL;
}

static void keep(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm) {
    self.choice = dn_grow(self.choice, (size_t)self.n + 1, sizeof *self.choice);
    self.choice[self.n++] = (choice){*shape, *algorithm};
}

/* ---- the file ---- */

/** All that a choice depends on besides its shape: the file's first line. */
static void write_key(char key[MAX_LINE]) {
    snprintf(key, MAX_LINE,
             "dunlin gemm 1: %s, capability %d, driver %d, toolkit %d, cuBLASLt %d\n",
             dn_cuda.properties.name, dn_cuda.properties.capability, dn_cuda.driver_version,
             dn_cuda.api->toolkit_version, dn_cuda.api->blas->version());
}

static bool cache_folder(char path[MAX_PATH]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) {
        snprintf(path, MAX_PATH, "%s", cache);
    } else if (home && *home) {
        snprintf(path, MAX_PATH, "%s/.cache", home);
    } else {
        return false;
    }
    (void)mkdir(path, 0777);
    strncat(path, "/dunlin", MAX_PATH - strlen(path) - 1);
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

/** FNV-1a: a name for the file, so that the library needs no hash of another. */
static uint64_t hash_of(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

static bool cache_path(const char *key, char path[MAX_PATH]) {
    char folder[MAX_PATH];
    uint64_t hash = hash_of(key);
    return cache_folder(folder) &&
           snprintf(path, MAX_PATH, "%s/gemm-%016" PRIx64 ".txt", folder, hash) < MAX_PATH;
}

/** A damaged line is a shape that is timed again. */
static void read_line(const char *line) {
    choice c = {0};
    int in, out, bias, used = 0;
    if (sscanf(line, "%d %d %d %d %d %d%n", &c.shape.m, &c.shape.n, &c.shape.k, &in, &out, &bias,
               &used) != 6) {
        return;
    }
    c.shape.in_type = (dn_cuda_type)in;
    c.shape.out_type = (dn_cuda_type)out;
    c.shape.has_bias = bias != 0;
    for (int i = 0; i < DN_ALGORITHM_WORDS; i++) {
        int more = 0;
        if (sscanf(line + used, " %" SCNx64 "%n", &c.algorithm.word[i], &more) != 1) {
            return;
        }
        used += more;
    }
    if (line[used] == '\n' && !find(&c.shape) &&
        dn_cuda.api->blas->accepts(&c.shape, &c.algorithm)) {
        keep(&c.shape, &c.algorithm);
    }
}

static void load(void) {
    char key[MAX_LINE], line[MAX_LINE], path[MAX_PATH];
    self.loaded = true;
    write_key(key);
    FILE *file = cache_path(key, path) ? fopen(path, "r") : NULL;
    if (!file) {
        return;
    }
    if (fgets(line, sizeof line, file) && strcmp(line, key) == 0) {
        while (fgets(line, sizeof line, file)) {
            read_line(line);
        }
    }
    fclose(file);
}

/** One write, so that ranks that append at the same time do not mix lines. The file saves a second
 * of the next start; where it cannot be written nothing else is lost. */
static void append(const dn_gemm_shape *s, const dn_gemm_algorithm *algorithm) {
    char key[MAX_LINE], path[MAX_PATH], text[2 * MAX_LINE];
    write_key(key);
    int fd =
        cache_path(key, path) ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd < 0) {
        return;
    }
    struct stat info;
    bool is_new = fstat(fd, &info) == 0 && info.st_size == 0;
    int n = snprintf(text, sizeof text, "%s%d %d %d %d %d %d", is_new ? key : "", s->m, s->n, s->k,
                     (int)s->in_type, (int)s->out_type, s->has_bias);
    for (int i = 0; i < DN_ALGORITHM_WORDS; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, " %" PRIx64, algorithm->word[i]);
    }
    text[n++] = '\n';
    (void)!write(fd, text, (size_t)n);
    close(fd);
}

/* ---- timing ---- */

typedef struct timer {
    dn_cuda_event from, to;
} timer;

/** Nanoseconds of RUNS products in one recorded launch, so that the host's pace does not count;
 * INT64_MAX where the algorithm refuses. */
static int64_t time_one(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm,
                        const dn_gemm_operands *operands, const timer *clock, cudaStream_t stream) {
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_graph graph = NULL;
    int64_t ns = INT64_MAX;
    if (api->blas->run(shape, algorithm, operands, stream) || api->stream_finish(stream) ||
        api->capture_begin(stream)) {
        return ns;
    }
    int failed = 0;
    for (int i = 0; i < RUNS && !failed; i++) {
        failed = api->blas->run(shape, algorithm, operands, stream);
    }
    failed |= api->capture_end(stream, &graph);
    failed = failed ||
             api->graph_launch(graph, stream) || /* once for the instructions to be there */
             api->event_record(clock->from, stream, false) || api->graph_launch(graph, stream) ||
             api->event_record(clock->to, stream, false) || api->event_finish(clock->to) ||
             api->event_ns(clock->from, clock->to, &ns);
    if (graph) {
        api->graph_free(graph);
    }
    return failed ? INT64_MAX : ns;
}

static dn_status refuse(const dn_gemm_shape *s) {
    return DN_FAIL(DEVICE_FAULT,
                   "cuBLASLt has no algorithm for a product of %d x %d with %d x %d on %s", s->m,
                   s->k, s->n, s->k, dn_cuda.properties.name);
}

static dn_status time_all(const dn_gemm_shape *shape, const dn_gemm_operands *operands,
                          cudaStream_t stream, dn_gemm_algorithm *best) {
    const dn_cuda_api *api = dn_cuda.api;
    dn_gemm_algorithm list[MAX_ALGORITHMS];
    int n = api->blas->suggest(shape, list, MAX_ALGORITHMS);
    timer clock = {0};
    int error = api->event_new(true, &clock.from);
    error = error ? error : api->event_new(true, &clock.to);
    int64_t least_ns = INT64_MAX;
    for (int i = 0; i < n && !error; i++) {
        int64_t ns = time_one(shape, &list[i], operands, &clock, stream);
        if (ns < least_ns) {
            least_ns = ns;
            *best = list[i];
        }
    }
    if (clock.from) {
        api->event_free(clock.from);
    }
    if (clock.to) {
        api->event_free(clock.to);
    }
    if (error) {
        return dn_cuda_fault(error, "timing matrix products");
    }
    return least_ns == INT64_MAX ? refuse(shape) : DN_OK;
}

static dn_status learn(const dn_gemm_shape *shape, const dn_gemm_operands *operands,
                       cudaStream_t stream) {
    if (!self.loaded) {
        load();
    }
    if (find(shape)) {
        return DN_OK;
    }
    dn_gemm_algorithm best;
    DN_TRY(time_all(shape, operands, stream, &best));
    keep(shape, &best);
    append(shape, &best);
    return DN_OK;
}

dn_status dn_cuda_gemm_prepare(const dn_gemm_shape *shape, const dn_gemm_operands *operands,
                               cudaStream_t stream) {
    pthread_mutex_lock(&self.lock);
    dn_status status = learn(shape, operands, stream);
    pthread_mutex_unlock(&self.lock);
    return status;
}

int dn_cuda_gemm(const dn_gemm_shape *shape, const dn_gemm_operands *operands,
                 cudaStream_t stream) {
    pthread_mutex_lock(&self.lock);
    const choice *known = find(shape);
    dn_gemm_algorithm algorithm = known ? known->algorithm : (dn_gemm_algorithm){0};
    pthread_mutex_unlock(&self.lock);
    return known ? -dn_cuda.api->blas->run(shape, &algorithm, operands, stream) : -1;
}

void dn_cuda_gemm_reset(void) {
    pthread_mutex_lock(&self.lock);
    free(self.choice);
    self.choice = NULL;
    self.n = 0;
    self.loaded = false;
    pthread_mutex_unlock(&self.lock);
}
