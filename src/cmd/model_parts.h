#ifndef DN_CMD_MODEL_PARTS_H
#define DN_CMD_MODEL_PARTS_H
/** The subcommands of `dunlin model`, a file each, and what they share. */
#include "cmd/cmd.h"
#include "io/json_write.h"
#include "model/model.h"

/** What a batch gave for one of its rows, as an object: "labels" (softmax: the most probable;
 * sigmoid: those above 0.5), "scores", and where the model has such heads "entities"
 * (model/spans.h) and "embeddings". `score` as dn_model_score made it. */
void dn_model_write_row(const dn_model_info *info, const dn_batch *batch, int row,
                        const float *score, dn_out *out);

#endif
