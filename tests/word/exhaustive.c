/*
 * Every state at the boundaries of every field, times every event, epoch, moment and policy corner: one step each, next
 * to the model. Words that no circuit can reach are judged too, for the function is total.
 */
#include "twin.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS TRIP_NS_PER_MS
#define SECOND (1000 * MS)
#define FAILURES_MAX ((UINT64_C(1) << 23) - 1)
#define MOMENTS_MAX 40
#define WAITS_MAX 2
#define EPOCHS_MAX 2
#define NOT_GRANTED UINT64_MAX /* the era of an epoch in which the model has granted nothing */

static const uint64_t STAMPS[] = {0, 1, UINT64_C(1234567), TRIP_STAMP_RETIRE, TRIP_STAMP_MAX - 1, TRIP_STAMP_MAX};
static const trip_word_event EVENTS[] = {TRIP_ON_PERMIT, TRIP_ON_SUCCESS, TRIP_ON_FAILURE, TRIP_ON_DROP, TRIP_ON_CANCEL,
                                         TRIP_ON_RENEW,  TRIP_ON_TRIP,    TRIP_ON_HINT,    TRIP_ON_OPEN, TRIP_ON_RESET};
static const uint32_t ON_DROP[] = {TRIP_DROP_FAILURE, TRIP_DROP_CANCEL};
static const uint32_t THRESHOLDS[] = {1, 2, 8388607};
static const uint32_t PROBES[] = {1, 15, 63};
static const uint32_t SUCCESSES[] = {1, 15, 16};
static const uint64_t LEASES[] = {4 * MS + 3, 600 * SECOND, TWIN_YEAR_NS};
static const uint64_t SALTS[] = {0, UINT64_C(0x9E3779B97F4A7C15), UINT64_MAX};

/* A combination is a number whose digits index the arrays: take the next of `base` digits. */
static size_t digit(size_t *combination, size_t base)
{
    size_t lowest = *combination % base;
    *combination /= base;
    return lowest;
}

#define NEXT(combination, array) (array)[digit(&(combination), COUNT(array))]

/* ---- Policy corners ---------------------------------------------------------------------------------------------- */

typedef struct opening {
    uint64_t initial_ns;
    uint64_t max_ns;
    uint32_t backoff;
    uint64_t jitter;
} opening;

static const opening OPENINGS[] = {
    {1, 1, TRIP_BACKOFF_FIRST, 0},
    {1, TWIN_YEAR_NS, TRIP_BACKOFF_COMPOUND, UINT64_C(1) << 31},
    {30 * SECOND, 300 * SECOND, TRIP_BACKOFF_COMPOUND, UINT64_C(1) << 32},
    {30 * SECOND + 7, 300 * SECOND, TRIP_BACKOFF_FIRST, 0},
    {TWIN_YEAR_NS, TWIN_YEAR_NS, TRIP_BACKOFF_FIRST, UINT64_C(1) << 32},
};

static trip_policy policy_with(const opening *terms)
{
    trip_policy policy = {.probe_lease_ns = 600 * SECOND,
                          .probe_retry_ns = 50 * MS,
                          .jitter = terms->jitter,
                          .failure_threshold = 2,
                          .half_open_max_probes = 1,
                          .half_open_successes = 1,
                          .on_drop = TRIP_DROP_FAILURE};
    model_backoff(&policy, terms->initial_ns, terms->max_ns, 2, terms->backoff);
    return policy;
}

/* ---- One word under every event, epoch and moment ---------------------------------------------------------------- */

typedef struct subject {
    twin twin;
    const trip_policy *policy;
    uint64_t salt;
    uint64_t moments[MOMENTS_MAX];
    size_t moment_count;
    uint64_t waits[WAITS_MAX]; /* what the provider may have asked for, as a setting's not_before */
    uint64_t foreign[EPOCHS_MAX];
    size_t foreign_count;
} subject;

static void add_moments(subject *s, wide around, unsigned before, unsigned after)
{
    for (wide moment = around > before ? around - before : 0; moment <= around + after; moment++)
        if (moment <= UINT64_MAX && s->moment_count < MOMENTS_MAX)
            s->moments[s->moment_count++] = (uint64_t)moment;
}

static void choose_lease_moments(subject *s)
{
    const model_circuit *c = &s->twin.circuit;
    uint64_t lease = s->policy->probe_lease_ns;
    add_moments(s, c->deadline, 1, 1);
    add_moments(s, c->deadline - lease, 1, 1);
    add_moments(s, c->reach - lease, 1, 1);
    trip_setting at_end = {.policy = s->policy, .now = (uint64_t)c->deadline, .salt = s->salt};
    model_circuit expired = *c;
    if (model_expire(&expired, &at_end) == MODEL_OPENED)
        add_moments(s, expired.deadline, 1, 4);
}

static void choose_moments(subject *s)
{
    const model_circuit *c = &s->twin.circuit;
    add_moments(s, 0, 0, 0);
    add_moments(s, (wide)trip_word_stamp(s->twin.word) * MS, 1, 1);
    if (c->state == MODEL_OPEN)
        add_moments(s, c->deadline, 1, 1);
    if (c->state == MODEL_HALF_OPEN && c->out > 0)
        choose_lease_moments(s);
    add_moments(s, c->deadline + (wide)3 * TWIN_YEAR_NS, 0, 0);
    add_moments(s, UINT64_MAX, 1, 0);
}

/* None, and in turn: before, at and after the end of the period, the stamp and its millisecond, long after, absurd.
   Eleven is prime to the number of words, so that each word meets all of them under one policy or another. */
static void choose_waits(subject *s)
{
    static size_t turn;
    wide deadline = s->twin.circuit.deadline, stamp = (wide)trip_word_stamp(s->twin.word) * MS;
    wide waits[11] = {1,
                      deadline - (deadline > 0),
                      deadline,
                      deadline + 1,
                      deadline + 5,
                      stamp,
                      stamp + 1,
                      stamp + MS,
                      stamp + SECOND + 3,
                      stamp + (wide)2 * TWIN_YEAR_NS,
                      UINT64_MAX};
    wide wait = waits[turn++ % COUNT(waits)];
    s->waits[0] = 0;
    s->waits[1] = wait < UINT64_MAX ? (uint64_t)wait : UINT64_MAX;
}

static void add_foreign(subject *s, uint64_t epoch)
{
    if (epoch != s->twin.circuit.epoch)
        s->foreign[s->foreign_count++] = epoch;
}

/* The epoch that expiry is about to begin, and in turn: a neighbour, the same stamp in another state, one far away.
   Seven is prime to the number of words, so that each word meets all of them under one policy or another. */
static void choose_epochs(subject *s)
{
    static size_t turn;
    uint64_t epoch = s->twin.circuit.epoch, stamp = trip_word_stamp(s->twin.word);
    uint64_t others[7] = {epoch + 1,
                          epoch - 1,
                          twin_epoch(TRIP_WORD_CLOSED, stamp),
                          twin_epoch(TRIP_WORD_OPEN, stamp),
                          twin_epoch(TRIP_WORD_HALF_OPEN, stamp),
                          0,
                          UINT64_MAX};
    trip_setting at_end = {.policy = s->policy, .now = (uint64_t)s->twin.circuit.deadline, .salt = s->salt};
    add_foreign(s, trip_word_view(s->twin.word, &at_end).epoch);
    add_foreign(s, others[turn++ % COUNT(others)]);
}

static void refuse(const subject *s, const char *broken, int event, uint64_t epoch, const trip_setting *at)
{
    const trip_policy *p = s->policy;
    ck_abort_msg("%s: word %016" PRIx64 " event %d epoch %" PRIx64 " now %" PRIu64 " not before %" PRIu64
                 " salt %" PRIx64 "; threshold %u probes %u of %u successes %u on_drop %u lease %" PRIu64
                 " open %" PRIu64 " jitter %" PRIx64,
                 broken, s->twin.word, event, epoch, at->now, at->not_before, s->salt, p->failure_threshold,
                 p->half_open_max_probes, p->half_open_probes, p->half_open_successes, p->on_drop, p->probe_lease_ns,
                 p->open_ns[0], p->jitter);
}

static void take(const subject *s, trip_word_event event, twin_permit permit, uint64_t wait)
{
    bool timeless = !trip_word_needs_clock(s->twin.word, event, permit.epoch, s->policy);
    trip_verdict first = {0};
    for (size_t i = 0; i < s->moment_count; i++) {
        trip_setting setting = {.policy = s->policy, .now = s->moments[i], .salt = s->salt, .not_before = wait};
        twin t = s->twin;
        trip_verdict verdict;
        const char *broken = twin_step(&t, event, permit, &setting, &verdict);
        if (i == 0)
            first = verdict;
        bool same = verdict.word == first.word && verdict.status == first.status && verdict.opened == first.opened &&
                    verdict.lost == first.lost;
        if (broken == NULL && timeless && !same)
            broken = "where no clock is needed the time changes nothing";
        bool only_counts = trip_word_only_counts(s->twin.word, permit.epoch, s->policy);
        bool counted =
            verdict.word == s->twin.word + 1 && verdict.status == TRIP_OK && !verdict.opened && !verdict.lost;
        if (broken == NULL && event == TRIP_ON_FAILURE && only_counts && !counted)
            broken = "the quick answer to a failure is that of the function";
        bool is_closed = trip_word_state_of(s->twin.word) == TRIP_WORD_CLOSED;
        if (broken == NULL && event == TRIP_ON_FAILURE && is_closed && counted && !only_counts)
            broken = "a failure that only counts is answered quickly";
        if (broken != NULL)
            refuse(s, broken, (int)event, permit.epoch, &setting);
    }
}

/* Every event by a permit of this epoch; where the provider has asked for nothing, by permits of others too. */
static void take_all(const subject *s, uint64_t wait)
{
    for (size_t i = 0; i < s->moment_count; i++) {
        trip_setting setting = {.policy = s->policy, .now = s->moments[i], .salt = s->salt, .not_before = wait};
        const char *broken = twin_look(&s->twin, &setting);
        if (broken != NULL)
            refuse(s, broken, -1, 0, &setting);
    }
    for (size_t e = 0; e < COUNT(EVENTS); e++) {
        bool has_epoch = EVENTS[e] != TRIP_ON_PERMIT;
        take(s, EVENTS[e], (twin_permit){.era = s->twin.circuit.era, .epoch = s->twin.circuit.epoch}, wait);
        for (size_t i = 0; i < s->foreign_count && has_epoch && wait == 0; i++)
            take(s, EVENTS[e], (twin_permit){.era = NOT_GRANTED, .epoch = s->foreign[i]}, wait);
    }
}

/* A snapshot may say of any circuit that it is open, until whenever, or has failed so often. */
static void tell(const subject *s)
{
    static const uint64_t levels[] = {0, 1, 31};
    static const uint64_t failures[] = {0, 1, FAILURES_MAX};
    uint64_t stamp = trip_word_stamp(s->twin.word) * MS;
    uint64_t deadlines[] = {
        0,           stamp,     stamp + 1, stamp + MS - 1, stamp + MS, stamp + SECOND + 3, stamp + 2 * TWIN_YEAR_NS,
        s->waits[1], UINT64_MAX};
    for (size_t i = 0; i < COUNT(deadlines) * COUNT(levels); i++) {
        size_t combination = i;
        uint64_t deadline = NEXT(combination, deadlines);
        twin t = s->twin;
        const char *broken = twin_open_until(&t, deadline, NEXT(combination, levels), s->policy);
        if (broken != NULL)
            refuse(s, broken, -2, 0, &(trip_setting){.policy = s->policy, .not_before = deadline});
    }
    for (size_t i = 0; i < COUNT(failures) && s->twin.circuit.state == MODEL_CLOSED; i++) {
        twin t = s->twin;
        const char *broken = twin_with_failures(&t, failures[i], s->policy);
        if (broken != NULL)
            refuse(s, broken, -3, 0, &(trip_setting){.policy = s->policy});
    }
}

static void examine(const spelled *spelling, const trip_policy *policy)
{
    subject s = {.twin = twin_of(spelling, policy), .policy = policy};
    s.salt = SALTS[s.twin.word % COUNT(SALTS)];
    choose_moments(&s);
    choose_waits(&s);
    choose_epochs(&s);
    for (size_t i = 0; i < WAITS_MAX; i++)
        take_all(&s, s.waits[i]);
    twin t = s.twin;
    const char *broken = twin_forget_probes(&t, policy);
    if (broken != NULL)
        refuse(&s, broken, -1, 0, &(trip_setting){.policy = policy});
    tell(&s);
}

/* ---- All words of a state ---------------------------------------------------------------------------------------- */

static void examine_closed(const trip_policy *policy)
{
    static const uint64_t failures[] = {0, 1, 2, FAILURES_MAX / 2, FAILURES_MAX - 2, FAILURES_MAX - 1, FAILURES_MAX};
    for (size_t i = 0; i < COUNT(STAMPS) * COUNT(failures); i++) {
        size_t combination = i;
        spelled s = {.state = TRIP_WORD_CLOSED};
        s.stamp = NEXT(combination, STAMPS);
        s.failures = NEXT(combination, failures);
        examine(&s, policy);
    }
}

/* An open period cannot have ended before the clock began, so those words are left out. */
static void examine_open(const trip_policy *policy)
{
    static const uint64_t levels[] = {0, 1, 16, 30, 31};
    static const uint64_t units[] = {0, 1, 131072, 249999, 250000, 262142, 262143};
    for (size_t i = 0; i < COUNT(STAMPS) * COUNT(levels) * COUNT(units); i++) {
        size_t combination = i;
        spelled s = {.state = TRIP_WORD_OPEN};
        s.stamp = NEXT(combination, STAMPS);
        s.level = NEXT(combination, levels);
        s.units = NEXT(combination, units);
        if (s.stamp * MS >= s.units * 4)
            examine(&s, policy);
    }
}

static void examine_half_open(const trip_policy *policy)
{
    static const uint64_t levels[] = {0, 16, 30, 31};
    static const uint64_t out[] = {0, 1, 15, 63};
    static const uint64_t won[] = {0, 1, 14, 63};
    static const uint64_t quarters[] = {0, 1, 62, 63};
    size_t all = COUNT(STAMPS) * COUNT(levels) * COUNT(out) * COUNT(won) * COUNT(quarters);
    for (size_t i = 0; i < all; i++) {
        size_t combination = i;
        spelled s = {.state = TRIP_WORD_HALF_OPEN};
        s.stamp = NEXT(combination, STAMPS);
        s.level = NEXT(combination, levels);
        s.out = NEXT(combination, out);
        s.won = NEXT(combination, won);
        s.quarters = NEXT(combination, quarters);
        s.tallies = trip_word_tallies(policy);
        if (!s.tallies || (s.out <= TRIP_TALLIED_PROBES_MAX && s.won < TRIP_TALLIED_PROBES_MAX))
            examine(&s, policy);
    }
}

/* Where probes may fail. Of some words enough have won, or too many are lost: an earlier policy wanted others. */
static void examine_tallied(const trip_policy *policy)
{
    static const uint64_t levels[] = {0, 31};
    static const uint64_t out[] = {0, 1, 14, 15};
    static const uint64_t won[] = {0, 1, 13, 14};
    static const uint64_t lost[] = {0, 1, 14};
    static const uint64_t quarters[] = {0, 63};
    size_t all = COUNT(STAMPS) * COUNT(levels) * COUNT(out) * COUNT(won) * COUNT(lost) * COUNT(quarters);
    for (size_t i = 0; i < all; i++) {
        size_t combination = i;
        spelled s = {.state = TRIP_WORD_HALF_OPEN, .tallies = true};
        s.stamp = NEXT(combination, STAMPS);
        s.level = NEXT(combination, levels);
        s.out = NEXT(combination, out);
        s.won = NEXT(combination, won);
        s.lost = NEXT(combination, lost);
        s.quarters = NEXT(combination, quarters);
        examine(&s, policy);
    }
}

/* ---- The promises ------------------------------------------------------------------------------------------------ */

START_TEST(a_closed_circuit_counts_failures_and_opens_at_the_threshold)
{
    for (size_t i = 0; i < COUNT(OPENINGS) * COUNT(THRESHOLDS) * COUNT(ON_DROP); i++) {
        size_t combination = i;
        trip_policy policy = policy_with(&NEXT(combination, OPENINGS));
        policy.failure_threshold = NEXT(combination, THRESHOLDS);
        policy.on_drop = NEXT(combination, ON_DROP);
        examine_closed(&policy);
    }
}
END_TEST

START_TEST(an_open_circuit_refuses_until_its_deadline_and_then_grants_a_probe)
{
    for (size_t i = 0; i < COUNT(OPENINGS) * COUNT(LEASES) * COUNT(ON_DROP); i++) {
        size_t combination = i;
        trip_policy policy = policy_with(&NEXT(combination, OPENINGS));
        policy.probe_lease_ns = NEXT(combination, LEASES);
        policy.on_drop = NEXT(combination, ON_DROP);
        examine_open(&policy);
    }
}
END_TEST

START_TEST(a_half_open_circuit_lets_its_probes_decide_within_their_lease)
{
    for (size_t i = 0; i < COUNT(OPENINGS) * COUNT(LEASES) * COUNT(ON_DROP) * COUNT(PROBES) * COUNT(SUCCESSES); i++) {
        size_t combination = i;
        trip_policy policy = policy_with(&NEXT(combination, OPENINGS));
        policy.probe_lease_ns = NEXT(combination, LEASES);
        policy.on_drop = NEXT(combination, ON_DROP);
        policy.half_open_max_probes = NEXT(combination, PROBES);
        policy.half_open_successes = NEXT(combination, SUCCESSES);
        examine_half_open(&policy);
    }
}
END_TEST

START_TEST(a_half_open_circuit_closes_when_enough_of_its_probes_succeed_and_opens_when_no_longer_can)
{
    static const uint32_t of[][2] = {{1, 2}, {1, 15}, {2, 3}, {7, 15}, {14, 15}};
    static const uint32_t at_once[] = {1, 2, 63};
    static const uint64_t leases[] = {4 * MS + 3, 600 * SECOND};
    for (size_t i = 0; i < COUNT(OPENINGS) * COUNT(leases) * COUNT(ON_DROP) * COUNT(at_once) * COUNT(of); i++) {
        size_t combination = i;
        trip_policy policy = policy_with(&NEXT(combination, OPENINGS));
        policy.probe_lease_ns = NEXT(combination, leases);
        policy.on_drop = NEXT(combination, ON_DROP);
        policy.half_open_max_probes = NEXT(combination, at_once);
        const uint32_t *pair = NEXT(combination, of);
        policy.half_open_successes = pair[0];
        policy.half_open_probes = pair[1];
        examine_tallied(&policy);
    }
}
END_TEST

START_TEST(a_vacant_place_grants_nothing_and_knows_no_permit)
{
    trip_policy policy = policy_with(&OPENINGS[0]);
    for (size_t i = 0; i < COUNT(STAMPS) * COUNT(EVENTS); i++) {
        size_t combination = i;
        trip_setting setting = {.policy = &policy, .now = UINT64_MAX};
        uint64_t word = trip_word_vacant(NEXT(combination, STAMPS));
        trip_word_event event = NEXT(combination, EVENTS);
        trip_verdict verdict = trip_word_step(word, event, trip_word_epoch(word), &setting);
        ck_assert_int_eq(verdict.status, TRIP_E_HANDLE);
        ck_assert_uint_eq(verdict.word, word);
        ck_assert(!verdict.opened && !verdict.lost);
        ck_assert(!trip_word_needs_clock(word, event, trip_word_epoch(word), &policy));
        ck_assert_uint_eq(trip_word_deadline(word, &policy), UINT64_MAX);
        ck_assert_int_eq(trip_word_view(word, &setting).state, TRIP_WORD_VACANT);
        ck_assert_uint_eq(trip_word_forget_probes(word, &policy), word);
    }
}
END_TEST

START_TEST(a_new_word_holds_its_stamp_and_nothing_else)
{
    for (size_t i = 0; i < COUNT(STAMPS); i++) {
        spelled closed = {.state = TRIP_WORD_CLOSED, .stamp = STAMPS[i]};
        spelled vacant = {.state = TRIP_WORD_VACANT, .stamp = STAMPS[i]};
        ck_assert_uint_eq(trip_word_closed(STAMPS[i], 0), twin_word(&closed));
        ck_assert_uint_eq(trip_word_closed(STAMPS[i], TRIP_WORD_SLOW), twin_word(&closed) | UINT64_C(1) << 61);
        ck_assert_uint_eq(trip_word_vacant(STAMPS[i]), twin_word(&vacant));
        ck_assert_uint_eq(trip_word_stamp(twin_word(&closed)), STAMPS[i]);
        ck_assert_uint_eq(trip_word_epoch(twin_word(&closed)), twin_epoch(TRIP_WORD_CLOSED, STAMPS[i]));
        ck_assert_uint_eq(trip_word_epoch(twin_word(&closed) | UINT64_C(1) << 61), trip_word_epoch(twin_word(&closed)));
    }
    ck_assert_uint_eq(trip_word_closed(UINT64_MAX, 0), trip_word_closed(TRIP_STAMP_MAX, 0));
    ck_assert_uint_eq(trip_word_vacant(TRIP_STAMP_MAX + 1), trip_word_vacant(TRIP_STAMP_MAX));
}
END_TEST

START_TEST(a_healthy_circuit_takes_permits_and_successes_without_a_clock)
{
    trip_policy policy = policy_with(&OPENINGS[0]);
    for (size_t i = 0; i < COUNT(STAMPS) * 4 * 2 * 3; i++) {
        size_t combination = i;
        spelled s = {.stamp = NEXT(combination, STAMPS)};
        s.state = (trip_word_state)digit(&combination, 4);
        s.slow = digit(&combination, 2);
        s.failures = digit(&combination, 3);
        s.units = s.quarters = s.failures;
        uint64_t word = twin_word(&s);
        bool healthy = s.state == TRIP_WORD_CLOSED && s.slow == 0 && s.failures == 0;
        ck_assert_int_eq(trip_word_is_healthy(word), healthy);
        ck_assert(!healthy || !trip_word_needs_clock(word, TRIP_ON_PERMIT, 0, &policy));
        ck_assert(!healthy || !trip_word_needs_clock(word, TRIP_ON_SUCCESS, trip_word_epoch(word), &policy));
    }
}
END_TEST

static uint64_t step_at(uint64_t word, trip_word_event event, trip_setting *setting, uint64_t now)
{
    setting->now = now;
    trip_verdict verdict = trip_word_step(word, event, trip_word_epoch(word), setting);
    ck_assert_int_eq(verdict.status, TRIP_OK);
    return verdict.word;
}

/* The oldest place that is used again, at the end of the longest life, opening for the longest period. */
START_TEST(five_years_of_uptime_neither_wrap_nor_saturate_the_stamp)
{
    trip_policy policy = policy_with(&OPENINGS[COUNT(OPENINGS) - 1]);
    policy.failure_threshold = 1;
    uint64_t now = TRIP_STAMP_RETIRE * MS + 5 * TWIN_YEAR_NS;
    for (uint64_t salt = 0; salt < 1000; salt++) {
        trip_setting setting = {.policy = &policy, .salt = salt};
        uint64_t word = trip_word_closed(now / MS, 0);
        word = step_at(word, TRIP_ON_FAILURE, &setting, now);
        uint64_t end = trip_word_deadline(word, &policy);
        ck_assert_uint_ge(end, now + TWIN_YEAR_NS);
        ck_assert_uint_le(end, now + 2 * TWIN_YEAR_NS);
        ck_assert_uint_lt(trip_word_stamp(word), TRIP_STAMP_MAX);
        ck_assert_int_eq(trip_word_step(word, TRIP_ON_PERMIT, 0, &setting).status, TRIP_REJECTED_OPEN);
        word = step_at(word, TRIP_ON_PERMIT, &setting, end);
        word = step_at(word, TRIP_ON_SUCCESS, &setting, end);
        ck_assert_uint_lt(trip_word_stamp(word), TRIP_STAMP_MAX);
        ck_assert_int_eq(trip_word_state_of(word), TRIP_WORD_CLOSED);
    }
}
END_TEST

/* Half a period of jitter: every open period lies in the promised range and the keys are spread over all of it. */
START_TEST(jitter_spreads_open_periods_over_its_share)
{
    trip_policy policy = policy_with(&OPENINGS[3]);
    policy.failure_threshold = 1;
    policy.jitter = UINT64_C(1) << 31;
    uint64_t period = policy.open_ns[0], tenths[10] = {0};
    for (uint64_t salt = 0; salt < 1000; salt++) {
        trip_setting setting = {.policy = &policy, .salt = salt};
        uint64_t word = step_at(trip_word_closed(0, 0), TRIP_ON_FAILURE, &setting, 0);
        uint64_t stretch = trip_word_deadline(word, &policy) - period;
        ck_assert_uint_lt(stretch, period / 2 + 4);
        tenths[stretch * 10 / (period / 2 + 4)]++;
    }
    for (int i = 0; i < 10; i++)
        ck_assert_uint_ge(tenths[i], 50);
}
END_TEST

static uint64_t fnv1a(const unsigned char *bytes, size_t len)
{
    wide hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211) % ((wide)1 << 64);
    return (uint64_t)hash;
}

START_TEST(the_salt_is_fnv1a_of_a_length_prefixed_key)
{
    unsigned char key[2 + 255 + 255];
    for (size_t i = 0; i < 256 * 256; i += 85) {
        size_t tenant_len = i / 256, provider_len = i % 256;
        for (size_t j = 0; j < sizeof key; j++)
            key[j] = (unsigned char)(j * 31 + i);
        key[0] = (unsigned char)tenant_len;
        key[1 + tenant_len] = (unsigned char)provider_len;
        uint64_t salt = trip_word_salt(key + 1, tenant_len, key + 2 + tenant_len, provider_len);
        ck_assert_uint_eq(salt, fnv1a(key, 2 + tenant_len + provider_len));
    }
    const unsigned char *a = (const unsigned char *)"a";
    ck_assert_uint_ne(trip_word_salt(a, 1, a, 0), trip_word_salt(a, 0, a, 1));
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *added = tcase_create(name);
    tcase_set_timeout(added, 240);
    suite_add_tcase(suite, added);
    return added;
}

int main(void)
{
    Suite *suite = suite_create("word: exhaustive");
    TCase *words = add_case(suite, "words");
    tcase_add_test(words, a_new_word_holds_its_stamp_and_nothing_else);
    tcase_add_test(words, a_vacant_place_grants_nothing_and_knows_no_permit);
    tcase_add_test(words, a_healthy_circuit_takes_permits_and_successes_without_a_clock);
    tcase_add_test(words, five_years_of_uptime_neither_wrap_nor_saturate_the_stamp);
    tcase_add_test(words, jitter_spreads_open_periods_over_its_share);
    tcase_add_test(words, the_salt_is_fnv1a_of_a_length_prefixed_key);
    tcase_add_test(add_case(suite, "closed"), a_closed_circuit_counts_failures_and_opens_at_the_threshold);
    tcase_add_test(add_case(suite, "open"), an_open_circuit_refuses_until_its_deadline_and_then_grants_a_probe);
    tcase_add_test(add_case(suite, "half-open"), a_half_open_circuit_lets_its_probes_decide_within_their_lease);
    tcase_add_test(add_case(suite, "tallied"),
                   a_half_open_circuit_closes_when_enough_of_its_probes_succeed_and_opens_when_no_longer_can);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
