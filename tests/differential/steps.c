/*
 * Takes libtrip's windows through random calls on the manual clock and prints every step with libtrip's answer, for
 * another breaker to take the same steps and compare (java/src/differential/Replay.java). A line is a letter and numbers:
 *
 *   c TYPE SIZE MINIMUM FAILURES SLOW SLOW_NS OPEN_MS
 *                                            a new circuit, at time 0. TYPE 0: a window over SIZE calls, 1: over SIZE
 *                                            seconds; FAILURES and SLOW in 1/1000, SLOW 0: no call is slow
 *   a NS                                     the clock moves
 *   p GRANTED STATE                          a permit is asked for; who is granted it is the last of those in flight
 *   e INDEX OUTCOME DURATION_NS STALE STATE  a call in flight ends and the last one takes its place; OUTCOME 0: success,
 *                                            1: failure, 2: nothing; DURATION 0: as the clock says; STALE: the circuit
 *                                            has moved on since, which the other has to notice by itself
 *   l INDEX OUTCOME DURATION_NS STALE STATE  the same, and the other heeds it even if it is late
 *   d                                        the other answers differently to the next line; then the circuit is done
 *
 * `--steps N --seed N`: so many, or others. `--differences`: instead, where the two differ by intention.
 */
#include "trip.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define GRAIN 4 /* ns: to so many libtrip knows its deadlines */
#define CALLS_MAX 8
#define NEVER_IN_A_ROW 8388607

enum { SUCCESS, FAILURE, NOTHING };
enum { LAST_CALLS, LATELY };

typedef struct terms {
    uint32_t type;
    uint32_t size;
    uint32_t minimum;
    uint32_t failures;
    uint32_t slow;
    uint64_t slow_ns;
    uint64_t open_ms;
} terms;

typedef struct call {
    trip_permit permit;
    uint64_t granted_at;
} call;

typedef struct scene {
    terms terms;
    trip_tracker tracker;
    trip_circuit circuit;
    uint64_t now;
    trip_circuit_info info;
    call calls[CALLS_MAX];
    size_t count;
} scene;

/* How the provider does for a while. */
typedef struct phase {
    uint64_t steps;
    uint64_t failures; /* in 1/1000, as the others */
    uint64_t slow;
    uint64_t nothing;
    uint64_t moves;
    uint64_t stride_ns;
    size_t in_flight;
} phase;

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

static uint64_t chance_state;

/* xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators (2016). */
static uint64_t draw(void)
{
    chance_state ^= chance_state >> 12;
    chance_state ^= chance_state << 25;
    chance_state ^= chance_state >> 27;
    return chance_state * UINT64_C(2685821657736338717);
}

static uint64_t below(uint64_t bound)
{
    return (draw() >> 11) % bound;
}

static bool happens(uint64_t in_1000)
{
    return below(1000) < in_1000;
}

#define ONE_OF(array) (array)[below(COUNT(array))]

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "libtrip: %s\n", what);
    exit(1);
}

static void look(scene *s)
{
    s->info.struct_size = sizeof s->info;
    require(trip_circuit_inspect(s->circuit, &s->info) == TRIP_OK, "inspect");
}

static scene begin(terms of)
{
    trip_config config;
    require(trip_config_init(&config, sizeof config) == TRIP_OK, "config");
    double failures = of.failures / 1000.0, slow = of.slow / 1000.0;
    config.clock = TRIP_CLOCK_MANUAL;
    config.failure_threshold = NEVER_IN_A_ROW;
    config.initial_open_ns = config.max_open_ns = of.open_ms * MS;
    config.slow_call_ns = of.slow == 0 ? 0 : of.slow_ns;
    config.probe_lease_ns = UINT64_C(300) * 86400 * SECOND; /* the other has none */
    if (of.type == LAST_CALLS) {
        config.count_window = of.size;
        config.count_minimum = of.minimum;
        config.count_failure_ratio = failures;
        config.count_slow_ratio = slow;
    } else {
        config.time_window_ns = of.size * SECOND;
        config.time_buckets = of.size;
        config.time_minimum = of.minimum;
        config.time_failure_ratio = failures;
        config.time_slow_ratio = slow;
    }
    scene s = {.terms = of};
    trip_error error = {.struct_size = sizeof error};
    require(trip_tracker_create(&config, &s.tracker, &error) == TRIP_OK, error.message);
    require(trip_tracker_circuit(s.tracker, "acme", 4, "openai", 6, &s.circuit) == TRIP_OK, "circuit");
    look(&s);
    printf("c %u %u %u %u %u %" PRIu64 " %" PRIu64 "\n", of.type, of.size, of.minimum, of.failures, of.slow, of.slow_ns,
           of.open_ms);
    return s;
}

static void finish(scene *s)
{
    require(trip_tracker_destroy(s->tracker) == TRIP_OK, "destroy");
}

static void advance(scene *s, uint64_t ns)
{
    require(trip_tracker_advance(s->tracker, ns) == TRIP_OK, "advance");
    s->now += ns;
    printf("a %" PRIu64 "\n", ns);
}

static bool ask(scene *s)
{
    call *next = &s->calls[s->count];
    trip_status status = trip_circuit_permit(s->circuit, &next->permit, NULL);
    require(status >= 0, "permit");
    look(s);
    next->granted_at = s->now;
    s->count += status == TRIP_OK;
    printf("p %d %u\n", status == TRIP_OK, s->info.state);
    return status == TRIP_OK;
}

static trip_status settle(trip_permit permit, int outcome, uint64_t duration_ns)
{
    static const uint32_t classes[] = {TRIP_CLASS_SUCCESS, TRIP_CLASS_SERVER_ERROR, TRIP_CLASS_CANCELLED};
    if (duration_ns == 0)
        return outcome == SUCCESS   ? trip_permit_record_success(permit)
               : outcome == FAILURE ? trip_permit_record_failure(permit)
                                    : trip_permit_cancel(permit);
    trip_outcome told = {.struct_size = sizeof told, .status_class = classes[outcome], .duration_ns = duration_ns};
    return trip_permit_record(permit, &told);
}

static void end_as(char letter, scene *s, size_t index, int outcome, uint64_t duration_ns)
{
    trip_status status = settle(s->calls[index].permit, outcome, duration_ns);
    require(status == TRIP_OK || status == TRIP_STALE, "settle");
    s->calls[index] = s->calls[--s->count];
    look(s);
    printf("%c %zu %d %" PRIu64 " %d %u\n", letter, index, outcome, duration_ns, status == TRIP_STALE, s->info.state);
}

static void end(scene *s, size_t index, int outcome, uint64_t duration_ns)
{
    end_as('e', s, index, outcome, duration_ns);
}

/* ---- Random lives ------------------------------------------------------------------------------------------------ */

static terms any_terms(void)
{
    static const uint32_t last_calls[] = {1, 2, 5, 10, 100, 1000}, seconds[] = {1, 2, 5, 10, 60};
    static const uint32_t ratios[] = {100, 250, 500, 600, 750, 1000}, opens[] = {1, 100, 1000, 2500, 30000};
    static const uint32_t minimums[] = {1, 2, 7, 20, 200};
    terms t = {.type = below(2) ? LATELY : LAST_CALLS, .failures = ONE_OF(ratios), .open_ms = ONE_OF(opens)};
    t.size = t.type == LATELY ? ONE_OF(seconds) : ONE_OF(last_calls);
    t.minimum = ONE_OF(minimums);
    if (t.type == LAST_CALLS && (t.minimum > t.size || below(3) == 0))
        t.minimum = t.size;
    t.slow = below(2) ? ONE_OF(ratios) : 0;
    t.slow_ns = (1 + below(2000)) * MS;
    return t;
}

/* Mostly a little below and a little above what opens. */
static uint64_t near(uint64_t in_1000)
{
    uint64_t drawn = in_1000 * (50 + below(70)) / 100;
    return below(8) == 0 ? below(1001) : drawn < 1000 ? drawn : 1000;
}

static phase any_phase(const scene *s)
{
    static const uint64_t strides[] = {40 * MS, 300 * MS, 2 * SECOND, 20 * SECOND};
    static const size_t in_flight[] = {1, 1, 2, CALLS_MAX};
    uint64_t reach = s->terms.type == LAST_CALLS ? s->terms.size : 200;
    return (phase){.steps = 1 + below(6 * reach),
                   .failures = near(s->terms.failures),
                   .slow = near(s->terms.slow),
                   .nothing = below(3) ? 20 : 200,
                   .moves = 1 + below(below(2) ? 20 : 300),
                   .stride_ns = ONE_OF(strides),
                   .in_flight = ONE_OF(in_flight)};
}

/* Often to the end of a second, or of the open period, or just not there. Never to its very end, where the two differ. */
static uint64_t any_move(const scene *s, const phase *p)
{
    uint64_t ns = below(p->stride_ns);
    uint64_t second_ends = SECOND - s->now % SECOND;
    if (s->info.state == TRIP_STATE_OPEN && s->info.retry_after_ns > 0)
        ns = below(2) ? s->info.retry_after_ns : below(s->info.retry_after_ns * 2);
    else if (below(4) == 0)
        ns = second_ends;
    ns -= below(4) == 0 && ns > GRAIN ? GRAIN : 0;
    ns -= ns % GRAIN;
    return s->info.state == TRIP_STATE_OPEN && ns == s->info.retry_after_ns ? ns + GRAIN : ns;
}

/* A probe that succeeds slowly closes here and opens there: see the differences. */
static void end_any(scene *s, const phase *p)
{
    size_t index = below(s->count);
    int outcome = happens(p->nothing) ? NOTHING : happens(p->failures) ? FAILURE : SUCCESS;
    uint64_t slow_ns = s->terms.slow_ns;
    bool is_slow = s->terms.slow != 0 && happens(p->slow);
    uint64_t duration = is_slow ? slow_ns + 1 + below(SECOND) : 1 + below(slow_ns);
    if (below(16) == 0)
        duration = slow_ns + is_slow;
    if (below(4) == 0)
        duration = 0;
    if (s->info.state == TRIP_STATE_HALF_OPEN)
        duration = 1;
    end(s, index, outcome, duration);
}

static uint64_t live(uint64_t steps)
{
    scene s = begin(any_terms());
    phase p = any_phase(&s);
    for (uint64_t i = 0; i < steps; i++) {
        if (p.steps-- == 0)
            p = any_phase(&s);
        bool is_open = s.info.state == TRIP_STATE_OPEN;
        if (happens(is_open ? 500 : p.moves))
            advance(&s, any_move(&s, &p));
        else if (s.count > 0 && (s.count >= p.in_flight || below(2)))
            end_any(&s, &p);
        else
            ask(&s);
    }
    finish(&s);
    return steps;
}

/* ---- Differences ------------------------------------------------------------------------------------------------- */

static void fail(scene *s)
{
    ask(s);
    end(s, s->count - 1, FAILURE, 1);
}

static void answers_differently(void)
{
    puts("d");
}

/* Until retry_after_ns is over, and not for a moment longer. */
static void an_open_period_ends_with_its_deadline(void)
{
    scene s = begin((terms){LAST_CALLS, 2, 2, 500, 0, SECOND, 1000});
    fail(&s);
    fail(&s);
    advance(&s, s.info.retry_after_ns);
    answers_differently();
    require(ask(&s) && s.info.state == TRIP_STATE_HALF_OPEN, "a permit at the deadline is a probe");
    finish(&s);
}

static void a_slow_probe_that_succeeds_closes(void)
{
    scene s = begin((terms){LAST_CALLS, 2, 2, 500, 500, SECOND, 1000});
    fail(&s);
    fail(&s);
    advance(&s, s.info.retry_after_ns + GRAIN);
    ask(&s);
    answers_differently();
    end(&s, 0, SUCCESS, 2 * SECOND);
    require(s.info.state == TRIP_STATE_CLOSED, "a probe that succeeds closes, however long it took");
    finish(&s);
}

static void a_late_outcome_counts_for_nobody(void)
{
    scene s = begin((terms){LAST_CALLS, 2, 2, 500, 0, SECOND, 1000});
    ask(&s); /* and stays out for long */
    fail(&s);
    fail(&s);
    advance(&s, s.info.retry_after_ns + GRAIN);
    ask(&s);
    end(&s, 1, SUCCESS, 1);
    end_as('l', &s, 0, FAILURE, 1);
    ask(&s);
    answers_differently();
    end(&s, 0, SUCCESS, 1);
    require(s.info.state == TRIP_STATE_CLOSED, "a failure of another epoch opens nothing");
    finish(&s);
}

/* ---- The program ------------------------------------------------------------------------------------------------- */

int main(int count, char **arguments)
{
    uint64_t steps_wanted = 0, seed = 1;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--differences") == 0) {
            an_open_period_ends_with_its_deadline();
            a_slow_probe_that_succeeds_closes();
            a_late_outcome_counts_for_nobody();
        } else if (strcmp(arguments[i], "--steps") == 0 && i + 1 < count) {
            steps_wanted = strtoull(arguments[++i], NULL, 10);
        } else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count) {
            seed = strtoull(arguments[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: steps [--steps N] [--seed N] [--differences]\n");
            return 2;
        }
    }
    chance_state = seed * 2 + 1;
    for (uint64_t done = 0; done < steps_wanted;)
        done += live(5000 + below(15000));
    return 0;
}
