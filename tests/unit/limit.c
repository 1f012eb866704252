/* The arithmetic of limits: against the formulas of limit.h, with the square roots of libm. */
#include "fixture.h"

#include "limit.h"

#include <math.h>

#define WHOLE(limit) ((uint64_t)(limit) << TRIP_LIMIT_POINT)
#define LARGEST 1048576

static const trip_limit_rule gradient = {
    .adapt = TRIP_ADAPT_GRADIENT, .min_limit = 1, .max_limit = LARGEST, .tolerance = 1.5, .smoothing = 1.0};

static double value_of(uint64_t limit)
{
    return (double)limit / (double)WHOLE(1);
}

/* A call takes much longer than ever: half of the limit is left, and room for a queue. */
START_TEST(the_queue_is_the_whole_root_of_the_limit)
{
    const trip_limit_sample slow = {.depth = LARGEST, .took_ns = 1000, .average_ns = 1};
    uint32_t wrong = 0;
    for (uint32_t limit = 1; limit <= LARGEST; limit++) {
        double given = value_of(trip_limit_after(&gradient, WHOLE(limit), &slow));
        wrong += given < limit * 0.5 + floor(sqrt(limit)) || given > limit * 0.5 + floor(sqrt(limit));
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(the_slope_is_between_a_half_and_one)
{
    static const struct {
        uint64_t took_ns, average_ns;
        double slope;
    } tried[] = {{100, 100, 1.0}, {150, 100, 1.0},      {200, 100, 0.75}, {300, 100, 0.5},
                 {301, 100, 0.5}, {UINT64_MAX, 1, 0.5}, {0, 100, 1.0},    {1, UINT64_MAX, 1.0}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        const trip_limit_sample sample = {.depth = 100, .took_ns = tried[i].took_ns, .average_ns = tried[i].average_ns};
        ck_assert_double_eq(value_of(trip_limit_after(&gradient, WHOLE(100), &sample)), 100 * tried[i].slope + 10);
    }
    const trip_limit_sample failed = {.depth = 1, .failed = true, .took_ns = 1, .average_ns = 1};
    ck_assert_double_eq(value_of(trip_limit_after(&gradient, WHOLE(100), &failed)), 60);
}
END_TEST

START_TEST(smoothing_is_the_weight_of_the_newest_limit)
{
    trip_limit_rule rule = gradient;
    rule.smoothing = 0.25;
    const trip_limit_sample as_ever = {.depth = 100, .took_ns = 100, .average_ns = 100};
    uint64_t limit = trip_limit_after(&rule, WHOLE(100), &as_ever);
    ck_assert_double_eq(value_of(limit), 102.5);
    ck_assert_double_eq(value_of(trip_limit_after(&rule, limit, &as_ever)),
                        105.0); /* what is behind the point counts */
    const trip_limit_sample idle = {.depth = 51, .took_ns = 100, .average_ns = 100};
    ck_assert_uint_eq(trip_limit_after(&rule, limit, &idle), limit);
}
END_TEST

START_TEST(aimd_keeps_to_whole_limits)
{
    trip_limit_rule rule = {.adapt = TRIP_ADAPT_AIMD, .min_limit = 1, .max_limit = LARGEST, .decrease = 0.9};
    const trip_limit_sample failed = {.failed = true}, done = {.depth = LARGEST};
    uint32_t wrong = 0;
    for (uint32_t limit = 2; limit < LARGEST; limit++) {
        wrong += trip_limit_after(&rule, WHOLE(limit), &done) != WHOLE(limit + 1);
        uint64_t less = trip_limit_after(&rule, WHOLE(limit), &failed);
        wrong += less != WHOLE((uint32_t)(limit * 0.9)) || less >= WHOLE(limit);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(trip_limit_after(&rule, WHOLE(LARGEST), &done), WHOLE(LARGEST));
    ck_assert_uint_eq(trip_limit_after(&rule, WHOLE(1), &failed), WHOLE(1));
}
END_TEST

START_TEST(a_limit_that_does_not_adapt_stays)
{
    trip_limit_rule rule = {.min_limit = 1, .max_limit = 7};
    ck_assert_uint_eq(trip_limit_after(&rule, WHOLE(7), &(trip_limit_sample){.failed = true}), WHOLE(7));
    ck_assert(!trip_limit_times(&rule));
    rule.latency_ns = 1;
    ck_assert(!trip_limit_times(&rule));
    rule.adapt = TRIP_ADAPT_AIMD;
    ck_assert(trip_limit_times(&rule));
    rule.latency_ns = 0;
    ck_assert(!trip_limit_times(&rule));
    ck_assert(trip_limit_times(&gradient));
}
END_TEST

START_TEST(an_average_is_the_mean_of_the_first_ten)
{
    uint64_t average = 0, sum = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        uint64_t took = 1000000 + 50000 * (i % 3);
        sum += took;
        average = trip_latency_after(average, took);
        ck_assert_double_eq_tol((double)trip_latency_ns(average), (double)sum / (double)i, 1.0);
    }
}
END_TEST

START_TEST(later_on_each_call_weighs_two_in_601)
{
    uint64_t average = 0;
    for (int i = 0; i < 10; i++)
        average = trip_latency_after(average, 601000);
    ck_assert_uint_eq(trip_latency_ns(average), 601000);
    average = trip_latency_after(average, 902000); /* 301000 more */
    ck_assert_double_eq_tol((double)trip_latency_ns(average), 602001.66, 1.0);
}
END_TEST

START_TEST(an_average_that_is_more_than_double_falls_faster)
{
    uint64_t average = 0;
    for (int i = 0; i < 10; i++)
        average = trip_latency_after(average, 601000);
    uint64_t falls = trip_latency_after(average, 200000), does_not = trip_latency_after(average, 310000);
    ck_assert_double_eq_tol((double)trip_latency_ns(falls), (601000 - 401000 * 2 / 601.0) * 0.9, 1.0);
    ck_assert_double_eq_tol((double)trip_latency_ns(does_not), 601000 - 291000 * 2 / 601.0, 1.0);
}
END_TEST

START_TEST(an_average_is_exact_for_what_is_always_the_same)
{
    static const uint64_t same[] = {0, 1, 999, 100 * MS, SECOND + 1, 3600 * SECOND, 31536000 * SECOND};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        uint64_t average = 0;
        for (int call = 0; call < 1000; call++)
            average = trip_latency_after(average, same[i]);
        uint64_t told = trip_latency_ns(average);
        ck_assert_uint_le(told, same[i]);
        ck_assert_uint_le(same[i] - told, same[i] >> 48); /* what a double knows of it, but for four bits */
    }
    ck_assert_uint_eq(trip_latency_after(0, UINT64_MAX), trip_latency_after(0, 31536000 * SECOND)); /* a year is all */
}
END_TEST

static Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, the_queue_is_the_whole_root_of_the_limit);
    tcase_add_test(limits, the_slope_is_between_a_half_and_one);
    tcase_add_test(limits, smoothing_is_the_weight_of_the_newest_limit);
    tcase_add_test(limits, aimd_keeps_to_whole_limits);
    tcase_add_test(limits, a_limit_that_does_not_adapt_stays);
    suite_add_tcase(suite, limits);
    TCase *averages = tcase_create("averages");
    tcase_add_test(averages, an_average_is_the_mean_of_the_first_ten);
    tcase_add_test(averages, later_on_each_call_weighs_two_in_601);
    tcase_add_test(averages, an_average_that_is_more_than_double_falls_faster);
    tcase_add_test(averages, an_average_is_exact_for_what_is_always_the_same);
    suite_add_tcase(suite, averages);
    return suite;
}

int main(void)
{
    return run_suite(limit_suite());
}
