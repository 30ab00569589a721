#include "topo/tree.h"

#include <errno.h>
#include <string.h>

/* Memory is bound only where there is a choice: with one node the call could merely be refused. */
static void bind_memory(const dn_topo *topo, hwloc_const_bitmap_t cpus, dn_topo_place *place) {
    if (hwloc_get_nbobjs_by_type(topo->tree, HWLOC_OBJ_NUMANODE) < 2) {
        return;
    }
    if (hwloc_set_membind(topo->tree, cpus, HWLOC_MEMBIND_BIND, 0) != 0) {
        dn_topo_warn(place, "memory is not bound to NUMA %s: %s", place->numa, strerror(errno));
    }
}

void dn_topo_bind(const dn_topo *topo, dn_topo_place *place) {
    if (!topo->is_here) {
        dn_topo_warn(place, "not bound: this plan is for another machine");
        return;
    }
    hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
    hwloc_bitmap_list_sscanf(cpus, place->cpus);
    if (hwloc_set_cpubind(topo->tree, cpus, HWLOC_CPUBIND_PROCESS) == 0) {
        place->bound = true;
        bind_memory(topo, cpus, place);
    } else {
        dn_topo_warn(place, "not bound to cores %s: %s", place->cpus, strerror(errno));
    }
    hwloc_bitmap_free(cpus);
}
