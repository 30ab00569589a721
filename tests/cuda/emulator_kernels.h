#ifndef DN_TEST_EMULATOR_KERNELS_H
#define DN_TEST_EMULATOR_KERNELS_H
/** Launches of emulator_kernels.cu, for emulator.c. `out` has 128 ints. */
#ifdef __cplusplus
extern "C" {
#endif

int dn_try_give_to_next_warp(int has_barrier, int *out);
int dn_try_give_to_next_lane(int has_barrier, int *out);
int dn_try_read_unwritten(int *out);
int dn_try_copy_to_shared(int waits, const int *from, int *out);
int dn_try_multiply(const float *a, const float *b, float *d);
int dn_try_rush(int *out);
int dn_try_group_multiply(const float *a, const float *b, float *d);
int dn_try_write_block_number(int *last);
int dn_try_shape(int threads, int shared_bytes, int *out);
enum { DN_TRY_FAULTS = 6 };
int dn_try_fault(int which, int *out);

#ifdef __cplusplus
}
#endif
#endif
