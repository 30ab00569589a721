#ifndef DN_MODEL_SAFETENSORS_WRITE_H
#define DN_MODEL_SAFETENSORS_WRITE_H
/** The header of a .safetensors file that is written: tensors are named in the order in which their
 * data follows.
 *
 *    open, add ..., write, and then the data of each without a gap */
#include "io/json_write.h"
#include "model/safetensors.h"

#include <stdio.h>

typedef struct dn_tensor_header {
    dn_out text;
    uint64_t offset; /**< where the next tensor's data begins */
} dn_tensor_header;

void dn_tensor_header_open(dn_tensor_header *header);
void dn_tensor_header_add(dn_tensor_header *header, const char *name, dn_dtype dtype, int n_dims,
                          const uint64_t *dim);

/** Ends the header, writes and frees it. Errors of the file are the caller's to look for. */
void dn_tensor_header_write(dn_tensor_header *header, FILE *out);

#endif
