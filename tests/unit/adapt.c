/* Gates whose limits follow the calls: when they grow, when they fall, and how far. */
#include "gates.h"

#include "seams.h"

static trip_tracker clock_of;

static trip_gate adapting(uint32_t how, uint32_t initial, uint32_t capacity)
{
    trip_gate_config config = config_of(capacity);
    config.adapt = how;
    config.initial_limit = initial;
    clock_of = fragile_tracker();
    return gate_with(clock_of, &config);
}

/* As many calls at once as may be, each of which takes so long and ends so. Returns the limit then. */
static uint32_t wave(trip_gate gate, uint64_t took_ns, uint32_t effect)
{
    static trip_token tokens[1000];
    uint32_t calls = 0;
    while (calls < 1000 && trip_gate_acquire(gate, &tokens[calls], NULL) == TRIP_OK)
        calls++;
    move(clock_of, took_ns);
    for (uint32_t i = 0; i < calls; i++)
        ck_assert_int_eq(trip_token_release(tokens[i], effect), TRIP_OK);
    return look(gate).limit;
}

/* While so many others are in progress one ends. Returns the limit then. */
static uint32_t one_of(trip_gate gate, uint32_t others, uint64_t took_ns, uint32_t effect)
{
    trip_token tokens[64];
    for (uint32_t i = 0; i <= others; i++)
        tokens[i] = acquired(gate);
    move(clock_of, took_ns);
    ck_assert_int_eq(trip_token_release(tokens[0], effect), TRIP_OK);
    uint32_t limit = look(gate).limit;
    for (uint32_t i = 1; i <= others; i++)
        ck_assert_int_eq(trip_token_release(tokens[i], TRIP_EFFECT_NOTHING), TRIP_OK);
    return limit;
}

START_TEST(a_limit_begins_at_twenty_or_as_near_as_may_be)
{
    ck_assert_uint_eq(look(adapting(TRIP_ADAPT_AIMD, 0, 100)).limit, 20);
    ck_assert_uint_eq(look(adapting(TRIP_ADAPT_GRADIENT, 0, 10)).limit, 10);
    ck_assert_uint_eq(look(adapting(TRIP_ADAPT_GRADIENT, 33, 100)).limit, 33);
    trip_gate_config config = config_of(100);
    config.adapt = TRIP_ADAPT_AIMD;
    config.min_limit = 30;
    ck_assert_uint_eq(look(gate_with(0, &config)).limit, 30);
    ck_assert_uint_eq(look(gate_of(100)).limit, 100);
}
END_TEST

START_TEST(aimd_grows_by_one_while_half_of_the_limit_is_used)
{
    trip_gate gate = adapting(TRIP_ADAPT_AIMD, 8, 100);
    ck_assert_uint_eq(one_of(gate, 2, SECOND, TRIP_EFFECT_SUCCESS), 8);
    ck_assert_uint_eq(one_of(gate, 3, SECOND, TRIP_EFFECT_SUCCESS), 9);
    ck_assert_uint_eq(one_of(gate, 3, SECOND, TRIP_EFFECT_SUCCESS), 9); /* 4 of 9 is less */
    ck_assert_uint_eq(one_of(gate, 4, SECOND, TRIP_EFFECT_SUCCESS), 10);
    ck_assert_uint_eq(look(gate).latency_ns, 0);
}
END_TEST

START_TEST(aimd_falls_by_a_share_with_each_failure)
{
    trip_gate gate = adapting(TRIP_ADAPT_AIMD, 20, 100);
    ck_assert_uint_eq(one_of(gate, 0, SECOND, TRIP_EFFECT_FAILURE), 18);
    ck_assert_uint_eq(one_of(gate, 0, SECOND, TRIP_EFFECT_FAILURE), 16);
    ck_assert_uint_eq(one_of(gate, 15, SECOND, TRIP_EFFECT_NOTHING), 16);
}
END_TEST

START_TEST(aimd_takes_a_slow_call_for_a_failure)
{
    trip_gate_config config = config_of(100);
    config.adapt = TRIP_ADAPT_AIMD;
    config.initial_limit = 10;
    config.decrease = 0.5;
    config.latency_ns = SECOND;
    clock_of = fragile_tracker();
    trip_gate gate = gate_with(clock_of, &config);
    ck_assert_uint_eq(one_of(gate, 9, SECOND, TRIP_EFFECT_SUCCESS), 11);
    ck_assert_uint_eq(one_of(gate, 9, SECOND + 1, TRIP_EFFECT_SUCCESS), 5);
    ck_assert_uint_eq(one_of(gate, 4, 100 * SECOND, TRIP_EFFECT_NOTHING), 5);
}
END_TEST

START_TEST(a_limit_stays_in_its_range)
{
    for (uint32_t how = TRIP_ADAPT_AIMD; how <= TRIP_ADAPT_GRADIENT; how++) {
        trip_gate_config config = config_of(30);
        config.adapt = how;
        config.min_limit = 5;
        clock_of = fragile_tracker();
        trip_gate gate = gate_with(clock_of, &config);
        for (int i = 0; i < 200; i++)
            ck_assert_uint_le(wave(gate, SECOND, TRIP_EFFECT_SUCCESS), 30);
        ck_assert_uint_eq(look(gate).limit, 30);
        for (int i = 0; i < 200; i++)
            ck_assert_uint_ge(wave(gate, SECOND, TRIP_EFFECT_FAILURE), 5);
        ck_assert_uint_eq(look(gate).limit, 5);
    }
}
END_TEST

START_TEST(a_limit_of_one_is_the_least)
{
    trip_gate gate = adapting(TRIP_ADAPT_AIMD, 1, 2);
    ck_assert_uint_eq(one_of(gate, 0, SECOND, TRIP_EFFECT_FAILURE), 1);
    ck_assert_uint_eq(one_of(gate, 0, SECOND, TRIP_EFFECT_SUCCESS), 2);
}
END_TEST

START_TEST(the_gradient_lets_the_limit_grow_while_calls_take_as_long_as_ever)
{
    trip_gate gate = adapting(TRIP_ADAPT_GRADIENT, 0, 200);
    uint32_t limit = 20;
    while (limit < 200) {
        uint32_t next = wave(gate, 100 * MS, TRIP_EFFECT_SUCCESS);
        ck_assert_uint_gt(next, limit);
        limit = next;
    }
    ck_assert_uint_eq(look(gate).latency_ns, 100 * MS);
}
END_TEST

START_TEST(the_gradient_falls_when_calls_take_longer_and_recovers)
{
    trip_gate gate = adapting(TRIP_ADAPT_GRADIENT, 0, 200);
    for (int i = 0; i < 20; i++)
        wave(gate, 100 * MS, TRIP_EFFECT_SUCCESS);
    ck_assert_uint_eq(look(gate).limit, 200);
    uint32_t limit = 200;
    for (int i = 0; i < 3; i++) /* it takes long until that counts as usual */
        limit = wave(gate, 300 * MS, TRIP_EFFECT_SUCCESS);
    ck_assert_uint_lt(limit, 100);
    for (int i = 0; i < 40; i++)
        limit = wave(gate, 100 * MS, TRIP_EFFECT_SUCCESS);
    ck_assert_uint_eq(limit, 200);
    ck_assert_uint_lt(look(gate).latency_ns, 150 * MS);
}
END_TEST

START_TEST(the_gradient_tolerates_what_it_is_told_to)
{
    trip_gate gate = adapting(TRIP_ADAPT_GRADIENT, 16, 200);
    for (int i = 0; i < 10; i++)
        one_of(gate, 0, 100 * MS, TRIP_EFFECT_SUCCESS); /* of one place in 16: the limit stays */
    ck_assert_uint_eq(look(gate).limit, 16);
    ck_assert_uint_eq(look(gate).latency_ns, 100 * MS);
    ck_assert_uint_eq(one_of(gate, 6, 900 * MS, TRIP_EFFECT_SUCCESS), 16); /* 7 of 16 is less than half */
    ck_assert_uint_gt(one_of(gate, 15, 140 * MS, TRIP_EFFECT_SUCCESS), 15);
    ck_assert_uint_lt(one_of(gate, 15, 400 * MS, TRIP_EFFECT_SUCCESS), 16);
}
END_TEST

START_TEST(the_gradient_learns_nothing_from_a_call_that_was_given_up)
{
    trip_gate gate = adapting(TRIP_ADAPT_GRADIENT, 20, 200);
    ck_assert_uint_eq(wave(gate, 100 * SECOND, TRIP_EFFECT_NOTHING), 20);
    ck_assert_uint_eq(look(gate).latency_ns, 0);
}
END_TEST

START_TEST(calls_that_take_no_time_at_all_are_well)
{
    trip_gate gate = adapting(TRIP_ADAPT_GRADIENT, 20, 30);
    for (int i = 0; i < 10; i++)
        wave(gate, 0, TRIP_EFFECT_SUCCESS);
    ck_assert_uint_ge(look(gate).limit, 4);
    ck_assert_uint_eq(look(gate).latency_ns, 0);
}
END_TEST

START_TEST(a_gate_of_no_tracker_goes_by_the_machine_s_clock)
{
    trip_gate_config config = config_of(100);
    config.adapt = TRIP_ADAPT_GRADIENT;
    trip_gate gate = gate_with(0, &config);
    trip_token token = acquired(gate);
    atomic_fetch_add(&precise_ns, 70 * MS);
    released(token);
    ck_assert_uint_eq(look(gate).latency_ns, 70 * MS);
}
END_TEST

START_TEST(only_a_gate_that_asks_how_long_calls_take_reads_a_clock)
{
    trip_gate_config config = config_of(2);
    config.soft_limit = 1;
    trip_gate plain = gate_with(0, &config);
    config.adapt = TRIP_ADAPT_AIMD;
    trip_gate untimed = gate_with(0, &config);
    config.latency_ns = SECOND;
    trip_gate timed = gate_with(0, &config);
    uint64_t before = atomic_load(&precise_readings) + atomic_load(&coarse_readings);
    for (int i = 0; i < 2; i++)
        acquired(plain); /* above its soft limit, of which there is nobody to be told */
    released(acquired(untimed));
    ck_assert_uint_eq(atomic_load(&precise_readings) + atomic_load(&coarse_readings), before);
    released(acquired(timed));
    ck_assert_uint_eq(atomic_load(&precise_readings) + atomic_load(&coarse_readings), before + 2);
}
END_TEST

static void *press_and_learn(void *argument)
{
    crowd *c = argument;
    for (int i = 0; i < ROUNDS / 4; i++) {
        trip_token token;
        if (trip_gate_acquire(c->gate, &token, NULL) != TRIP_OK)
            continue;
        come_in(c);
        atomic_fetch_sub(&c->inside, 1);
        atomic_fetch_add(&c->wrong, trip_token_release(token, (uint32_t)(i % 3)) != TRIP_OK);
    }
    return NULL;
}

START_TEST(a_limit_that_moves_under_many_threads_stays_in_its_range)
{
    trip_gate_config config = config_of(PLACES);
    config.adapt = (uint32_t)_i;
    crowd c = {.gate = gate_with(fragile_tracker(), &config)};
    all_at_once(press_and_learn, &c);
    ck_assert_int_le(atomic_load(&c.most), PLACES);
    ck_assert_uint_eq(atomic_load(&c.wrong), 0);
    trip_gate_info info = look(c.gate);
    ck_assert_uint_eq(info.depth, 0);
    ck_assert_uint_ge(info.limit, 1);
    ck_assert_uint_le(info.limit, PLACES);
}
END_TEST

static Suite *adapt_suite(void)
{
    Suite *suite = suite_create("adapt");
    TCase *limits = tcase_create("limits");
    tcase_set_timeout(limits, 120);
    tcase_add_test(limits, a_limit_begins_at_twenty_or_as_near_as_may_be);
    tcase_add_test(limits, aimd_grows_by_one_while_half_of_the_limit_is_used);
    tcase_add_test(limits, aimd_falls_by_a_share_with_each_failure);
    tcase_add_test(limits, aimd_takes_a_slow_call_for_a_failure);
    tcase_add_test(limits, a_limit_stays_in_its_range);
    tcase_add_test(limits, a_limit_of_one_is_the_least);
    tcase_add_test(limits, the_gradient_lets_the_limit_grow_while_calls_take_as_long_as_ever);
    tcase_add_test(limits, the_gradient_falls_when_calls_take_longer_and_recovers);
    tcase_add_test(limits, the_gradient_tolerates_what_it_is_told_to);
    tcase_add_test(limits, the_gradient_learns_nothing_from_a_call_that_was_given_up);
    tcase_add_test(limits, calls_that_take_no_time_at_all_are_well);
    tcase_add_test(limits, a_gate_of_no_tracker_goes_by_the_machine_s_clock);
    tcase_add_test(limits, only_a_gate_that_asks_how_long_calls_take_reads_a_clock);
    tcase_add_loop_test(limits, a_limit_that_moves_under_many_threads_stays_in_its_range, TRIP_ADAPT_AIMD,
                        TRIP_ADAPT_GRADIENT + 1);
    suite_add_tcase(suite, limits);
    return suite;
}

int main(void)
{
    return run_suite(adapt_suite());
}
