#ifndef DN_CPU_BYTES_H
#define DN_CPU_BYTES_H
/** 64 floats to bytes, in order: what VNNI and AMX read. */
#include <string.h>

enum { NARROW_STEP = 64 };

/** Rounds whole vectors x[4] to s8 (they are within 127 in size) and adds `zero` modulo 256. */
static inline void store_bytes(void *out, const vec x[4], int zero) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
    __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
    __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
    _mm512_storeu_si512(out, _mm512_add_epi8(bytes, _mm512_set1_epi8((char)zero)));
}

#endif
