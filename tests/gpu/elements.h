#ifndef DN_TEST_ELEMENTS_H
#define DN_TEST_ELEMENTS_H
/** Elements of the device's types as floats and back, in plain C. */
#include "kernels/cuda/launch.h"

size_t test_element_bytes(dn_cuda_type type);
void test_elements_get(dn_cuda_type type, const void *from, size_t n, float *out);
/** To nearest, ties to even. */
void test_elements_put(dn_cuda_type type, const float *from, size_t n, void *out);

#endif
