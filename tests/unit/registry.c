/* The registry: one circuit per key, a bound, and who must go when it is reached. */
#include "fixture.h"

#include "../siphash_vectors.h"
#include "tracker.h"
#include "siphash.h"

#include <pthread.h>
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

/* ---- The hash ---------------------------------------------------------------------------------------------------- */

static void slow_rounds(uint64_t v[4], int rounds)
{
#define ROTATED(x, by) ((x) << (by) | (x) >> (64 - (by)))
    while (rounds-- > 0) {
        v[0] += v[1], v[1] = ROTATED(v[1], 13) ^ v[0], v[0] = ROTATED(v[0], 32);
        v[2] += v[3], v[3] = ROTATED(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = ROTATED(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = ROTATED(v[1], 17) ^ v[2], v[2] = ROTATED(v[2], 32);
    }
#undef ROTATED
}

/* SipHash-1-3 of a whole message, 128 bits, byte by byte as its authors describe it. */
static trip_hash slow_siphash(const trip_hash_key *key, const unsigned char *message, size_t len)
{
    uint64_t v[4] = {key->k0 ^ UINT64_C(0x736F6D6570736575), key->k1 ^ UINT64_C(0x646F72616E646F6D) ^ 0xEE,
                     key->k0 ^ UINT64_C(0x6C7967656E657261), key->k1 ^ UINT64_C(0x7465646279746573)};
    for (size_t at = 0; at <= len; at += 8) {
        uint64_t block = len - at < 8 ? (uint64_t)len << 56 : 0;
        for (size_t i = 0; i < 8 && at + i < len; i++)
            block |= (uint64_t)message[at + i] << 8 * i;
        v[3] ^= block;
        slow_rounds(v, 1);
        v[0] ^= block;
    }
    trip_hash hash;
    v[2] ^= 0xEE;
    slow_rounds(v, 3);
    hash.low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xDD;
    slow_rounds(v, 3);
    hash.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    return hash;
}

START_TEST(the_siphash_of_these_tests_agrees_with_another_implementation)
{
    unsigned char text[64];
    for (int i = 0; i < 64; i++)
        text[i] = (unsigned char)i;
    trip_hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908)};
    for (size_t i = 0; i < sizeof siphash_vectors / sizeof *siphash_vectors; i++) {
        trip_hash hash = slow_siphash(&key, text, siphash_vectors[i].length);
        ck_assert_uint_eq(hash.low, siphash_vectors[i].h1);
        ck_assert_uint_eq(hash.high, siphash_vectors[i].h2);
    }
}
END_TEST

/* Copies the text to where memory ends, so that a sanitizer sees who reads beyond it. */
static char *exactly(const char *text, size_t len)
{
    char *copy = len == 0 ? NULL : malloc(len);
    return len == 0 ? NULL : memcpy(copy, text, len);
}

START_TEST(a_message_of_any_length_is_hashed_as_its_authors_say)
{
    char text[600];
    trip_hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908)};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t len = 0; len <= sizeof text; len++) {
        char *message = exactly(text, len);
        trip_hash expected = slow_siphash(&key, (const unsigned char *)text, len);
        trip_hash hash = trip_siphash_of(&key, message, len);
        ck_assert_uint_eq(hash.low, expected.low);
        ck_assert_uint_eq(hash.high, expected.high);
        free(message);
    }
}
END_TEST

static trip_hash slow_hash_of_two(const trip_hash_key *key, const char *first, size_t first_len, const char *second,
                                  size_t second_len)
{
    unsigned char message[2 * 256 + 2] = {0};
    size_t padded = (first_len + 7) / 8 * 8, both = padded + (second_len + 7) / 8 * 8;
    memcpy(message, first, first_len);
    memcpy(message + padded, second, second_len);
    message[both] = (unsigned char)first_len;
    message[both + 1] = (unsigned char)second_len;
    return slow_siphash(key, message, both + 2);
}

START_TEST(two_texts_are_hashed_as_one_message)
{
    static const size_t lens[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 24, 31, 33, 248, 249, 254, 255};
    const trip_hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908)};
    char text[256];
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)draw(&state); /* bytes above 127 too */
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (size_t j = 0; j < sizeof lens / sizeof *lens; j++) {
            char *first = exactly(text, lens[i]), *second = exactly(text + 1, lens[j]);
            trip_hash expected = slow_hash_of_two(&key, text, lens[i], text + 1, lens[j]);
            trip_hash hash = trip_siphash(&key, first, lens[i], second, lens[j]);
            ck_assert_uint_eq(hash.low, expected.low);
            ck_assert_uint_eq(hash.high, expected.high);
            free(first);
            free(second);
        }
    }
}
END_TEST

START_TEST(pairs_with_the_same_bytes_have_hashes_of_their_own)
{
    static const char text[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const trip_hash_key key = {1, 2};
    static uint64_t seen[21 * 21];
    int count = 0;
    for (size_t i = 0; i <= 20; i++) {
        for (size_t j = 0; j <= 20; j++) {
            uint64_t low = trip_siphash(&key, text, i, text, j).low;
            for (int k = 0; k < count; k++)
                ck_assert_uint_ne(seen[k], low);
            seen[count++] = low;
        }
    }
}
END_TEST

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

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

/* The circuit of "p<number>" as it is found without a lock; 0: it is not. */
static trip_circuit found_without_a_lock(trip_tracker tracker, int number)
{
    char provider[16];
    int len = snprintf(provider, sizeof provider, "p%d", number);
    return trip_registry_find(&trip_tracker_named(tracker)->registry, tracker,
                              trip_key_hash("acme", 4, provider, (size_t)len));
}

START_TEST(the_registry_finds_without_a_lock_what_it_has)
{
    trip_tracker tracker = bounded(5000), other = bounded(5000);
    for (int i = 0; i < 5000; i++)
        numbered(tracker, i);
    numbered(other, 5000);
    int found = 0;
    for (int i = 0; i < 5000; i++) {
        found += found_without_a_lock(tracker, i) == numbered(tracker, i);
        ck_assert_uint_eq(found_without_a_lock(other, i), 0);
    }
    ck_assert_int_ge(found, 4900); /* sets may overflow, but seldom */
}
END_TEST

/* Numbers whose keys are in one set of every table of up to 64 sets. */
static void draw_crowd(int *out_numbers, int count)
{
    char provider[16];
    for (int number = 0, i = 0; i < count; number++) {
        int len = snprintf(provider, sizeof provider, "p%d", number);
        if (trip_key_hash("acme", 4, provider, (size_t)len).low % 64 == 5)
            out_numbers[i++] = number;
    }
}

enum { CROWD = 300, ROOM = 16 }; /* tables have 64 sets when they have so many circuits */

static int count_listed(trip_tracker tracker, const int *numbers, const trip_circuit *made)
{
    int listed = 0;
    for (int i = 0; i < CROWD; i++) {
        trip_circuit found = found_without_a_lock(tracker, numbers[i]);
        ck_assert(found == 0 || found == made[i]);
        listed += found != 0;
    }
    return listed;
}

START_TEST(circuits_that_a_full_set_has_no_room_for_are_found_all_the_same)
{
    trip_tracker tracker = bounded(CROWD);
    int numbers[2 * CROWD];
    trip_circuit made[CROWD];
    draw_crowd(numbers, 2 * CROWD);
    for (int i = 0; i < CROWD; i++) {
        made[i] = numbered(tracker, numbers[i]);
        for (int before = 0; before <= i; before += 1 + i / 8)
            ck_assert_uint_eq(numbered(tracker, numbers[before]), made[before]);
    }
    ck_assert_int_eq(count_listed(tracker, numbers, made), ROOM);
    ck_assert_uint_eq(trip_tracker_named(tracker)->registry.count, CROWD);
    for (int i = 0; i < CROWD; i++) { /* each newcomer takes the place of one */
        trip_circuit newcomer = numbered(tracker, numbers[CROWD + i]);
        ck_assert_uint_eq(numbered(tracker, numbers[CROWD + i]), newcomer);
        ck_assert(!lives(made[i]));
        if (i + 1 < CROWD)
            ck_assert_uint_eq(numbered(tracker, numbers[CROWD - 1]), made[CROWD - 1]);
    }
    ck_assert_uint_eq(trip_tracker_named(tracker)->registry.count, CROWD);
}
END_TEST

/* Numbers whose names go round the eight sets of a small table. */
static void draw_round(int *out_numbers, int count)
{
    for (int number = 1000000, i = 0; i < count; number++) {
        char provider[16];
        int len = snprintf(provider, sizeof provider, "p%d", number);
        if (trip_key_hash("acme", 4, provider, (size_t)len).low % 8 == (uint64_t)i % 8)
            out_numbers[i++] = number;
    }
}

START_TEST(a_set_that_overflowed_is_whole_again_when_the_crowd_has_left)
{
    trip_tracker tracker = bounded(64); /* tables of eight sets */
    int numbers[64], others[640];
    draw_crowd(numbers, 64);
    for (int i = 0; i < 64; i++)
        numbered(tracker, numbers[i]);
    draw_round(others, 640);
    for (int i = 0; i < 640; i++)
        numbered(tracker, others[i]);
    for (int i = 576; i < 640; i++) {
        trip_circuit found = found_without_a_lock(tracker, others[i]);
        ck_assert_uint_eq(found, numbered(tracker, others[i]));
    }
    for (int i = 0; i < 10; i++) {
        trip_circuit again = numbered(tracker, numbers[i]);
        ck_assert_uint_eq(found_without_a_lock(tracker, numbers[i]), again);
    }
    ck_assert_uint_eq(trip_tracker_named(tracker)->registry.count, 64);
}
END_TEST

START_TEST(the_places_of_a_destroyed_tracker_are_used_again)
{
    uint32_t made = 0;
    for (int i = 0; i < 100; i++) {
        trip_tracker tracker = bounded(10);
        for (int k = 0; k < 25; k++)
            numbered(tracker, k);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        if (i == 0)
            made = trip_pool_made(&trip_circuits);
    }
    ck_assert_uint_eq(trip_pool_made(&trip_circuits), made);
}
END_TEST

/* ---- Growing while others look ----------------------------------------------------------------------------------- */

enum { KNOWN = 500, NEW = 60000 };

typedef struct growth {
    trip_tracker tracker;
    trip_circuit known[KNOWN];
    _Atomic int done;
} growth;

static void *look_up_without_end(void *argument)
{
    growth *g = argument;
    intptr_t wrong = 0;
    do {
        for (int i = 0; i < KNOWN; i++)
            wrong += numbered(g->tracker, i) != g->known[i];
    } while (!atomic_load(&g->done));
    return (void *)wrong;
}

START_TEST(a_circuit_is_found_while_the_registry_grows)
{
    growth g = {.tracker = bounded(KNOWN + NEW)};
    for (int i = 0; i < KNOWN; i++)
        g.known[i] = numbered(g.tracker, i);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, look_up_without_end, &g), 0);
    for (int i = 0; i < NEW; i++)
        numbered(g.tracker, KNOWN + i);
    atomic_store(&g.done, 1);
    for (int i = 0; i < 2; i++) {
        void *wrong;
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_int_eq(trip_tracker_destroy(g.tracker), TRIP_OK);
}
END_TEST

enum { SIDE_BY_SIDE = 15000 };

static void *fill_a_tracker(void *argument)
{
    (void)argument;
    trip_tracker tracker = bounded(SIDE_BY_SIDE);
    trip_circuit *made = calloc(SIDE_BY_SIDE, sizeof *made);
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        made[i] = numbered(tracker, i);
    intptr_t wrong = 0;
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        wrong += numbered(tracker, i) != made[i];
    free(made);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    return (void *)wrong;
}

START_TEST(trackers_that_grow_side_by_side_share_no_place)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fill_a_tracker, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

/* ---- The bound --------------------------------------------------------------------------------------------------- */

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
    tcase_add_test(keys, the_siphash_of_these_tests_agrees_with_another_implementation);
    tcase_add_test(keys, a_message_of_any_length_is_hashed_as_its_authors_say);
    tcase_add_test(keys, two_texts_are_hashed_as_one_message);
    tcase_add_test(keys, pairs_with_the_same_bytes_have_hashes_of_their_own);
    tcase_add_test(keys, the_same_key_is_the_same_circuit_at_any_size);
    tcase_add_test(keys, the_registry_finds_without_a_lock_what_it_has);
    tcase_add_test(keys, circuits_that_a_full_set_has_no_room_for_are_found_all_the_same);
    tcase_add_test(keys, a_set_that_overflowed_is_whole_again_when_the_crowd_has_left);
    tcase_add_test(keys, the_places_of_a_destroyed_tracker_are_used_again);
    tcase_add_test(keys, a_circuit_is_found_while_the_registry_grows);
    tcase_add_test(keys, trackers_that_grow_side_by_side_share_no_place);
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
