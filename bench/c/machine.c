/* What everything else is compared with: calls that do nothing, the steps that no breaker can do without, and work that
   shows what the machine's second processor is worth. */
#include "stand.h"

#include <stdatomic.h>
#include <time.h>
#include <trip.h>

static void *prepare_nothing(const bench_column *column, uint32_t thread)
{
    static uint64_t places[BENCH_THREADS_MAX * 8]; /* a cache line each */
    (void)column;
    return &places[(size_t)thread * 8];
}

/* What a pair would cost if it did nothing: two calls into the same library. */
static uint64_t run_empty_calls(void *given, uint64_t calls)
{
    const uint32_t version = trip_abi_version();
    uint64_t wrong = 0;
    (void)given;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_abi_version() != version;
        wrong += trip_has_feature(TRIP_FEATURE_CIRCUITS) != 1;
    }
    return wrong;
}

/* Work that no thread shares with another: what two threads cost more than one here, the machine costs. */
static uint64_t run_loop(void *given, uint64_t calls)
{
    uint64_t *own = given, x = *own | 1;
    for (uint64_t i = 0; i < calls; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    *own = x;
    return x == 0; /* xorshift never reaches 0 */
}

/* Settling a permit once takes one of these, on a word that nobody else writes and that was not read just now. */
static uint64_t run_swap(void *given, uint64_t calls)
{
    _Atomic uint64_t *word = given;
    uint64_t wrong = 0, known = atomic_load_explicit(word, memory_order_relaxed);
    for (uint64_t i = 0; i < calls; i++, known++) {
        uint64_t expected = known;
        wrong += !atomic_compare_exchange_strong_explicit(word, &expected, known + 1, memory_order_acq_rel,
                                                          memory_order_relaxed);
    }
    return wrong;
}

static uint64_t read_clock(clockid_t clock, uint64_t calls)
{
    struct timespec now;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += clock_gettime(clock, &now) != 0;
    return wrong;
}

static uint64_t run_coarse_clock(void *given, uint64_t calls)
{
    (void)given;
    return read_clock(CLOCK_MONOTONIC_COARSE, calls);
}

static uint64_t run_precise_clock(void *given, uint64_t calls)
{
    (void)given;
    return read_clock(CLOCK_MONOTONIC, calls);
}

static const bench_column empty_columns[] = {{"pair", 1, 0, prepare_nothing, run_empty_calls}};
static const bench_column step_columns[] = {
    {"swap", 1, 0, prepare_nothing, run_swap},
    {"coarse_clock", 1, 0, prepare_nothing, run_coarse_clock},
    {"precise_clock", 1, 0, prepare_nothing, run_precise_clock},
};
static const bench_column loop_columns[] = {
    {"loop", 1, 0, prepare_nothing, run_loop},
    {"loop_2t", 2, 0, prepare_nothing, run_loop},
};

const bench_peer bench_two_empty_calls = {
    .name = "two_empty_calls",
    .version = trip_version,
    .licence = "MIT",
    .configuration = "trip_abi_version and trip_has_feature through libtrip.so: what two calls cost that do nothing",
    .columns = empty_columns,
    .column_count = 1,
};

const bench_peer bench_independent_loops = {
    .name = "independent_loops",
    .version = trip_version,
    .licence = "MIT",
    .configuration = "arithmetic in registers on one thread and on two: what the machine itself takes for a second",
    .columns = loop_columns,
    .column_count = 2,
};

const bench_peer bench_single_steps = {
    .name = "single_steps",
    .version = trip_version,
    .licence = "MIT",
    .configuration = "an uncontended compare-and-swap in a loop, and a look at either clock: who needs one has no less",
    .columns = step_columns,
    .column_count = 3,
};
