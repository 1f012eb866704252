/* libtrip, called from C through its shared library as any program calls it. Owns how each column uses it. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <trip.h>

#define NS_PER_S UINT64_C(1000000000)

/* What a column works on, and one thread's own place in it. */
typedef struct subject {
    trip_tracker tracker;
    trip_circuit circuit;
    bench_requests requests;
    uint64_t admitted, ended; /* by the express lane, in a run */
} subject;

static trip_tracker tracker_with(const trip_config *config)
{
    trip_tracker tracker = 0;
    bench_require(trip_tracker_create(config, &tracker, NULL) == TRIP_OK, "no tracker");
    return tracker;
}

static trip_tracker tracker_of(uint32_t threshold, uint64_t open_ns, uint32_t max_circuits)
{
    trip_config config;
    trip_config_init(&config, sizeof config);
    config.failure_threshold = threshold;
    config.initial_open_ns = open_ns;
    config.max_open_ns = open_ns > config.max_open_ns ? open_ns : config.max_open_ns;
    config.max_circuits = max_circuits;
    return tracker_with(&config);
}

static trip_status find(trip_tracker tracker, const bench_request *request, trip_circuit *out_circuit)
{
    return trip_tracker_circuit(tracker, request->tenant, request->tenant_len, request->provider, request->provider_len,
                                out_circuit);
}

static void fill_tracker(trip_tracker tracker, uint64_t circuits)
{
    for (uint64_t i = 0; i < circuits; i++) {
        bench_request request = bench_name(i);
        trip_circuit circuit;
        bench_require(find(tracker, &request, &circuit) == TRIP_OK, "no circuit");
    }
}

static subject *subject_of(trip_tracker tracker, uint64_t name)
{
    bench_request request = bench_name(name);
    subject *made = calloc(1, sizeof *made);
    bench_require(made != NULL, "out of memory");
    made->tracker = tracker;
    bench_require(find(tracker, &request, &made->circuit) == TRIP_OK, "no circuit");
    return made;
}

/* ---- Pairs ------------------------------------------------------------------------------------------------------- */

static void *prepare_one(const bench_column *column, uint32_t thread)
{
    static trip_tracker tracker; /* the threads of a column meet on one circuit */
    (void)column, (void)thread;
    if (tracker == 0)
        tracker = tracker_of(5, 30 * NS_PER_S, 1024);
    return subject_of(tracker, 0);
}

static void *prepare_many(const bench_column *column, uint32_t thread)
{
    static trip_tracker tracker;
    (void)column;
    if (tracker == 0)
        tracker = tracker_of(5, 30 * NS_PER_S, 1024);
    return subject_of(tracker, thread);
}

static uint64_t run_pair(void *given, uint64_t calls)
{
    const subject *on = given;
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_permit permit = 0;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_circuit_permit(on->circuit, &permit, &refused) != TRIP_OK;
        wrong += trip_permit_record_success(permit) != TRIP_OK;
    }
    return wrong;
}

static bool matches(const trip_express *lane, uint64_t mask)
{
    return (__atomic_load_n(lane->word, __ATOMIC_ACQUIRE) & mask) == lane->value;
}

/* As a program does that has the lane inline: it counts for itself, and hands the counts in from time to time. */
static uint64_t run_express(void *given, uint64_t calls)
{
    subject *on = given;
    trip_express lane = {.struct_size = sizeof lane};
    uint64_t wrong = trip_circuit_express(on->circuit, &lane) != TRIP_OK;
    on->admitted = on->ended = 0;
    for (uint64_t i = 0; i < calls; i++) {
        if (!matches(&lane, lane.admit_mask)) {
            wrong++;
            continue;
        }
        on->admitted++;
        if (matches(&lane, lane.mask))
            on->ended++;
        else
            wrong += trip_permit_record_success(lane.permit) != TRIP_OK;
    }
    wrong += trip_circuit_count(on->circuit, on->admitted, on->ended) != TRIP_OK;
    return wrong;
}

/* ---- Failures and refusals --------------------------------------------------------------------------------------- */

static void *prepare_failure(const bench_column *column, uint32_t thread)
{
    (void)column;
    return subject_of(tracker_of(8388607, 30 * NS_PER_S, 1024), thread);
}

/* First a success, so that the failures in a row begin at 0: no run is long enough to reach the threshold. */
static uint64_t run_failure(void *given, uint64_t calls)
{
    const subject *on = given;
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_permit permit = 0;
    uint64_t wrong = run_pair(given, 1);
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_circuit_permit(on->circuit, &permit, &refused) != TRIP_OK;
        wrong += trip_permit_record_failure(permit) != TRIP_OK;
    }
    return wrong;
}

static void *prepare_refusal(const bench_column *column, uint32_t thread)
{
    (void)column;
    subject *on = subject_of(tracker_of(5, 24 * 3600 * NS_PER_S, 1024), thread);
    bench_require(run_failure(on, 5) == 0, "the circuit does not open");
    return on;
}

static uint64_t run_refusal(void *given, uint64_t calls)
{
    const subject *on = given;
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_permit permit;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += trip_circuit_permit(on->circuit, &permit, &refused) != TRIP_REJECTED_OPEN;
    return wrong;
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

/* The threads of a column meet on one circuit. */
static void *prepare_time_window(const bench_column *column, uint32_t thread)
{
    static trip_tracker tracker;
    (void)column, (void)thread;
    if (tracker == 0) {
        trip_config config;
        trip_config_init(&config, sizeof config);
        config.time_window_ns = 10 * NS_PER_S;
        tracker = tracker_with(&config);
    }
    return subject_of(tracker, 0);
}

static void *prepare_count_window(const bench_column *column, uint32_t thread)
{
    static trip_tracker tracker;
    (void)column, (void)thread;
    if (tracker == 0) {
        trip_config config;
        trip_config_init(&config, sizeof config);
        config.count_window = 100;
        tracker = tracker_with(&config);
    }
    return subject_of(tracker, 0);
}

/* With failures among them, never so many that the circuit opens: then each call changes the window. */
static uint64_t run_mixed(void *given, uint64_t calls)
{
    const subject *on = given;
    trip_permit permit = 0;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_circuit_permit(on->circuit, &permit, NULL) != TRIP_OK;
        trip_status status = i % 8 == 7 ? trip_permit_record_failure(permit) : trip_permit_record_success(permit);
        wrong += status != TRIP_OK;
    }
    return wrong;
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

#define RING 4096           /* events that a tracker keeps */
#define EVENTS_OF_A_CYCLE 5 /* opened, refused, settled too late, half-opened, closed */
#define CYCLES_OF_A_RING (RING / EVENTS_OF_A_CYCLE)
#define PERIOD_NS UINT64_C(1000000)

/* The circuit opens, refuses a permit, is told of a success too late, lets a probe through and closes. */
static uint64_t run_cycle(const subject *on)
{
    trip_permit late = 0, permit = 0;
    uint64_t wrong = trip_circuit_permit(on->circuit, &late, NULL) != TRIP_OK;
    wrong += trip_circuit_permit(on->circuit, &permit, NULL) != TRIP_OK;
    wrong += trip_permit_record_failure(permit) != TRIP_OK;
    wrong += trip_circuit_permit(on->circuit, &permit, NULL) != TRIP_REJECTED_OPEN;
    wrong += trip_permit_record_success(late) != TRIP_STALE;
    wrong += trip_tracker_advance(on->tracker, PERIOD_NS) != TRIP_OK;
    wrong += trip_circuit_permit(on->circuit, &permit, NULL) != TRIP_OK;
    wrong += trip_permit_record_success(permit) != TRIP_OK;
    return wrong;
}

/* Empty the ring: how many events there were. */
static uint64_t drain(const subject *on, uint64_t *out_lost)
{
    static trip_event events[RING];
    static char text[RING * 64];
    size_t count = 0;
    bench_require(trip_tracker_events(on->tracker, events, sizeof *events, RING, text, sizeof text, &count, out_lost) ==
                      TRIP_OK,
                  "no events");
    return count;
}

static uint64_t run_cycles_full(void *given, uint64_t calls)
{
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += run_cycle(given);
    return wrong;
}

/* Somebody takes the events as often as the ring would be full: that is part of the time. */
static uint64_t run_cycles(void *given, uint64_t calls)
{
    uint64_t wrong = 0, lost = 0;
    for (uint64_t left = calls; left > 0;) {
        uint64_t cycles = left < CYCLES_OF_A_RING ? left : CYCLES_OF_A_RING;
        wrong += run_cycles_full(given, cycles);
        wrong += drain(given, &lost) != cycles * EVENTS_OF_A_CYCLE;
        left -= cycles;
    }
    return wrong + lost;
}

static trip_tracker cycling_tracker(void)
{
    trip_config config;
    trip_config_init(&config, sizeof config);
    config.failure_threshold = 1;
    config.initial_open_ns = PERIOD_NS;
    config.clock = TRIP_CLOCK_MANUAL;
    return tracker_with(&config);
}

static void *prepare_cycles(const bench_column *column, uint32_t thread)
{
    (void)column;
    return subject_of(cycling_tracker(), thread);
}

static void *prepare_cycles_full(const bench_column *column, uint32_t thread)
{
    subject *on = prepare_cycles(column, thread);
    bench_require(run_cycles_full(on, CYCLES_OF_A_RING + 1) == 0, "the circuit does not open and close");
    return on;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static void *prepare_lookup(const bench_column *column, uint32_t thread)
{
    static trip_tracker shared;
    static uint32_t shared_keys;
    if (thread == 0) {
        shared = tracker_of(5, 30 * NS_PER_S, column->keys);
        shared_keys = column->keys;
        fill_tracker(shared, column->keys);
    }
    bench_require(shared_keys == column->keys, "the threads of a look-up share a tracker");
    subject *on = subject_of(shared, 0);
    bench_draw(&on->requests, column->keys, thread);
    return on;
}

static uint64_t run_lookup(void *given, uint64_t calls)
{
    subject *on = given;
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_permit permit = 0;
    trip_circuit circuit = 0;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += find(on->tracker, bench_next(&on->requests), &circuit) != TRIP_OK;
        wrong += trip_circuit_permit(circuit, &permit, &refused) != TRIP_OK;
        wrong += trip_permit_record_success(permit) != TRIP_OK;
    }
    return wrong;
}

/* So many names come round that each is long evicted when it does. */
#define CREATED_NAMES 16384

static uint64_t run_create(void *given, uint64_t calls)
{
    subject *on = given;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += find(on->tracker, bench_next(&on->requests), &on->circuit) != TRIP_OK;
    return wrong;
}

static void *prepare_create(const bench_column *column, uint32_t thread)
{
    (void)thread;
    subject *on = subject_of(tracker_of(5, 30 * NS_PER_S, column->keys), 0);
    const trip_circuit first = on->circuit;
    bench_list(&on->requests, CREATED_NAMES);
    bench_require(run_create(on, CREATED_NAMES) == 0, "no circuit");
    bench_require(trip_circuit_peek(first, NULL) == TRIP_E_HANDLE, "a full tracker has not evicted its first circuit");
    return on;
}

static void fill(uint64_t circuits)
{
    fill_tracker(tracker_of(5, 30 * NS_PER_S, (uint32_t)circuits), circuits);
}

static const bench_column columns[] = {
    {"pair", 1, 0, prepare_one, run_pair},
    {"express", 1, 0, prepare_one, run_express},
    {"failure", 1, 0, prepare_failure, run_failure},
    {"refusal", 1, 0, prepare_refusal, run_refusal},
    {"time_window", 1, 0, prepare_time_window, run_pair},
    {"time_window_2t", 2, 0, prepare_time_window, run_pair},
    {"count_window", 1, 0, prepare_count_window, run_pair},
    {"count_window_2t", 2, 0, prepare_count_window, run_pair},
    {"count_mixed", 1, 0, prepare_count_window, run_mixed},
    {"count_mixed_2t", 2, 0, prepare_count_window, run_mixed},
    {"cycle", 1, 0, prepare_cycles, run_cycles},
    {"cycle_full", 1, 0, prepare_cycles_full, run_cycles_full},
    {"pair_full", 1, 0, prepare_cycles_full, run_pair},
    {"lookup_8", 1, 8, prepare_lookup, run_lookup},
    {"lookup_1k", 1, 1000, prepare_lookup, run_lookup},
    {"lookup_100k", 1, 100000, prepare_lookup, run_lookup},
    {"lookup_1M", 1, 1000000, prepare_lookup, run_lookup},
    {"lookup_1k_2t", 2, 1000, prepare_lookup, run_lookup},
    {"create_evict", 1, 1024, prepare_create, run_create},
    {"pair_2t_one", 2, 0, prepare_one, run_pair},
    {"pair_2t_many", 2, 0, prepare_many, run_pair},
    {"express_2t_one", 2, 0, prepare_one, run_express},
    {"gate", 1, 0, prepare_gate, run_gate},
    {"gate_2t", 2, 0, prepare_gate, run_gate},
    {"gate_full", 1, 0, prepare_gate_full, run_gate_full},
    {"gate_gradient", 1, 0, prepare_gate_gradient, run_gate},
    {"dedup_new", 1, 0, prepare_dedup, run_dedup_new},
    {"dedup_hit", 1, 0, prepare_dedup, run_dedup_hit},
    {"route", 1, 0, prepare_route, run_route},
    {"route_session", 1, 0, prepare_route, run_route_session},
    {"retry", 1, 0, prepare_retry, run_retry},
};

const bench_peer bench_libtrip = {
    .name = "libtrip",
    .version = trip_version,
    .licence = "MIT",
    .configuration =
        "5 failures in a row, 30 s; through libtrip.so. express: the lane inline, two loads, counted by "
        "the caller. failure: threshold 8388607. refusal: open for a day. create_evict: a tracker of "
        "1024, full. time_window: 10 s. count_window: of 100 calls; count_mixed: each eighth fails. "
        "cycle: on the manual clock, threshold 1; _full: a ring of events that nobody empties. gate: of 64. "
        "dedup: 1024 entries, values of 100 bytes. route: three providers",
    .columns = columns,
    .column_count = sizeof columns / sizeof *columns,
    .fill = fill,
};
