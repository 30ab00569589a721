/* A foreign program: scores its arguments with a model and prints the most probable label of each
 * head.
 *
 *    score MODEL TEXT...
 *
 * cc score.c $(pkg-config --cflags --libs dunlin) -o score */
#include <dunlin.h>

#include <stdio.h>
#include <stdlib.h>

static void print_labels(const dn_model_info *info, const float *score) {
    for (int h = 0; h < info->n_model_heads; h++) {
        const dn_model_head *head = &info->model_head[h];
        if (head->kind != DN_HEAD_SOFTMAX) {
            continue;
        }
        int best = 0;
        for (int i = 1; i < head->n_labels; i++) {
            best = score[head->begin + i] > score[head->begin + best] ? i : best;
        }
        printf("%s%s=%s", h ? " " : "", head->name, head->labels[best]);
    }
    printf("\n");
}

static dn_status score_texts(const char *dir, int n, char **words) {
    dn_classifier *classifier;
    DN_TRY(dn_classifier_open(dir, NULL, &classifier));
    const dn_model_info *info = dn_classifier_info(classifier);
    dn_span *text = dn_alloc_array((size_t)n, sizeof *text);
    float *score = dn_alloc_array((size_t)n * (size_t)info->score_width, sizeof *score);
    for (int i = 0; i < n; i++) {
        text[i] = dn_span_of(words[i]);
    }
    dn_status status = dn_classifier_score(classifier, text, n, score);
    for (int i = 0; i < n && status == DN_OK; i++) {
        print_labels(info, score + i * info->score_width);
    }
    free(score);
    free(text);
    dn_classifier_close(classifier);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: score MODEL TEXT...\n");
        return 64;
    }
    if (score_texts(argv[1], argc - 2, argv + 2) != DN_OK) {
        fprintf(stderr, "score: %s\n", dn_failure_last()->text);
        return dn_error_get(dn_failure_last()->error)->exit_status;
    }
    return 0;
}
