#ifndef DN_MODEL_SAFETENSORS_H
#define DN_MODEL_SAFETENSORS_H
/** A reader of .safetensors files that trusts nothing in them.
 *
 *    [8 bytes: N, little endian][N bytes: JSON header][tensor data ... end of file]
 *                                {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...}
 *
 * Refused, with file and tensor named: N above 100 MB or beyond the file, a header that is not one
 * JSON object or has duplicate keys, metadata that is not text, unknown dtypes, a size that does
 * not follow from shape and dtype (in checked arithmetic), and tensors that overlap, leave a hole
 * or do not end with the file. All of it is checked before a tensor can be touched. The file is
 * mapped, not read: it must not be cut while it is open.
 *
 * Source: the format's reference reader and its tests. */
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { DN_TENSOR_MAX_DIMS = 8 };

typedef enum dn_dtype {
    DN_DT_BOOL,
    DN_DT_U8,
    DN_DT_I8,
    DN_DT_F8_E4M3,
    DN_DT_F8_E5M2,
    DN_DT_I16,
    DN_DT_U16,
    DN_DT_F16,
    DN_DT_BF16,
    DN_DT_I32,
    DN_DT_U32,
    DN_DT_F32,
    DN_DT_F64,
    DN_DT_I64,
    DN_DT_U64,
    DN_DTYPES
} dn_dtype;

/** "F32" ...; bytes of one element. */
const char *dn_dtype_name(dn_dtype dtype);
uint64_t dn_dtype_bytes(dn_dtype dtype);

typedef struct dn_tensor {
    const char *name;
    dn_dtype dtype;
    int n_dims; /**< 0: a scalar */
    uint64_t dim[DN_TENSOR_MAX_DIMS];
    uint64_t n_elements; /**< may be 0 */
    uint64_t begin, end; /**< bytes behind the header */
    const void *data;    /**< not aligned; little endian */
} dn_tensor;

typedef struct dn_safetensors dn_safetensors;

/** Maps and checks. NO_INPUT when the file cannot be read, MODEL when it is not right.
 *  ownership  the caller: dn_safetensors_close */
dn_status dn_safetensors_open(const char *path, dn_safetensors **out);
void dn_safetensors_close(dn_safetensors *file);

/** Tensors in the order of their data. lends until close */
size_t dn_safetensors_count(const dn_safetensors *file);
const dn_tensor *dn_safetensors_get(const dn_safetensors *file, size_t index);

/** NULL when there is none of that name. */
const dn_tensor *dn_safetensors_find(const dn_safetensors *file, const char *name);

/** Like find, but absence or another shape is a MODEL error that says what is there. */
dn_status dn_safetensors_need(const dn_safetensors *file, const char *name, int n_dims,
                              const uint64_t *dim, const dn_tensor **out);

/** Elements [first, first + n) as float32, from F32, F16 or BF16. NaN, infinity and other dtypes
 * are MODEL errors. cost  O(n), no allocation */
dn_status dn_tensor_floats(const dn_safetensors *file, const dn_tensor *tensor, uint64_t first,
                           uint64_t n, float *out);

const char *dn_safetensors_path(const dn_safetensors *file);

/** The whole file, for its checksum. */
const void *dn_safetensors_bytes(const dn_safetensors *file, size_t *size);

#endif
