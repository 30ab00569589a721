#ifndef DN_BENCH_RANDOM_MODEL_H
#define DN_BENCH_RANDOM_MODEL_H
/** Writes a model directory of MiniLM-L6-H384's shape (22.6 M weights, bf16, 45 MB) with random
 * weights and five heads, so that the speed can be measured where the trained weights are not.
 * Exits when it cannot be written. */

/** Makes a folder below $TMPDIR (default /tmp) and returns its name.   ownership  the caller:
 * random_model_remove */
char *random_model_write(void);

/** Removes the folder and frees the name. */
void random_model_remove(char *dir);

#endif
