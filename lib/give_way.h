/* What to do after a collision at a word that many threads swap. Takes no lock and waits for nobody. */
#ifndef TRIP_GIVE_WAY_H
#define TRIP_GIVE_WAY_H

#include <stdatomic.h>

/* Two threads that want a line of memory for each of their calls wait longer for it than for anything else. Who was too
   late lets the other one make some calls, and then makes some himself (Anderson, The performance of spin lock
   alternatives for shared-memory multiprocessors, 1990: backoff after a collision). A pause takes 10 to 140 cycles. */
static inline void trip_give_way(int pauses)
{
    for (int i = 0; i < pauses; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
        __asm__ volatile("yield");
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
    }
}

#endif
