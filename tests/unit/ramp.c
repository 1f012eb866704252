/* How a circuit recovers: M of N probes, and the ramp after it has closed. */
#include "fixture.h"

static void advance(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

/* Opened, and its open period is over. */
static trip_circuit due_circuit(const trip_config *config, trip_tracker *out_tracker)
{
    *out_tracker = tracker_with(config);
    trip_circuit circuit = circuit_of(*out_tracker, "acme", "openai");
    fail_once(circuit);
    advance(*out_tracker, config->initial_open_ns);
    return circuit;
}

static trip_config fragile_config(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    return config;
}

/* ---- M of N ------------------------------------------------------------------------------------------------------ */

START_TEST(of_n_probes_m_must_succeed)
{
    trip_config config = fragile_config();
    config.half_open_probes = 5;
    config.half_open_successes = 3;
    for (uint32_t outcomes = 0; outcomes < 1 << 5; outcomes++) { /* bit i: the i-th probe succeeds */
        trip_tracker tracker;
        trip_circuit circuit = due_circuit(&config, &tracker);
        uint32_t won = 0, lost = 0;
        for (int i = 0; won < 3 && lost < 3; i++) {
            ck_assert_uint_eq(info_of(circuit).state, i == 0 ? TRIP_STATE_OPEN : TRIP_STATE_HALF_OPEN);
            trip_permit probe = permit_of(circuit);
            bool succeeds = (outcomes >> i & 1) != 0;
            won += succeeds;
            lost += !succeeds;
            ck_assert_int_eq(succeeds ? trip_permit_record_success(probe) : trip_permit_record_failure(probe), TRIP_OK);
        }
        trip_circuit_info info = info_of(circuit);
        ck_assert_uint_eq(info.state, won == 3 ? TRIP_STATE_CLOSED : TRIP_STATE_OPEN);
        ck_assert_uint_eq(info.level, won == 3 ? 0 : 1);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(no_more_than_n_probes_are_granted)
{
    trip_config config = fragile_config();
    config.half_open_max_probes = 15;
    config.half_open_probes = 4;
    config.half_open_successes = 2;
    trip_tracker tracker;
    trip_circuit circuit = due_circuit(&config, &tracker);
    trip_permit probes[4], more;
    for (int i = 0; i < 4; i++)
        probes[i] = permit_of(circuit);
    ck_assert_uint_eq(info_of(circuit).probes_out, 4);
    ck_assert_int_eq(trip_circuit_permit(circuit, &more, NULL), TRIP_REJECTED_PROBING);
    ck_assert_int_eq(trip_permit_cancel(probes[0]), TRIP_OK); /* has told nothing: another may */
    probes[0] = permit_of(circuit);
    ck_assert_int_eq(trip_permit_record_failure(probes[0]), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(probes[1]), TRIP_OK);
    ck_assert_int_eq(trip_circuit_permit(circuit, &more, NULL), TRIP_REJECTED_PROBING);
    ck_assert_int_eq(trip_permit_record_failure(probes[2]), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(probes[3]), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

START_TEST(probes_whose_lease_is_over_have_failed_all)
{
    trip_config config = fragile_config();
    config.half_open_max_probes = 3;
    config.half_open_probes = 6;
    config.half_open_successes = 3;
    config.probe_lease_ns = 10 * SECOND;
    trip_tracker tracker;
    trip_circuit circuit = due_circuit(&config, &tracker);
    for (int i = 0; i < 3; i++)
        permit_of(circuit);
    advance(tracker, 10 * SECOND); /* three of six may fail */
    trip_permit last = permit_of(circuit);
    ck_assert_uint_eq(info_of(circuit).probes_out, 1);
    ck_assert_int_eq(trip_permit_record_failure(last), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
}
END_TEST

/* ---- The ramp ---------------------------------------------------------------------------------------------------- */

enum { STEPS = 4, ASKED = 1000 };

static trip_config ramping_config(void)
{
    trip_config config = fragile_config();
    config.ramp_ns = 40 * SECOND;
    config.ramp_steps = STEPS;
    return config;
}

static trip_circuit closed_again(const trip_config *config, trip_tracker *out_tracker)
{
    trip_circuit circuit = due_circuit(config, out_tracker);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
    return circuit;
}

static double admitted_share(trip_circuit circuit)
{
    int admitted = 0;
    for (int i = 0; i < ASKED; i++) {
        trip_permit permit;
        trip_rejection refused = {.struct_size = sizeof refused};
        trip_status foretold = trip_circuit_peek(circuit, NULL);
        trip_status status = trip_circuit_permit(circuit, &permit, &refused);
        ck_assert_int_eq(status, foretold);
        if (status == TRIP_OK) {
            ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
            admitted++;
            continue;
        }
        ck_assert_int_eq(status, TRIP_REJECTED_RAMP);
        ck_assert_int_eq(refused.status, TRIP_REJECTED_RAMP);
        ck_assert_uint_eq(refused.state, TRIP_STATE_CLOSED);
        ck_assert_uint_gt(refused.retry_after_ns, 0);
        ck_assert_uint_le(refused.retry_after_ns, 50 * MS);
    }
    return (double)admitted / ASKED;
}

START_TEST(a_ramp_admits_the_share_of_its_step)
{
    trip_config config = ramping_config();
    trip_tracker tracker;
    trip_circuit circuit = closed_again(&config, &tracker);
    for (int step = 0; step < STEPS; step++) {
        double share = admitted_share(circuit), planned = (step + 1.0) / (STEPS + 1);
        ck_assert_double_ge(share, planned - 0.01);
        ck_assert_double_le(share, planned + 0.01);
        advance(tracker, 10 * SECOND);
    }
    ck_assert_double_eq(admitted_share(circuit), 1.0);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(permits_out(&info), 0);
    ck_assert_uint_eq(info.rejections + info.successes, (STEPS + 1) * ASKED + 1);
}
END_TEST

START_TEST(a_new_circuit_needs_no_ramp)
{
    trip_config config = ramping_config();
    ck_assert_double_eq(admitted_share(circuit_of(tracker_with(&config), "acme", "openai")), 1.0);
}
END_TEST

START_TEST(a_relapse_ends_the_ramp_and_the_next_begins_at_its_foot)
{
    trip_config config = ramping_config();
    trip_tracker tracker;
    trip_circuit circuit = closed_again(&config, &tracker);
    advance(tracker, 35 * SECOND);
    trip_permit permit;
    while (trip_circuit_permit(circuit, &permit, NULL) != TRIP_OK)
        ;
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_REJECTED_OPEN);
    advance(tracker, SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    double share = admitted_share(circuit);
    ck_assert_double_ge(share, 0.19);
    ck_assert_double_le(share, 0.21);
}
END_TEST

static Suite *ramp_suite(void)
{
    Suite *suite = suite_create("ramp");
    TCase *probes = tcase_create("probes");
    tcase_add_test(probes, of_n_probes_m_must_succeed);
    tcase_add_test(probes, no_more_than_n_probes_are_granted);
    tcase_add_test(probes, probes_whose_lease_is_over_have_failed_all);
    suite_add_tcase(suite, probes);

    TCase *ramps = tcase_create("ramps");
    tcase_add_test(ramps, a_ramp_admits_the_share_of_its_step);
    tcase_add_test(ramps, a_new_circuit_needs_no_ramp);
    tcase_add_test(ramps, a_relapse_ends_the_ramp_and_the_next_begins_at_its_foot);
    suite_add_tcase(suite, ramps);
    return suite;
}

int main(void)
{
    return run_suite(ramp_suite());
}
