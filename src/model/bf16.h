#ifndef DN_MODEL_BF16_H
#define DN_MODEL_BF16_H
/** A checkpoint as one .safetensors file in bf16: half of fp32, and what the shipped model has. */
#include "model/checkpoint.h"

#include <stdio.h>

/** Writes the tensors that were asked for (dn_checkpoint_need), rounded to the nearest, ties to
 * even; *n_left: how many were not. Errors of the file are the caller's to look for (ferror). */
dn_status dn_bf16_write(const dn_checkpoint *checkpoint, FILE *out, int *n_left);

/** Numbers, all finite, rounded alike. */
void dn_bf16_write_floats(const float *x, uint64_t n, FILE *out);

#endif
