/* Texts: kept as they are, used again, and read by whoever comes too late without harm; the names of circuits among them. */
#include "fixture.h"

#include "circuit.h"
#include "texts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* The text with this number. */
static const unsigned char *bytes_of(uint64_t number)
{
    static unsigned char bytes[TRIP_TEXT_BYTES_MAX];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(number * 31 + i * 7 + number / 97);
    return bytes;
}

static trip_text_place keep(uint64_t number, size_t len)
{
    trip_text_place place = 0;
    ck_assert(trip_texts_keep(bytes_of(number), len, &place) == TRIP_OK && place != 0 && place < UINT32_C(1) << 29);
    return place;
}

static void require_kept(trip_text_place place, uint64_t number, size_t len)
{
    unsigned char copy[TRIP_TEXT_BYTES_MAX + 1];
    memset(copy, 0xA5, sizeof copy);
    bool is_whole = trip_texts_copy(place, copy, TRIP_TEXT_BYTES_MAX) >= len && copy[TRIP_TEXT_BYTES_MAX] == 0xA5;
    ck_assert(is_whole && memcmp(copy, bytes_of(number), len) == 0 &&
              memcmp(trip_texts_at(place), bytes_of(number), len) == 0);
}

START_TEST(a_text_of_any_length_is_kept)
{
    trip_text_place places[TRIP_TEXT_BYTES_MAX + 1];
    for (size_t len = 0; len <= TRIP_TEXT_BYTES_MAX; len++)
        places[len] = keep(len, len);
    for (size_t len = 0; len <= TRIP_TEXT_BYTES_MAX; len++)
        require_kept(places[len], len, len);
    for (size_t len = 0; len <= TRIP_TEXT_BYTES_MAX; len++)
        trip_texts_drop(places[len]);
}
END_TEST

START_TEST(a_copy_is_no_longer_than_there_is_room)
{
    trip_text_place place = keep(1, 100);
    for (size_t capacity = 0; capacity <= 100; capacity++) {
        unsigned char copy[101];
        memset(copy, 0xA5, sizeof copy);
        ck_assert_uint_eq(trip_texts_copy(place, copy, capacity), capacity);
        ck_assert_int_eq(memcmp(copy, bytes_of(1), capacity), 0);
        ck_assert_uint_eq(copy[capacity], 0xA5);
    }
    unsigned char none[1];
    ck_assert_uint_eq(trip_texts_copy(0, none, 1), 0);
    trip_texts_drop(0);
    trip_texts_drop(place);
}
END_TEST

START_TEST(places_are_used_again_and_texts_stay_apart)
{
    enum { KEPT = 500 };
    trip_text_place places[KEPT] = {0}, highest[8] = {0}, after_warming[8];
    uint64_t numbers[KEPT], lens[KEPT], state = 5;
    for (uint64_t number = 0; number < 60000; number++) {
        uint64_t random = draw(&state), at = random % KEPT;
        if (places[at] != 0)
            require_kept(places[at], numbers[at], lens[at]);
        trip_texts_drop(places[at]);
        numbers[at] = number;
        lens[at] = (random >> 32) % (TRIP_TEXT_BYTES_MAX + 1);
        places[at] = keep(number, lens[at]);
        unsigned size = places[at] >> 26;
        if (places[at] > highest[size])
            highest[size] = places[at];
        if (number == 20000)
            memcpy(after_warming, highest, sizeof highest);
    }
    for (int size = 0; size < 8; size++) /* of each size never more than were kept at once */
        ck_assert_uint_le(highest[size], after_warming[size] + KEPT);
    for (int i = 0; i < KEPT; i++)
        trip_texts_drop(places[i]);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

typedef struct library {
    _Atomic uint32_t places[16];
    _Atomic int stop;
} library;

static void *keep_and_drop(void *argument)
{
    library *l = argument;
    for (uint64_t number = 0; number < 100000; number++) {
        trip_text_place place;
        if (trip_texts_keep(&number, sizeof number, &place) != TRIP_OK)
            abort();
        trip_texts_drop(atomic_exchange(&l->places[number % 16], place));
    }
    atomic_fetch_add(&l->stop, 1);
    return NULL;
}

static void *read_what_may_be_gone(void *argument)
{
    library *l = argument;
    unsigned char copy[TRIP_TEXT_BYTES_MAX];
    for (unsigned i = 0; atomic_load(&l->stop) < 2; i++)
        trip_texts_copy(atomic_load(&l->places[i % 16]), copy, sizeof copy);
    return NULL;
}

START_TEST(who_comes_too_late_for_a_text_harms_nothing)
{
    library l = {.stop = 0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i % 2 ? read_what_may_be_gone : keep_and_drop, &l), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* ---- Names of circuits ------------------------------------------------------------------------------------------- */

typedef struct crowd {
    trip_tracker tracker;
    _Atomic uint32_t next;
    _Atomic uint64_t found, gone;
} crowd;

/* Names of many lengths, and so in texts of all sizes. */
static size_t name_of(uint32_t number, char out_text[255])
{
    size_t len = 4 + number * 37 % 250;
    memset(out_text, 'a' + (int)(number % 26), len);
    memcpy(out_text, &number, sizeof number);
    return len;
}

/* Make circuits, so that others go; of those that one has made any may be gone. */
static void *make_and_ask(void *argument)
{
    crowd *c = argument;
    enum { MINE = 16 };
    trip_circuit mine[MINE] = {0};
    uint32_t numbers[MINE] = {0};
    for (int i = 0; i < 20000; i++) {
        char text[255], key[510];
        uint32_t number = atomic_fetch_add(&c->next, 1);
        size_t len = name_of(number, text), tenant_len, provider_len;
        if (trip_tracker_circuit(c->tracker, text, len, text, len, &mine[i % MINE]) != TRIP_OK)
            abort();
        numbers[i % MINE] = number;
        int at = i * 7 % MINE;
        trip_status status = trip_circuit_key(mine[at], key, sizeof key, &tenant_len, &provider_len);
        atomic_fetch_add(status == TRIP_OK ? &c->found : &c->gone, 1);
        if (status == TRIP_E_HANDLE)
            continue;
        len = name_of(numbers[at], text);
        if (status != TRIP_OK || tenant_len != len || provider_len != len || memcmp(key, text, len) != 0 ||
            memcmp(key + len, text, len) != 0)
            abort();
    }
    return NULL;
}

START_TEST(the_name_of_a_circuit_is_its_own_or_it_is_gone)
{
    trip_config config = manual_config();
    config.max_circuits = 12; /* fewer than each thread remembers */
    crowd c = {.tracker = tracker_with(&config)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_ask, &c), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_gt(atomic_load(&c.found), 1000);
    ck_assert_uint_gt(atomic_load(&c.gone), 1000);
}
END_TEST

static Suite *texts_suite(void)
{
    Suite *suite = suite_create("texts");
    TCase *keeping = tcase_create("keeping");
    tcase_set_timeout(keeping, 300);
    tcase_add_test(keeping, a_text_of_any_length_is_kept);
    tcase_add_test(keeping, a_copy_is_no_longer_than_there_is_room);
    tcase_add_test(keeping, places_are_used_again_and_texts_stay_apart);
    suite_add_tcase(suite, keeping);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 300);
    tcase_add_test(threads, who_comes_too_late_for_a_text_harms_nothing);
    tcase_add_test(threads, the_name_of_a_circuit_is_its_own_or_it_is_gone);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return run_suite(texts_suite());
}
