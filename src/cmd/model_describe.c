/** `dunlin model describe`: what a directory holds. */
#include "cmd/model_parts.h"
#include "model/languages.h"

#include <stdio.h>

void dn_model_print_head(const dn_model_head *head) {
    printf("head     %-12s %-9s", head->name, dn_head_kind_names[head->kind]);
    printf(head->language ? " for %s:" : "", head->language);
    if (!head->labels) {
        printf(" %d numbers", head->n_labels);
    }
    for (int i = 0; head->labels && i < head->n_labels; i++) {
        printf("%s %s", i ? "," : "", head->labels[i]);
    }
    printf(head->temperature != 1 ? ", temperature %.4g" : "", (double)head->temperature);
    printf(head->shift != 0 ? ", shift %.4g, said above %.3g" : "", (double)head->shift,
           (double)head->said_above);
    printf(head->means_begin >= 0 ? ", means" : "");
    printf(head->undecided_below > 0 ? ", und below %g\n" : "\n", (double)head->undecided_below);
}

dn_status dn_model_cmd_describe(const dn_model_options *options) {
    const dn_kernels *kernels;
    dn_model *model;
    DN_TRY(dn_kernels_select(options->backend, &kernels));
    DN_TRY(dn_model_open(options->dir, kernels, &model));
    const dn_model_info *info = dn_model_describe(model);
    printf("%s: %s, %d layers of %d, %d attention heads, intermediate %d, vocabulary %d, up to %d "
           "tokens (positions %d)\n",
           options->dir, info->architecture, info->layers, info->hidden, info->heads,
           info->intermediate, info->vocabulary, info->max_tokens, info->max_positions);
    printf("weights  %.1f MB packed for %s (%s, %s), sha256 %s\n", (double)info->weight_bytes / 1e6,
           kernels->name, kernels->isa, kernels->precision, info->sha256);
    char languages[512];
    dn_languages_print(info->languages, sizeof languages, languages);
    printf("texts    normalised as '%s', in %s", info->normalise,
           info->languages->n ? languages : "any language");
    printf(info->windows > 1 ? "; long ones in up to %d windows, overlap %d\n" : "\n",
           info->windows, info->overlap);
    for (int h = 0; h < info->n_model_heads; h++) {
        dn_model_print_head(&info->model_head[h]);
    }
    dn_model_close(model);
    return DN_OK;
}
