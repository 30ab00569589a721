#include "base/memory.h"
#include "topo/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char synthetic[] = "synthetic:";

/* An explicit source instead of the environment's HWLOC_XMLFILE, which Open MPI in this process
 * would follow too. */
static int set_source(hwloc_topology_t tree, const char *source) {
    size_t prefix = sizeof synthetic - 1;
    if (!source) {
        return 0;
    }
    if (strncmp(source, synthetic, prefix) == 0) {
        return hwloc_topology_set_synthetic(tree, source + prefix);
    }
    return hwloc_topology_set_xml(tree, source);
}

/* Plugins that a machine may or may not have installed must not change a plan. The Linux backend
 * reads the PCI tree by itself; opencl and gl would start a GPU's runtime in every rank;
 * libpciaccess leaks. */
static void drop_plugins(hwloc_topology_t tree) {
    static const char *const unwanted[] = {"pci",  "opencl", "gl",       "cuda",
                                           "nvml", "rsmi",   "levelzero"};
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++) {
        hwloc_topology_set_components(tree, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, unwanted[i]);
    }
}

dn_status dn_topo_load(const char *source, dn_topo **topo) {
    hwloc_topology_t tree;
    if (hwloc_topology_init(&tree) != 0) {
        return DN_FAIL(SYSTEM, "hwloc does not start: %s", strerror(errno));
    }
    drop_plugins(tree);
    hwloc_topology_set_io_types_filter(tree, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (set_source(tree, source) != 0 || hwloc_topology_load(tree) != 0) {
        int error = errno;
        hwloc_topology_destroy(tree);
        if (source) {
            return DN_FAIL(NO_INPUT, "%s: not a topology (%s); lstopo --of xml writes one", source,
                           strerror(error));
        }
        return DN_FAIL(SYSTEM, "hwloc cannot read this machine: %s", strerror(error));
    }
    *topo = dn_alloc(sizeof **topo);
    (*topo)->tree = tree;
    (*topo)->is_here = hwloc_topology_is_thissystem(tree) != 0;
    return DN_OK;
}

void dn_topo_free(dn_topo *topo) {
    if (topo) {
        hwloc_topology_destroy(topo->tree);
        free(topo);
    }
}

static int count(const dn_topo *topo, hwloc_obj_type_t type) {
    int n = hwloc_get_nbobjs_by_type(topo->tree, type);
    return n > 0 ? n : 0;
}

dn_topo_facts dn_topo_look(const dn_topo *topo) {
    hwloc_obj_t machine = hwloc_get_root_obj(topo->tree);
    hwloc_obj_t package = hwloc_get_obj_by_type(topo->tree, HWLOC_OBJ_PACKAGE, 0);
    const char *cpu = hwloc_obj_get_info_by_name(package ? package : machine, "CPUModel");
    dn_topo_facts facts = {
        .n_packages = count(topo, HWLOC_OBJ_PACKAGE),
        .n_numa = count(topo, HWLOC_OBJ_NUMANODE),
        .n_cores = count(topo, HWLOC_OBJ_CORE),
        .n_threads = count(topo, HWLOC_OBJ_PU),
        .memory_bytes = (int64_t)machine->total_memory,
    };
    snprintf(facts.cpu, sizeof facts.cpu, "%s", cpu ? cpu : "unknown");
    return facts;
}

void dn_topo_allowed(const dn_topo *topo, char list[DN_TOPO_LIST]) {
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!topo->is_here || hwloc_get_cpubind(topo->tree, set, HWLOC_CPUBIND_PROCESS) != 0) {
        hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(topo->tree));
    }
    hwloc_bitmap_and(set, set, hwloc_topology_get_topology_cpuset(topo->tree));
    hwloc_bitmap_list_snprintf(list, DN_TOPO_LIST, set);
    hwloc_bitmap_free(set);
}
