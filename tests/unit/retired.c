/*
 * A slot whose generations are used up is retired and never used again, from a start near the end: of permits however
 * they are settled, of circuits and of trackers. To grow that old takes them a seam each, which knows how a free slot
 * keeps its generation; all else is public calls.
 */
#include "fixture.h"

#include "circuit.h"
#include "tracker.h"

#include <pthread.h>

#define LAST(slot_bits) (trip_handle_generations(slot_bits) - 1) /* that a handle can carry */

enum { LIVES = 3 }; /* that the slots here have before them */

/* ---- The seams --------------------------------------------------------------------------------------------------- */

/* A free slot of this thread's or a spare, as if it had been granted and settled until now. */
static void age_permit_slot(uint32_t number, uint64_t generation)
{
    trip_permit_slot *slot = trip_permit_slot_at(number);
    uint64_t aged = generation << TRIP_PERMIT_SLOT_BITS | number;
    trip_magazine *magazine = trip_magazine_mine();
    for (int i = 0; i < TRIP_OWN_SLOTS; i++)
        if (atomic_load(&magazine->own[i].slot) == slot)
            magazine->own[i].free = aged;
    atomic_store(&slot->word, (atomic_load(&slot->word) & TRIP_PERMIT_SPARE) | aged);
}

static void age_circuit_slot(uint32_t number, uint64_t generation)
{
    atomic_store(&trip_record_at(number)->life, generation << 1);
}

static void age_tracker_slot(trip_tracker gone, uint64_t generation)
{
    atomic_store(&trip_tracker_named(gone)->life, generation << 1);
}

/* ---- Permits ----------------------------------------------------------------------------------------------------- */

static uint32_t slot_of(trip_permit permit)
{
    return trip_handle_slot(permit, TRIP_PERMIT_SLOT_BITS);
}

static uint64_t generation_of(trip_permit permit)
{
    return trip_handle_generation(permit, TRIP_PERMIT_SLOT_BITS);
}

/* A permit whose slot has no generation left after it. This thread has settled whatever it was granted before. */
static trip_permit last_permit(trip_circuit circuit)
{
    trip_permit permit = permit_of(circuit);
    uint32_t slot = slot_of(permit);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    age_permit_slot(slot, LAST(TRIP_PERMIT_SLOT_BITS));
    while (slot_of(permit = permit_of(circuit)) != slot)
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    ck_assert_uint_eq(generation_of(permit), LAST(TRIP_PERMIT_SLOT_BITS));
    return permit;
}

/* Every place can be taken but the one; each permit is settled once. */
static void require_all_places_but(uint32_t retired, trip_circuit circuit)
{
    uint64_t before = info_of(circuit).successes;
    trip_permit *out = calloc(TRIP_PERMITS_MAX, sizeof *out);
    ck_assert_ptr_nonnull(out);
    uint32_t count = 0;
    while (trip_circuit_permit(circuit, &out[count], NULL) == TRIP_OK) {
        ck_assert_uint_ne(slot_of(out[count]), retired);
        count++;
    }
    ck_assert_uint_eq(count, TRIP_PERMITS_MAX - 1);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(trip_permit_record_success(out[i]), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(out[0]), TRIP_E_CONSUMED);
    ck_assert_uint_eq(info_of(circuit).successes - before, count);
    free(out);
}

START_TEST(a_permit_slot_is_granted_to_its_last_generation_and_no_further)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit first = permit_of(circuit);
    uint32_t slot = slot_of(first);
    ck_assert_int_eq(trip_permit_record_success(first), TRIP_OK);
    uint64_t next = LAST(TRIP_PERMIT_SLOT_BITS) + 1 - LIVES;
    age_permit_slot(slot, next);
    for (int i = 0; i < 1000; i++) {
        trip_permit permit = permit_of(circuit);
        if (slot_of(permit) == slot)
            ck_assert_uint_eq(generation_of(permit), next++);
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_E_CONSUMED);
    }
    ck_assert_uint_eq(next, LAST(TRIP_PERMIT_SLOT_BITS) + 1);
    ck_assert_int_eq(trip_permit_record_success(first), TRIP_E_CONSUMED);
    ck_assert_uint_eq(info_of(circuit).successes, 1001); /* what the retired slot counted is not lost */
    require_all_places_but(slot, circuit);
}
END_TEST

static trip_status (*const settlers[])(trip_permit) = {trip_permit_record_success, trip_permit_record_failure,
                                                       trip_permit_drop, trip_permit_cancel};

START_TEST(a_permit_slot_is_retired_however_its_last_permit_is_settled)
{
    trip_circuit circuit = circuit_of(tracker_with(NULL), "acme", "openai");
    trip_permit last = last_permit(circuit);
    ck_assert_int_eq(settlers[_i](last), TRIP_OK);
    ck_assert_int_eq(settlers[_i](last), TRIP_E_CONSUMED);
    require_all_places_but(slot_of(last), circuit);
    ck_assert_int_eq(settlers[_i](last), TRIP_E_CONSUMED);
}
END_TEST

static void *settle_elsewhere(void *argument)
{
    trip_permit *permit = argument;
    ck_assert_int_eq(trip_permit_record_success(*permit), TRIP_OK);
    return NULL;
}

START_TEST(a_permit_slot_is_retired_on_whatever_thread_its_last_permit_is_settled)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit last = last_permit(circuit);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, settle_elsewhere, &last), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    require_all_places_but(slot_of(last), circuit);
    ck_assert_int_eq(trip_permit_record_success(last), TRIP_E_CONSUMED);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, info.successes);
}
END_TEST

START_TEST(a_permit_slot_is_retired_when_its_last_permit_is_taken_back)
{
    trip_tracker tracker = fragile_tracker();
    trip_permit last = last_permit(circuit_of(tracker, "acme", "openai"));
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK); /* nobody settles it, and places become scarce */
    require_all_places_but(slot_of(last), circuit_of(fragile_tracker(), "acme", "openai"));
    ck_assert_int_eq(trip_permit_record_success(last), TRIP_E_CONSUMED);
}
END_TEST

/* Open the circuit, let it probe, and give the probe back: the slot of probes is a spare. */
static trip_permit probe(trip_tracker tracker, trip_circuit circuit)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, UINT64_C(400000000000)), TRIP_OK);
    trip_permit permit = permit_of(circuit);
    ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
    return permit;
}

START_TEST(a_permit_slot_of_probes_is_granted_to_its_last_generation_and_no_further)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    while (trip_circuit_peek(circuit, NULL) == TRIP_OK)
        trip_permit_record_failure(permit_of(circuit));
    trip_permit first = probe(tracker, circuit);
    age_permit_slot(slot_of(first), LAST(TRIP_PERMIT_SLOT_BITS) + 1 - LIVES);
    for (int left = LIVES; left > 0; left--)
        ck_assert_uint_eq(slot_of(probe(tracker, circuit)), slot_of(first));
    for (int i = 0; i < 100; i++)
        ck_assert_uint_ne(slot_of(probe(tracker, circuit)), slot_of(first));
    ck_assert_int_eq(trip_permit_cancel(first), TRIP_E_CONSUMED);
    ck_assert_uint_eq(info_of(circuit).cancels, 1 + LIVES + 100);
}
END_TEST

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

START_TEST(a_circuit_slot_lives_to_its_last_generation_and_no_further)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    uint32_t slot = trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    uint64_t next = LAST(TRIP_CIRCUIT_SLOT_BITS) + 1 - LIVES;
    age_circuit_slot(slot, next);

    tracker = tracker_with(&config);
    trip_express lane = {.struct_size = sizeof lane};
    for (uint32_t name = 0; name < 1000; name++) { /* each evicts the one before */
        ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, (char *)&name, sizeof name, &circuit), TRIP_OK);
        if (trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS) == slot) {
            ck_assert_uint_eq(trip_handle_generation(circuit, TRIP_CIRCUIT_SLOT_BITS), next++);
            lane = lane_of(circuit);
            ck_assert(lane_admits(&lane));
        }
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit).permits, 1);
    }
    ck_assert_uint_eq(next, LAST(TRIP_CIRCUIT_SLOT_BITS) + 1);
    ck_assert(!lane_admits(&lane)); /* nor does anybody drive where it was */
    ck_assert_int_eq(trip_permit_record_failure(lane.permit), TRIP_STALE);
}
END_TEST

/* ---- Trackers ---------------------------------------------------------------------------------------------------- */

START_TEST(a_tracker_slot_lives_to_its_last_generation_and_no_further)
{
    trip_tracker tracker = fragile_tracker();
    uint32_t slot = trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    uint64_t next = LAST(TRIP_TRACKER_SLOT_BITS) + 1 - LIVES;
    age_tracker_slot(tracker, next);
    for (int i = 0; i < 1000; i++) {
        tracker = fragile_tracker();
        if (trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS) == slot)
            ck_assert_uint_eq(trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS), next++);
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        fail_once(circuit);
        ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_E_HANDLE);
    }
    ck_assert_uint_eq(next, LAST(TRIP_TRACKER_SLOT_BITS) + 1);
}
END_TEST

static Suite *retired_suite(void)
{
    Suite *suite = suite_create("retired");
    TCase *permits = tcase_create("permits");
    tcase_set_timeout(permits, 300);
    tcase_add_test(permits, a_permit_slot_is_granted_to_its_last_generation_and_no_further);
    tcase_add_test(permits, a_permit_slot_of_probes_is_granted_to_its_last_generation_and_no_further);
    tcase_add_loop_test(permits, a_permit_slot_is_retired_however_its_last_permit_is_settled, 0,
                        (int)(sizeof settlers / sizeof *settlers));
    tcase_add_test(permits, a_permit_slot_is_retired_on_whatever_thread_its_last_permit_is_settled);
    tcase_add_test(permits, a_permit_slot_is_retired_when_its_last_permit_is_taken_back);
    suite_add_tcase(suite, permits);
    TCase *others = tcase_create("circuits and trackers");
    tcase_set_timeout(others, 120);
    tcase_add_test(others, a_circuit_slot_lives_to_its_last_generation_and_no_further);
    tcase_add_test(others, a_tracker_slot_lives_to_its_last_generation_and_no_further);
    suite_add_tcase(suite, others);
    return suite;
}

int main(void)
{
    return run_suite(retired_suite());
}
