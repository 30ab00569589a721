#include "topo/topo.h"

#include <string.h>

/* Entries of a CUDA_VISIBLE_DEVICES list, up to the first that hides what follows ("-1", as CUDA
 * reads it). */
static int count_visible(const char *visible) {
    int n = 0;
    for (const char *entry = visible; *entry && *entry != '-';) {
        n++;
        entry += strcspn(entry, ",");
        entry += *entry == ',';
    }
    return n;
}

int dn_topo_device_index(const char *visible, int n_found, int local_rank) {
    int n = visible ? count_visible(visible) : n_found;
    if (n > n_found) {
        n = n_found;
    }
    if (n <= 0) {
        return -1;
    }
    return local_rank % n;
}
