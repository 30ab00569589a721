#include "model/outliers.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JSON_BYTES = 1 << 20 };
static const double least_gain = 0.03;

static const char *const matrix_names[DN_MATRICES] = {
    [DN_QKV] = "qkv", [DN_OUT] = "out", [DN_UP] = "up", [DN_DOWN] = "down"};

static void new_outliers(int n_layers, dn_outliers *out) {
    out->n_layers = n_layers;
    out->layer = dn_alloc_array((size_t)n_layers, sizeof *out->layer);
}

void dn_outliers_free(dn_outliers *outliers) {
    free(outliers->layer);
    *outliers = (dn_outliers){0};
}

static dn_status read_inputs(const dn_json_at *layer, dn_matrix matrix, int width, dn_inputs *out) {
    dn_json_at list;
    DN_TRY(dn_json_need(layer, matrix_names[matrix], DN_JSON_ARRAY, &list));
    size_t n = dn_json_count(&list);
    if (n > DN_MAX_KEPT) {
        return dn_json_fail(&list, "has %zu inputs, expected at most %d", n, DN_MAX_KEPT);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at at = dn_json_item(&list, i);
        int64_t input, least = i > 0 ? out->input[i - 1] + 1 : 0;
        DN_TRY(dn_json_int(&at, least, width - 1, &input));
        out->input[out->n++] = (int32_t)input;
    }
    return DN_OK;
}

static dn_status read_layers(const dn_json_at *root, const dn_config *config, dn_outliers *out) {
    dn_json_at layers;
    DN_TRY(dn_json_need(root, "layers", DN_JSON_ARRAY, &layers));
    if (dn_json_count(&layers) != (size_t)config->layers) {
        return dn_json_fail(&layers, "has %zu layers, but config.json %d", dn_json_count(&layers),
                            config->layers);
    }
    for (int i = 0; i < config->layers; i++) {
        dn_json_at layer = dn_json_item(&layers, (size_t)i);
        for (int m = 0; m < DN_MATRICES; m++) {
            int width = m == DN_DOWN ? config->intermediate : config->hidden;
            DN_TRY(read_inputs(&layer, (dn_matrix)m, width, &out->layer[i][m]));
        }
    }
    return DN_OK;
}

dn_status dn_outliers_load(const char *dir, const dn_config *config, dn_outliers *out) {
    char *path = dn_format("%s/outliers.json", dir);
    dn_json *doc = NULL;
    dn_status status = DN_OK;
    new_outliers(config->layers, out);
    if (access(path, F_OK) == 0) {
        status = dn_json_load(path, MAX_JSON_BYTES, DN_E_MODEL, &doc);
    }
    free(path);
    if (doc) {
        dn_json_at root = dn_json_root(doc);
        status = read_layers(&root, config, out);
    }
    dn_json_free(doc);
    return status;
}

/** The rows that a matrix read. */
typedef struct sample {
    int n_rows, width;
    float *x;
} sample;

struct dn_outlier_search {
    int n_layers, widest;
    sample (*layer)[DN_MATRICES];
};

dn_outlier_search *dn_outlier_search_new(const dn_model_info *info) {
    dn_outlier_search *search = dn_alloc(sizeof *search);
    search->n_layers = info->layers;
    search->widest = info->intermediate > info->hidden ? info->intermediate : info->hidden;
    search->layer = dn_alloc_array((size_t)info->layers, sizeof *search->layer);
    for (int i = 0; i < info->layers; i++) {
        for (int m = 0; m < DN_MATRICES; m++) {
            sample *s = &search->layer[i][m];
            s->width = m == DN_DOWN ? info->intermediate : info->hidden;
            s->x = dn_alloc_array((size_t)DN_OUTLIER_ROWS * (size_t)s->width, sizeof *s->x);
        }
    }
    return search;
}

void dn_outlier_search_free(dn_outlier_search *search) {
    if (search) {
        for (int i = 0; i < search->n_layers; i++) {
            for (int m = 0; m < DN_MATRICES; m++) {
                free(search->layer[i][m].x);
            }
        }
        free(search->layer);
        free(search);
    }
}

void dn_outlier_search_add(void *search, int layer, dn_matrix matrix, const float *x, int n_rows,
                           int width) {
    sample *s = &((dn_outlier_search *)search)->layer[layer][matrix];
    int room = DN_OUTLIER_ROWS - s->n_rows, n = n_rows < room ? n_rows : room;
    memcpy(s->x + (size_t)s->n_rows * (size_t)width, x,
           (size_t)n * (size_t)width * sizeof *x);
    s->n_rows += n;
}

/** The two lowest or highest values of a row and where the first of them is; zero counts as a
 * value, as it does in a range. */
typedef struct ends {
    double first, second;
    int at; /**< -1: zero */
} ends;

static void push(ends *e, double x, int at) {
    if (x > e->first) {
        e->second = e->first;
        e->first = x, e->at = at;
    } else if (x > e->second) {
        e->second = x;
    }
}

/** Adds to gain[width] what the row's squared range loses without each input; gives the range's
 * square. `x` has zeros in the place of those taken out. */
static double add_gains(const float *x, int width, double *gain) {
    ends high = {0, 0, -1}, low = {0, 0, -1};
    for (int i = 0; i < width; i++) {
        push(x[i] > 0 ? &high : &low, fabs((double)x[i]), i);
    }
    double range = high.first + low.first;
    if (high.at >= 0) {
        gain[high.at] += pow(range, 2) - pow(high.second + low.first, 2);
    }
    if (low.at >= 0) {
        gain[low.at] += pow(range, 2) - pow(high.first + low.second, 2);
    }
    return pow(range, 2);
}

static int by_value(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/** Zeroes what it takes out. */
static void choose(sample *s, double *gain, dn_inputs *out) {
    size_t width = (size_t)s->width;
    while (out->n < DN_MAX_KEPT) {
        double sum = 0;
        int best = 0;
        memset(gain, 0, width * sizeof *gain);
        for (size_t r = 0; r < (size_t)s->n_rows; r++) {
            sum += add_gains(s->x + r * width, s->width, gain);
        }
        for (int i = 1; i < s->width; i++) {
            best = gain[i] > gain[best] ? i : best;
        }
        if (!(gain[best] > least_gain * sum)) {
            break;
        }
        out->input[out->n++] = best;
        for (size_t r = 0; r < (size_t)s->n_rows; r++) {
            s->x[r * width + (size_t)best] = 0;
        }
    }
    qsort(out->input, (size_t)out->n, sizeof *out->input, by_value);
}

void dn_outlier_search_end(dn_outlier_search *search, dn_outliers *out) {
    double *gain = dn_alloc_array((size_t)search->widest, sizeof *gain);
    new_outliers(search->n_layers, out);
    for (int i = 0; i < search->n_layers; i++) {
        for (int m = 0; m < DN_MATRICES; m++) {
            choose(&search->layer[i][m], gain, &out->layer[i][m]);
        }
    }
    free(gain);
}

void dn_outliers_write(const dn_outliers *outliers, dn_out *out) {
    dn_out_open(out, '{');
    dn_out_key(out, "layers");
    dn_out_open(out, '[');
    for (int i = 0; i < outliers->n_layers; i++) {
        dn_out_open(out, '{');
        for (int m = 0; m < DN_MATRICES; m++) {
            const dn_inputs *inputs = &outliers->layer[i][m];
            dn_out_key(out, matrix_names[m]);
            dn_out_open(out, '[');
            for (int k = 0; k < inputs->n; k++) {
                dn_out_i64(out, inputs->input[k]);
            }
            dn_out_close(out, ']');
        }
        dn_out_close(out, '}');
    }
    dn_out_close(out, ']');
    dn_out_close(out, '}');
    dn_out_newline(out);
}
