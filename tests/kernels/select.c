/* The choice of a backend: by name, by environment, by what the machine can do. */
#include "test.h"

#include "kernels/kernels.h"

CASE(oracle_is_always_there) {
    const dn_kernels *kernels = NULL;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    EXPECT_TEXT(kernels->name, "ref");
}

CASE(best_is_first_in_the_list_and_fits_this_machine) {
    const dn_kernels *table[16], *best = NULL, *first = NULL;
    const char *names[16];
    int n = dn_kernels_list(table, names, 16);
    for (int i = n - 1; i >= 0; i--) {
        first = table[i] ? table[i] : first;
    }
    unsetenv("DN_BACKEND");
    EXPECT(dn_kernels_select(NULL, &best) == DN_OK);
    EXPECT(n > 0 && best == first);
    EXPECT_TEXT(names[n - 1], "ref");
}

CASE(environment_forces_and_argument_wins) {
    const dn_kernels *kernels = NULL;
    setenv("DN_BACKEND", "ref", 1);
    EXPECT(dn_kernels_select(NULL, &kernels) == DN_OK);
    EXPECT_TEXT(kernels->name, "ref");
    setenv("DN_BACKEND", "nonsense", 1);
    EXPECT(dn_kernels_select("ref", &kernels) == DN_OK);
    unsetenv("DN_BACKEND");
}

CASE(cpu_names_the_best_instruction_set) {
    const dn_kernels *table[16], *kernels = NULL;
    const char *names[16];
    int n = dn_kernels_list(table, names, 16), first = 0;
    while (first < n && (!table[first] || strncmp(names[first], "cpu:", 4) != 0)) {
        first++;
    }
    if (first == n) {
        SKIP("no cpu backend for this machine");
    }
    EXPECT(dn_kernels_select("cpu", &kernels) == DN_OK);
    EXPECT(kernels == table[first]);
    EXPECT(dn_kernels_select(names[first], &kernels) == DN_OK);
    EXPECT(kernels == table[first]);
}

CASE(precision_names_the_best_backend_of_it) {
    static const char *const precisions[] = {"fp32", "int8", "bf16"};
    const dn_kernels *table[16], *kernels = NULL;
    const char *names[16];
    int n = dn_kernels_list(table, names, 16);
    for (int p = 0; p < 3; p++) {
        const dn_kernels *first = NULL;
        for (int i = n - 1; i >= 0; i--) {
            first = table[i] && strcmp(table[i]->precision, precisions[p]) == 0 ? table[i] : first;
        }
        kernels = NULL;
        EXPECT(dn_kernels_select(precisions[p], &kernels) == (first ? DN_OK : DN_FATAL));
        EXPECT(kernels == first);
    }
}

CASE(unknown_name_is_a_clear_error) {
    static const char *const wrong[] = {"gpu", "cpu:", "cpu:avx", "re", "refs", "CPU"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const dn_kernels *kernels = NULL;
        EXPECT(dn_kernels_select(wrong[i], &kernels) == DN_FATAL);
        EXPECT(kernels == NULL);
        const dn_failure *failure = dn_failure_last();
        EXPECT_INT(failure->error, DN_E_CONFIG);
        EXPECT(strstr(failure->text, wrong[i]) && strstr(failure->text, "ref"));
    }
}

CASE(machine_without_the_instructions_says_so) {
    const dn_kernels *table[16], *kernels = NULL;
    const char *names[16];
    int n = dn_kernels_list(table, names, 16), missing = 0;
    for (int i = 0; i < n; i++) {
        if (!table[i]) {
            missing++;
            EXPECT(dn_kernels_select(names[i], &kernels) == DN_FATAL);
            bool is_gpu = strncmp(names[i], "cuda:", 5) == 0;
            EXPECT_INT(dn_failure_last()->error, is_gpu ? DN_E_DEVICE : DN_E_CONFIG);
            EXPECT(strstr(dn_failure_last()->text, is_gpu ? "GPU" : "lacks"));
        }
    }
    if (!missing) {
        SKIP("this machine runs every backend of the build");
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
