/* The registry: one circuit per key, a bound, and who must go when it is reached. */
#include "fixture.h"

#include "../siphash_vectors.h"
#include "tracker.h"
#include "siphash.h"

#include <stdio.h>

static trip_circuit numbered(trip_tracker tracker, int number)
{
    char provider[16];
    snprintf(provider, sizeof provider, "p%d", number);
    return circuit_of(tracker, "acme", provider);
}

static trip_status try_numbered(trip_tracker tracker, int number, trip_circuit *out_circuit)
{
    char provider[16];
    int len = snprintf(provider, sizeof provider, "p%d", number);
    return trip_tracker_circuit(tracker, "acme", 4, provider, (size_t)len, out_circuit);
}

static bool lives(trip_circuit circuit)
{
    return trip_circuit_peek(circuit, NULL) != TRIP_E_HANDLE;
}

static trip_tracker bounded(uint32_t max_circuits)
{
    trip_config config = manual_config();
    config.failure_threshold = 2;
    config.initial_open_ns = SECOND;
    config.max_circuits = max_circuits;
    return tracker_with(&config);
}

static void use(trip_circuit circuit)
{
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
}

START_TEST(siphash_agrees_with_another_implementation)
{
    unsigned char text[64];
    for (int i = 0; i < 64; i++)
        text[i] = (unsigned char)i;
    trip_hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908)};
    for (size_t i = 0; i < sizeof siphash_vectors / sizeof *siphash_vectors; i++) {
        trip_hash hash = trip_siphash(&key, text, siphash_vectors[i].length);
        ck_assert_uint_eq(hash.low, siphash_vectors[i].h1);
        ck_assert_uint_eq(hash.high, siphash_vectors[i].h2);
    }
}
END_TEST

START_TEST(the_same_key_is_the_same_circuit_at_any_size)
{
    enum { COUNT = 100000 };
    static trip_circuit made[COUNT];
    trip_tracker tracker = bounded(COUNT);
    for (int i = 0; i < COUNT; i++) {
        made[i] = numbered(tracker, i);
        int before = i / 2;
        ck_assert_uint_eq(numbered(tracker, before), made[before]);
    }
    for (int i = 0; i < COUNT; i++) {
        char expected[16], key[510];
        size_t tenant_len, provider_len;
        int len = snprintf(expected, sizeof expected, "acmep%d", i);
        ck_assert_uint_eq(numbered(tracker, i), made[i]);
        ck_assert_int_eq(trip_circuit_key(made[i], key, sizeof key, &tenant_len, &provider_len), TRIP_OK);
        ck_assert_uint_eq(tenant_len, 4);
        ck_assert_uint_eq(tenant_len + provider_len, (size_t)len);
        ck_assert_mem_eq(key, expected, (size_t)len);
    }
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}
END_TEST

START_TEST(the_registry_finds_without_a_lock_what_it_has)
{
    trip_tracker tracker = bounded(5000);
    for (int i = 0; i < 5000; i++)
        numbered(tracker, i);
    int found = 0;
    for (int i = 0; i < 5000; i++) {
        char provider[16];
        int len = snprintf(provider, sizeof provider, "p%d", i);
        trip_key key;
        trip_key_make(&key, "acme", 4, provider, (size_t)len);
        trip_registry *registry = &trip_tracker_named(tracker)->registry;
        found += trip_registry_find(registry, tracker, &key) == numbered(tracker, i);
    }
    ck_assert_int_ge(found, 4900); /* sets may overflow, but seldom */
}
END_TEST

START_TEST(the_bound_holds_and_the_unused_go_first)
{
    trip_tracker tracker = bounded(4);
    trip_circuit kept[4];
    for (int i = 0; i < 4; i++)
        kept[i] = numbered(tracker, i);
    use(kept[0]);
    use(kept[2]);
    numbered(tracker, 4); /* 0 is marked and spared, 1 goes */
    ck_assert(lives(kept[0]) && !lives(kept[1]) && lives(kept[2]) && lives(kept[3]));
    numbered(tracker, 5); /* 2 is marked and spared, 3 goes */
    ck_assert(lives(kept[0]) && lives(kept[2]) && !lives(kept[3]));
}
END_TEST

START_TEST(a_circuit_with_failures_outlives_a_healthy_one)
{
    trip_tracker tracker = bounded(3);
    trip_circuit failing = numbered(tracker, 0), healthy = numbered(tracker, 1);
    fail_once(failing);
    trip_circuit other = numbered(tracker, 2);
    numbered(tracker, 3); /* the failure marked the first; the healthy one goes */
    ck_assert(lives(failing) && !lives(healthy) && lives(other));
    fail_once(other);
    trip_circuit last = numbered(tracker, 3);
    fail_once(last);
    numbered(tracker, 4); /* nobody is healthy and all are marked: the second round takes one that is not needed */
    ck_assert_int_eq(lives(failing) + lives(other) + lives(last), 2);
}
END_TEST

START_TEST(open_and_probing_circuits_are_never_evicted)
{
    trip_tracker tracker = bounded(2);
    trip_circuit open = numbered(tracker, 0), probing = numbered(tracker, 1), refused = 7;
    fail_once(probing);
    fail_once(probing);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(probing);
    fail_once(open);
    fail_once(open);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(try_numbered(tracker, 2, &refused), TRIP_E_CAPACITY);
    ck_assert_uint_eq(refused, 7);
    ck_assert(lives(open) && lives(probing));

    /* past its deadline an open circuit may go */
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(try_numbered(tracker, 2, &refused), TRIP_OK);
    ck_assert(!lives(open) && lives(probing));
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
}
END_TEST

START_TEST(permits_of_an_evicted_circuit_are_stale_and_reach_nobody)
{
    trip_tracker tracker = bounded(1);
    trip_circuit evicted = numbered(tracker, 0);
    trip_permit late[4];
    for (int i = 0; i < 4; i++)
        late[i] = permit_of(evicted);
    trip_circuit heir = numbered(tracker, 1);
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(evicted, &permit, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_renew(late[0]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_failure(late[0]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_failure(late[1]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_drop(late[2]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_success(late[3]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_success(late[3]), TRIP_E_CONSUMED);
    trip_circuit_info info = info_of(heir);
    ck_assert_uint_eq(info.state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info.failures + info.permits + info.stale + info.drops, 0);
}
END_TEST

START_TEST(a_name_that_was_evicted_begins_anew)
{
    trip_tracker tracker = bounded(1);
    trip_circuit first = numbered(tracker, 0);
    fail_once(first);
    numbered(tracker, 1);
    trip_circuit again = numbered(tracker, 0);
    ck_assert_uint_ne(first, again);
    ck_assert_uint_eq(info_of(again).failures_total, 0);
}
END_TEST

START_TEST(ten_thousand_names_pass_through_a_small_registry)
{
    trip_tracker tracker = bounded(16);
    trip_circuit recent[16];
    for (int i = 0; i < 10000; i++) {
        recent[i % 16] = numbered(tracker, i);
        use(recent[i % 16]);
    }
    int living = 0;
    for (int i = 0; i < 16; i++)
        living += lives(recent[i]);
    ck_assert_int_ge(living, 8);
    ck_assert_uint_eq(trip_tracker_named(tracker)->registry.count, 16);
}
END_TEST

static Suite *registry_suite(void)
{
    Suite *suite = suite_create("registry");
    TCase *keys = tcase_create("keys");
    tcase_set_timeout(keys, 120);
    tcase_add_test(keys, siphash_agrees_with_another_implementation);
    tcase_add_test(keys, the_same_key_is_the_same_circuit_at_any_size);
    tcase_add_test(keys, the_registry_finds_without_a_lock_what_it_has);
    suite_add_tcase(suite, keys);
    TCase *bound = tcase_create("bound");
    tcase_set_timeout(bound, 60);
    tcase_add_test(bound, the_bound_holds_and_the_unused_go_first);
    tcase_add_test(bound, a_circuit_with_failures_outlives_a_healthy_one);
    tcase_add_test(bound, open_and_probing_circuits_are_never_evicted);
    tcase_add_test(bound, permits_of_an_evicted_circuit_are_stale_and_reach_nobody);
    tcase_add_test(bound, a_name_that_was_evicted_begins_anew);
    tcase_add_test(bound, ten_thousand_names_pass_through_a_small_registry);
    suite_add_tcase(suite, bound);
    return suite;
}

int main(void)
{
    return run_suite(registry_suite());
}
