#include "base/memory.h"
#include "topo/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRID = 32 };

static int widest(const char *head, const dn_topo_place *places, int n, size_t offset) {
    size_t width = strlen(head);
    for (int i = 0; i < n; i++) {
        size_t length = strlen((const char *)&places[i] + offset);
        width = length > width ? length : width;
    }
    return (int)width;
}

/* The columns of the grid, empty without one. */
static void format_grid(int tp, int rank, char out[GRID]) {
    out[0] = '\0';
    if (tp > 1 && rank < 0) {
        snprintf(out, GRID, "  group  part");
    } else if (tp > 1) {
        snprintf(out, GRID, "  %5d  %4d", rank / tp, rank % tp);
    }
}

static void print_row(FILE *out, int host_width, int uuid_width, int tp, int rank,
                      const dn_topo_place *place) {
    bool has_device = place->device >= 0;
    char grid[GRID];
    format_grid(tp, rank, grid);
    fprintf(out, "%5d%s  %-*s  %-*s  %-12s  %4s  %5d  %s%s\n", rank, grid, host_width, place->host,
            uuid_width, has_device ? place->uuid : "-", has_device ? place->pci : "-", place->numa,
            place->n_cores, place->cpus, place->n_sharing > 1 ? " (shared)" : "");
}

char *dn_topo_table(const dn_topo_place *places, const int *ranks, int tp, int n) {
    char *text = NULL, grid[GRID];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return dn_strdup("");
    }
    int host_width = widest("host", places, n, offsetof(dn_topo_place, host));
    int uuid_width = widest("device", places, n, offsetof(dn_topo_place, uuid));
    format_grid(tp, -1, grid);
    fprintf(out, "%5s%s  %-*s  %-*s  %-12s  %4s  %5s  %s\n", "rank", grid, host_width, "host",
            uuid_width, "device", "pci", "numa", "cores", "cpus");
    for (int i = 0; i < n; i++) {
        print_row(out, host_width, uuid_width, tp, ranks ? ranks[i] : places[i].local_rank,
                  &places[i]);
    }
    for (int i = 0; i < n; i++) {
        if (places[i].warning[0]) {
            fprintf(out, "rank %d: %s\n", ranks ? ranks[i] : places[i].local_rank,
                    places[i].warning);
        }
    }
    fclose(out);
    return text;
}
