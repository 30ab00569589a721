#ifndef DN_BENCH_COMM_H
#define DN_BENCH_COMM_H
/** What the two halves of the program share: the options, groups of 1, 2, 4 ... ranks, and medians.
 */
#include "comm/comm.h"

#include <stdbool.h>

enum { MAX_GROUPS = 8, MAX_RUNS = 1000 };

typedef struct options {
    const char *model;   /**< NULL: sums only; minilm, bert-large or a directory */
    const char *backend; /**< NULL: the best */
    int tokens, n_runs;
    bool json;
} options;

/** The first `size` ranks of the world; the others have no communicator. */
typedef struct group {
    int size;
    dn_comm *comm;
} group;

/** Ends the program with the failure's text. */
void must(dn_status status);

/** Sorts. */
double median(double *x, int n);
/** (Third quartile - first) / median. Sorts. */
double spread(double *x, int n);

/** The model whole and in parts, run by run in turns. Returns whether the scores agree.
 *  collective  the world */
bool bench_encoder(const options *o, dn_comm *world, const group *groups, int n_groups);

#endif
