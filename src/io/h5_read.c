#include "base/memory.h"
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>

bool dn_h5_has(dn_h5_file *file, const char *path) {
    dn_h5_enter();
    /* Each link on the way is asked for: H5Lexists fails on a missing group in between. */
    char part[256];
    bool found = true;
    for (const char *end = path; found && *end;) {
        end = strchr(end + 1, '/') ? strchr(end + 1, '/') : path + strlen(path);
        snprintf(part, sizeof part, "%.*s", (int)(end - path), path);
        found = H5Lexists(file->id, part, H5P_DEFAULT) > 0;
    }
    dn_h5_forget();
    dn_h5_leave();
    return found;
}

static dn_h5_type type_of(hid_t stored) {
    if (H5Tget_class(stored) == H5T_ENUM) {
        return H5Tget_size(stored) == 1 ? DN_H5_ENUM : DN_H5_TYPES;
    }
    for (dn_h5_type type = DN_H5_U8; type <= DN_H5_F64; type++) {
        if (H5Tequal(stored, dn_h5_file_type(type)) > 0) {
            return type;
        }
    }
    return DN_H5_TYPES;
}

static void take_enum_labels(hid_t type, dn_h5_info *info) {
    int n = H5Tget_nmembers(type);
    info->labels = dn_alloc_array(n > 0 ? (size_t)n : 1, sizeof *info->labels);
    for (int i = 0; i < n; i++) {
        uint8_t value;
        char *name = H5Tget_member_name(type, (unsigned)i);
        if (name && H5Tget_member_value(type, (unsigned)i, &value) >= 0 && value < n - 1) {
            free(info->labels[value]);
            info->labels[value] = dn_strdup(name);
            info->n_labels = value >= info->n_labels ? value + 1 : info->n_labels;
        }
        H5free_memory(name);
    }
}

static char *text_or_empty(dn_h5_file *file, const char *path, const char *name) {
    char *text = NULL;
    if (H5Aexists_by_name(file->id, path, name, H5P_DEFAULT) <= 0 ||
        dn_h5_get_text(file, path, name, &text) != DN_OK) {
        dn_h5_forget();
        return dn_strdup("");
    }
    return text;
}

static void take_shape(hid_t dataset, dn_h5_info *info) {
    hid_t space = H5Dget_space(dataset);
    hsize_t size[2] = {0, 1};
    int dimensions = H5Sget_simple_extent_ndims(space);
    if (dimensions == 1 || dimensions == 2) {
        H5Sget_simple_extent_dims(space, size, NULL);
    } else {
        info->type = DN_H5_TYPES;
    }
    info->n_rows = size[0];
    info->width = (int)size[1];
    H5Sclose(space);
    hid_t list = H5Dget_create_plist(dataset);
    info->stored = H5Pget_layout(list) != H5D_VIRTUAL;
    H5Pclose(list);
}

static void take_info(dn_h5_file *file, hid_t dataset, const char *path, dn_h5_info *info) {
    *info = (dn_h5_info){0};
    snprintf(info->path, sizeof info->path, "%.*s", (int)sizeof info->path - 1, path);
    hid_t type = H5Dget_type(dataset);
    info->type = type_of(type);
    take_shape(dataset, info);
    info->row_bytes = H5Tget_size(type) * (size_t)info->width;
    if (info->type == DN_H5_ENUM) {
        take_enum_labels(type, info);
    }
    H5Tclose(type);
    info->units = text_or_empty(file, path, "units");
    info->long_name = text_or_empty(file, path, "long_name");
    char *hash = text_or_empty(file, path, "xxh3");
    char *end = hash;
    info->hash = strtoull(hash, &end, 16);
    info->has_hash = end == hash + 16;
    free(hash);
    if (info->type != DN_H5_ENUM) {
        dn_h5_get_labels(file, path, &info->labels, &info->n_labels);
    }
}

typedef struct listing {
    dn_h5_file *file;
    dn_h5_info *infos;
    int n;
    bool damaged;
} listing;

static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *ctx) {
    listing *list = ctx;
    (void)link;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        list->damaged = true;
        return -1;
    }
    if (H5Iget_type(object) == H5I_DATASET) {
        char path[256];
        snprintf(path, sizeof path, "/%s", name);
        list->infos = dn_grow(list->infos, (size_t)list->n + 1, sizeof *list->infos);
        take_info(list->file, object, path, &list->infos[list->n++]);
    }
    H5Oclose(object);
    return 0;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const dn_h5_info *)a)->path, ((const dn_h5_info *)b)->path);
}

dn_status dn_h5_list(dn_h5_file *file, dn_h5_info **infos, int *n) {
    dn_h5_enter();
    listing list = {.file = file};
    dn_status status = DN_OK;
    if (H5Lvisit(file->id, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &list) < 0 || list.damaged) {
        status = dn_h5_error(file, "the list of datasets cannot be read");
        dn_h5_infos_free(list.infos, list.n);
    } else {
        if (list.n) {
            qsort(list.infos, (size_t)list.n, sizeof *list.infos, by_path);
        }
        *infos = list.infos;
        *n = list.n;
    }
    dn_h5_leave();
    return status;
}

void dn_h5_infos_free(dn_h5_info *infos, int n) {
    for (int i = 0; i < n; i++) {
        for (int label = 0; label < infos[i].n_labels; label++) {
            free(infos[i].labels[label]);
        }
        free(infos[i].labels);
        free(infos[i].units);
        free(infos[i].long_name);
    }
    free(infos);
}

const dn_h5_info *dn_h5_find(const dn_h5_info *infos, int n, const char *path) {
    for (int i = 0; i < n; i++) {
        if (strcmp(infos[i].path, path) == 0) {
            return &infos[i];
        }
    }
    return NULL;
}

static herr_t read_rows(hid_t dataset, uint64_t first, uint64_t n, void *out) {
    hid_t file = H5Dget_space(dataset);
    hsize_t size[2] = {0, 1};
    int dimensions = H5Sget_simple_extent_ndims(file);
    herr_t done = -1;
    if (dimensions == 1 || dimensions == 2) {
        H5Sget_simple_extent_dims(file, size, NULL);
        hsize_t start[2] = {first, 0}, count[2] = {n, size[1]};
        hid_t memory = H5Screate_simple(dimensions, count, NULL);
        hid_t type = H5Dget_type(dataset);
        H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL);
        done = H5Dread(dataset, type, memory, file, H5P_DEFAULT, out);
        H5Tclose(type);
        H5Sclose(memory);
    }
    H5Sclose(file);
    return done;
}

dn_status dn_h5_read(dn_h5_file *file, const char *path, uint64_t first, uint64_t n, void *out) {
    if (!n) {
        return DN_OK;
    }
    dn_h5_enter();
    /* Without a cache the values of unfiltered chunks go straight into `out`. */
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 0, 0, 1.0);
    hid_t dataset = H5Dopen2(file->id, path, access);
    H5Pclose(access);
    herr_t done = dataset < 0 ? -1 : read_rows(dataset, first, n, out);
    dn_status status = DN_OK;
    if (done < 0) {
        char what[256];
        snprintf(what, sizeof what, "%s cannot be read", path);
        status = dn_h5_error(file, what);
    }
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    dn_h5_leave();
    return status;
}

dn_status dn_h5_extent(dn_h5_file *file, const char *path, uint64_t *offset, uint64_t *size_bytes) {
    dn_h5_enter();
    hid_t dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    haddr_t address = dataset < 0 ? HADDR_UNDEF : H5Dget_offset(dataset);
    dn_status status = DN_OK;
    if (address == HADDR_UNDEF) {
        char what[256];
        snprintf(what, sizeof what, "%s is missing or not contiguous", path);
        status = dn_h5_error(file, what);
    } else {
        *offset = address;
        *size_bytes = H5Dget_storage_size(dataset);
    }
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    dn_h5_leave();
    return status;
}
