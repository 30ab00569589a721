/* Plans of machines that we do not have: two packages with eight GPUs (dgx.xml), one NUMA node with
 * one GPU, more GPUs than cores of a node (many_gpus.xml), and synthetic ones without devices. */
#include "test.h"
#include "topo/topo.h"

enum { MOST_RANKS = 16 };

static const dn_device dgx_devices[] = {
    {"GPU-0", "0000:18:00.0"}, {"GPU-1", "0000:2a:00.0"}, {"GPU-2", "0000:3a:00.0"},
    {"GPU-3", "0000:5d:00.0"}, {"GPU-4", "0000:9a:00.0"}, {"GPU-5", "0000:ab:00.0"},
    {"GPU-6", "0000:ba:00.0"}, {"GPU-7", "0000:db:00.0"},
};
static const dn_device many_devices[] = {
    {"GPU-0", "0000:11:00.0"}, {"GPU-1", "0000:12:00.0"}, {"GPU-2", "0000:13:00.0"},
    {"GPU-3", "0000:14:00.0"}, {"GPU-4", "0000:81:00.0"}, {"GPU-5", "0000:82:00.0"},
    {"GPU-6", "0000:83:00.0"}, {"GPU-7", "0000:84:00.0"},
};

static dn_topo_place places[MOST_RANKS];

static dn_status plan(const char *source, int n_ranks, const char *const *allowed,
                      const dn_device *devices, int n_devices) {
    dn_topo *topo;
    DN_TRY(dn_topo_load(source, &topo));
    dn_topo_request request = {"node1", n_ranks, allowed, devices, n_devices};
    dn_status status = dn_topo_plan(topo, &request, places);
    dn_topo_free(topo);
    return status;
}

static void expect_cpus(int n, const char *const *cpus) {
    for (int r = 0; r < n; r++) {
        EXPECT_TEXT(places[r].cpus, cpus[r]);
    }
}

#define EXPECT_CPUS(...)                                                                           \
    do {                                                                                           \
        static const char *const want_[] = {__VA_ARGS__};                                          \
        expect_cpus(sizeof want_ / sizeof *want_, want_);                                          \
    } while (0)

CASE(eight_ranks_on_eight_gpus_stay_near_them) {
    REQUIRE(plan("tests/topo/dgx.xml", 8, NULL, dgx_devices, 8) == DN_OK);
    EXPECT_CPUS("0-7", "8-15", "16-23", "24-31", "32-39", "40-47", "48-55", "56-63");
    for (int r = 0; r < 8; r++) {
        EXPECT_INT(places[r].device, r);
        EXPECT_TEXT(places[r].uuid, dgx_devices[r].uuid);
        EXPECT_TEXT(places[r].numa, r < 4 ? "0" : "1");
        EXPECT_INT(places[r].n_cores, 4);
        EXPECT_INT(places[r].n_sharing, 1);
        EXPECT_TEXT(places[r].warning, "");
        EXPECT_TEXT(places[r].host, "node1");
    }
}

CASE(ranks_whose_gpus_share_a_package_divide_it) {
    REQUIRE(plan("tests/topo/dgx.xml", 2, NULL, dgx_devices, 8) == DN_OK);
    EXPECT_CPUS("0-15", "16-31");
    EXPECT_TEXT(places[1].numa, "0");
}

CASE(more_ranks_than_gpus_share_devices) {
    REQUIRE(plan("tests/topo/dgx.xml", 16, NULL, dgx_devices, 8) == DN_OK);
    EXPECT_INT(places[8].device, 0);
    EXPECT_INT(places[15].device, 7);
    EXPECT_TEXT(places[0].cpus, "0-3");
    EXPECT_TEXT(places[8].cpus, "16-19");
    EXPECT_TEXT(places[15].cpus, "60-63");
    EXPECT_TEXT(places[15].warning, "");
}

CASE(gpus_of_tasks_with_cores_of_their_own) {
    static const char *const slurm[] = {"0-3", "32-35"};
    static const dn_device own[] = {{"GPU-0", "0000:18:00.0"}, {"GPU-4", "00000000:9A:00.0"}};
    REQUIRE(plan("tests/topo/dgx.xml", 2, slurm, own, 2) == DN_OK);
    EXPECT_CPUS("0-3", "32-35");
    EXPECT_TEXT(places[1].numa, "1");
    EXPECT_TEXT(places[1].warning, "");
}

CASE(an_allowance_cuts_the_neighbourhood) {
    static const char *const slurm[] = {"24-39", "24-39"};
    static const dn_device own[] = {{"GPU-0", "0000:18:00.0"}, {"GPU-4", "0000:9a:00.0"}};
    REQUIRE(plan("tests/topo/dgx.xml", 2, slurm, own, 2) == DN_OK);
    EXPECT_CPUS("24-31", "32-39");
}

CASE(a_gpu_far_from_the_allowance_warns) {
    static const char *const slurm[] = {"0-7"};
    static const dn_device far[] = {{"GPU-7", "0000:db:00.0"}};
    REQUIRE(plan("tests/topo/dgx.xml", 1, slurm, far, 1) == DN_OK);
    EXPECT_CPUS("0-7");
    EXPECT(strstr(places[0].warning, "none of the cores next to device 0000:db:00.0") != NULL);
}

CASE(a_hidden_gpu_warns_and_takes_part_in_everything) {
    static const dn_device hidden[] = {{"GPU-9", "0000:ff:00.0"}};
    REQUIRE(plan("tests/topo/dgx.xml", 1, NULL, hidden, 1) == DN_OK);
    EXPECT_CPUS("0-63");
    EXPECT_TEXT(places[0].numa, "0-1");
    EXPECT(strstr(places[0].warning, "0000:ff:00.0 is not in the topology") != NULL);
}

CASE(more_gpus_than_cores_of_a_node) {
    REQUIRE(plan("tests/topo/many_gpus.xml", 8, NULL, many_devices, 8) == DN_OK);
    EXPECT_CPUS("0", "0", "1", "2", "3", "3", "4", "5");
    EXPECT_INT(places[0].n_sharing, 2);
    EXPECT_INT(places[2].n_sharing, 1);
    EXPECT_TEXT(places[0].warning, "2 ranks share cores 0");
    EXPECT_TEXT(places[3].warning, "");
}

CASE(one_numa_node_one_gpu) {
    static const dn_device gpu[] = {{"GPU-0", "0000:41:00.0"}};
    REQUIRE(plan("tests/topo/one_numa.xml", 2, NULL, gpu, 1) == DN_OK);
    EXPECT_CPUS("0-7", "8-15");
    EXPECT_INT(places[1].device, 0);
    EXPECT_TEXT(places[1].numa, "0");
}

CASE(without_devices_ranks_divide_the_machine) {
    REQUIRE(plan("synthetic:package:2 numa:1 core:4 pu:2", 2, NULL, NULL, 0) == DN_OK);
    EXPECT_CPUS("0-7", "8-15");
    EXPECT_TEXT(places[0].numa, "0");
    EXPECT_TEXT(places[1].numa, "1");
    EXPECT_INT(places[0].device, -1);
    EXPECT_TEXT(places[0].pci, "");
}

CASE(an_odd_number_of_ranks_divides_evenly) {
    REQUIRE(plan("synthetic:package:2 numa:1 core:4 pu:1", 3, NULL, NULL, 0) == DN_OK);
    EXPECT_CPUS("0-1", "2-4", "5-7");
    EXPECT_TEXT(places[1].numa, "0-1");
}

CASE(more_ranks_than_cores_share_and_say_so) {
    REQUIRE(plan("synthetic:core:2 pu:1", 4, NULL, NULL, 0) == DN_OK);
    EXPECT_CPUS("0", "0", "1", "1");
    EXPECT_INT(places[3].n_sharing, 2);
    EXPECT(strstr(places[3].warning, "2 ranks share cores 1") != NULL);
}

CASE(half_a_core_is_a_core) {
    static const char *const slurm[] = {"1,3,5,7"};
    REQUIRE(plan("synthetic:core:4 pu:2", 1, slurm, NULL, 0) == DN_OK);
    EXPECT_CPUS("1,3,5,7");
    EXPECT_INT(places[0].n_cores, 4);
}

CASE(a_machine_that_shows_no_cores) {
    REQUIRE(plan("synthetic:pu:4", 2, NULL, NULL, 0) == DN_OK);
    EXPECT_CPUS("0-1", "2-3");
}

CASE(ranks_bound_to_one_core_are_told_what_to_do) {
    static const char *const mpirun[] = {"0", "1"};
    REQUIRE(plan("synthetic:core:8 pu:1", 2, mpirun, NULL, 0) == DN_OK);
    EXPECT_CPUS("0", "1");
    EXPECT(strstr(places[0].warning, "only 1 of 8 cores may be used: give mpirun --bind-to none"));
}

CASE(allowances_that_overlap_are_noticed) {
    static const char *const odd[] = {"0-3", "2-5"};
    REQUIRE(plan("synthetic:core:8 pu:1", 2, odd, NULL, 0) == DN_OK);
    EXPECT_CPUS("0-3", "2-5");
    EXPECT_INT(places[0].n_sharing, 2);
}

/* For any machine, any number of ranks: nobody leaves the machine, nobody is without a core, all
 * cores are used, and no rank has more than one core more than another. */
CASE(division_is_even_and_complete) {
    for (int trial = 0; trial < 60; trial++) {
        int packages = 1 + (int)(dn_random() % 3), cores = 1 + (int)(dn_random() % 6);
        int n = 1 + (int)(dn_random() % MOST_RANKS), total = packages * cores;
        char source[80];
        snprintf(source, sizeof source, "synthetic:package:%d numa:1 core:%d pu:2", packages,
                 cores);
        REQUIRE(plan(source, n, NULL, NULL, 0) == DN_OK);
        int least = total, most = 0, sum = 0;
        for (int r = 0; r < n; r++) {
            least = places[r].n_cores < least ? places[r].n_cores : least;
            most = places[r].n_cores > most ? places[r].n_cores : most;
            sum += places[r].n_cores;
        }
        EXPECT(least >= 1 && most - least <= 1);
        EXPECT_INT(sum, n < total ? total : n);
    }
}

CASE(a_wrong_allowance_is_a_clear_error) {
    static const char *const no_list[] = {"zero"}, *const elsewhere[] = {"100-120"};
    EXPECT_INT(plan("synthetic:core:8 pu:1", 1, no_list, NULL, 0), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
    EXPECT(strstr(dn_failure_last()->text, "\"zero\"") != NULL);
    EXPECT_INT(plan("synthetic:core:8 pu:1", 1, elsewhere, NULL, 0), DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "100-120") != NULL);
}

CASE(a_wrong_file_is_a_clear_error) {
    dn_topo *topo;
    EXPECT_INT(dn_topo_load("tests/topo/missing.xml", &topo), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
    EXPECT(strstr(dn_failure_last()->text, "missing.xml") != NULL);
    EXPECT_INT(dn_topo_load("tests/topo/plan.c", &topo), DN_FATAL);
    EXPECT_INT(dn_topo_load("synthetic:cores:lots", &topo), DN_FATAL);
}

CASE(the_table_has_a_row_a_rank_and_the_warnings) {
    REQUIRE(plan("tests/topo/many_gpus.xml", 3, NULL, many_devices, 8) == DN_OK);
    places[1].n_sharing = 2;
    snprintf(places[1].warning, sizeof places[1].warning, "two ranks share");
    int ranks[] = {8, 9, 10};
    char *text = dn_topo_table(places, ranks, 1, 3);
    EXPECT_TEXT(text, " rank  host   device  pci           numa  cores  cpus\n"
                      "    8  node1  GPU-0   0000:11:00.0     0      1  0\n"
                      "    9  node1  GPU-1   0000:12:00.0     0      1  1 (shared)\n"
                      "   10  node1  GPU-2   0000:13:00.0     0      1  2\n"
                      "rank 9: two ranks share\n");
    free(text);
}

CASE(the_table_shows_the_grid_where_models_are_split) {
    REQUIRE(plan("tests/topo/many_gpus.xml", 3, NULL, many_devices, 8) == DN_OK);
    int ranks[] = {1, 2, 3};
    char *text = dn_topo_table(places, ranks, 2, 3);
    EXPECT_TEXT(text, " rank  group  part  host   device  pci           numa  cores  cpus\n"
                      "    1      0     1  node1  GPU-0   0000:11:00.0     0      1  0\n"
                      "    2      1     0  node1  GPU-1   0000:12:00.0     0      1  1\n"
                      "    3      1     1  node1  GPU-2   0000:13:00.0     0      1  2\n");
    free(text);
}

CASE(the_device_of_a_rank) {
    EXPECT_INT(dn_topo_device_index(NULL, 0, 3), -1);
    EXPECT_INT(dn_topo_device_index(NULL, 8, 3), 3);
    EXPECT_INT(dn_topo_device_index(NULL, 2, 3), 1);
    EXPECT_INT(dn_topo_device_index("", 0, 0), -1);
    EXPECT_INT(dn_topo_device_index("-1", 0, 0), -1);
    EXPECT_INT(dn_topo_device_index("5", 1, 3), 0); /* Slurm shows each task its own */
    EXPECT_INT(dn_topo_device_index("0,1", 2, 3), 1);
    EXPECT_INT(dn_topo_device_index("GPU-aaaa-1,GPU-bbbb-2,GPU-c", 3, 2), 2);
    EXPECT_INT(dn_topo_device_index("0,1,-1,2", 2, 3), 1);
    EXPECT_INT(dn_topo_device_index("0,1,2,3", 2, 2), 0); /* fewer found than named */
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
