#include "model/bf16.h"

#include "model/safetensors_write.h"

#include <string.h>

enum { BLOCK = 1 << 16 };

/** The header while it grows, and what is not in it. */
typedef struct listing {
    dn_tensor_header header;
    int n_left;
} listing;

static dn_status add_entry(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                           bool needed) {
    (void)file;
    listing *l = ctx;
    if (needed) {
        dn_tensor_header_add(&l->header, tensor->name, DN_DT_BF16, tensor->n_dims, tensor->dim);
    } else {
        l->n_left++;
    }
    return DN_OK;
}

/** To the nearest, ties to even; the weights are finite. */
static void round_to_bf16(const float *x, uint64_t n, unsigned char *out) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits += 0x7fff + (bits >> 16 & 1);
        out[2 * i] = (unsigned char)(bits >> 16);
        out[2 * i + 1] = (unsigned char)(bits >> 24);
    }
}

void dn_bf16_write_floats(const float *x, uint64_t n, FILE *out) {
    static _Thread_local unsigned char bytes[2 * BLOCK];
    for (uint64_t at = 0; at < n; at += BLOCK) {
        uint64_t part = n - at < BLOCK ? n - at : BLOCK;
        round_to_bf16(x + at, part, bytes);
        fwrite(bytes, 2, part, out);
    }
}

static dn_status write_tensor(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                              bool needed) {
    static _Thread_local float values[BLOCK];
    for (uint64_t at = 0; needed && at < tensor->n_elements; at += BLOCK) {
        uint64_t rest = tensor->n_elements - at, n = rest < BLOCK ? rest : BLOCK;
        DN_TRY(dn_tensor_floats(file, tensor, at, n, values));
        dn_bf16_write_floats(values, n, ctx);
    }
    return DN_OK;
}

dn_status dn_bf16_write(const dn_checkpoint *checkpoint, FILE *out, int *n_left) {
    listing l = {0};
    dn_tensor_header_open(&l.header);
    dn_checkpoint_each(checkpoint, add_entry, &l);
    dn_tensor_header_write(&l.header, out);
    *n_left = l.n_left;
    return dn_checkpoint_each(checkpoint, write_tensor, out);
}
