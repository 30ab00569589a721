#ifndef DN_MODEL_OUTLIERS_H
#define DN_MODEL_OUTLIERS_H
/** Which inputs of the layers' matrices int8 does not round with the others (kernels.h: dn_kept):
 * DIR/outliers.json, made by `dunlin model outliers` from texts like those to come.
 *
 *    {"layers": [{"qkv": [99, 63], "out": [], "up": [99, 223], "down": [856]}, ...]}
 *
 * Encoders have a few channels that are ten times as large as the rest, whatever the text. A row is
 * rounded between its lowest and highest value, so they cost the others their bits; taken out, they
 * cost one multiply-add an output each. */
#include "io/json_write.h"
#include "model/config.h"

typedef struct dn_inputs {
    int n;
    int32_t input[DN_MAX_KEPT]; /**< rising */
} dn_inputs;

typedef struct dn_outliers {
    int n_layers;
    dn_inputs (*layer)[DN_MATRICES]; /**< [n_layers] */
} dn_outliers;

/** None at all where there is no such file. MODEL errors name the file and the place in it.
 *  ownership  the caller: dn_outliers_free, also after an error */
dn_status dn_outliers_load(const char *dir, const dn_config *config, dn_outliers *out);
void dn_outliers_free(dn_outliers *outliers);

/** Finds them in what the matrices read: takes out, one by one, the input without which the squared
 * ranges of the rows add up to least, as long as each takes away at least 3 % of it. */
typedef struct dn_outlier_search dn_outlier_search;
dn_outlier_search *dn_outlier_search_new(const dn_model_info *info);
void dn_outlier_search_free(dn_outlier_search *search);

/** A dn_input_probe: keeps the first DN_OUTLIER_ROWS rows of each matrix. */
enum { DN_OUTLIER_ROWS = 2048 };
void dn_outlier_search_add(void *search, int layer, dn_matrix matrix, const float *x, int n_rows,
                           int width);

/** Uses the rows up.     ownership  the caller: dn_outliers_free */
void dn_outlier_search_end(dn_outlier_search *search, dn_outliers *out);

/** The file, on one line. */
void dn_outliers_write(const dn_outliers *outliers, dn_out *out);

#endif
