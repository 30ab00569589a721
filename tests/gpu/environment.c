#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** "driver=11000 fails=attention": numbers and the one word. */
void test_gpu_read_environment(void) {
    static const struct {
        const char *name;
        int *number;
    } fields[] = {{"driver", &test_gpu_state.driver},
                  {"devices", &test_gpu_state.n_devices},
                  {"capability", &test_gpu_state.capability},
                  {"memory", &test_gpu_state.memory_mib},
                  {"no_code", &test_gpu_state.no_code},
                  {"no_blas", &test_gpu_state.no_blas},
                  {"no_dnn", &test_gpu_state.no_dnn},
                  {"no_plan", &test_gpu_state.no_plan},
                  {"bad_driver", &test_gpu_state.bad_driver},
                  {"dies", &test_gpu_state.dies},
                  {"lasts", &test_gpu_state.lasts},
                  {"idle", &test_gpu_state.idle},
                  {"late", &test_gpu_state.late},
                  {"wrong", &test_gpu_state.wrong}};
    const char *text = getenv("DN_TEST_GPU");
    char word[64];
    for (int used = 0; text && sscanf(text, "%63s%n", word, &used) == 1; text += used) {
        char *value = strchr(word, '=');
        if (value) {
            *value++ = '\0';
        }
        for (size_t i = 0; value && i < sizeof fields / sizeof *fields; i++) {
            if (strcmp(word, fields[i].name) == 0) {
                *fields[i].number = atoi(value);
            }
        }
        if (value && strcmp(word, "fails") == 0) {
            snprintf(test_gpu_state.fails, sizeof test_gpu_state.fails, "%s", value);
        }
    }
}
