#ifndef DN_BENCH_RANDOM_MODEL_H
#define DN_BENCH_RANDOM_MODEL_H
/** Writes a BERT directory with random weights (bf16) and five heads, so that speed and memory can
 * be measured where trained weights are not. Exits when it cannot be written. */

typedef struct random_shape {
    const char *name;
    int layers, hidden, heads, inner, vocabulary;
} random_shape;

extern const random_shape random_minilm;     /**< 22.6 M weights, 45 MB */
extern const random_shape random_bert_large; /**< 334 M weights, 667 MB */

/** Makes a folder below $TMPDIR (default /tmp) and returns its name.   ownership  the caller:
 * random_model_remove */
char *random_model_write(const random_shape *shape);

/** Removes the folder and frees the name. */
void random_model_remove(char *dir);

#endif
