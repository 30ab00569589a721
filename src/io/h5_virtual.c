#include "base/memory.h"
#include "io/h5_internal.h"

#include <math.h>
#include <stdio.h>

/* A virtual dataset reads a missing part as fill value without a word, so that value must not look
 * like data. */
static void set_sentinel(hid_t list, dn_h5_type type, hid_t file_type) {
    static const int64_t no_int = INT64_MIN;
    static const int32_t no_int32 = INT32_MIN;
    static const uint64_t no_unsigned = UINT64_MAX;
    static const float no_float = NAN;
    static const double no_double = NAN;
    static const uint8_t no_label = 254, no_byte = 0;
    const void *const sentinel[DN_H5_TYPES] = {
        [DN_H5_U8] = &no_byte,      [DN_H5_I32] = &no_int32, [DN_H5_I64] = &no_int,
        [DN_H5_U64] = &no_unsigned, [DN_H5_F32] = &no_float, [DN_H5_F64] = &no_double,
        [DN_H5_ENUM] = &no_label,   [DN_H5_TEXT] = &no_byte,
    };
    H5Pset_fill_value(list, file_type, sentinel[type]);
}

static herr_t add_piece(hid_t list, hid_t space, const dn_h5_piece *piece, uint64_t start,
                        int width) {
    hsize_t from[2] = {start, 0}, count[2] = {piece->n_rows, (hsize_t)width};
    hid_t source = H5Screate_simple(width > 1 ? 2 : 1, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL);
    herr_t done = H5Pset_virtual(list, space, piece->file, piece->path, source);
    H5Sclose(source);
    return done;
}

static hid_t make_virtual(dn_h5_file *file, const dn_h5_column *column, const dn_h5_piece *pieces,
                          int n) {
    hsize_t size[2] = {0, (hsize_t)column->width};
    for (int i = 0; i < n; i++) {
        size[0] += pieces[i].n_rows;
    }
    hid_t space = H5Screate_simple(column->width > 1 ? 2 : 1, size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t link = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(link, 1);
    set_sentinel(create, column->type, column->file_type);
    herr_t mapped = 0;
    uint64_t start = 0;
    for (int i = 0; i < n && mapped >= 0; i++) {
        if (pieces[i].file && pieces[i].n_rows) {
            mapped = add_piece(create, space, &pieces[i], start, column->width);
        }
        start += pieces[i].n_rows;
    }
    H5Sselect_all(space);
    hid_t dataset = mapped < 0 ? H5I_INVALID_HID
                               : H5Dcreate2(file->id, column->path, column->file_type, space, link,
                                            create, H5P_DEFAULT);
    H5Pclose(link);
    H5Pclose(create);
    H5Sclose(space);
    return dataset;
}

dn_status dn_h5_add_virtual(dn_h5_file *file, const dn_h5_spec *spec, const dn_h5_piece *pieces,
                            int n) {
    dn_h5_enter();
    dn_h5_column *column = dn_h5_column_new(file, spec, spec->path, spec->type);
    dn_status status = DN_OK;
    column->is_virtual = true;
    column->dataset = make_virtual(file, column, pieces, n);
    if (column->dataset < 0) {
        status = dn_h5_error(file, spec->path);
    }
    dn_h5_leave();
    return status;
}
