#ifndef DN_BENCH_GPU_NET_H
#define DN_BENCH_GPU_NET_H
/** An encoder with random weights on any table of kernels, without a file: the same call of the
 * same encoder as the program's, and nothing of it that needs a library. */
#include "model/encoder.h"

typedef struct net_shape {
    const char *name;
    int hidden, layers, heads, intermediate, vocabulary;
} net_shape;

typedef struct net {
    dn_config config;
    dn_shard shard;
    dn_weights weights;
    dn_workspace space;
    const dn_kernels *kernels;
} net;

enum { NET_POSITIONS = 512, NET_LABELS = 3 };

/** The same seed gives the same weights on every table. Ends the program where it fails. */
void net_open(net *n, const net_shape *shape, const dn_kernels *kernels, int max_tokens,
              int max_rows);
void net_close(net *n);

/** How many batches may be under way. */
int net_depth(const net *n);
void net_submit(net *n, int flight, const dn_batch *batch);
void net_wait(net *n, int flight, float *score, dn_pass_times *times);

/** 2 for each multiply-add of layers and attention. */
double net_flops(const net_shape *shape, const dn_batch *batch);

#endif
