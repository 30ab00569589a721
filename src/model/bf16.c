#include "model/bf16.h"

#include "base/memory.h"
#include "io/json_write.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 16, ALIGN = 8 };

/** The header while it grows, and where the next tensor begins. */
typedef struct header {
    dn_out text;
    int64_t offset;
    int n_left;
} header;

static dn_status add_entry(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                           bool needed) {
    (void)file;
    header *h = ctx;
    if (!needed) {
        h->n_left++;
        return DN_OK;
    }
    dn_out *out = &h->text;
    dn_out_key(out, tensor->name);
    dn_out_open(out, '{');
    dn_out_key(out, "dtype");
    dn_out_string(out, dn_span_of("BF16"));
    dn_out_key(out, "shape");
    dn_out_open(out, '[');
    for (int i = 0; i < tensor->n_dims; i++) {
        dn_out_i64(out, (int64_t)tensor->dim[i]);
    }
    dn_out_close(out, ']');
    dn_out_key(out, "data_offsets");
    dn_out_open(out, '[');
    dn_out_i64(out, h->offset);
    h->offset += 2 * (int64_t)tensor->n_elements;
    dn_out_i64(out, h->offset);
    dn_out_close(out, ']');
    dn_out_close(out, '}');
    return DN_OK;
}

static void write_header(header *h, FILE *out) {
    unsigned char length[8];
    while (h->text.len % ALIGN) {
        dn_out_bytes(&h->text, " ", 1);
    }
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(h->text.len >> (8 * i));
    }
    fwrite(length, 1, sizeof length, out);
    fwrite(h->text.ptr, 1, h->text.len, out);
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

static dn_status write_tensor(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                              bool needed) {
    static _Thread_local float values[BLOCK];
    static _Thread_local unsigned char bytes[2 * BLOCK];
    for (uint64_t at = 0; needed && at < tensor->n_elements; at += BLOCK) {
        uint64_t rest = tensor->n_elements - at, n = rest < BLOCK ? rest : BLOCK;
        DN_TRY(dn_tensor_floats(file, tensor, at, n, values));
        round_to_bf16(values, n, bytes);
        fwrite(bytes, 2, n, ctx);
    }
    return DN_OK;
}

dn_status dn_bf16_write(const dn_checkpoint *checkpoint, FILE *out, int *n_left) {
    header h = {0};
    dn_out_open(&h.text, '{');
    dn_out_key(&h.text, "__metadata__");
    dn_out_open(&h.text, '{');
    dn_out_key(&h.text, "format");
    dn_out_string(&h.text, dn_span_of("pt"));
    dn_out_close(&h.text, '}');
    dn_checkpoint_each(checkpoint, add_entry, &h);
    dn_out_close(&h.text, '}');
    write_header(&h, out);
    dn_out_free(&h.text);
    *n_left = h.n_left;
    return dn_checkpoint_each(checkpoint, write_tensor, out);
}
