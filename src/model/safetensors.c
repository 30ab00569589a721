#include "model/safetensors.h"

#include "base/memory.h"
#include "io/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 100000000 };

struct dn_safetensors {
    char *path;
    unsigned char *map;
    size_t map_bytes;
    const unsigned char *data; /**< first byte behind the header */
    uint64_t data_bytes;
    dn_json *header; /**< keeps the names alive */
    dn_tensor *tensor;
    size_t n_tensors;
};

static const struct {
    const char *name;
    int bytes;
} dtypes[DN_DTYPES] = {
    [DN_DT_BOOL] = {"BOOL", 1},       [DN_DT_U8] = {"U8", 1},           [DN_DT_I8] = {"I8", 1},
    [DN_DT_F8_E4M3] = {"F8_E4M3", 1}, [DN_DT_F8_E5M2] = {"F8_E5M2", 1}, [DN_DT_I16] = {"I16", 2},
    [DN_DT_U16] = {"U16", 2},         [DN_DT_F16] = {"F16", 2},         [DN_DT_BF16] = {"BF16", 2},
    [DN_DT_I32] = {"I32", 4},         [DN_DT_U32] = {"U32", 4},         [DN_DT_F32] = {"F32", 4},
    [DN_DT_F64] = {"F64", 8},         [DN_DT_I64] = {"I64", 8},         [DN_DT_U64] = {"U64", 8},
};

const char *dn_dtype_name(dn_dtype dtype) {
    return dtypes[dtype].name;
}

uint64_t dn_dtype_bytes(dn_dtype dtype) {
    return (uint64_t)dtypes[dtype].bytes;
}

static dn_status map_file(dn_safetensors *file) {
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return DN_FAIL(NO_INPUT, "%s: cannot be read: %s", file->path, strerror(error));
    }
    if (!S_ISREG(info.st_mode) || info.st_size < LENGTH_BYTES) {
        close(fd);
        return DN_FAIL(MODEL, "%s: not a safetensors file: %s", file->path,
                       S_ISREG(info.st_mode) ? "shorter than its 8-byte length"
                                             : "not a regular file");
    }
    file->map_bytes = (size_t)info.st_size;
    file->map = mmap(NULL, file->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (file->map == MAP_FAILED) {
        file->map = NULL;
        return DN_FAIL(NO_INPUT, "%s: cannot be mapped: %s", file->path, strerror(error));
    }
    return DN_OK;
}

static dn_status parse_header(dn_safetensors *file) {
    uint64_t length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        length = length << 8 | file->map[i];
    }
    if (length > MAX_HEADER_BYTES) {
        return DN_FAIL(MODEL, "%s: header of %llu bytes; at most %d are allowed", file->path,
                       (unsigned long long)length, MAX_HEADER_BYTES);
    }
    uint64_t behind = file->map_bytes - LENGTH_BYTES;
    if (length > behind) {
        return DN_FAIL(MODEL, "%s: cut: the header needs %llu bytes and the file has %llu",
                       file->path, (unsigned long long)length, (unsigned long long)behind);
    }
    const char *text = (const char *)file->map + LENGTH_BYTES;
    if (length == 0 || text[0] != '{') {
        return DN_FAIL(MODEL, "%s: not a safetensors file: the header does not start with '{'",
                       file->path);
    }
    file->data = file->map + LENGTH_BYTES + length;
    file->data_bytes = behind - length;
    return dn_json_parse((dn_span){text, length}, file->path, DN_E_MODEL, &file->header);
}

static dn_status read_dtype(const dn_json_at *entry, dn_dtype *out) {
    dn_json_at at;
    const char *name;
    DN_TRY(dn_json_need(entry, "dtype", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &name));
    for (int i = 0; i < DN_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *out = (dn_dtype)i;
            return DN_OK;
        }
    }
    return dn_json_fail(&at, "\"%s\" is not a known type", name);
}

static dn_status read_shape(const dn_json_at *entry, dn_tensor *tensor) {
    dn_json_at shape;
    DN_TRY(dn_json_need(entry, "shape", DN_JSON_ARRAY, &shape));
    size_t n = dn_json_count(&shape);
    if (n > DN_TENSOR_MAX_DIMS) {
        return dn_json_fail(&shape, "has %zu dimensions; at most %d are read", n,
                            DN_TENSOR_MAX_DIMS);
    }
    tensor->n_dims = (int)n;
    tensor->n_elements = 1;
    bool overflow = false;
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&shape, i);
        int64_t dim;
        DN_TRY(dn_json_int(&item, 0, INT64_MAX, &dim));
        tensor->dim[i] = (uint64_t)dim;
        overflow |= __builtin_mul_overflow(tensor->n_elements, (uint64_t)dim, &tensor->n_elements);
    }
    return overflow ? dn_json_fail(&shape, "more elements than can be counted") : DN_OK;
}

static dn_status read_offsets(const dn_json_at *entry, dn_tensor *tensor) {
    dn_json_at pair;
    int64_t offset[2];
    DN_TRY(dn_json_need(entry, "data_offsets", DN_JSON_ARRAY, &pair));
    if (dn_json_count(&pair) != 2) {
        return dn_json_fail(&pair, "has %zu numbers, expected 2", dn_json_count(&pair));
    }
    for (size_t i = 0; i < 2; i++) {
        dn_json_at item = dn_json_item(&pair, i);
        DN_TRY(dn_json_int(&item, 0, INT64_MAX, &offset[i]));
    }
    tensor->begin = (uint64_t)offset[0];
    tensor->end = (uint64_t)offset[1];
    uint64_t bytes;
    bool overflow =
        __builtin_mul_overflow(tensor->n_elements, (uint64_t)dtypes[tensor->dtype].bytes, &bytes);
    if (overflow || tensor->end < tensor->begin || tensor->end - tensor->begin != bytes) {
        return dn_json_fail(entry, "data_offsets [%lld, %lld] do not fit %llu elements of type %s",
                            (long long)offset[0], (long long)offset[1],
                            (unsigned long long)tensor->n_elements, dtypes[tensor->dtype].name);
    }
    return DN_OK;
}

static dn_status check_metadata(const dn_json_at *metadata) {
    if (dn_json_kind_of(metadata) != DN_JSON_OBJECT) {
        return dn_json_fail(metadata, "is not an object");
    }
    dn_json_at entry;
    const char *text;
    for (void *cursor = NULL; dn_json_next(metadata, &cursor, &entry);) {
        DN_TRY(dn_json_text(&entry, &text));
    }
    return DN_OK;
}

static dn_status read_entries(dn_safetensors *file, const dn_json_at *root) {
    file->tensor = dn_alloc_array(dn_json_count(root), sizeof *file->tensor);
    dn_json_at entry;
    for (void *cursor = NULL; dn_json_next(root, &cursor, &entry);) {
        if (strcmp(entry.key, "__metadata__") == 0) {
            DN_TRY(check_metadata(&entry));
            continue;
        }
        dn_tensor *tensor = &file->tensor[file->n_tensors];
        tensor->name = entry.key;
        DN_TRY(read_dtype(&entry, &tensor->dtype));
        DN_TRY(read_shape(&entry, tensor));
        DN_TRY(read_offsets(&entry, tensor));
        file->n_tensors++;
    }
    return DN_OK;
}

/** Empty tensors share their offset with the next one and come first. */
static int by_offset(const void *a, const void *b) {
    const dn_tensor *x = a, *y = b;
    int order = (x->begin > y->begin) - (x->begin < y->begin);
    return order ? order : (x->end > y->end) - (x->end < y->end);
}

static dn_status check_layout(dn_safetensors *file) {
    qsort(file->tensor, file->n_tensors, sizeof *file->tensor, by_offset);
    uint64_t expected = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        dn_tensor *tensor = &file->tensor[i];
        if (tensor->begin != expected) {
            return DN_FAIL(MODEL, "%s: %s: %s: begins at byte %llu, the tensor before ends at %llu",
                           file->path, tensor->name,
                           tensor->begin < expected ? "overlaps another tensor" : "leaves a hole",
                           (unsigned long long)tensor->begin, (unsigned long long)expected);
        }
        if (tensor->end > file->data_bytes) {
            return DN_FAIL(
                MODEL, "%s: %s: cut: the tensor ends at byte %llu of the data, the file at %llu",
                file->path, tensor->name, (unsigned long long)tensor->end,
                (unsigned long long)file->data_bytes);
        }
        tensor->data = file->data + tensor->begin;
        expected = tensor->end;
    }
    if (expected != file->data_bytes) {
        return DN_FAIL(
            MODEL, "%s: %llu bytes follow the last tensor; the file is not what its header says",
            file->path, (unsigned long long)(file->data_bytes - expected));
    }
    return DN_OK;
}

dn_status dn_safetensors_open(const char *path, dn_safetensors **out) {
    dn_safetensors *file = dn_alloc(sizeof *file);
    file->path = dn_strdup(path);
    dn_status status;
    DN_TRY_GO(map_file(file), refused);
    DN_TRY_GO(parse_header(file), refused);
    dn_json_at root = dn_json_root(file->header);
    DN_TRY_GO(read_entries(file, &root), refused);
    DN_TRY_GO(check_layout(file), refused);
    *out = file;
    return DN_OK;
refused:
    dn_safetensors_close(file);
    return status;
}

void dn_safetensors_close(dn_safetensors *file) {
    if (!file) {
        return;
    }
    if (file->map) {
        munmap(file->map, file->map_bytes);
    }
    dn_json_free(file->header);
    free(file->tensor);
    free(file->path);
    free(file);
}

size_t dn_safetensors_count(const dn_safetensors *file) {
    return file->n_tensors;
}

const dn_tensor *dn_safetensors_get(const dn_safetensors *file, size_t index) {
    return &file->tensor[index];
}

const dn_tensor *dn_safetensors_find(const dn_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->n_tensors; i++) {
        if (strcmp(file->tensor[i].name, name) == 0) {
            return &file->tensor[i];
        }
    }
    return NULL;
}

/** "[30522, 384]"; `out` holds 200 bytes, enough for 8 numbers of 20 digits. */
static void print_shape(int n_dims, const uint64_t *dim, char *out) {
    char *end = out + sprintf(out, "[");
    for (int i = 0; i < n_dims; i++) {
        end += sprintf(end, "%s%llu", i ? ", " : "", (unsigned long long)dim[i]);
    }
    sprintf(end, "]");
}

dn_status dn_safetensors_need(const dn_safetensors *file, const char *name, int n_dims,
                              const uint64_t *dim, const dn_tensor **out) {
    const dn_tensor *tensor = dn_safetensors_find(file, name);
    if (!tensor) {
        return DN_FAIL(MODEL, "%s: has no tensor \"%s\", which config.json asks for", file->path,
                       name);
    }
    if (tensor->n_dims != n_dims || memcmp(tensor->dim, dim, (size_t)n_dims * sizeof *dim) != 0) {
        char is[200], wanted[200];
        print_shape(tensor->n_dims, tensor->dim, is);
        print_shape(n_dims, dim, wanted);
        return DN_FAIL(MODEL, "%s: %s: shape %s, config.json asks for %s", file->path, name, is,
                       wanted);
    }
    *out = tensor;
    return DN_OK;
}

static void from_f32(const unsigned char *in, uint64_t n, float *out) {
    memcpy(out, in, n * sizeof *out);
}

static void from_bf16(const unsigned char *in, uint64_t n, float *out) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)in[2 * i] << 16 | (uint32_t)in[2 * i + 1] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static float half_value(uint32_t half) {
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023, sign = half >> 15 << 31, bits;
    if (exponent == 0) {
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
    float value;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static void from_f16(const unsigned char *in, uint64_t n, float *out) {
    for (uint64_t i = 0; i < n; i++) {
        out[i] = half_value((uint32_t)in[2 * i] | (uint32_t)in[2 * i + 1] << 8);
    }
}

dn_status dn_tensor_floats(const dn_safetensors *file, const dn_tensor *tensor, uint64_t first,
                           uint64_t n, float *out) {
    static void (*const convert[DN_DTYPES])(const unsigned char *, uint64_t, float *) = {
        [DN_DT_F32] = from_f32, [DN_DT_BF16] = from_bf16, [DN_DT_F16] = from_f16};
    if (!convert[tensor->dtype]) {
        return DN_FAIL(MODEL, "%s: %s: type %s; weights are read as F32, F16 or BF16", file->path,
                       tensor->name, dtypes[tensor->dtype].name);
    }
    const unsigned char *data = tensor->data;
    convert[tensor->dtype](data + first * (uint64_t)dtypes[tensor->dtype].bytes, n, out);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &out[i], sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) {
            return DN_FAIL(MODEL, "%s: %s: element %llu is not a finite number", file->path,
                           tensor->name, (unsigned long long)(first + i));
        }
    }
    return DN_OK;
}

const char *dn_safetensors_path(const dn_safetensors *file) {
    return file->path;
}

const void *dn_safetensors_bytes(const dn_safetensors *file, size_t *size) {
    *size = file->map_bytes;
    return file->map;
}
