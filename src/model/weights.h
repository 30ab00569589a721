#ifndef DN_MODEL_WEIGHTS_H
#define DN_MODEL_WEIGHTS_H
/** The encoder's weights as the kernels want them: float32 vectors and tables, packed matrices,
 * read tensor by tensor so that no second copy of the model is ever in memory. With a device they
 * lie there, tables and matrices as its elements.
 *
 * Query, key and value are one matrix [3H][H], all text heads are one matrix [W][features], all
 * token heads one [Wt][H]. What a family does not have is a zero vector (types) or an empty layer
 * (projection), so the encoder knows no families. Tensors are found with or without the family's
 * prefix; those that the configuration does not ask for are left alone.
 *
 * Of a shard only its own slices are read: rows of q, k, v and `up`, columns of `out` and `down`
 * (whose biases are added behind the sum, by every rank), rows of the word embeddings; heads and
 * the dense layer before them by the leader alone. */
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "model/outliers.h"
#include "model/shard.h"

/** A linear layer: its packed matrix, its bias, and which inputs are kept out of the matrix. */
typedef struct dn_dense {
    dn_weight weight;
    float *bias;
    dn_kept kept; /**< n 0: none */
    float *kept_floats;
} dn_dense;

typedef struct dn_norm {
    float *gamma, *beta;
} dn_norm;

typedef struct dn_layer {
    dn_dense qkv, out, up, down;
    dn_norm attention_norm, output_norm; /**< behind `out` and behind `down` */
} dn_layer;

typedef struct dn_weights {
    float *word, *position; /**< [words][E]; [P][E], from the first position of a row */
    float *type;            /**< [E]: the first row, single texts use no other */
    dn_norm embedding_norm;
    dn_dense projection; /**< E to H; weight.packed == NULL: none, as below */
    int n_layers;
    dn_layer *layer;
    dn_dense dense; /**< between pooling and text heads */
    dn_dense heads, token_heads;
    dn_dense means;              /**< of the heads that have some, each at length 1 */
    int64_t bytes;               /**< of all of the above */
    const dn_device_ops *device; /**< in whose memory they are; NULL: the host's */
} dn_weights;

/** `outliers` matter where linear() is int8 on the host. MODEL errors name the tensor.   ownership
 * the caller: dn_weights_free, also after an error */
dn_status dn_weights_load(dn_checkpoint *checkpoint, const dn_config *config,
                          const dn_outliers *outliers, const dn_shard *shard,
                          const dn_kernels *kernels, dn_weights *out);
void dn_weights_free(dn_weights *weights);

#endif
