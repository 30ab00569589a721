#ifndef DN_MODEL_IMPORT_H
#define DN_MODEL_IMPORT_H
/** A Dunlin directory from a Hugging Face one: the files that are needed, and a config.json that
 * says how texts are prepared and what the head is called.
 *
 *    config.json            as it was, with a "dunlin" object
 *    model.safetensors      as it was, shards too; or in bf16 without the tensors nobody asks for
 *    the tokeniser's files, licence and model card as they were */
#include "model/new_head.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dn_import_options {
    const char *head;      /**< what the checkpoint's head is called; NULL: by its kind */
    const char *normalise; /**< NULL: as it was, "none" */
    int max_tokens;        /**< 0: as it was, all that the model takes */
    int windows;           /**< of longer texts; 0: they are cut */
    bool bf16;
    const dn_new_head *added; /**< NULL: none */
} dn_import_options;

typedef struct dn_import_report {
    int n_files;
    int64_t bytes;
    int n_tensors_left; /**< bf16: tensors of `from` that are not in `to` */
} dn_import_report;

/** Checks all of `from`, makes `to`, which must not be there, and opens it again; what was made is
 * removed when that fails. MODEL errors of either, CONFIG when `from` has a "dunlin" object already
 * and the options would change it, CANT_CREATE and IO.     blocks  for disks */
dn_status dn_model_import(const char *from, const char *to, const dn_import_options *options,
                          dn_import_report *out);

#endif
