#include "model/family.h"

#include <string.h>

#define BERT_KEYS                                                                                  \
    { "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act" }

/* The layer of BERT, which ELECTRA and RoBERTa took over. */
#define BERT_LAYER                                                                                 \
    .type_table = "token_type_embeddings", .layer = "encoder.layer.%d.",                           \
    .query = "attention.self.query", .key = "attention.self.key", .value = "attention.self.value", \
    .attention_out = "attention.output.dense", .attention_norm = "attention.output.LayerNorm",     \
    .up = "intermediate.dense", .down = "output.dense", .output_norm = "output.LayerNorm",         \
    .keys = BERT_KEYS

#define ROBERTA                                                                                    \
    .prefix = "roberta.", .behind_padding = true, BERT_LAYER, .dense = "classifier.dense",         \
    .classifier = "classifier.out_proj", .dense_activation = DN_ACT_TANH

static const dn_family families[] = {
    {.model_type = "bert",
     .prefix = "bert.",
     BERT_LAYER,
     .dense = "bert.pooler.dense",
     .classifier = "classifier",
     .dense_activation = DN_ACT_TANH},
    {.model_type = "distilbert",
     .prefix = "distilbert.",
     .layer = "transformer.layer.%d.",
     .query = "attention.q_lin",
     .key = "attention.k_lin",
     .value = "attention.v_lin",
     .attention_out = "attention.out_lin",
     .attention_norm = "sa_layer_norm",
     .up = "ffn.lin1",
     .down = "ffn.lin2",
     .output_norm = "output_layer_norm",
     .dense = "pre_classifier",
     .classifier = "classifier",
     .dense_activation = DN_ACT_RELU,
     .keys = {"dim", "n_layers", "n_heads", "hidden_dim", "activation"}},
    {.model_type = "electra",
     .prefix = "electra.",
     .projection = "embeddings_project",
     BERT_LAYER,
     .dense = "classifier.dense",
     .classifier = "classifier.out_proj",
     .dense_activation = DN_ACT_GELU},
    {.model_type = "roberta", ROBERTA},
    {.model_type = "xlm-roberta", ROBERTA},
};
enum { N_FAMILIES = sizeof families / sizeof *families };

const dn_family *dn_family_find(const char *model_type) {
    for (int i = 0; i < N_FAMILIES; i++) {
        if (strcmp(families[i].model_type, model_type) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

const char *dn_family_names(void) {
    return "bert, distilbert, electra, roberta, xlm-roberta";
}
