/** `dunlin model import`: a Dunlin directory from a Hugging Face one. */
#include "cmd/model_parts.h"
#include "model/import.h"

#include <stdio.h>
#include <string.h>

/** The tokeniser's files are checked before anything is made. */
static dn_status check_texts(const char *dir) {
    const dn_kernels *ref;
    dn_model *model;
    dn_model_texts texts;
    DN_TRY(dn_kernels_select("ref", &ref));
    DN_TRY(dn_model_open(dir, ref, &model));
    dn_status status = dn_model_texts_open(dir, dn_model_describe(model), &texts);
    dn_model_texts_close(&texts);
    dn_model_close(model);
    return status;
}

dn_status dn_model_cmd_import(const dn_model_options *options) {
    const char *type = options->type ? options->type : "keep";
    bool bf16 = strcmp(type, "bf16") == 0;
    dn_import_report report;
    if (!bf16 && strcmp(type, "keep") != 0) {
        return dn_cmd_usage("model", "--type %s: is neither bf16 nor keep", type);
    }
    if (options->normalise) {
        dn_convention known;
        DN_TRY(dn_convention_find(options->normalise, &known));
    }
    DN_TRY(check_texts(options->dir));
    dn_import_options import = {.head = options->head,
                                .normalise = options->normalise,
                                .max_tokens = options->max_tokens,
                                .windows = options->windows,
                                .bf16 = bf16};
    DN_TRY(dn_model_import(options->dir, options->to, &import, &report));
    printf("%s: %d files, %.1f MB", options->to, report.n_files, (double)report.bytes / 1e6);
    printf(bf16 ? ", %d tensors that nobody asks for left out\n" : "\n", report.n_tensors_left);
    return DN_OK;
}
