#ifndef DN_CPU_PEAK_H
#define DN_CPU_PEAK_H
/** What one core can do at best: multiply-adds between registers in enough chains to hide their
 * latency. */
#include "base/clock.h"

/** The best of bursts of a fifth of a millisecond by CPU time, so that a neighbour on the core
 * costs bursts, not the figure. */
__attribute__((unused)) static double measure_peak(int ms) {
    enum { CHAINS = 12, STEPS = 100000 };
    double best = 0;
    int64_t now_ns = dn_thread_cpu_ns(), stop_ns = now_ns + (int64_t)ms * 1000000;
    while (now_ns < stop_ns) {
        vec sum[CHAINS], x = v_set(0.999f), y = v_set(0.5f);
        for (int c = 0; c < CHAINS; c++) {
            sum[c] = v_set((float)c);
        }
        for (int i = 0; i < STEPS; i++) {
#pragma GCC unroll 12
            for (int c = 0; c < CHAINS; c++) {
                sum[c] = v_fma(sum[c], x, y);
            }
        }
        for (int c = 1; c < CHAINS; c++) {
            sum[0] = v_add(sum[0], sum[c]);
        }
        volatile float sink = v_sum(sum[0]);
        (void)sink;
        int64_t then_ns = dn_thread_cpu_ns();
        double rate = 2.0 * VW * CHAINS * STEPS / (double)(then_ns - now_ns);
        best = rate > best ? rate : best;
        now_ns = then_ns;
    }
    return best;
}

#endif
