/* Retries: delays, jitter, what is not worth a retry or comes too late, budgets, and what they make of circuits. */
#include "child.h"
#include "fixture.h"

#include "draw.h"
#include "kinds.h"
#include "wide.h"

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#define YEAR (UINT64_C(365) * 86400 * SECOND)

static trip_retry_config defaults(void)
{
    trip_retry_config config;
    ck_assert_int_eq(trip_retry_config_init(&config, sizeof config), TRIP_OK);
    return config;
}

static trip_retry rule_with(trip_tracker tracker, const trip_retry_config *config)
{
    trip_retry retry = 0;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_msg(trip_retry_create(tracker, config, &retry, &error) == TRIP_OK, "%s", error.message);
    return retry;
}

static trip_tracker manual_tracker(void)
{
    trip_config config = manual_config();
    return tracker_with(&config);
}

static uint64_t delay_for(trip_retry retry, uint32_t attempt)
{
    uint64_t delay = 7;
    ck_assert_int_eq(trip_retry_delay_for(retry, attempt, &delay), TRIP_OK);
    return delay;
}

static trip_status begin(trip_retry retry, const char *provider, uint64_t *out_began)
{
    return trip_retry_begin(retry, provider, SIZE_MAX, out_began);
}

static uint64_t begun(trip_retry retry)
{
    uint64_t began = 7;
    ck_assert_int_eq(begin(retry, "openai", &began), TRIP_OK);
    return began;
}

/* An attempt that timed out, at the time when the call began, and nothing was asked for. */
static trip_status next(trip_retry retry, uint32_t attempt, uint64_t last, uint64_t *out_delay)
{
    const trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_TIMEOUT};
    return trip_retry_next(retry, "openai", 6, attempt, UINT64_MAX, last, &outcome, out_delay);
}

static uint64_t next_delay(trip_retry retry, uint32_t attempt, uint64_t last)
{
    uint64_t delay = 7;
    ck_assert_int_eq(next(retry, attempt, last, &delay), TRIP_OK);
    return delay;
}

static trip_retry_info told(trip_retry retry, const char *provider)
{
    trip_retry_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_retry_inspect(retry, provider, SIZE_MAX, &info), TRIP_OK);
    return info;
}

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

START_TEST(the_defaults_are_those_of_the_header)
{
    trip_retry_config c = defaults();
    ck_assert_uint_eq(c.max_attempts, 3);
    ck_assert_uint_eq(c.base_delay_ns, 500 * MS);
    ck_assert_uint_eq(c.max_delay_ns, 60 * SECOND);
    ck_assert(c.multiplier == 2);
    ck_assert_uint_eq(c.jitter, TRIP_JITTER_FULL);
    ck_assert_uint_eq(c.max_providers, 1024);
    ck_assert_uint_eq(c.seed, 0);
    ck_assert_uint_eq(c.max_retry_after_ns, 60 * SECOND);
    ck_assert_uint_eq(c.deadline_ns, 0);
    ck_assert_uint_eq(c.classes, 1 << TRIP_CLASS_SERVER_ERROR | 1 << TRIP_CLASS_RATE_LIMITED |
                                     1 << TRIP_CLASS_OVERLOADED | 1 << TRIP_CLASS_NETWORK | 1 << TRIP_CLASS_TIMEOUT);
    ck_assert(c.budget_ratio == 0.1);
    ck_assert_uint_eq(c.budget_burst, 10);
    rule_with(0, NULL);
}
END_TEST

static void put(trip_retry_config *config, size_t offset, size_t size, const void *value)
{
    memcpy((char *)config + offset, value, size);
}

#define U32(member, number)                                                                                            \
    {                                                                                                                  \
        offsetof(trip_retry_config, member), 4, .u32 = (number)                                                        \
    }
#define U64(member, number)                                                                                            \
    {                                                                                                                  \
        offsetof(trip_retry_config, member), 8, .u64 = (number)                                                        \
    }
#define DOUBLE(member, number)                                                                                         \
    {                                                                                                                  \
        offsetof(trip_retry_config, member), 8, .real = (number)                                                       \
    }

typedef struct setting {
    size_t offset;
    size_t size;
    union {
        uint32_t u32;
        uint64_t u64;
        double real;
    };
} setting;

static const setting wrong[] = {
    U32(max_attempts, 0),
    U32(max_attempts, 1001),
    U32(max_attempts, UINT32_MAX),
    U64(base_delay_ns, YEAR + 1),
    U64(max_delay_ns, YEAR + 1),
    U64(max_delay_ns, UINT64_MAX),
    DOUBLE(multiplier, 0.999999),
    DOUBLE(multiplier, 0),
    DOUBLE(multiplier, -2),
    DOUBLE(multiplier, NAN),
    DOUBLE(multiplier, INFINITY),
    U32(jitter, 4),
    U32(max_providers, 0),
    U32(max_providers, 65537),
    U64(max_retry_after_ns, YEAR + 1),
    U64(deadline_ns, YEAR + 1),
    U64(classes, 1 << TRIP_CLASS_SUCCESS),
    U64(classes, 1 << (TRIP_CLASS_UNKNOWN + 1)),
    U64(classes, UINT64_C(1) << 63),
    DOUBLE(budget_ratio, -0.1),
    DOUBLE(budget_ratio, 1000.001),
    DOUBLE(budget_ratio, NAN),
    DOUBLE(budget_ratio, INFINITY),
    U32(budget_burst, 0),
    U32(budget_burst, 1000001),
    U32(reserved, 1),
};

START_TEST(a_field_that_is_out_of_range_is_named)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        trip_retry_config config = defaults();
        put(&config, wrong[i].offset, wrong[i].size, &wrong[i].u64);
        trip_retry retry = 7;
        trip_error error = {.struct_size = sizeof error};
        ck_assert_msg(trip_retry_create(0, &config, &retry, &error) == TRIP_E_CONFIG, "the %zuth", i);
        ck_assert_int_eq(error.status, TRIP_E_CONFIG);
        ck_assert_uint_eq(error.field_offset, wrong[i].offset);
        ck_assert_uint_eq(retry, 7);
    }
}
END_TEST

static const setting right[] = {
    U32(max_attempts, 1),
    U32(max_attempts, 1000),
    U64(base_delay_ns, 0),
    U64(base_delay_ns, YEAR),
    U64(max_delay_ns, 0),
    U64(max_delay_ns, YEAR),
    DOUBLE(multiplier, 1),
    DOUBLE(multiplier, DBL_MAX),
    U32(jitter, TRIP_JITTER_DECORRELATED),
    U32(max_providers, 1),
    U32(max_providers, 65536),
    U64(max_retry_after_ns, 0),
    U64(max_retry_after_ns, YEAR),
    U64(deadline_ns, YEAR),
    U64(classes, 0),
    U64(classes, (1 << (TRIP_CLASS_UNKNOWN + 1)) - 2),
    DOUBLE(budget_ratio, 0),
    DOUBLE(budget_ratio, 1000),
    U32(budget_burst, 1),
    U32(budget_burst, 1000000),
};

START_TEST(a_field_at_its_bound_is_taken)
{
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        trip_retry_config config = defaults();
        put(&config, right[i].offset, right[i].size, &right[i].u64);
        trip_retry retry = rule_with(0, &config);
        begun(retry);
        for (uint32_t attempt = 1; attempt < 2000; attempt += 300)
            ck_assert_uint_le(delay_for(retry, attempt), config.max_delay_ns);
        ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
    }
}
END_TEST

/* ---- Delays ------------------------------------------------------------------------------------------------------ */

START_TEST(the_delay_doubles_up_to_the_cap)
{
    trip_retry retry = rule_with(0, NULL);
    static const uint64_t ms[] = {500, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (uint32_t attempt = 0; attempt < 10; attempt++) /* 0 is taken as 1 */
        ck_assert_uint_eq(delay_for(retry, attempt), ms[attempt] * MS);
    for (uint64_t attempt = 9; attempt <= UINT32_MAX; attempt += attempt / 2)
        ck_assert_uint_eq(delay_for(retry, (uint32_t)attempt), 60 * SECOND);
    ck_assert_uint_eq(delay_for(retry, UINT32_MAX), 60 * SECOND);
}
END_TEST

static trip_retry growing(uint64_t base, double multiplier, uint64_t max)
{
    trip_retry_config config = defaults();
    config.base_delay_ns = base;
    config.multiplier = multiplier;
    config.max_delay_ns = max;
    config.jitter = TRIP_JITTER_NONE;
    return rule_with(0, &config);
}

/* Step by step and with more digits, as nobody would do it for four billion attempts. */
START_TEST(the_delay_is_base_times_a_power_of_the_multiplier)
{
    static const double multipliers[] = {1.0000001, 1.001, 1.1, 1.5, 1.7, 2, 2.5, 3, 10, 1e6};
    static const uint64_t bases[] = {1, 3, 1000, 100 * MS, SECOND, 3600 * SECOND};
    for (size_t m = 0; m < sizeof multipliers / sizeof *multipliers; m++)
        for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
            trip_retry retry = growing(bases[b], multipliers[m], YEAR);
            long double exact = (long double)bases[b];
            uint64_t last = 0;
            for (uint32_t attempt = 1; attempt <= 1000; attempt++, exact *= (long double)multipliers[m]) {
                uint64_t delay = delay_for(retry, attempt);
                long double expected = exact < (long double)YEAR ? exact : (long double)YEAR;
                long double off = (long double)delay - expected;
                ck_assert_msg((off < 0 ? -off : off) <= 0.5L + expected * 1e-13L, "%g %lu %u: %lu", multipliers[m],
                              (unsigned long)bases[b], attempt, (unsigned long)delay);
                ck_assert_uint_ge(delay, last);
                last = delay;
            }
            ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
        }
}
END_TEST

/* By squaring: the longest of these takes 32 steps. One after the other they would take days. */
START_TEST(the_delay_of_any_attempt_is_quickly_told)
{
    trip_retry slow = growing(1, 1.0000001, YEAR), slowest = growing(1, 1 + DBL_EPSILON, YEAR);
    for (uint32_t i = 0; i < 100000; i++) {
        ck_assert_uint_eq(delay_for(slow, UINT32_MAX - i), YEAR);
        ck_assert_uint_eq(delay_for(slowest, UINT32_MAX - i), 1);
    }
    ck_assert_uint_eq(delay_for(slow, 10000001), 3); /* e, nearly */
}
END_TEST

START_TEST(no_delay_overflows_and_none_is_above_the_cap)
{
    static const double multipliers[] = {1, 1 + DBL_EPSILON, 2, 1e17, 1e300, DBL_MAX};
    static const uint64_t times[] = {0, 1, SECOND, (UINT64_C(1) << 53) + 1, (UINT64_C(1) << 53) + 3, YEAR - 1, YEAR};
    static const uint32_t attempts[] = {0, 1, 2, 3, 53, 64, 65, 1024, 1025, 1u << 31, UINT32_MAX - 1, UINT32_MAX};
    for (size_t m = 0; m < sizeof multipliers / sizeof *multipliers; m++)
        for (size_t b = 0; b < 7; b++)
            for (size_t c = 0; c < 7; c++) {
                trip_retry retry = growing(times[b], multipliers[m], times[c]);
                uint64_t last = times[b] < times[c] ? times[b] : times[c];
                feclearexcept(FE_ALL_EXCEPT);
                ck_assert_uint_eq(delay_for(retry, 1), last);
                for (size_t a = 0; a < sizeof attempts / sizeof *attempts; a++) {
                    uint64_t delay = delay_for(retry, attempts[a]);
                    ck_assert_uint_ge(delay, last);
                    ck_assert_uint_le(delay, times[c]);
                    last = delay;
                }
                ck_assert_int_eq(fetestexcept(FE_OVERFLOW | FE_INVALID | FE_DIVBYZERO), 0);
                if (multipliers[m] >= 2 && times[b] != 0)
                    ck_assert_uint_eq(last, times[c]);
                if (times[b] == 0 || multipliers[m] == 1)
                    ck_assert_uint_eq(last, times[b] < times[c] ? times[b] : times[c]);
                ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
            }
}
END_TEST

/* ---- Jitter ------------------------------------------------------------------------------------------------------ */

static trip_retry jittered(uint32_t jitter, uint64_t seed)
{
    trip_retry_config config = defaults();
    config.jitter = jitter;
    config.seed = seed;
    config.max_attempts = 1000;
    config.budget_burst = 1000000;
    return rule_with(0, &config);
}

/* As computed from ABI.md by another program. */
START_TEST(what_a_seed_draws_is_the_formula_of_abi_md)
{
    static const uint64_t full[] = {370782440, 159910393, 557202260};
    static const uint64_t equal[] = {435391220, 579955196, 1278601130};
    static const uint64_t decorrelated[] = {1241564879, 1015662186, 1209593334, 1576897031};
    trip_retry retry = jittered(TRIP_JITTER_FULL, 42);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(next_delay(retry, i + 1, 0), full[i]);
    retry = jittered(TRIP_JITTER_EQUAL, 42);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(next_delay(retry, i + 1, 0), equal[i]);
    retry = jittered(TRIP_JITTER_DECORRELATED, 42);
    uint64_t last = 0;
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(last = next_delay(retry, i + 1, last), decorrelated[i]);
    retry = jittered(TRIP_JITTER_NONE, 42);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(next_delay(retry, i + 1, 0), delay_for(retry, i + 1));
}
END_TEST

/* The least and the most that a jitter may make of a second attempt's second. */
typedef struct range {
    uint32_t jitter;
    uint64_t last;
    uint64_t least, most;
} range;

static const range ranges[] = {
    {TRIP_JITTER_NONE, 0, SECOND, SECOND},
    {TRIP_JITTER_FULL, 0, 0, SECOND},
    {TRIP_JITTER_EQUAL, 0, SECOND / 2, SECOND},
    {TRIP_JITTER_DECORRELATED, 0, SECOND / 2, 3 * SECOND / 2},
    {TRIP_JITTER_DECORRELATED, 2 * SECOND, SECOND / 2, 6 * SECOND},
    {TRIP_JITTER_DECORRELATED, 20 * SECOND, SECOND / 2, 60 * SECOND},
    {TRIP_JITTER_DECORRELATED, 59 * SECOND, SECOND / 2, 60 * SECOND},
    {TRIP_JITTER_DECORRELATED, UINT64_MAX, SECOND / 2, 60 * SECOND},
};

START_TEST(jitter_spreads_delays_over_all_of_its_range)
{
    enum { DRAWS = 20000, PARTS = 20 };
    const range *r = &ranges[_i];
    trip_retry retry = jittered(r->jitter, 1 + (uint64_t)_i);
    unsigned parts[PARTS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t delay = next_delay(retry, 2, r->last);
        ck_assert_uint_ge(delay, r->least);
        ck_assert_uint_le(delay, r->most);
        parts[(delay - r->least) * PARTS / (r->most - r->least + 1)]++;
    }
    double chi = 0;
    for (int i = 0; i < PARTS && r->least != r->most; i++)
        chi += (parts[i] - (double)DRAWS / PARTS) * (parts[i] - (double)DRAWS / PARTS) / ((double)DRAWS / PARTS);
    ck_assert_double_lt(chi, 43.8); /* one in a thousand would have more, of 19 degrees; these are always the same */
}
END_TEST

START_TEST(half_of_an_odd_delay_is_rounded_up)
{
    trip_retry_config config = defaults();
    config.jitter = TRIP_JITTER_EQUAL;
    config.base_delay_ns = config.max_delay_ns = 3;
    config.budget_burst = 1000;
    trip_retry retry = rule_with(0, &config);
    unsigned seen[4] = {0};
    for (int i = 0; i < 1000; i++)
        seen[next_delay(retry, 1, 0)]++;
    ck_assert(seen[0] == 0 && seen[1] == 0 && seen[2] > 300 && seen[3] > 300);
}
END_TEST

START_TEST(without_a_seed_no_two_rules_draw_alike)
{
    trip_retry one = jittered(TRIP_JITTER_FULL, 0), other = jittered(TRIP_JITTER_FULL, 0);
    int alike = 0;
    for (uint32_t i = 0; i < 64; i++)
        alike += next_delay(one, 100, 0) == next_delay(other, 100, 0);
    ck_assert_int_lt(alike, 3);
    one = jittered(TRIP_JITTER_FULL, 99), other = jittered(TRIP_JITTER_FULL, 99);
    for (uint32_t i = 0; i < 64; i++)
        ck_assert_uint_eq(next_delay(one, 100, 0), next_delay(other, 100, 0));
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

enum { DRAWN = 16 };

typedef struct twins {
    trip_retry retry;
    int pipe[2];
} twins;

static void draw_all(trip_retry retry, uint64_t out_delays[DRAWN])
{
    for (int i = 0; i < DRAWN; i++)
        if (next(retry, 100, 0, &out_delays[i]) != TRIP_OK)
            out_delays[i] = UINT64_MAX;
}

static int tell_draws(void *argument)
{
    twins *t = argument;
    uint64_t delays[DRAWN];
    draw_all(t->retry, delays);
    return write(t->pipe[1], delays, sizeof delays) == sizeof delays ? 0 : 1;
}

static int alike_after_fork(uint64_t seed)
{
    twins t = {.retry = jittered(TRIP_JITTER_FULL, seed)};
    uint64_t own[DRAWN], childs[DRAWN];
    next_delay(t.retry, 100, 0);
    ck_assert_int_eq(pipe(t.pipe), 0);
    ck_assert_int_eq(in_child(tell_draws, &t), 0);
    ck_assert_int_eq(read(t.pipe[0], childs, sizeof childs), (int)sizeof childs);
    draw_all(t.retry, own);
    int alike = 0;
    for (int i = 0; i < DRAWN; i++)
        alike += own[i] == childs[i];
    return alike;
}

START_TEST(a_child_draws_differently_unless_there_is_a_seed)
{
    ck_assert_int_lt(alike_after_fork(0), 3);
    ck_assert_int_eq(alike_after_fork(42), DRAWN);
}
END_TEST

static int has_its_own_budgets(void *argument)
{
    trip_retry retry = *(trip_retry *)argument;
    trip_retry_info info = {.struct_size = sizeof info};
    uint64_t began, delay;
    REQUIRE(trip_retry_inspect(retry, "openai", 6, &info) == TRIP_OK && info.budget == 9 && info.retries == 1);
    REQUIRE(next(retry, 1, 0, &delay) == TRIP_OK);
    REQUIRE(begin(retry, "new in the child", &began) == TRIP_OK);
    REQUIRE(trip_retry_inspect(retry, "openai", 6, &info) == TRIP_OK && info.budget == 8);
    REQUIRE(trip_retry_destroy(retry) == TRIP_OK);
    return 0;
}

START_TEST(a_child_goes_on_with_budgets_of_its_own)
{
    trip_retry retry = rule_with(0, NULL);
    next_delay(retry, 1, 0);
    ck_assert_int_eq(in_child(has_its_own_budgets, &retry), 0);
    ck_assert_uint_eq(told(retry, "openai").budget, 9);
}
END_TEST

/* ---- Draws ------------------------------------------------------------------------------------------------------- */

START_TEST(what_is_drawn_is_within_its_bound_and_spread_evenly)
{
    trip_draws draws;
    ck_assert(trip_draws_begin(&draws, 7));
    unsigned seen[10] = {0};
    bool is_high = false;
    for (int i = 0; i < 10000; i++) {
        ck_assert_uint_eq(trip_draw_up_to(&draws, 0), 0);
        uint64_t nine = trip_draw_up_to(&draws, 9);
        ck_assert_uint_le(nine, 9);
        seen[nine]++;
        ck_assert_uint_le(trip_draw_up_to(&draws, UINT64_MAX - 1), UINT64_MAX - 1);
        is_high |= trip_draw_up_to(&draws, UINT64_MAX) > UINT64_MAX / 2;
    }
    for (int i = 0; i < 10; i++)
        ck_assert(seen[i] > 880 && seen[i] < 1120);
    ck_assert(is_high);
}
END_TEST

START_TEST(products_by_halves_are_products)
{
    uint64_t state = 1;
    static const uint64_t corners[] = {0,         1, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1,
                                       UINT64_MAX};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++)
            ck_assert_uint_eq(trip_multiply_high_by_halves(corners[i], corners[j]),
                              trip_multiply_high(corners[i], corners[j]));
    ck_assert_uint_eq(trip_multiply_high_by_halves(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
    for (int i = 0; i < 100000; i++) {
        uint64_t a = draw(&state), b = draw(&state);
        ck_assert_uint_eq(trip_multiply_high_by_halves(a, b), trip_multiply_high(a, b));
    }
}
END_TEST

enum { DRAWERS = 4, DRAWS_EACH = 20000 };

typedef struct drawer {
    trip_draws *draws;
    uint64_t drawn[DRAWS_EACH];
} drawer;

static void *draw_many(void *argument)
{
    drawer *d = argument;
    for (int i = 0; i < DRAWS_EACH; i++)
        d->drawn[i] = trip_draw(d->draws);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* SplitMix64 gives each number once, so whoever gets the same one twice has drawn it twice. */
START_TEST(no_two_threads_draw_the_same)
{
    static drawer drawers[DRAWERS];
    static uint64_t all[DRAWERS * DRAWS_EACH];
    trip_draws draws;
    ck_assert(trip_draws_begin(&draws, 7));
    pthread_t threads[DRAWERS];
    for (int i = 0; i < DRAWERS; i++) {
        drawers[i].draws = &draws;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, draw_many, &drawers[i]), 0);
    }
    for (int i = 0; i < DRAWERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        memcpy(&all[i * DRAWS_EACH], drawers[i].drawn, sizeof drawers[i].drawn);
    }
    qsort(all, DRAWERS * DRAWS_EACH, sizeof *all, compare);
    for (int i = 1; i < DRAWERS * DRAWS_EACH; i++)
        ck_assert_uint_ne(all[i], all[i - 1]);
}
END_TEST

/* ---- Whether to try again ---------------------------------------------------------------------------------------- */

START_TEST(a_class_is_worth_a_retry_or_not)
{
    trip_retry_config config = defaults();
    config.budget_burst = 100;
    trip_retry usual = rule_with(0, &config);
    config.classes = 1 << TRIP_CLASS_UNKNOWN;
    trip_retry odd = rule_with(0, &config);
    config.classes = 0;
    trip_retry none = rule_with(0, &config);
    for (uint32_t class = TRIP_CLASS_SUCCESS; class <= TRIP_CLASS_UNKNOWN; class ++) {
        trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = class};
        uint64_t delay = 7;
        bool is_usual = class >= TRIP_CLASS_SERVER_ERROR && class <= TRIP_CLASS_TIMEOUT;
        ck_assert_int_eq(trip_retry_next(usual, "", 0, 1, 0, 0, &outcome, &delay),
                         is_usual ? TRIP_OK : TRIP_NO_RETRY_CLASS);
        ck_assert(is_usual || delay == 7);
        ck_assert_int_eq(trip_retry_next(odd, "", 0, 1, 0, 0, &outcome, &delay),
                         class == TRIP_CLASS_UNKNOWN ? TRIP_OK : TRIP_NO_RETRY_CLASS);
        ck_assert_int_eq(trip_retry_next(none, "", 0, 1, 0, 0, &outcome, &delay), TRIP_NO_RETRY_CLASS);
    }
}
END_TEST

START_TEST(after_the_last_attempt_there_is_no_other)
{
    trip_retry retry = rule_with(0, NULL);
    uint64_t delay = 7;
    next_delay(retry, 0, 0); /* is the first */
    next_delay(retry, 1, 0);
    next_delay(retry, 2, 0);
    ck_assert_int_eq(next(retry, 3, 0, &delay), TRIP_NO_RETRY_ATTEMPTS);
    ck_assert_int_eq(next(retry, UINT32_MAX, 0, &delay), TRIP_NO_RETRY_ATTEMPTS);
    trip_retry_config config = defaults();
    config.max_attempts = 1;
    retry = rule_with(0, &config);
    ck_assert_int_eq(next(retry, 0, 0, &delay), TRIP_NO_RETRY_ATTEMPTS);
    ck_assert_uint_eq(delay, 7);
}
END_TEST

/* Of a call that began when the tracker's clock stood at 10 seconds. */
typedef struct late_call {
    trip_tracker tracker;
    trip_retry retry;
    uint64_t began;
} late_call;

static late_call call_with(uint64_t deadline, uint64_t max_retry_after)
{
    trip_retry_config config = defaults();
    config.jitter = TRIP_JITTER_NONE;
    config.deadline_ns = deadline;
    config.max_retry_after_ns = max_retry_after;
    config.max_attempts = 1000;
    config.budget_burst = 1000;
    late_call call = {.tracker = manual_tracker()};
    ck_assert_int_eq(trip_tracker_advance(call.tracker, 10 * SECOND), TRIP_OK);
    call.retry = rule_with(call.tracker, &config);
    call.began = begun(call.retry);
    ck_assert_uint_eq(call.began, 10 * SECOND);
    return call;
}

static trip_status next_of(const late_call *call, uint64_t began, uint64_t asked, uint64_t *out_delay)
{
    trip_outcome outcome = {
        .struct_size = sizeof outcome, .status_class = TRIP_CLASS_RATE_LIMITED, .retry_after_ns = asked};
    return trip_retry_next(call->retry, "openai", 6, 1, began, 0, &outcome, out_delay);
}

START_TEST(no_attempt_begins_after_the_deadline)
{
    late_call call = call_with(10 * SECOND, 60 * SECOND);
    uint64_t delay = 7;
    ck_assert_int_eq(next_of(&call, call.began, 0, &delay), TRIP_OK);
    ck_assert_int_eq(trip_tracker_advance(call.tracker, 9500 * MS), TRIP_OK);
    ck_assert_int_eq(next_of(&call, call.began, 0, &delay), TRIP_OK); /* and begins exactly then */
    ck_assert_uint_eq(delay, 500 * MS);
    delay = 7;
    ck_assert_int_eq(trip_tracker_advance(call.tracker, 1), TRIP_OK);
    ck_assert_int_eq(next_of(&call, call.began, 0, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_int_eq(next_of(&call, call.began + 1, 0, &delay), TRIP_OK);
    delay = 7;
    ck_assert_int_eq(trip_tracker_advance(call.tracker, 1000 * SECOND), TRIP_OK);
    ck_assert_int_eq(next_of(&call, call.began, 0, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_int_eq(next_of(&call, 0, 0, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_uint_eq(delay, 7);
    ck_assert_int_eq(next_of(&call, UINT64_MAX, 0, &delay), TRIP_OK); /* has not begun yet */
}
END_TEST

START_TEST(what_a_provider_asks_for_is_the_least)
{
    late_call call = call_with(0, 60 * SECOND);
    uint64_t delay = 7;
    ck_assert_int_eq(next_of(&call, call.began, 499 * MS, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 500 * MS);
    ck_assert_int_eq(next_of(&call, call.began, 501 * MS, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 501 * MS);
    ck_assert_int_eq(next_of(&call, call.began, 60 * SECOND, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 60 * SECOND);
    delay = 7;
    ck_assert_int_eq(next_of(&call, call.began, 60 * SECOND + 1, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_int_eq(next_of(&call, call.began, UINT64_MAX, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_uint_eq(delay, 7);
    late_call heedless = call_with(0, 0);
    ck_assert_int_eq(next_of(&heedless, heedless.began, UINT64_MAX, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 500 * MS);
    late_call patient = call_with(5 * SECOND, YEAR);
    delay = 7;
    ck_assert_int_eq(next_of(&patient, patient.began, YEAR, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_int_eq(next_of(&patient, patient.began, 5 * SECOND, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 5 * SECOND);
}
END_TEST

START_TEST(what_is_asked_for_may_be_above_the_cap_and_jitter_never_falls_below_it)
{
    trip_retry_config config = defaults();
    config.max_delay_ns = SECOND;
    config.budget_burst = 1000;
    trip_retry retry = rule_with(0, &config);
    trip_outcome outcome = {
        .struct_size = sizeof outcome, .status_class = TRIP_CLASS_OVERLOADED, .retry_after_ns = 300 * MS};
    uint64_t delay, above = 0;
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq(trip_retry_next(retry, "", 0, 1, 0, 0, &outcome, &delay), TRIP_OK);
        ck_assert(delay >= 300 * MS && delay <= 500 * MS);
        above += delay > 300 * MS;
    }
    ck_assert(above > 100 && above < 300);
    outcome.retry_after_ns = 2 * SECOND;
    ck_assert_int_eq(trip_retry_next(retry, "", 0, 1, 0, 0, &outcome, &delay), TRIP_OK);
    ck_assert_uint_eq(delay, 2 * SECOND);
}
END_TEST

/* All that speaks against a retry speaks; then one after the other is silent. */
START_TEST(class_comes_before_attempts_before_lateness_before_the_budget)
{
    trip_retry_config config = defaults();
    config.deadline_ns = SECOND;
    config.budget_burst = 1;
    config.jitter = TRIP_JITTER_NONE;
    trip_tracker tracker = manual_tracker();
    trip_retry retry = rule_with(tracker, &config);
    trip_outcome outcome = {
        .struct_size = sizeof outcome, .status_class = TRIP_CLASS_AUTH, .retry_after_ns = 61 * SECOND};
    uint64_t delay, began = begun(retry);
    next_delay(retry, 1, 0); /* the budget is used up */
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 3, began, 0, &outcome, &delay), TRIP_NO_RETRY_CLASS);
    outcome.status_class = TRIP_CLASS_TIMEOUT;
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 3, began, 0, &outcome, &delay), TRIP_NO_RETRY_ATTEMPTS);
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 2, began, 0, &outcome, &delay), TRIP_NO_RETRY_LATE);
    outcome.retry_after_ns = 0;
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 2, began, 0, &outcome, &delay), TRIP_NO_RETRY_LATE);
    ck_assert_uint_eq(told(retry, "openai").refused, 0);
    began += SECOND;
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 2, began, 0, &outcome, &delay), TRIP_NO_RETRY_BUDGET);
    ck_assert_uint_eq(told(retry, "openai").refused, 1);
    ck_assert_uint_eq(told(retry, "openai").retries, 1);
}
END_TEST

START_TEST(only_a_retry_that_happens_takes_from_the_budget)
{
    late_call call = call_with(SECOND, SECOND);
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_SUCCESS};
    uint64_t delay;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(trip_retry_next(call.retry, "openai", 6, 1, call.began, 0, &outcome, &delay),
                         TRIP_NO_RETRY_CLASS);
        ck_assert_int_eq(next(call.retry, 1000, 0, &delay), TRIP_NO_RETRY_ATTEMPTS);
        ck_assert_int_eq(next_of(&call, call.began, 2 * SECOND, &delay), TRIP_NO_RETRY_LATE);
        ck_assert_int_eq(trip_retry_next(call.retry, "openai", 6, 1, call.began, 0, NULL, &delay), TRIP_E_INVALID);
    }
    trip_retry_info info = told(call.retry, "openai");
    ck_assert(info.budget == 1000 && info.calls == 1 && info.retries == 0 && info.refused == 0);
    ck_assert_int_eq(next_of(&call, call.began, 0, &delay), TRIP_OK);
    info = told(call.retry, "openai");
    ck_assert(info.budget == 999 && info.calls == 1 && info.retries == 1 && info.refused == 0);
}
END_TEST

/* ---- Budgets ----------------------------------------------------------------------------------------------------- */

static trip_retry budgeted(double ratio, uint32_t burst)
{
    trip_retry_config config = defaults();
    config.budget_ratio = ratio;
    config.budget_burst = burst;
    config.max_attempts = 1000;
    config.max_delay_ns = 0;
    return rule_with(0, &config);
}

/* A call that fails as often as it may be tried. How often that is, after the first. */
static uint64_t fail_a_call(trip_retry retry)
{
    uint64_t began, delay, retries = 0;
    if (begin(retry, "openai", &began) != TRIP_OK)
        return 0;
    while (next(retry, (uint32_t)retries + 1, 0, &delay) == TRIP_OK)
        retries++;
    return retries;
}

START_TEST(when_everything_fails_there_are_a_tenth_more_attempts_than_calls_and_the_burst)
{
    trip_retry retry = budgeted(0.1, 10);
    uint64_t attempts = 0;
    for (uint64_t n = 1; n <= 100000; n++) {
        attempts += 1 + fail_a_call(retry);
        ck_assert_uint_le(10 * attempts, 11 * n + 100);
        ck_assert_uint_eq(attempts, n + 10 + (n - 1) / 10); /* the first call met a full budget */
    }
    trip_retry_info info = told(retry, "openai");
    ck_assert_uint_eq(info.calls, 100000);
    ck_assert_uint_eq(info.retries, attempts - 100000);
    ck_assert_uint_eq(info.refused, 100000);
    ck_assert_uint_eq(info.budget, 0);
}
END_TEST

typedef struct failing {
    trip_retry retry;
    uint64_t calls, retries;
} failing;

static void *fail_many(void *argument)
{
    failing *f = argument;
    for (f->calls = 0; f->calls < 20000; f->calls++)
        f->retries += fail_a_call(f->retry);
    return NULL;
}

START_TEST(that_holds_for_threads_too)
{
    enum { THREADS = 4 };
    failing all[THREADS];
    pthread_t threads[THREADS];
    trip_retry retry = budgeted(0.1, 10);
    for (int i = 0; i < THREADS; i++) {
        all[i] = (failing){.retry = retry};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fail_many, &all[i]), 0);
    }
    trip_retry_info info;
    do {
        info = told(retry, "openai");
        ck_assert_uint_le(10 * info.retries, info.calls + 100);
    } while (info.calls < 20000 * THREADS);
    uint64_t calls = 0, retries = 0;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        calls += all[i].calls;
        retries += all[i].retries;
    }
    info = told(retry, "openai");
    ck_assert_uint_eq(info.calls, calls);
    ck_assert_uint_eq(info.retries, retries);
    ck_assert_uint_eq(info.refused, calls);
    ck_assert_uint_le(10 * retries, calls + 100);
    ck_assert_uint_ge(10 * retries + 20, calls); /* and what was earned was to be had */
}
END_TEST

/* So many calls, and whether they have earned so many retries, not one less or more. */
static void check_earned(double ratio, uint64_t calls, uint64_t earned)
{
    trip_retry retry = budgeted(ratio, 10000);
    uint64_t delay, retries = 0;
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(next(retry, 1, 0, &delay), TRIP_OK);
    ck_assert_int_eq(next(retry, 1, 0, &delay), TRIP_NO_RETRY_BUDGET);
    for (uint64_t i = 0; i < calls; i++)
        begun(retry);
    while (next(retry, 1, 0, &delay) == TRIP_OK)
        retries++;
    ck_assert_msg(retries == earned, "%g: %lu of %lu", ratio, (unsigned long)retries, (unsigned long)calls);
    ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
}

START_TEST(a_ratio_is_what_its_decimals_say)
{
    check_earned(0.1, 9, 0);
    check_earned(0.1, 10, 1);
    check_earned(0.29, 100, 29);
    check_earned(0.57, 100, 57);
    check_earned(1.15, 100, 115);
    check_earned(2.01, 100, 201); /* which times 10^9 is less, as doubles go */
    check_earned(0.000000001, 1000, 0);
    check_earned(0, 1000, 0);
    check_earned(1.0 / 3, 3, 0); /* rounded down */
    check_earned(1.0 / 3, 4, 1);
    check_earned(2.0 / 3, 3, 1);
    check_earned(2.0 / 3, 4, 2);
    check_earned(1000, 7, 7000);
}
END_TEST

START_TEST(no_more_is_saved_up_than_the_burst)
{
    trip_retry retry = budgeted(1000, 3);
    for (int i = 0; i < 100; i++)
        begun(retry);
    ck_assert_uint_eq(told(retry, "openai").budget, 3);
    ck_assert_uint_eq(fail_a_call(retry), 3);
    ck_assert_uint_eq(told(retry, "openai").budget, 0);
    begun(retry);
    ck_assert_uint_eq(told(retry, "openai").budget, 3);
}
END_TEST

START_TEST(each_provider_has_its_own_budget_and_those_who_come_too_late_share_one)
{
    trip_retry_config config = defaults();
    config.max_providers = 3;
    config.budget_burst = 5;
    trip_retry retry = rule_with(0, &config);
    static const char *const own[] = {"openai", "", "anthropic"}, *const late[] = {"google", "mistral", "cohere"};
    uint64_t began, delay;
    const trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_NETWORK};
    ck_assert_uint_eq(told(retry, "openai").budget, 5); /* before anybody has asked */
    for (int i = 0; i < 3; i++)
        for (int n = 0; n <= i; n++)
            ck_assert_int_eq(begin(retry, own[i], &began), TRIP_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(begin(retry, late[i], &began), TRIP_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(told(retry, own[i]).calls, (uint64_t)i + 1);
        ck_assert_uint_eq(told(retry, late[i]).calls, 3);
    }
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(trip_retry_next(retry, late[i % 3], SIZE_MAX, 1, 0, 0, &outcome, &delay), TRIP_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(trip_retry_next(retry, late[i], SIZE_MAX, 1, 0, 0, &outcome, &delay), TRIP_NO_RETRY_BUDGET);
        ck_assert_uint_eq(told(retry, own[i]).budget, 5);
    }
    ck_assert_uint_eq(told(retry, "never heard of").refused, 3);
    ck_assert_int_eq(trip_retry_next(retry, "openai", 6, 1, 0, 0, &outcome, &delay), TRIP_OK);
    ck_assert_uint_eq(told(retry, "openai").budget, 4);
    ck_assert_uint_eq(told(retry, "").budget, 5);
}
END_TEST

START_TEST(names_are_told_apart_byte_by_byte)
{
    trip_retry retry = rule_with(0, NULL);
    uint64_t began;
    char longest[256];
    memset(longest, 'x', sizeof longest);
    ck_assert_int_eq(trip_retry_begin(retry, "a\0b", 3, &began), TRIP_OK);
    ck_assert_int_eq(trip_retry_begin(retry, "a\0c", 3, &began), TRIP_OK);
    ck_assert_int_eq(trip_retry_begin(retry, "a", 1, &began), TRIP_OK);
    ck_assert_int_eq(trip_retry_begin(retry, longest, 255, &began), TRIP_OK);
    ck_assert_int_eq(trip_retry_begin(retry, longest, 254, &began), TRIP_OK);
    ck_assert_int_eq(trip_retry_begin(retry, longest, 256, &began), TRIP_E_INVALID);
    trip_retry_info info = {.struct_size = sizeof info};
    static const size_t lengths[] = {3, 1, 255, 254};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(trip_retry_inspect(retry, i < 2 ? "a\0c" : longest, lengths[i], &info), TRIP_OK);
        ck_assert_uint_eq(info.calls, 1);
    }
}
END_TEST

typedef struct crowd {
    trip_retry retry;
    uint32_t names;
    _Atomic uint32_t turn;
} crowd;

static void *begin_for_all(void *argument)
{
    crowd *c = argument;
    uint64_t began;
    uint32_t first = atomic_fetch_add(&c->turn, 1) * 1237;
    for (uint32_t i = 0; i < c->names; i++) {
        uint32_t name = (first + i) % c->names;
        if (trip_retry_begin(c->retry, (const char *)&name, sizeof name, &began) != TRIP_OK)
            return c;
    }
    return NULL;
}

START_TEST(a_provider_that_several_threads_bring_has_one_budget)
{
    enum { THREADS = 4 };
    trip_retry_config config = defaults();
    config.max_providers = 4096;
    crowd c = {.retry = rule_with(0, &config), .names = 6000};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, begin_for_all, &c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    uint64_t own = 0, shared = 0;
    for (uint32_t i = 0; i < c.names; i++) {
        trip_retry_info info = {.struct_size = sizeof info};
        ck_assert_int_eq(trip_retry_inspect(c.retry, (const char *)&i, sizeof i, &info), TRIP_OK);
        if (info.calls == THREADS)
            own++;
        else
            shared = info.calls;
    }
    ck_assert_uint_eq(own, 4096);
    ck_assert_uint_eq(shared, THREADS * (6000 - 4096));
}
END_TEST

/* ---- Circuit and retry ------------------------------------------------------------------------------------------- */

/* A provider that fails so many times, and then answers. */
typedef struct flaky {
    uint32_t failures_left;
    uint32_t called;
} flaky;

static trip_outcome call_it(flaky *provider)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_SUCCESS};
    provider->called++;
    if (provider->failures_left > 0) {
        provider->failures_left--;
        outcome.status_class = TRIP_CLASS_SERVER_ERROR;
    }
    return outcome;
}

typedef struct setup {
    trip_tracker tracker;
    trip_circuit circuit;
    trip_retry retry;
    flaky provider;
} setup;

static setup set_up(uint32_t threshold, uint32_t attempts, uint32_t failures)
{
    trip_config config = manual_config();
    config.failure_threshold = threshold;
    config.initial_open_ns = 300 * SECOND;
    trip_retry_config rule = defaults();
    rule.max_attempts = attempts;
    setup s = {.tracker = tracker_with(&config), .provider = {.failures_left = failures}};
    s.circuit = circuit_of(s.tracker, "acme", "openai");
    s.retry = rule_with(s.tracker, &rule);
    return s;
}

/* The circuit outside, retries inside: what becomes of all attempts together is one outcome. */
static trip_status call_with_one_permit(setup *s)
{
    trip_permit permit;
    trip_status status = trip_circuit_permit(s->circuit, &permit, NULL);
    if (status > 0)
        return status;
    uint64_t began, delay = 0;
    ck_assert_int_eq(begin(s->retry, "openai", &began), TRIP_OK);
    trip_outcome outcome;
    uint32_t attempt = 0;
    do {
        ck_assert_int_eq(trip_tracker_advance(s->tracker, delay), TRIP_OK); /* where a program would sleep */
        outcome = call_it(&s->provider);
        status = trip_retry_next(s->retry, "openai", 6, ++attempt, began, delay, &outcome, &delay);
    } while (status == TRIP_OK);
    ck_assert_int_eq(trip_permit_record(permit, &outcome), TRIP_OK);
    return outcome.status_class == TRIP_CLASS_SUCCESS ? TRIP_OK : status;
}

START_TEST(with_a_permit_for_each_call_the_circuit_hears_of_it_once)
{
    setup s = set_up(3, 3, 2);
    ck_assert_int_eq(call_with_one_permit(&s), TRIP_OK);
    ck_assert_uint_eq(s.provider.called, 3);
    trip_circuit_info info = info_of(s.circuit);
    ck_assert(info.permits == 1 && info.successes == 1 && info.failures_total == 0);

    s.provider.failures_left = 100;
    for (uint32_t call = 1; call <= 3; call++) {
        ck_assert_int_eq(call_with_one_permit(&s), TRIP_NO_RETRY_ATTEMPTS);
        ck_assert_uint_eq(info_of(s.circuit).failures_total, call);
    }
    ck_assert_uint_eq(s.provider.called, 3 + 9);
    ck_assert_uint_eq(info_of(s.circuit).state, TRIP_STATE_OPEN);
    trip_retry_info before = told(s.retry, "openai");
    ck_assert_int_eq(call_with_one_permit(&s), TRIP_REJECTED_OPEN); /* the rule is not asked */
    trip_retry_info after = told(s.retry, "openai");
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert_uint_eq(s.provider.called, 3 + 9);
}
END_TEST

/* Retries outside, the circuit inside: each attempt asks it. A refusal ends the call, and is no attempt. */
static trip_status call_with_permits_for_attempts(setup *s)
{
    uint64_t began = 0, delay = 0;
    for (uint32_t attempt = 1;; attempt++) {
        trip_permit permit;
        trip_status status = trip_circuit_permit(s->circuit, &permit, NULL);
        if (status > 0)
            return status;
        if (attempt == 1)
            ck_assert_int_eq(begin(s->retry, "openai", &began), TRIP_OK);
        trip_outcome outcome = call_it(&s->provider);
        ck_assert_int_eq(trip_permit_record(permit, &outcome), TRIP_OK);
        status = trip_retry_next(s->retry, "openai", 6, attempt, began, delay, &outcome, &delay);
        if (status != TRIP_OK)
            return outcome.status_class == TRIP_CLASS_SUCCESS ? TRIP_OK : status;
        ck_assert_int_eq(trip_tracker_advance(s->tracker, delay), TRIP_OK);
    }
}

START_TEST(with_a_permit_for_each_attempt_the_circuit_hears_of_all_and_ends_the_retries)
{
    setup s = set_up(3, 10, 2);
    ck_assert_int_eq(call_with_permits_for_attempts(&s), TRIP_OK);
    trip_circuit_info info = info_of(s.circuit);
    ck_assert(info.permits == 3 && info.successes == 1 && info.failures_total == 2);

    s.provider = (flaky){.failures_left = 100};
    ck_assert_int_eq(call_with_permits_for_attempts(&s), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(s.provider.called, 3); /* of ten attempts that the rule would allow */
    info = info_of(s.circuit);
    ck_assert(info.permits == 6 && info.failures_total == 5 && info.state == TRIP_STATE_OPEN);

    trip_retry_info before = told(s.retry, "openai");
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(call_with_permits_for_attempts(&s), TRIP_REJECTED_OPEN);
    trip_retry_info after = told(s.retry, "openai");
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert_uint_eq(s.provider.called, 3);
}
END_TEST

/* ---- Wrong use --------------------------------------------------------------------------------------------------- */

START_TEST(whatever_is_passed_gets_a_status_and_writes_nothing)
{
    trip_tracker tracker = manual_tracker();
    trip_retry retry = rule_with(tracker, NULL);
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_TIMEOUT};
    trip_retry_info info = {.struct_size = sizeof info};
    char longest[256] = {0};
    uint64_t out = 7;
    const uint64_t handles[] = {0,
                                1,
                                UINT64_MAX,
                                tracker,
                                circuit_of(tracker, "acme", "openai"),
                                permit_of(circuit_of(tracker, "acme", "openai")),
                                retry + 1,
                                retry ^ UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        ck_assert_int_eq(trip_retry_destroy(handles[i]), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_retry_delay_for(handles[i], 1, &out), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_retry_begin(handles[i], "a", 1, &out), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_retry_next(handles[i], "a", 1, 1, 0, 0, &outcome, &out), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_retry_inspect(handles[i], "a", 1, &info), TRIP_E_HANDLE);
        if (handles[i] != 0 && handles[i] != tracker)
            ck_assert_int_eq(trip_retry_create(handles[i], NULL, &out, NULL), TRIP_E_HANDLE);
    }
    ck_assert_int_eq(trip_retry_create(0, NULL, NULL, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_delay_for(retry, 1, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_begin(retry, "a", 1, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_begin(retry, NULL, 1, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_begin(retry, NULL, SIZE_MAX, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_begin(retry, longest, 256, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, NULL, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, &outcome, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_next(retry, NULL, 1, 1, 0, 0, &outcome, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_next(retry, longest, 256, 1, 0, 0, &outcome, &out), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_inspect(retry, "a", 1, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_inspect(retry, NULL, 1, &info), TRIP_E_INVALID);
    static const uint32_t classes[] = {TRIP_CLASS_UNKNOWN + 1, 63, 64, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        outcome.status_class = classes[i];
        ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, &outcome, &out), TRIP_E_INVALID);
    }
    ck_assert_uint_eq(out, 7);
    ck_assert_uint_eq(info.calls, 0);
    ck_assert_int_eq(trip_retry_begin(retry, NULL, 0, &out), TRIP_OK); /* the empty text */
    ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
    ck_assert_int_eq(trip_retry_destroy(retry), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_retry_delay_for(retry, 1, &out), TRIP_E_HANDLE);
}
END_TEST

START_TEST(structs_may_be_of_other_sizes)
{
    struct {
        trip_outcome outcome;
        uint64_t more;
    } said = {.outcome = {.struct_size = sizeof said, .status_class = TRIP_CLASS_TIMEOUT}};
    struct {
        trip_retry_info info;
        uint64_t more;
    } info = {.info = {.struct_size = sizeof info}, .more = 7};
    struct {
        trip_retry_config config;
        uint64_t more;
    } config;
    uint64_t delay;
    trip_retry retry = 7;
    ck_assert_int_eq(trip_retry_config_init(&config.config, sizeof config), TRIP_OK);
    ck_assert_int_eq(trip_retry_config_init(NULL, sizeof config), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_config_init(&config.config, 87), TRIP_E_INVALID);
    ck_assert_uint_eq(config.more, 0);
    config.more = 1;
    ck_assert_int_eq(trip_retry_create(0, &config.config, &retry, NULL), TRIP_E_TOO_NEW);
    config.config.struct_size = 87;
    ck_assert_int_eq(trip_retry_create(0, &config.config, &retry, NULL), TRIP_E_INVALID);
    ck_assert_uint_eq(retry, 7);
    trip_error error = {.struct_size = 8};
    ck_assert_int_eq(trip_retry_create(0, NULL, &retry, &error), TRIP_E_INVALID);
    retry = rule_with(0, NULL);
    ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, &said.outcome, &delay), TRIP_OK);
    said.more = 1;
    ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, &said.outcome, &delay), TRIP_E_TOO_NEW);
    said.outcome.struct_size = 31;
    ck_assert_int_eq(trip_retry_next(retry, "a", 1, 1, 0, 0, &said.outcome, &delay), TRIP_E_INVALID);
    ck_assert_int_eq(trip_retry_inspect(retry, "a", 1, &info.info), TRIP_OK);
    ck_assert_uint_eq(info.info.retries, 1);
    ck_assert_uint_eq(info.info.struct_size, sizeof info);
    ck_assert_uint_eq(info.more, 0);
    info.info.struct_size = 31;
    ck_assert_int_eq(trip_retry_inspect(retry, "a", 1, &info.info), TRIP_E_INVALID);
}
END_TEST

START_TEST(a_rule_outlives_its_tracker_but_tells_no_time)
{
    trip_tracker tracker = manual_tracker();
    trip_retry retry = rule_with(tracker, NULL);
    begun(retry);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    uint64_t out = 7;
    ck_assert_int_eq(begin(retry, "openai", &out), TRIP_E_HANDLE);
    ck_assert_int_eq(next(retry, 1, 0, &out), TRIP_E_HANDLE);
    ck_assert_uint_eq(out, 7);
    ck_assert_uint_eq(told(retry, "openai").calls, 1);
    ck_assert_uint_eq(told(retry, "openai").budget, 10);
    ck_assert_uint_eq(delay_for(retry, 2), SECOND);
    ck_assert_int_eq(trip_retry_destroy(retry), TRIP_OK);
}
END_TEST

typedef struct brawl {
    _Atomic uint64_t retry;
    _Atomic bool is_over;
} brawl;

static void *use_what_is_there(void *argument)
{
    brawl *b = argument;
    uint64_t began, delay;
    trip_retry_info info = {.struct_size = sizeof info};
    for (uint32_t i = 0; !atomic_load(&b->is_over); i++) {
        uint32_t name = i % 32;
        trip_retry retry = atomic_load(&b->retry);
        trip_status said[] = {trip_retry_begin(retry, (char *)&name, sizeof name, &began),
                              trip_retry_delay_for(retry, i, &delay), next(retry, 1, 0, &delay),
                              trip_retry_inspect(retry, (char *)&name, sizeof name, &info)};
        for (int j = 0; j < 4; j++)
            if (said[j] != TRIP_OK && said[j] != TRIP_E_HANDLE && said[j] != TRIP_NO_RETRY_BUDGET)
                return b;
    }
    return NULL;
}

START_TEST(a_rule_may_be_destroyed_while_it_is_used)
{
    enum { THREADS = 3 };
    brawl b = {.retry = rule_with(0, NULL)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_what_is_there, &b), 0);
    for (int i = 0; i < 300; i++) {
        trip_retry next_rule = rule_with(0, NULL), last = atomic_exchange(&b.retry, next_rule);
        sched_yield();
        ck_assert_int_eq(trip_retry_destroy(last), TRIP_OK);
    }
    atomic_store(&b.is_over, true);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

/* Who stays would keep the rule from ever ending. */
START_TEST(no_call_stays_a_visitor)
{
    trip_tracker tracker = manual_tracker();
    trip_retry retry = rule_with(tracker, NULL);
    trip_object *place = trip_object_named(&trip_retries, retry);
    uint64_t life = atomic_load(&place->life), delay;
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_AUTH};
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        begin(retry, "openai", &delay);
        trip_retry_next(retry, "openai", 6, 1, 0, 0, &outcome, &delay);
        next(retry, 1, 0, &delay);
        delay_for(retry, 1);
        told(retry, "openai");
        ck_assert_uint_eq(atomic_load(&place->life), life);
        if (is_gone == 0)
            ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(errno_is_preserved)
{
    errno = 4711;
    trip_retry retry = rule_with(0, NULL);
    begun(retry);
    next_delay(retry, 1, 0);
    told(retry, "openai");
    trip_retry_destroy(retry);
    ck_assert_int_eq(errno, 4711);
}
END_TEST

static Suite *retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *delays = tcase_create("delays");
    tcase_set_timeout(delays, 120);
    tcase_add_test(delays, the_defaults_are_those_of_the_header);
    tcase_add_test(delays, a_field_that_is_out_of_range_is_named);
    tcase_add_test(delays, a_field_at_its_bound_is_taken);
    tcase_add_test(delays, the_delay_doubles_up_to_the_cap);
    tcase_add_test(delays, the_delay_is_base_times_a_power_of_the_multiplier);
    tcase_add_test(delays, the_delay_of_any_attempt_is_quickly_told);
    tcase_add_test(delays, no_delay_overflows_and_none_is_above_the_cap);
    suite_add_tcase(suite, delays);
    TCase *jitter = tcase_create("jitter");
    tcase_set_timeout(jitter, 120);
    tcase_add_test(jitter, what_a_seed_draws_is_the_formula_of_abi_md);
    tcase_add_loop_test(jitter, jitter_spreads_delays_over_all_of_its_range, 0, sizeof ranges / sizeof *ranges);
    tcase_add_test(jitter, half_of_an_odd_delay_is_rounded_up);
    tcase_add_test(jitter, without_a_seed_no_two_rules_draw_alike);
    tcase_add_test(jitter, a_child_draws_differently_unless_there_is_a_seed);
    tcase_add_test(jitter, what_is_drawn_is_within_its_bound_and_spread_evenly);
    tcase_add_test(jitter, products_by_halves_are_products);
    tcase_add_test(jitter, no_two_threads_draw_the_same);
    suite_add_tcase(suite, jitter);
    TCase *answers = tcase_create("answers");
    tcase_add_test(answers, a_class_is_worth_a_retry_or_not);
    tcase_add_test(answers, after_the_last_attempt_there_is_no_other);
    tcase_add_test(answers, no_attempt_begins_after_the_deadline);
    tcase_add_test(answers, what_a_provider_asks_for_is_the_least);
    tcase_add_test(answers, what_is_asked_for_may_be_above_the_cap_and_jitter_never_falls_below_it);
    tcase_add_test(answers, class_comes_before_attempts_before_lateness_before_the_budget);
    tcase_add_test(answers, only_a_retry_that_happens_takes_from_the_budget);
    suite_add_tcase(suite, answers);
    TCase *budgets = tcase_create("budgets");
    tcase_set_timeout(budgets, 120);
    tcase_add_test(budgets, when_everything_fails_there_are_a_tenth_more_attempts_than_calls_and_the_burst);
    tcase_add_test(budgets, that_holds_for_threads_too);
    tcase_add_test(budgets, a_ratio_is_what_its_decimals_say);
    tcase_add_test(budgets, no_more_is_saved_up_than_the_burst);
    tcase_add_test(budgets, each_provider_has_its_own_budget_and_those_who_come_too_late_share_one);
    tcase_add_test(budgets, names_are_told_apart_byte_by_byte);
    tcase_add_test(budgets, a_provider_that_several_threads_bring_has_one_budget);
    tcase_add_test(budgets, a_child_goes_on_with_budgets_of_its_own);
    suite_add_tcase(suite, budgets);
    TCase *together = tcase_create("circuit and retry");
    tcase_add_test(together, with_a_permit_for_each_call_the_circuit_hears_of_it_once);
    tcase_add_test(together, with_a_permit_for_each_attempt_the_circuit_hears_of_all_and_ends_the_retries);
    suite_add_tcase(suite, together);
    TCase *misuse = tcase_create("wrong use");
    tcase_set_timeout(misuse, 120);
    tcase_add_test(misuse, whatever_is_passed_gets_a_status_and_writes_nothing);
    tcase_add_test(misuse, structs_may_be_of_other_sizes);
    tcase_add_test(misuse, a_rule_outlives_its_tracker_but_tells_no_time);
    tcase_add_test(misuse, a_rule_may_be_destroyed_while_it_is_used);
    tcase_add_test(misuse, no_call_stays_a_visitor);
    tcase_add_test(misuse, errno_is_preserved);
    suite_add_tcase(suite, misuse);
    return suite;
}

int main(void)
{
    return run_suite(retry_suite());
}
