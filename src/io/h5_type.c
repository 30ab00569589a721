#include "base/memory.h"
#include "io/h5_internal.h"

#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "chunks are written as they lie in memory, and the files are little endian");

size_t dn_h5_type_bytes(dn_h5_type type) {
    static const unsigned char bytes[DN_H5_TYPES] = {
        [DN_H5_U8] = 1,  [DN_H5_I32] = 4, [DN_H5_I64] = 8,  [DN_H5_U64] = 8,
        [DN_H5_F32] = 4, [DN_H5_F64] = 8, [DN_H5_ENUM] = 1, [DN_H5_TEXT] = 1,
    };
    return bytes[type];
}

/* The library's type ids are variables that exist only once it is open: hence no const table. */
hid_t dn_h5_file_type(dn_h5_type type) {
    const hid_t types[DN_H5_TYPES] = {
        [DN_H5_U8] = H5T_STD_U8LE,   [DN_H5_I32] = H5T_STD_I32LE,  [DN_H5_I64] = H5T_STD_I64LE,
        [DN_H5_U64] = H5T_STD_U64LE, [DN_H5_F32] = H5T_IEEE_F32LE, [DN_H5_F64] = H5T_IEEE_F64LE,
        [DN_H5_ENUM] = H5T_STD_U8LE, [DN_H5_TEXT] = H5T_STD_U8LE,
    };
    return types[type];
}

hid_t dn_h5_make_type(dn_h5_type type, char *const *labels, int n_labels) {
    if (type != DN_H5_ENUM) {
        return H5Tcopy(dn_h5_file_type(type));
    }
    hid_t id = H5Tenum_create(H5T_STD_U8LE);
    for (int i = 0; i < n_labels && id >= 0; i++) {
        uint8_t value = (uint8_t)i;
        if (H5Tenum_insert(id, labels[i], &value) < 0) {
            H5Tclose(id);
            return H5I_INVALID_HID;
        }
    }
    uint8_t none = 255;
    H5Tenum_insert(id, "(none)", &none);
    return id;
}
