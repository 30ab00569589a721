#ifndef DN_CPU_BYTES_H
#define DN_CPU_BYTES_H
/** 64 floats to bytes, in order: what VNNI and AMX read. */
#include <string.h>

enum { NARROW_STEP = 64 };

/** Rounds, adds `zero` and holds the result between 0 and 255. */
static inline void store_narrow(uint8_t *out, const vec x[4], int zero) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i zeros = _mm512_set1_epi16((short)zero);
    __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
    __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
    __m512i bytes =
        _mm512_packus_epi16(_mm512_add_epi16(low, zeros), _mm512_add_epi16(high, zeros));
    _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, bytes));
}

#endif
