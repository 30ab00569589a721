#include "base/memory.h"
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Variable length: an attribute of fixed length cannot pass 64 KiB, and h5py shows this kind as
 * str. */
static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

bool dn_h5_put_text(hid_t object, const char *name, const char *const *values, int n, bool scalar) {
    hsize_t size = (hsize_t)n;
    hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, NULL);
    hid_t type = text_type();
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && (n == 0 || H5Awrite(attribute, type, values) >= 0);
    if (attribute >= 0) {
        ok &= H5Aclose(attribute) >= 0;
    }
    H5Tclose(type);
    H5Sclose(space);
    return ok;
}

static bool put_i64(hid_t object, const char *name, int64_t value) {
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0;
    if (attribute >= 0) {
        ok &= H5Aclose(attribute) >= 0;
    }
    H5Sclose(space);
    return ok;
}

dn_status dn_h5_describe(dn_h5_file *file, const dn_h5_column *column) {
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)dn_hasher_value(column->hasher));
    const char *texts[] = {column->units, column->long_name, hash};
    bool ok = dn_h5_put_text(column->dataset, "units", &texts[0], 1, true) &&
              dn_h5_put_text(column->dataset, "long_name", &texts[1], 1, true) &&
              (column->is_virtual || dn_h5_put_text(column->dataset, "xxh3", &texts[2], 1, true));
    if (ok && column->n_labels && column->type != DN_H5_ENUM) {
        ok = dn_h5_put_text(column->dataset, "labels", (const char *const *)column->labels,
                            column->n_labels, false);
    }
    if (ok && column->nullable) {
        ok = put_i64(column->dataset, "missing_value", INT64_MIN);
    }
    return ok ? DN_OK : dn_h5_error(file, "attributes cannot be written");
}

static dn_status set(dn_h5_file *file, const char *object, const char *name,
                     const char *const *values, int n, bool scalar, const int64_t *number) {
    dn_h5_enter();
    hid_t id = H5Oopen(file->id, object, H5P_DEFAULT);
    bool ok = id >= 0 &&
              (number ? put_i64(id, name, *number) : dn_h5_put_text(id, name, values, n, scalar));
    if (id >= 0) {
        H5Oclose(id);
    }
    char what[160];
    snprintf(what, sizeof what, "attribute %s of %s cannot be written", name, object);
    dn_status status = ok ? DN_OK : dn_h5_error(file, what);
    dn_h5_leave();
    return status;
}

dn_status dn_h5_set_text(dn_h5_file *file, const char *object, const char *name,
                         const char *value) {
    return set(file, object, name, &value, 1, true, NULL);
}

dn_status dn_h5_set_texts(dn_h5_file *file, const char *object, const char *name,
                          const char *const *values, int n) {
    return set(file, object, name, values, n, false, NULL);
}

dn_status dn_h5_set_i64(dn_h5_file *file, const char *object, const char *name, int64_t value) {
    return set(file, object, name, NULL, 0, true, &value);
}

static hid_t open_attribute(dn_h5_file *file, const char *object, const char *name) {
    return H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT);
}

static dn_status missing(dn_h5_file *file, const char *object, const char *name) {
    char what[160];
    snprintf(what, sizeof what, "attribute %s of %s is missing or damaged", name, object);
    return dn_h5_error(file, what);
}

dn_status dn_h5_get_i64(dn_h5_file *file, const char *object, const char *name, int64_t *value) {
    dn_h5_enter();
    hid_t attribute = open_attribute(file, object, name);
    bool ok = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT64, value) >= 0;
    dn_status status = ok ? DN_OK : missing(file, object, name);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    dn_h5_leave();
    return status;
}

static bool read_text(hid_t attribute, char **value) {
    hid_t stored = H5Aget_type(attribute);
    hid_t space = H5Aget_space(attribute);
    bool fits = H5Tis_variable_str(stored) > 0 && H5Sget_simple_extent_npoints(space) == 1;
    char *text = NULL;
    hid_t type = text_type();
    bool ok = fits && H5Aread(attribute, type, &text) >= 0;
    if (ok) {
        *value = dn_strdup(text ? text : "");
    }
    H5free_memory(text);
    H5Tclose(type);
    H5Sclose(space);
    H5Tclose(stored);
    return ok;
}

dn_status dn_h5_get_text(dn_h5_file *file, const char *object, const char *name, char **value) {
    dn_h5_enter();
    hid_t attribute = open_attribute(file, object, name);
    bool ok = attribute >= 0 && read_text(attribute, value);
    dn_status status = ok ? DN_OK : missing(file, object, name);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    dn_h5_leave();
    return status;
}

static void read_labels(hid_t attribute, char ***labels, int *n) {
    hid_t space = H5Aget_space(attribute);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    hid_t type = text_type();
    char **texts = dn_alloc_array(count > 0 ? (size_t)count : 1, sizeof *texts);
    if (count > 0 && H5Aread(attribute, type, texts) >= 0) {
        *labels = dn_alloc_array((size_t)count, sizeof **labels);
        *n = (int)count;
        for (int i = 0; i < *n; i++) {
            (*labels)[i] = dn_strdup(texts[i] ? texts[i] : "");
        }
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts);
    }
    free(texts);
    H5Tclose(type);
    H5Sclose(space);
}

void dn_h5_get_labels(dn_h5_file *file, const char *object, char ***labels, int *n) {
    if (H5Aexists_by_name(file->id, object, "labels", H5P_DEFAULT) > 0) {
        hid_t attribute = open_attribute(file, object, "labels");
        if (attribute >= 0) {
            read_labels(attribute, labels, n);
            H5Aclose(attribute);
        }
    }
    dn_h5_forget();
}
