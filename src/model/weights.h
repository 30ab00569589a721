#ifndef DN_MODEL_WEIGHTS_H
#define DN_MODEL_WEIGHTS_H
/** The encoder's weights as the kernels want them: float32 vectors and tables, packed matrices,
 * read tensor by tensor so that no second copy of the model is ever in memory.
 *
 * Query, key and value are one matrix [3H][H], all heads are one matrix [W][parts * H]. Tensors are
 * found with or without the prefix "bert."; those that the configuration does not ask for are
 * counted and left alone. */
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/safetensors.h"

/** A linear layer: its packed matrix and its bias. */
typedef struct dn_dense {
    dn_weight weight;
    float *bias;
} dn_dense;

typedef struct dn_norm {
    float *gamma, *beta;
} dn_norm;

typedef struct dn_layer {
    dn_dense qkv, out, up, down;
    dn_norm attention_norm, output_norm; /**< behind `out` and behind `down` */
} dn_layer;

typedef struct dn_weights {
    float *word, *position,
        *type; /**< [V][H], [P][H], [H]: the first row, single texts use no other */
    dn_norm embedding_norm;
    int n_layers;
    dn_layer *layer;
    dn_dense pooler; /**< weight.packed == NULL: none */
    dn_dense heads;
    int64_t bytes; /**< of all of the above */
    int n_ignored; /**< tensors in the file that nobody asked for */
} dn_weights;

/** MODEL errors name the tensor.   ownership  the caller: dn_weights_free, also after an error */
dn_status dn_weights_load(const dn_safetensors *file, const dn_config *config,
                          const dn_kernels *kernels, dn_weights *out);
void dn_weights_free(dn_weights *weights);

#endif
