#include "model/safetensors_write.h"

enum { ALIGN = 8 };

void dn_tensor_header_open(dn_tensor_header *header) {
    dn_out *out = &header->text;
    *header = (dn_tensor_header){0};
    dn_out_open(out, '{');
    dn_out_key(out, "__metadata__");
    dn_out_open(out, '{');
    dn_out_key(out, "format");
    dn_out_string(out, dn_span_of("pt"));
    dn_out_close(out, '}');
}

void dn_tensor_header_add(dn_tensor_header *header, const char *name, dn_dtype dtype, int n_dims,
                          const uint64_t *dim) {
    dn_out *out = &header->text;
    uint64_t size = dn_dtype_bytes(dtype);
    dn_out_key(out, name);
    dn_out_open(out, '{');
    dn_out_key(out, "dtype");
    dn_out_string(out, dn_span_of(dn_dtype_name(dtype)));
    dn_out_key(out, "shape");
    dn_out_open(out, '[');
    for (int i = 0; i < n_dims; i++) {
        dn_out_i64(out, (int64_t)dim[i]);
        size *= dim[i];
    }
    dn_out_close(out, ']');
    dn_out_key(out, "data_offsets");
    dn_out_open(out, '[');
    dn_out_i64(out, (int64_t)header->offset);
    header->offset += size;
    dn_out_i64(out, (int64_t)header->offset);
    dn_out_close(out, ']');
    dn_out_close(out, '}');
}

void dn_tensor_header_write(dn_tensor_header *header, FILE *out) {
    unsigned char length[8];
    dn_out_close(&header->text, '}');
    while (header->text.len % ALIGN) {
        dn_out_bytes(&header->text, " ", 1);
    }
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(header->text.len >> (8 * i));
    }
    fwrite(length, 1, sizeof length, out);
    fwrite(header->text.ptr, 1, header->text.len, out);
    dn_out_free(&header->text);
}
