/*
 * The express lane, one call at a time: when it admits, what its permit settles as in every situation, and that all of
 * it is counted. Threads on a lane are lanes.c's.
 */
#include "fixture.h"

#include "handle.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

typedef trip_status (*settler)(trip_permit);

enum { SUCCESS, FAILURE, DROP, CANCEL, SETTLERS };
static const settler settlers[SETTLERS] = {
    [SUCCESS] = trip_permit_record_success,
    [FAILURE] = trip_permit_record_failure,
    [DROP] = trip_permit_drop,
    [CANCEL] = trip_permit_cancel,
};

#define ONE_STAMP (UINT64_C(1) << TRIP_CIRCUIT_SLOT_BITS) /* from one express permit to that of the next millisecond */

static trip_circuit circuit_with_threshold(uint32_t failures)
{
    trip_config config = manual_config();
    config.failure_threshold = failures;
    return circuit_of(tracker_with(&config), "acme", "openai");
}

static trip_status inspect(trip_permit permit, trip_permit_info *out_info)
{
    memset(out_info, 0xAA, sizeof *out_info);
    out_info->struct_size = sizeof *out_info;
    return trip_permit_inspect(permit, out_info);
}

/* Every call with the permit answers the same, and nothing of it reaches the circuit's state. */
static void require_answer(trip_permit permit, trip_status answer)
{
    trip_permit_info info;
    for (int how = 0; how < SETTLERS; how++)
        ck_assert_int_eq(settlers[how](permit), answer);
    ck_assert_int_eq(trip_permit_renew(permit), answer);
    ck_assert_int_eq(inspect(permit, &info), answer);
}

static void require_no_counts(trip_circuit circuit)
{
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info.failures + info.permits + info.successes + info.failures_total + info.drops + info.cancels +
                          info.rejections + info.stale + info.opens,
                      0);
}

/* Open, let the period pass, and close again by a probe. The clock moves no further than it must. */
static void open_and_close(trip_tracker tracker, trip_circuit circuit)
{
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, info_of(circuit).retry_after_ns), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}

/* ---- Where there is a lane --------------------------------------------------------------------------------------- */

START_TEST(a_closed_circuit_has_a_lane)
{
    trip_circuit circuit = circuit_with_threshold(5);
    trip_express lane = lane_of(circuit), again = lane_of(circuit);
    ck_assert_uint_eq(lane.layout, TRIP_EXPRESS_LAYOUT_WORD);
    ck_assert_uint_eq((uintptr_t)lane.word % sizeof(uint64_t), 0);
    ck_assert_uint_ne(lane.mask, 0);
    ck_assert_uint_eq(lane.value & ~lane.admit_mask, 0);
    ck_assert_uint_eq(lane.admit_mask & ~lane.mask, 0);
    ck_assert(lane_admits(&lane));
    ck_assert(lane_is_healthy(&lane));
    ck_assert_mem_eq(&lane, &again, sizeof lane);
    require_no_counts(circuit); /* to ask for a lane is not to ask for a permit */
}
END_TEST

static void require_no_lane(trip_circuit circuit)
{
    trip_express lane = lane_of(circuit);
    ck_assert_uint_eq(lane.mask, 0);
    ck_assert_uint_eq(lane.admit_mask, 0);
    ck_assert_uint_eq(lane.value, 1);
    ck_assert_uint_eq(lane.permit, 0);
    ck_assert(!lane_admits(&lane)); /* whoever does not look at the mask: the word can be read, and never matches */
    ck_assert(!lane_is_healthy(&lane));
}

START_TEST(a_circuit_that_is_open_or_probing_has_none)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    require_no_lane(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    require_no_lane(circuit); /* the period is over, and nobody has asked yet */
    trip_permit probe = permit_of(circuit);
    require_no_lane(circuit);
    ck_assert_int_eq(trip_permit_cancel(probe), TRIP_OK);
    require_no_lane(circuit); /* half-open with no probe out */
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    trip_express lane = lane_of(circuit);
    ck_assert(lane_admits(&lane));
}
END_TEST

START_TEST(a_lane_admits_while_the_circuit_is_closed_and_is_healthy_without_failures)
{
    trip_circuit circuit = circuit_with_threshold(3);
    trip_express before = lane_of(circuit);
    for (int round = 0; round < 3; round++) {
        fail_once(circuit);
        fail_once(circuit);
        trip_express meanwhile = lane_of(circuit);
        ck_assert_mem_eq(&meanwhile, &before, sizeof before); /* the same epoch, so the same lane */
        ck_assert(lane_admits(&before));
        ck_assert(!lane_is_healthy(&before));
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        ck_assert(lane_admits(&before));
        ck_assert(lane_is_healthy(&before));
    }
    for (int failures = 0; failures < 3; failures++) {
        ck_assert(lane_admits(&before));
        fail_once(circuit);
    }
    ck_assert(!lane_admits(&before));
    ck_assert(!lane_is_healthy(&before));
}
END_TEST

/* ---- A permit that is current ------------------------------------------------------------------------------------ */

START_TEST(a_current_permit_settles_any_number_of_calls)
{
    trip_circuit circuit = circuit_with_threshold(1000);
    trip_permit permit = lane_of(circuit).permit;
    for (int i = 0; i < 100; i++)
        for (int how = 0; how < SETTLERS; how++)
            ck_assert_int_eq(settlers[how](permit), TRIP_OK);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, 400);
    ck_assert_uint_eq(info.successes, 100);
    ck_assert_uint_eq(info.failures_total, 100);
    ck_assert_uint_eq(info.drops, 100);
    ck_assert_uint_eq(info.cancels, 100);
    ck_assert_uint_eq(info.stale + info.opens + info.rejections, 0);
    ck_assert_uint_eq(info.failures, 2); /* a failure and a drop since the last success */
}
END_TEST

START_TEST(a_current_permit_is_no_probe_and_needs_no_renewal)
{
    trip_circuit circuit = circuit_with_threshold(5);
    trip_permit permit = lane_of(circuit).permit;
    trip_permit_info info;
    ck_assert_int_eq(trip_permit_renew(permit), TRIP_OK);
    ck_assert_int_eq(inspect(permit, &info), TRIP_OK);
    ck_assert_uint_eq(info.is_probe, 0);
    ck_assert_uint_eq(info.lease_left_ns, 0);
    fail_once(circuit); /* it is current still */
    ck_assert_int_eq(trip_permit_renew(permit), TRIP_OK);
    ck_assert_int_eq(inspect(permit, &info), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).permits, 1);
}
END_TEST

START_TEST(a_success_after_failures_resets_their_count)
{
    trip_circuit circuit = circuit_with_threshold(3);
    trip_express lane = lane_of(circuit);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(trip_permit_record_failure(lane.permit), TRIP_OK);
        ck_assert_int_eq(trip_permit_record_failure(lane.permit), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit).failures, 2);
        ck_assert(!lane_is_healthy(&lane)); /* this success has something to tell */
        ck_assert_int_eq(trip_permit_record_success(lane.permit), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit).failures, 0);
        ck_assert(lane_is_healthy(&lane));
    }
    ck_assert_uint_eq(info_of(circuit).successes, 10);
}
END_TEST

START_TEST(failures_open_at_exactly_the_threshold)
{
    uint32_t threshold = (uint32_t)_i;
    trip_circuit circuit = circuit_with_threshold(threshold);
    trip_express lane = lane_of(circuit);
    for (uint32_t failures = 1; failures <= threshold; failures++) {
        ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
        if (failures % 3 == 0)
            fail_once(circuit); /* ordinary ones count with them */
        else
            ck_assert_int_eq(trip_permit_record_failure(lane.permit), TRIP_OK);
    }
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(info.failures_total, threshold);
    ck_assert_uint_eq(info.permits, threshold);
    trip_permit refused;
    ck_assert_int_eq(trip_circuit_permit(circuit, &refused, NULL), TRIP_REJECTED_OPEN);
}
END_TEST

START_TEST(a_drop_counts_as_on_drop_says)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.on_drop = (uint32_t)_i;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    ck_assert_int_eq(trip_permit_drop(lane_of(circuit).permit), TRIP_OK);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, _i == TRIP_DROP_FAILURE ? TRIP_STATE_OPEN : TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info.opens, _i == TRIP_DROP_FAILURE);
    ck_assert_uint_eq(info.permits, 1);
    ck_assert_uint_eq(info.drops, 1);
    ck_assert_uint_eq(info.failures_total, 0);
}
END_TEST

/* ---- A permit that was current once ------------------------------------------------------------------------------ */

START_TEST(a_permit_is_stale_once_the_circuit_has_opened_and_is_counted_all_the_same)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_express lane = lane_of(circuit);
    ck_assert_int_eq(trip_permit_record_failure(lane.permit), TRIP_OK);
    trip_circuit_info opened = info_of(circuit);
    require_answer(lane.permit, TRIP_STALE);
    trip_circuit_info info = info_of(circuit);
    ck_assert(!lane_admits(&lane));
    ck_assert_uint_eq(info.epoch, opened.epoch);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(info.stale, 4); /* the settlements; to look and to renew settles nothing */
    ck_assert_uint_eq(info.successes, 1);
    ck_assert_uint_eq(info.failures_total, 2);
    ck_assert_uint_eq(info.drops, 1);
    ck_assert_uint_eq(info.cancels, 1);
    ck_assert_uint_eq(info.permits, 5);
}
END_TEST

START_TEST(a_permit_does_not_speak_for_a_probe)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit before = lane_of(circuit).permit;
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    require_answer(before, TRIP_STALE);
    ck_assert_uint_eq(info_of(circuit).probes_out, 1);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
    require_answer(before, TRIP_STALE);
    ck_assert_uint_eq(info_of(circuit).failures, 0);
}
END_TEST

START_TEST(what_a_lane_told_is_dead_for_ever_once_the_circuit_has_opened)
{
    enum { LIVES = 100 };
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = 1; /* the clock hardly moves: many epochs within one millisecond */
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_express lanes[LIVES];
    for (int life = 0; life < LIVES; life++) {
        lanes[life] = lane_of(circuit);
        ck_assert(lane_admits(&lanes[life]));
        ck_assert_ptr_eq(lanes[life].word, lanes[0].word);
        for (int earlier = 0; earlier < life; earlier++) {
            ck_assert(!lane_admits(&lanes[earlier]));
            ck_assert_int_eq(trip_permit_renew(lanes[earlier].permit), TRIP_STALE);
            ck_assert_int_eq(trip_permit_record_failure(lanes[earlier].permit), TRIP_STALE);
        }
        ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
        open_and_close(tracker, circuit);
    }
    ck_assert_uint_eq(info_of(circuit).stale, LIVES * (LIVES - 1) / 2);
}
END_TEST

/* Fill a tracker of one circuit with another. */
static trip_circuit evict(trip_tracker tracker, uint32_t number)
{
    trip_circuit successor;
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, (char *)&number, sizeof number, &successor), TRIP_OK);
    return successor;
}

START_TEST(the_permit_of_an_evicted_circuit_is_stale_and_reaches_no_successor)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_express first = lane_of(circuit);
    ck_assert_int_eq(trip_permit_record_success(first.permit), TRIP_OK);
    bool place_used_again = false;
    for (uint32_t i = 0; i < 20; i++) {
        trip_circuit successor = evict(tracker, i);
        ck_assert(!lane_admits(&first));
        require_answer(first.permit, TRIP_STALE);
        trip_express lane = lane_of(successor);
        place_used_again |= lane.word == first.word;
        require_no_counts(successor);
        ck_assert(lane_admits(&lane));
        ck_assert_int_eq(trip_circuit_count(circuit, 1, 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_circuit_express(circuit, &lane), TRIP_E_HANDLE);
    }
    ck_assert(place_used_again);
}
END_TEST

START_TEST(the_permit_of_a_destroyed_tracker_is_no_handle_and_reaches_no_successor)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_express lane = lane_of(circuit);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert(!lane_admits(&lane));
    require_answer(lane.permit, TRIP_E_HANDLE);
    bool place_used_again = false;
    for (int i = 0; i < 20; i++) {
        trip_tracker next = fragile_tracker();
        trip_circuit successor = circuit_of(next, "acme", "openai");
        place_used_again |= lane_of(successor).word == lane.word;
        ck_assert(!lane_admits(&lane));
        for (int how = 0; how < SETTLERS; how++)
            ck_assert_int_ne(settlers[how](lane.permit), TRIP_OK);
        require_no_counts(successor);
        ck_assert_int_eq(trip_tracker_destroy(next), TRIP_OK);
    }
    ck_assert(place_used_again);
}
END_TEST

/* ---- What was never told ----------------------------------------------------------------------------------------- */

START_TEST(a_permit_that_was_never_told_is_no_handle)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit permit = lane_of(circuit).permit;
    static const uint64_t ahead[] = {1, 2, 1000, 86400000, UINT64_C(1) << 35}; /* ms: up to a year */
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++)
        require_answer(permit + ahead[i] * ONE_STAMP, TRIP_E_HANDLE);
    for (uint32_t slot = 1; slot < 1u << TRIP_CIRCUIT_SLOT_BITS; slot = slot * 2 + 1)
        require_answer(permit + slot, TRIP_E_HANDLE); /* places that nobody has lived in */
    require_no_counts(circuit);
    open_and_close(tracker, circuit);
    ck_assert_int_eq(trip_permit_renew(lane_of(circuit).permit + ONE_STAMP), TRIP_E_HANDLE);
}
END_TEST

START_TEST(an_express_permit_is_neither_circuit_nor_tracker)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai"), out;
    trip_permit permit = lane_of(circuit).permit, granted;
    trip_express lane = lane_of(circuit);
    ck_assert_int_eq(trip_tracker_destroy(permit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_circuit(permit, "a", 1, "b", 1, &out), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_permit(permit, &granted, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_count(permit, 1, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_express(permit, &lane), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_express(tracker, &lane), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_express(0, &lane), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_count(tracker, 1, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_count(permit_of(circuit), 1, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_count(0, 1, 1), TRIP_E_HANDLE);
}
END_TEST

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

static void require_count(trip_circuit circuit, uint64_t permits, uint64_t successes)
{
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, permits);
    ck_assert_uint_eq(info.successes, successes);
}

START_TEST(counts_may_be_handed_in_apart_and_in_any_order)
{
    trip_circuit circuit = circuit_with_threshold(5);
    ck_assert_int_eq(trip_circuit_count(circuit, 0, 0), TRIP_OK);
    require_no_counts(circuit);
    ck_assert_int_eq(trip_circuit_count(circuit, 7, 0), TRIP_OK);
    require_count(circuit, 7, 0); /* seven are out */
    ck_assert_int_eq(trip_circuit_count(circuit, 0, 3), TRIP_OK);
    require_count(circuit, 7, 3);
    ck_assert_int_eq(trip_circuit_count(circuit, 0, 4), TRIP_OK);
    ck_assert_int_eq(trip_circuit_count(circuit, 0, 10), TRIP_OK); /* of another thread that has not told its permits */
    ck_assert_int_eq(trip_circuit_count(circuit, 10, 0), TRIP_OK);
    require_count(circuit, 17, 17);
    trip_permit out = permit_of(circuit);
    ck_assert_int_eq(trip_circuit_count(circuit, 2, 1), TRIP_OK);
    require_count(circuit, 20, 18);
    ck_assert_int_eq(trip_permit_record_success(out), TRIP_OK);
    require_count(circuit, 20, 19);
}
END_TEST

START_TEST(counts_may_be_huge)
{
    const uint64_t huge = UINT64_C(1) << 44;
    trip_circuit circuit = circuit_with_threshold(5);
    ck_assert_int_eq(trip_circuit_count(circuit, huge, huge), TRIP_OK);
    ck_assert_int_eq(trip_circuit_count(circuit, huge, 0), TRIP_OK);
    fail_once(circuit);
    require_count(circuit, 2 * huge + 1, huge);
    ck_assert_int_eq(trip_circuit_count(circuit, 0, huge), TRIP_OK);
    ck_assert_int_eq(trip_circuit_count(circuit, huge, huge - 1), TRIP_OK);
    require_count(circuit, 3 * huge + 1, 3 * huge - 1);
    ck_assert_uint_eq(info_of(circuit).failures_total, 1);
}
END_TEST

START_TEST(counts_are_taken_whatever_has_become_of_the_circuit_and_change_nothing)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_circuit_count(circuit, 5, 5), TRIP_OK); /* calls that ended before it opened */
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info.stale, 0);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    ck_assert_int_eq(trip_circuit_count(circuit, 5, 5), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).probes_out, 1);
    ck_assert_int_eq(trip_permit_cancel(probe), TRIP_OK);
    require_count(circuit, 12, 10);

    trip_circuit failing = circuit_with_threshold(5);
    fail_once(failing);
    ck_assert_int_eq(trip_circuit_count(failing, 5, 5), TRIP_OK);
    ck_assert_uint_eq(info_of(failing).failures, 1); /* when they ended nobody knows: they reset nothing */
}
END_TEST

/* What a program may do with a closed circuit, at random, and what it must find counted. */
typedef struct ledger {
    trip_circuit circuit;
    trip_express lane;
    uint64_t permits, settled[SETTLERS];
    trip_permit out[64];
    uint64_t admitted; /* by the lane, and not settled yet */
    uint64_t told_permits, told_successes;
} ledger;

static void admit_somehow(ledger *l, uint64_t random)
{
    trip_permit *place = &l->out[random / 8 % 64];
    if (lane_admits(&l->lane) && random % 2 == 0) {
        l->admitted++;
        l->told_permits++;
        l->permits++;
    } else if (*place == 0) {
        *place = permit_of(l->circuit);
        l->permits++;
    }
}

static void settle_somehow(ledger *l, uint64_t random)
{
    trip_permit *place = &l->out[random / 8 % 64];
    int how = (int)(random / 512 % SETTLERS);
    if (*place != 0) {
        ck_assert_int_eq(settlers[how](*place), TRIP_OK);
        *place = 0;
    } else if (l->admitted == 0) {
        return;
    } else if (how == SUCCESS && lane_is_healthy(&l->lane)) {
        l->admitted--;
        l->told_successes++;
    } else {
        l->admitted--;
        l->told_permits--; /* it counts its own permit */
        ck_assert_int_eq(settlers[how](l->lane.permit), TRIP_OK);
    }
    l->settled[how]++;
}

START_TEST(lane_and_permits_together_are_counted_exactly)
{
    ledger l = {.circuit = circuit_with_threshold(8388607)};
    l.lane = lane_of(l.circuit);
    uint64_t state = 20251;
    for (int i = 0; i < 200000; i++) {
        uint64_t random = draw(&state);
        random / 2 % 4 < 2 ? admit_somehow(&l, random) : settle_somehow(&l, random);
        if (i % 1000 != 0)
            continue;
        ck_assert_int_eq(trip_circuit_count(l.circuit, l.told_permits, 0), TRIP_OK);
        ck_assert_int_eq(trip_circuit_count(l.circuit, 0, l.told_successes), TRIP_OK);
        l.told_permits = l.told_successes = 0;
        trip_circuit_info info = info_of(l.circuit);
        ck_assert_uint_eq(info.permits, l.permits);
        ck_assert_uint_eq(info.successes, l.settled[SUCCESS]);
        ck_assert_uint_eq(info.failures_total, l.settled[FAILURE]);
        ck_assert_uint_eq(info.drops, l.settled[DROP]);
        ck_assert_uint_eq(info.cancels, l.settled[CANCEL]);
        ck_assert_uint_eq(info.stale + info.opens + info.rejections, 0);
    }
}
END_TEST

/* ---- The process ------------------------------------------------------------------------------------------------- */

/* In a child: whether its copy of the circuit opens, and stays its own. */
static bool goes_its_own_way(trip_circuit circuit, const trip_express *lane)
{
    trip_permit refused;
    return lane_admits(lane) && trip_permit_record_success(lane->permit) == TRIP_OK &&
           trip_circuit_count(circuit, 1, 1) == TRIP_OK && trip_permit_record_failure(lane->permit) == TRIP_OK &&
           !lane_admits(lane) && trip_permit_cancel(lane->permit) == TRIP_STALE &&
           trip_circuit_permit(circuit, &refused, NULL) == TRIP_REJECTED_OPEN;
}

START_TEST(the_child_of_a_fork_has_a_lane_of_its_own)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_express lane = lane_of(circuit);
    pid_t child = fork();
    if (child == 0)
        _exit(goes_its_own_way(circuit, &lane) ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(lane_admits(&lane));
    require_no_counts(circuit);
}
END_TEST

START_TEST(errno_is_preserved)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    errno = EDOM;
    trip_permit permit = lane_of(circuit).permit;
    for (int how = 0; how < SETTLERS; how++)
        settlers[how](permit);
    trip_permit_renew(permit);
    trip_circuit_count(circuit, 1, 1);
    trip_circuit_count(0, 1, 1);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

static Suite *express_suite(void)
{
    Suite *suite = suite_create("express");
    TCase *lanes = tcase_create("lanes");
    tcase_add_test(lanes, a_closed_circuit_has_a_lane);
    tcase_add_test(lanes, a_circuit_that_is_open_or_probing_has_none);
    tcase_add_test(lanes, a_lane_admits_while_the_circuit_is_closed_and_is_healthy_without_failures);
    suite_add_tcase(suite, lanes);
    TCase *current = tcase_create("current");
    tcase_add_test(current, a_current_permit_settles_any_number_of_calls);
    tcase_add_test(current, a_current_permit_is_no_probe_and_needs_no_renewal);
    tcase_add_test(current, a_success_after_failures_resets_their_count);
    tcase_add_loop_test(current, failures_open_at_exactly_the_threshold, 1, 12);
    tcase_add_loop_test(current, a_drop_counts_as_on_drop_says, TRIP_DROP_FAILURE, TRIP_DROP_CANCEL + 1);
    suite_add_tcase(suite, current);
    TCase *stale = tcase_create("stale");
    tcase_add_test(stale, a_permit_is_stale_once_the_circuit_has_opened_and_is_counted_all_the_same);
    tcase_add_test(stale, a_permit_does_not_speak_for_a_probe);
    tcase_add_test(stale, what_a_lane_told_is_dead_for_ever_once_the_circuit_has_opened);
    tcase_add_test(stale, the_permit_of_an_evicted_circuit_is_stale_and_reaches_no_successor);
    tcase_add_test(stale, the_permit_of_a_destroyed_tracker_is_no_handle_and_reaches_no_successor);
    suite_add_tcase(suite, stale);
    TCase *never = tcase_create("never told");
    tcase_add_test(never, a_permit_that_was_never_told_is_no_handle);
    tcase_add_test(never, an_express_permit_is_neither_circuit_nor_tracker);
    suite_add_tcase(suite, never);
    TCase *counting = tcase_create("counting");
    tcase_set_timeout(counting, 120);
    tcase_add_test(counting, counts_may_be_handed_in_apart_and_in_any_order);
    tcase_add_test(counting, counts_may_be_huge);
    tcase_add_test(counting, counts_are_taken_whatever_has_become_of_the_circuit_and_change_nothing);
    tcase_add_test(counting, lane_and_permits_together_are_counted_exactly);
    suite_add_tcase(suite, counting);
    TCase *process = tcase_create("process");
    tcase_add_test(process, the_child_of_a_fork_has_a_lane_of_its_own);
    tcase_add_test(process, errno_is_preserved);
    suite_add_tcase(suite, process);
    return suite;
}

int main(void)
{
    return run_suite(express_suite());
}
