#ifndef DN_MODEL_CHECKPOINT_H
#define DN_MODEL_CHECKPOINT_H
/** The tensors of a model directory, in one file or in shards.
 *
 *    model.safetensors                          or
 *    model.safetensors.index.json               {"weight_map": {TENSOR: SHARD, ...}}
 *    model-00001-of-00002.safetensors ...
 *
 * Shards stand beside the index: a name with a '/' is refused. What the index promises must be
 * there, and a tensor that it does not name, or names in another shard, is an error: files of two
 * saves lie in one folder. */
#include "base/status.h"
#include "io/sha256.h"
#include "model/safetensors.h"

typedef struct dn_checkpoint dn_checkpoint;

/** NO_INPUT when there is neither file, MODEL when one is not right.   ownership  the caller:
 * dn_checkpoint_close */
dn_status dn_checkpoint_open(const char *dir, dn_checkpoint **out);
void dn_checkpoint_close(dn_checkpoint *checkpoint);

/** Files of the checkpoint, in the order of their names. lends until close */
int dn_checkpoint_files(const dn_checkpoint *checkpoint);
const dn_safetensors *dn_checkpoint_file(const dn_checkpoint *checkpoint, int i);

bool dn_checkpoint_has(const dn_checkpoint *checkpoint, const char *name);

/** The tensor and its file, and notes that it was asked for; absence and another shape are MODEL
 * errors. */
dn_status dn_checkpoint_need(dn_checkpoint *checkpoint, const char *name, int n_dims,
                             const uint64_t *dim, const dn_safetensors **file,
                             const dn_tensor **out);

/** Calls visit for every tensor; `needed`: whether it was asked for. Stops at a failure. */
typedef dn_status dn_tensor_visit(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                                  bool needed);
dn_status dn_checkpoint_each(const dn_checkpoint *checkpoint, dn_tensor_visit *visit, void *ctx);

/** Of the file; of shards, of the text that lists their sums in hex, a line each, in the order of
 * their names. */
dn_status dn_checkpoint_sha256(const dn_checkpoint *checkpoint, char out[DN_SHA256_HEX]);

#endif
