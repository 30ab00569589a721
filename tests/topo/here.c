/* The machine that the tests run on, whatever it is: only what must hold everywhere. */
#include "test.h"
#include "topo/topo.h"

#include <sched.h>

static dn_topo *topo;

CASE(facts_are_there) {
    dn_topo_facts facts = dn_topo_look(topo);
    EXPECT(facts.n_threads >= 1 && facts.n_threads >= facts.n_cores);
    EXPECT(facts.n_numa >= 1);
    EXPECT(facts.memory_bytes > 0);
    EXPECT(facts.cpu[0] != '\0');
}

CASE(allowed_is_the_affinity_of_this_process) {
    cpu_set_t before, one;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    int last = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        last = CPU_ISSET(cpu, &before) ? cpu : last;
    }
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        SKIP("affinity may not be changed here");
    }
    char list[DN_TOPO_LIST], want[16];
    dn_topo_allowed(topo, list);
    snprintf(want, sizeof want, "%d", last);
    EXPECT_TEXT(list, want);
    sched_setaffinity(0, sizeof before, &before);
}

CASE(binding_narrows_the_affinity_or_warns) {
    cpu_set_t before, after;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    char allowed[DN_TOPO_LIST];
    dn_topo_allowed(topo, allowed);
    const char *both[] = {allowed, allowed};
    dn_topo_request request = {.host = "here", .n_ranks = 2, .allowed = both};
    dn_topo_place places[2];
    REQUIRE(dn_topo_plan(topo, &request, places) == DN_OK);
    dn_topo_bind(topo, &places[1]);
    EXPECT(places[1].bound || strstr(places[1].warning, "not bound"));
    REQUIRE(sched_getaffinity(0, sizeof after, &after) == 0);
    if (places[1].bound) {
        char list[DN_TOPO_LIST];
        dn_topo_allowed(topo, list);
        EXPECT_TEXT(list, places[1].cpus);
        EXPECT(CPU_COUNT(&after) <= CPU_COUNT(&before));
    }
    sched_setaffinity(0, sizeof before, &before);
}

CASE(another_machines_plan_binds_nothing) {
    dn_topo *other;
    REQUIRE(dn_topo_load("tests/topo/dgx.xml", &other) == DN_OK);
    dn_topo_request request = {.host = "there", .n_ranks = 1};
    dn_topo_place place;
    REQUIRE(dn_topo_plan(other, &request, &place) == DN_OK);
    dn_topo_bind(other, &place);
    EXPECT(!place.bound);
    EXPECT(strstr(place.warning, "another machine") != NULL);
    dn_topo_free(other);
}

int main(int argc, char **argv) {
    if (dn_topo_load(NULL, &topo) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        return 1;
    }
    int rc = dn_test_main(argc, argv);
    dn_topo_free(topo);
    return rc;
}
