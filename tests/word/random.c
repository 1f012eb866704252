/*
 * Lives of circuits at random: random policies, also in the middle of a life, permits in flight that are settled late,
 * clocks drawn to hit deadlines, orders, forks, evictions and reused places, each step next to the model. `--steps N` and `--seed N`: more, or others.
 */
#include "twin.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS TRIP_NS_PER_MS
#define SECOND (1000 * MS)
#define PERMITS_MAX 160
#define SLOW_READER_NS (2 * MS)
#define TALLIED_MAX 15
#define LATE_OPEN_NS MS
#define LATE_LEASE_NS UINT64_C(1048572) /* a millisecond, and what 18 bits of units reach beyond it */

static uint64_t steps_wanted = 5000000;
static uint64_t seed = 20240607;

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

static uint64_t chance_state;

/* xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators. */
static uint64_t draw(void)
{
    chance_state ^= chance_state >> 12;
    chance_state ^= chance_state << 25;
    chance_state ^= chance_state >> 27;
    return chance_state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t below(uint64_t bound)
{
    return (draw() >> 11) % bound;
}

static uint64_t of_any_size(unsigned bits_at_most)
{
    return draw() >> (64 - 1 - below(bits_at_most));
}

#define ONE_OF(array) (array)[below(COUNT(array))]

/* ---- A place, and the lives in it -------------------------------------------------------------------------------- */

typedef struct place {
    twin twin;
    trip_policy policy;
    uint64_t salt;
    uint64_t now;
    uint64_t not_before; /* what the provider has asked for; it grows */
    uint64_t born;
    uint64_t dies;
    uint64_t forgets;
    unsigned jump_bits;    /* how far the clock jumps in this life */
    unsigned settle_bias;  /* how eagerly permits are settled */
    unsigned success_bias; /* and how well the provider does, of 8 */
    bool renews;           /* long calls: leases are extended again and again */
    bool slow_readers;     /* some read the clock, and come to judge after others who read it later */
    bool hears;            /* a provider that asks for time */
    bool is_steered;       /* operators give orders */
    uint64_t unused[4];    /* of each state: the first stamp that no epoch of any life has had */
    uint64_t last_epoch;
    twin_permit permits[PERMITS_MAX];
    size_t permit_count;
} place;

/* As the config allows: as many as must succeed, or more of them but not beyond 15. 0 is what an old policy has. */
static uint32_t any_number_of_probes(uint32_t successes)
{
    if (successes >= TALLIED_MAX || below(2))
        return below(2) ? 0 : successes;
    return successes + 1 + (uint32_t)below(TALLIED_MAX - successes);
}

static trip_policy any_policy(void)
{
    static const uint32_t thresholds[] = {1, 1, 2, 3, 5, 20}, probes[] = {1, 1, 2, 3, 7, 63},
                          successes[] = {1, 2, 3, 14, 63};
    static const uint64_t years[] = {TWIN_YEAR_NS}, jitters[] = {0, 1, UINT64_C(1) << 31, UINT64_C(1) << 32};
    static const uint64_t opens[] = {1, 3, MS - 1, MS, MS + 1, 3 * MS, 30 * SECOND, TWIN_YEAR_NS};
    static const uint64_t leases[] = {4 * MS, 4 * MS + 1, 4 * MS + 3, 10 * MS, 600 * SECOND, TWIN_YEAR_NS};
    static const uint64_t retries[] = {0, 1, 50 * MS, TWIN_YEAR_NS};
    trip_policy policy = {.probe_lease_ns = below(4) ? ONE_OF(leases) : 4 * MS + below(TWIN_YEAR_NS - 4 * MS),
                          .probe_retry_ns = ONE_OF(retries),
                          .jitter = below(4) ? ONE_OF(jitters) : below(UINT64_C(1) << 32),
                          .failure_threshold = ONE_OF(thresholds),
                          .half_open_max_probes = ONE_OF(probes),
                          .half_open_successes = ONE_OF(successes),
                          .on_drop = below(2) ? TRIP_DROP_FAILURE : TRIP_DROP_CANCEL};
    uint64_t initial = below(4) ? ONE_OF(opens) : 1 + below(TWIN_YEAR_NS);
    uint64_t cap = below(2) ? initial + below(TWIN_YEAR_NS - initial + 1) : ONE_OF(years);
    policy.half_open_probes = any_number_of_probes(policy.half_open_successes);
    model_backoff(&policy, initial, cap, 1 + below(4), below(2) ? TRIP_BACKOFF_FIRST : TRIP_BACKOFF_COMPOUND);
    return policy;
}

/* The clock of a life starts at its first stamp. */
static void begin_life(place *p, uint64_t stamp)
{
    spelled closed = {.state = TRIP_WORD_CLOSED, .stamp = stamp};
    uint64_t era = p->twin.circuit.era + 1;
    p->policy = any_policy();
    p->salt = draw();
    p->twin = twin_of(&closed, &p->policy);
    p->twin.circuit.era = era;
    p->now = p->born = stamp * MS;
    p->dies = p->born + 5 * TWIN_YEAR_NS;
    p->forgets = 0;
    p->jump_bits = 1 + (unsigned)below(55);
    p->settle_bias = 1 + (unsigned)below(7);
    p->success_bias = (unsigned)below(9);
    p->renews = below(8) == 0;
    p->slow_readers = below(8) == 0;
    p->hears = below(3) == 0;
    p->is_steered = below(3) == 0;
    p->last_epoch = 0;
    p->not_before = 0;
    ck_assert_uint_eq(p->twin.word, trip_word_closed(stamp, 0));
}

static void begin_place(place *p)
{
    static const uint64_t stamps[] = {0, 1, 1000000, TRIP_STAMP_RETIRE - 1, TRIP_STAMP_RETIRE};
    *p = (place){.permit_count = 0};
    begin_life(p, ONE_OF(stamps));
}

/* The circuit is evicted and another moves in: its permits stay out, and must be stale for ever. */
static void reuse(place *p)
{
    uint64_t vacant = trip_word_vacant(trip_word_stamp(p->twin.word));
    if (trip_word_stamp(vacant) > TRIP_STAMP_RETIRE)
        begin_place(p);
    else
        begin_life(p, trip_word_stamp(vacant) + 1);
}

/* ---- The clock --------------------------------------------------------------------------------------------------- */

static wide interesting_moment(const place *p)
{
    const model_circuit *c = &p->twin.circuit;
    wide lease = p->policy.probe_lease_ns, now = p->now;
    bool probing = c->state == MODEL_HALF_OPEN && c->out > 0;
    bool waits = probing || c->state == MODEL_OPEN;
    switch (below(8)) {
    case 0:
        return waits ? c->deadline - 1 : now;
    case 1:
        return waits ? c->deadline : now + 1;
    case 2:
        return waits ? c->deadline + below(6) : now;
    case 3:
        return probing ? c->deadline - lease + below(2) : now + MS - now % MS;
    case 4:
        return probing ? c->reach - lease + below(2) : now + below(2 * MS);
    case 5:
        return now + of_any_size(p->jump_bits);
    default:
        return now;
    }
}

/* Jumps to a far deadline are rare where a life is one of small steps, or no circuit would see many events in a row. */
static void move_clock(place *p)
{
    wide moment = interesting_moment(p);
    bool far = moment > (wide)p->now + (UINT64_C(1) << p->jump_bits);
    if (moment > p->now && (!far || below(4) == 0))
        p->now = moment < p->dies ? (uint64_t)moment : p->dies;
}

/* A provider asks for time: near what is there already, or far from it; at most a year, as the config says. */
static void ask_for_time(place *p)
{
    const model_circuit *c = &p->twin.circuit;
    wide wait =
        below(2) && c->state == MODEL_OPEN ? c->deadline + below(8) - 3 : p->now + (wide)of_any_size(p->jump_bits);
    wide most = (wide)p->now + TWIN_YEAR_NS;
    wait = below(2) ? wait : (wait + MS - 1) / MS * MS;
    wait = wait < most ? wait : most;
    if (wait > p->not_before)
        p->not_before = (uint64_t)wait;
}

static uint64_t reading(const place *p)
{
    if (!p->slow_readers || below(4) != 0)
        return p->now;
    uint64_t back = below(SLOW_READER_NS);
    return p->now - p->born > back ? p->now - back : p->born;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static trip_word_event any_settlement(const place *p)
{
    static const trip_word_event others[] = {TRIP_ON_FAILURE, TRIP_ON_DROP, TRIP_ON_CANCEL, TRIP_ON_RENEW,
                                             TRIP_ON_TRIP};
    if (p->renews && p->twin.circuit.state == MODEL_HALF_OPEN && below(50) != 0)
        return TRIP_ON_RENEW;
    if (below(8) < p->success_bias)
        return TRIP_ON_SUCCESS;
    return below(3) == 0 ? ONE_OF(others) : TRIP_ON_FAILURE;
}

static void tell(const place *p, const char *broken, uint64_t word, int event, uint64_t epoch, uint64_t now)
{
    const trip_policy *y = &p->policy;
    ck_abort_msg(
        "%s: seed %" PRIu64 " word %016" PRIx64 " event %d epoch %" PRIx64 " now %" PRIu64 " not before %" PRIu64
        " salt %" PRIx64 "; threshold %u probes %u of %u successes %u on_drop %u lease %" PRIu64 " open %" PRIu64
        " jitter %" PRIx64,
        broken, seed, word, event, epoch, now, p->not_before, p->salt, y->failure_threshold, y->half_open_max_probes,
        y->half_open_probes, y->half_open_successes, y->on_drop, y->probe_lease_ns, y->open_ns[0], y->jitter);
}

/* What one step cannot show: over all lives of a place no epoch comes twice, and roundings do not add up. */
static const char *judge_history(place *p)
{
    uint64_t epoch = trip_word_epoch(p->twin.word), stamp = trip_word_stamp(p->twin.word);
    trip_word_state state = trip_word_state_of(p->twin.word);
    if (epoch != p->last_epoch && stamp < p->unused[state])
        return "no epoch of a place comes twice";
    p->unused[state] = stamp + 1;
    p->last_epoch = epoch;
    if (stamp >= TRIP_STAMP_MAX)
        return "five years do not exhaust the stamps";
    wide slack = p->forgets * MS + (p->slow_readers ? SLOW_READER_NS : 0);
    wide quarter = p->policy.probe_lease_ns / 4 + 1;
    bool is_period = p->twin.timing == MODEL_OPENED || p->twin.timing == MODEL_PUT_OFF;
    if (is_period && p->twin.late > LATE_OPEN_NS + slack)
        return "an open period ends at most 1 ms late";
    if (p->twin.timing == MODEL_LEASED && p->twin.late > LATE_LEASE_NS + slack)
        return "a lease ends about 1 ms late at most";
    if (p->twin.timing == MODEL_EXTENDED && p->twin.late > quarter)
        return "an extended lease ends at most a quarter late";
    return NULL;
}

static trip_verdict take(place *p, trip_word_event event, twin_permit permit)
{
    trip_setting setting = {.policy = &p->policy, .now = reading(p), .salt = p->salt, .not_before = p->not_before};
    uint64_t word = p->twin.word;
    trip_verdict verdict = {0};
    const char *broken = twin_look(&p->twin, &setting);
    if (broken == NULL)
        broken = twin_step(&p->twin, event, permit, &setting, &verdict);
    if (broken == NULL)
        broken = judge_history(p);
    if (broken != NULL)
        tell(p, broken, word, (int)event, permit.epoch, setting.now);
    return verdict;
}

static void step(place *p)
{
    bool asks = p->permit_count == 0 || (p->permit_count < PERMITS_MAX && below(8) >= p->settle_bias);
    size_t which = asks ? 0 : below(p->permit_count);
    trip_word_event event = asks ? TRIP_ON_PERMIT : any_settlement(p);
    trip_verdict verdict = take(p, event, asks ? (twin_permit){0} : p->permits[which]);
    if (asks && verdict.status == TRIP_OK)
        p->permits[p->permit_count++] = (twin_permit){.era = p->twin.circuit.era, .epoch = p->twin.circuit.epoch};
    if (!asks && event != TRIP_ON_RENEW && event != TRIP_ON_TRIP)
        p->permits[which] = p->permits[--p->permit_count];
}

/* Whoever has heard the provider ask may be late to say so, and settles nothing by it. */
static void hint(place *p)
{
    ask_for_time(p);
    if (below(4))
        take(p, TRIP_ON_HINT, (twin_permit){.era = draw(), .epoch = draw()});
}

/* An operator opens the circuit or closes it. To cut an open period short its clock is put forward to the end of it. */
static void order(place *p)
{
    trip_word_event event = below(2) ? TRIP_ON_OPEN : TRIP_ON_RESET;
    uint64_t end = trip_word_stamp(p->twin.word) * MS;
    bool cuts_short = event == TRIP_ON_RESET && p->twin.circuit.state == MODEL_OPEN && end > p->now;
    if (cuts_short && end > p->dies)
        return;
    if (cuts_short)
        p->now = end;
    p->forgets++; /* each may put a stamp ahead of the clock, by a tick */
    take(p, event, (twin_permit){.era = draw(), .epoch = draw()});
}

/* The policy is replaced by another that lays out half-open words alike: all else that the word holds stays. */
static void reconfigure(place *p)
{
    trip_policy other = any_policy();
    if (trip_word_tallies(&other) != trip_word_tallies(&p->policy))
        return;
    spelled s = twin_spell(p->twin.word, &p->policy);
    uint64_t era = p->twin.circuit.era;
    p->policy = other;
    p->twin = twin_of(&s, &p->policy);
    p->twin.circuit.era = era;
}

/* The child of a fork inherits probes that it cannot settle. */
static void fork_child(place *p)
{
    uint64_t word = p->twin.word;
    const char *broken = twin_forget_probes(&p->twin, &p->policy);
    p->forgets++;
    if (broken == NULL)
        broken = judge_history(p);
    if (broken != NULL)
        tell(p, broken, word, -1, 0, p->now);
}

/* Another process knew of this circuit, and left word. */
static void restore(place *p)
{
    uint64_t word = p->twin.word;
    bool counts = p->twin.circuit.state == MODEL_CLOSED && below(2);
    uint64_t deadline = p->now + of_any_size(p->jump_bits);
    const char *broken = counts ? twin_with_failures(&p->twin, below(p->policy.failure_threshold), &p->policy)
                                : twin_open_until(&p->twin, deadline, below(TRIP_LEVELS), &p->policy);
    if (broken == NULL)
        broken = judge_history(p);
    if (broken != NULL)
        tell(p, broken, word, -2, 0, p->now);
}

START_TEST(a_word_lives_as_the_model_does)
{
    place p;
    chance_state = seed * 2 + 1;
    begin_place(&p);
    for (uint64_t i = 0; i < steps_wanted; i++) {
        move_clock(&p);
        step(&p);
        if (p.hears && below(16) == 0)
            hint(&p);
        if (p.is_steered && below(64) == 0)
            order(&p);
        if (below(64) == 0)
            reconfigure(&p);
        uint64_t fate = below(2000);
        if (fate == 0)
            fork_child(&p);
        else if (fate == 1 || p.now == p.dies)
            reuse(&p);
        else if (fate == 2 && p.permit_count > 0)
            p.permit_count = 0; /* their process is gone: only the lease can tell */
        else if (fate < 5)
            restore(&p);
    }
}
END_TEST

static void read_arguments(int count, char **arguments)
{
    for (int i = 1; i + 1 < count; i += 2) {
        uint64_t value = strtoull(arguments[i + 1], NULL, 0);
        if (strcmp(arguments[i], "--steps") == 0)
            steps_wanted = value;
        else if (strcmp(arguments[i], "--seed") == 0)
            seed = value;
        else
            exit(2);
    }
}

int main(int count, char **arguments)
{
    read_arguments(count, arguments);
    printf("%" PRIu64 " steps, seed %" PRIu64 "\n", steps_wanted, seed);
    Suite *suite = suite_create("word: random");
    TCase *lives = tcase_create("lives");
    tcase_set_timeout(lives, 0);
    tcase_add_test(lives, a_word_lives_as_the_model_does);
    suite_add_tcase(suite, lives);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
