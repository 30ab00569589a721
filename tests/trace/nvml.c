/* What NVML says, by a library of our own in its place (fake_nvml.c), and without one. */
#include "trace/nvml.h"

#include "test.h"

static void expect_nothing(void) {
    dn_gpu_sample sample = {0};
    dn_nvml_read(&sample);
    EXPECT(sample.energy_mj == INT64_MIN && sample.power_mw == INT64_MIN);
    EXPECT(sample.clock_mhz == INT64_MIN && sample.throttle_bits == INT64_MIN);
    EXPECT(sample.used_bytes == INT64_MIN && sample.busy_percent == INT64_MIN);
}

CASE(without_a_gpu_nothing_is_known) {
    dn_nvml_open(NULL);
    expect_nothing();
    dn_nvml_open("");
    expect_nothing();
}

CASE(a_bus_that_nobody_knows_gives_nothing) {
    dn_nvml_open("0000:99:00.0");
    expect_nothing();
}

CASE(counters_come_with_their_units) {
    dn_gpu_sample one, two;
    dn_nvml_open("0000:18:00.0");
    dn_nvml_read(&one);
    dn_nvml_read(&two);
    EXPECT_INT(two.energy_mj - one.energy_mj, 5000);
    EXPECT_INT(one.power_mw, 250000);
    EXPECT_INT(one.clock_mhz, 1755);
    EXPECT_INT(one.throttle_bits, 4);
    EXPECT_INT(one.used_bytes, 2000);
    EXPECT(one.busy_percent == INT64_MIN); /* a counter that this GPU lacks */
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
