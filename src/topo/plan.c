/* Each rank first gets a neighbourhood: the cores next to its device, as far as it may use them.
 * Ranks with the same neighbourhood then divide it, in the machine's logical order, so that a share
 * is contiguous in caches and packages. */
#include "base/memory.h"
#include "topo/tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct share {
    hwloc_bitmap_t allowed, near, cpus;
} share;

void dn_topo_warn(dn_topo_place *place, const char *fmt, ...) {
    size_t used = strlen(place->warning);
    if (used && used + 2 < sizeof place->warning) {
        memcpy(place->warning + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(place->warning + used, sizeof place->warning - used, fmt, args);
    va_end(args);
}

static void *new_set(void) {
    return hwloc_bitmap_alloc();
}

/* Cores where the machine shows them, else the level below (some containers show only hardware
 * threads). */
static int core_depth(const dn_topo *topo) {
    return hwloc_get_type_or_below_depth(topo->tree, HWLOC_OBJ_CORE);
}

static int count_cores(const dn_topo *topo, hwloc_const_bitmap_t set) {
    int n = 0, depth = core_depth(topo);
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_depth(topo->tree, depth, core));) {
        n += hwloc_bitmap_intersects(core->cpuset, set);
    }
    return n;
}

static dn_status parse_allowed(const dn_topo *topo, const char *list, hwloc_bitmap_t set) {
    hwloc_const_bitmap_t machine = hwloc_topology_get_topology_cpuset(topo->tree);
    if (!list) {
        hwloc_bitmap_copy(set, machine);
        return DN_OK;
    }
    if (hwloc_bitmap_list_sscanf(set, list) != 0) {
        return DN_FAIL(CONFIG, "\"%s\" is no list of hardware threads such as 0-7,16", list);
    }
    hwloc_bitmap_and(set, set, machine);
    if (hwloc_bitmap_iszero(set)) {
        return DN_FAIL(CONFIG, "none of the hardware threads %s is on this machine", list);
    }
    return DN_OK;
}

/* The cores of the NUMA node or package that a device hangs on; NULL when the topology does not
 * show the device. */
static hwloc_const_bitmap_t near_device(const dn_topo *topo, const char *pci) {
    hwloc_obj_t device = hwloc_get_pcidev_by_busidstring(topo->tree, pci);
    return device ? hwloc_get_non_io_ancestor_obj(topo->tree, device)->cpuset : NULL;
}

static void set_neighbourhood(const dn_topo *topo, dn_topo_place *place, share *own) {
    hwloc_bitmap_copy(own->near, own->allowed);
    if (place->device < 0) {
        return;
    }
    hwloc_const_bitmap_t near = near_device(topo, place->pci);
    if (!near) {
        dn_topo_warn(place, "device %s is not in the topology, its cores are unknown", place->pci);
    } else if (!hwloc_bitmap_intersects(near, own->allowed)) {
        dn_topo_warn(place, "none of the cores next to device %s may be used", place->pci);
    } else {
        hwloc_bitmap_and(own->near, own->allowed, near);
    }
}

/* Member `index` of `n` that divide `near`: cores [index * c / n, (index + 1) * c / n), one core
 * when c < n. */
static void take_part(const dn_topo *topo, hwloc_const_bitmap_t near, int index, int n,
                      hwloc_bitmap_t cpus) {
    assert(n > 0); /* a rank has at least its own neighbourhood */
    int64_t c = count_cores(topo, near);
    int64_t first = index * c / n, end = (index + 1) * c / n;
    if (end <= first) {
        end = first + 1;
    }
    int depth = core_depth(topo), i = 0;
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_depth(topo->tree, depth, core));) {
        if (!hwloc_bitmap_intersects(core->cpuset, near)) {
            continue;
        }
        if (i >= first && i < end) {
            hwloc_bitmap_or(cpus, cpus, core->cpuset);
        }
        i++;
    }
    hwloc_bitmap_and(cpus, cpus, near);
}

static void divide(const dn_topo *topo, share *shares, int n_ranks) {
    for (int r = 0; r < n_ranks; r++) {
        int n = 0, index = 0;
        for (int other = 0; other < n_ranks; other++) {
            bool same = hwloc_bitmap_isequal(shares[r].near, shares[other].near);
            n += same;
            index += same && other < r;
        }
        take_part(topo, shares[r].near, index, n, shares[r].cpus);
    }
}

static void count_sharing(const share *shares, int n_ranks, int r, dn_topo_place *place) {
    for (int other = 0; other < n_ranks; other++) {
        place->n_sharing += hwloc_bitmap_intersects(shares[r].cpus, shares[other].cpus);
    }
    if (place->n_sharing > 1) {
        dn_topo_warn(place, "%d ranks share cores %s", place->n_sharing, place->cpus);
    }
}

static void describe(const dn_topo *topo, const share *own, dn_topo_place *place) {
    hwloc_bitmap_t nodes = new_set();
    hwloc_cpuset_to_nodeset(topo->tree, own->cpus, nodes);
    hwloc_bitmap_list_snprintf(place->numa, sizeof place->numa, nodes);
    hwloc_bitmap_list_snprintf(place->cpus, sizeof place->cpus, own->cpus);
    hwloc_bitmap_free(nodes);
    place->n_cores = count_cores(topo, own->cpus);
    int n_allowed = count_cores(topo, own->allowed);
    int n_machine = count_cores(topo, hwloc_topology_get_topology_cpuset(topo->tree));
    if (n_allowed == 1 && n_machine > 1) {
        dn_topo_warn(place,
                     "only 1 of %d cores may be used: give mpirun --bind-to none, or Slurm more "
                     "cpus per task",
                     n_machine);
    }
}

static void name_place(const dn_topo_request *request, int r, dn_topo_place *place) {
    *place = (dn_topo_place){.local_rank = r, .device = -1};
    snprintf(place->host, sizeof place->host, "%s", request->host);
    if (request->n_devices > 0) {
        place->device = r % request->n_devices;
        memcpy(place->uuid, request->devices[place->device].uuid, sizeof place->uuid);
        memcpy(place->pci, request->devices[place->device].pci, sizeof place->pci);
    }
}

static dn_status plan_shares(const dn_topo *topo, const dn_topo_request *request, share *shares,
                             dn_topo_place *places) {
    for (int r = 0; r < request->n_ranks; r++) {
        name_place(request, r, &places[r]);
        DN_TRY(
            parse_allowed(topo, request->allowed ? request->allowed[r] : NULL, shares[r].allowed));
        set_neighbourhood(topo, &places[r], &shares[r]);
    }
    divide(topo, shares, request->n_ranks);
    for (int r = 0; r < request->n_ranks; r++) {
        describe(topo, &shares[r], &places[r]);
        count_sharing(shares, request->n_ranks, r, &places[r]);
    }
    return DN_OK;
}

dn_status dn_topo_plan(const dn_topo *topo, const dn_topo_request *request, dn_topo_place *places) {
    share *shares = dn_alloc_array((size_t)request->n_ranks, sizeof *shares);
    for (int r = 0; r < request->n_ranks; r++) {
        shares[r] = (share){new_set(), new_set(), new_set()};
    }
    dn_status status = plan_shares(topo, request, shares, places);
    for (int r = 0; r < request->n_ranks; r++) {
        hwloc_bitmap_free(shares[r].allowed);
        hwloc_bitmap_free(shares[r].near);
        hwloc_bitmap_free(shares[r].cpus);
    }
    free(shares);
    return status;
}
