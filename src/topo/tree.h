#ifndef DN_TOPO_TREE_H
#define DN_TOPO_TREE_H
/** Inside of a topology, for the files of this folder. */
#include "topo/topo.h"

#include <hwloc.h>

struct dn_topo {
    hwloc_topology_t tree;
    bool is_here; /**< this machine, not a recorded one */
};

/** Adds a sentence to a place's warning. */
void dn_topo_warn(dn_topo_place *place, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
