#ifndef DN_TOPO_TOPO_H
#define DN_TOPO_TOPO_H
/** Which rank of a host computes where: rank -> device -> cores -> NUMA memory.
 *
 *   each rank          dn_topo_load, dn_topo_allowed, dn_topo_device_index
 *   all ranks of a host tell each other what they may use, in the order of their local ranks
 *   each rank          dn_topo_plan: the same table everywhere
 *   each rank          dn_topo_bind its own row, before it starts threads
 *
 *   device 0 ── PCI ── NUMA 0 ── cores 0-15   local rank 0: cores 0-7    local rank 1: cores 8-15
 *   device 1 ── PCI ──────┘
 *
 * A plan is a pure function of its arguments, so that any machine can be planned anywhere from a
 * recorded topology. */
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_topo dn_topo;

enum { DN_TOPO_LIST = 512, DN_TOPO_HOST = 64, DN_TOPO_UUID = 48, DN_TOPO_PCI = 20 };

/** An accelerator, as its runtime names it; found by whoever opens the device. */
typedef struct dn_device {
    char uuid[DN_TOPO_UUID];
    char pci[DN_TOPO_PCI]; /**< "0000:18:00.0" */
} dn_device;

/** What a machine has, for provenance and for a person. */
typedef struct dn_topo_facts {
    char cpu[128];
    int n_packages, n_numa, n_cores, n_threads;
    int64_t memory_bytes;
} dn_topo_facts;

typedef struct dn_topo_request {
    const char *host;
    int n_ranks; /**< on this host */
    const char *const
        *allowed; /**< per local rank, from dn_topo_allowed; NULL: the whole machine for everyone */
    const dn_device *devices; /**< local rank i takes device i mod n_devices */
    int n_devices;
} dn_topo_request;

/** A row of the plan. Plain data: it may be sent to another rank as bytes. */
typedef struct dn_topo_place {
    int32_t local_rank;
    int32_t device; /**< index into the request's devices, -1 without */
    int32_t n_cores;
    int32_t n_sharing; /**< ranks that use any of these cores, this one included */
    bool bound;        /**< set by dn_topo_bind */
    char host[DN_TOPO_HOST];
    char uuid[DN_TOPO_UUID];
    char pci[DN_TOPO_PCI];
    char numa[64];              /**< nodes, "0" or "0-1" */
    char cpus[DN_TOPO_LIST];    /**< hardware threads, "0-7,16-23" */
    char warning[DN_TOPO_LIST]; /**< what a person should know, "" when all is well */
} dn_topo_place;

/** Reads a topology: of this machine (NULL), of a file that `lstopo --of xml` wrote, or
 * "synthetic:package:2 core:4 pu:2". errors  NO_INPUT: the file cannot be read as a topology;
 * SYSTEM: this machine cannot be looked at ownership  gives; dn_topo_free      blocks  about 25 ms
 */
dn_status dn_topo_load(const char *source, dn_topo **topo);
void dn_topo_free(dn_topo *topo);

dn_topo_facts dn_topo_look(const dn_topo *topo);

/** The hardware threads that this process may run on, as Slurm, mpirun or a container left them:
 * "0-7". */
void dn_topo_allowed(const dn_topo *topo, char list[DN_TOPO_LIST]);

/** Which of the `n_found` devices that a rank sees is its own: the only one where the launcher
 * shows each rank one, else local_rank mod their number; -1 without devices. args  visible
 * CUDA_VISIBLE_DEVICES, NULL when it is not set */
int dn_topo_device_index(const char *visible, int n_found, int local_rank);

/** Fills places[0 .. n_ranks). Ranks with the same device neighbourhood and the same allowance
 * divide its cores evenly, whole cores with all their threads; with more ranks than cores they
 * share, and the plan says so. A device that is not in the topology, or whose cores are not
 * allowed, gives a warning and all allowed cores. errors  CONFIG: an allowed list is no list, or
 * has nothing of this machine */
dn_status dn_topo_plan(const dn_topo *topo, const dn_topo_request *request, dn_topo_place *places);

/** Binds the calling process to its cores and its memory to the nodes next to them. Where the
 * system refuses, or the topology is not this machine's, the place gets a warning and the run goes
 * on. thread  main, before others start: they inherit */
void dn_topo_bind(const dn_topo *topo, dn_topo_place *place);

/** The plan as a table with a head line, one row a place, then the warnings.       ownership gives;
 * free() args  ranks   world rank of each place; NULL: the local ranks;  tp  ranks that share a
 * model: above 1 each row names the rank's group and its part */
char *dn_topo_table(const dn_topo_place *places, const int *ranks, int tp, int n);

#endif
