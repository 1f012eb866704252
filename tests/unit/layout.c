/*
 * The bytes of a snapshot: what was released, which is in snapshots/ and is never written again; and bytes that no library
 * has written, damaged or wrong, of which none changes anything.
 */
#include "scene.h"

#include "layout.h"

/* ---- What was released ------------------------------------------------------------------------------------------- */

/* The scene, as the library had it that first had snapshots, after its restart. */
static const trip_circuit_info as_released[CIRCUITS] = {
    [CALM] = {.permits = 5, .successes = 5},
    [FAILING] = {.failures = 2, .permits = 2, .failures_total = 2},
    [OPEN] = {.state = TRIP_STATE_OPEN,
              .failures = 3,
              .retry_after_ns = 59 * SECOND,
              .permits = 4,
              .successes = 1,
              .failures_total = 3,
              .rejections = 1,
              .stale = 1,
              .opens = 1,
              .open_duration_ns = 60 * SECOND},
    [OVERDUE] = {.state = TRIP_STATE_OPEN,
                 .failures = 3,
                 .permits = 3,
                 .failures_total = 3,
                 .opens = 1,
                 .open_duration_ns = 60 * SECOND},
    [PROBING] = {.state = TRIP_STATE_OPEN,
                 .failures = 3,
                 .permits = 4,
                 .failures_total = 3,
                 .cancels = 1,
                 .opens = 1,
                 .open_duration_ns = 60 * SECOND},
    [LOST] = {.state = TRIP_STATE_OPEN,
              .failures = 4,
              .level = 1,
              .retry_after_ns = 80 * SECOND,
              .permits = 4,
              .failures_total = 3,
              .cancels = 1,
              .opens = 2,
              .open_duration_ns = 120 * SECOND},
    [DEEP] = {.state = TRIP_STATE_OPEN,
              .failures = 4,
              .level = 1,
              .retry_after_ns = 5 * SECOND,
              .permits = 4,
              .failures_total = 4,
              .opens = 2,
              .open_duration_ns = 120 * SECOND},
    [ASKED] = {.failures = 1, .permits = 1, .failures_total = 1},
    [ODD] = {.failures = 1, .permits = 3, .drops = 1, .cancels = 2},
    [NAMELESS] = {.state = TRIP_STATE_CLOSED},
    [FORCED] = {.mode = TRIP_MODE_FORCED_OPEN, .retry_after_ns = 300 * SECOND, .mode_left_ns = 300 * SECOND},
    [OBSERVED] = {.state = TRIP_STATE_OPEN,
                  .mode = TRIP_MODE_OBSERVE,
                  .failures = 3,
                  .permits = 3,
                  .failures_total = 3,
                  .opens = 1,
                  .open_duration_ns = 60 * SECOND},
};

START_TEST(what_1_0_wrote_every_later_library_reads)
{
    trip_tracker tracker = scene_tracker();
    restore_well(tracker, NOON, read_file(TRIP_SNAPSHOTS "/1.0.bin"));
    view is = look_at(tracker);
    for (int i = 0; i < CIRCUITS; i++) {
        judge_restored(&as_released[i], &is.of[i], 0);
        ck_assert_uint_eq(is.of[i].retry_after_ns, as_released[i].retry_after_ns);
    }
    fail_at(tracker, ASKED, 2);
    ck_assert_uint_eq(info_of(circuit_at(tracker, ASKED)).retry_after_ns, 600 * SECOND);
    ck_assert(explains(tracker, FORCED, "maintenance"));
}
END_TEST

/* Whoever changes the layout fails here. He adds a minor, a file for it, and the way to read what is older; a file that is
   there stays what it is. */
START_TEST(the_layout_is_the_one_that_was_released)
{
    bytes was = read_file(TRIP_SNAPSHOTS "/1.0.bin"), is = snapshot_of(scene(), NOON);
    ck_assert_uint_eq(TRIP_LAYOUT_MAJOR << 16 | TRIP_LAYOUT_MINOR, 1 << 16 | 0);
    ck_assert_uint_eq(is.len, was.len);
    ck_assert_mem_eq(is.at, was.at, was.len);
    static const unsigned char sum[] = {0x70, 0x4b, 0x46, 0xdb, 0xd2, 0x9a, 0x3c, 0x8e,
                                        0xac, 0xef, 0x49, 0x24, 0xff, 0xe2, 0x26, 0x6f};
    ck_assert_mem_eq(was.at + was.len - sizeof sum, sum, sizeof sum);
}
END_TEST

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static void must_refuse(trip_tracker tracker, const view *unchanged, bytes b)
{
    trip_status status = restore(tracker, NOON, b);
    ck_assert(status == TRIP_E_INVALID || status == TRIP_E_TOO_NEW);
    view is = look_at(tracker);
    ck_assert_mem_eq(&is, unchanged, sizeof is);
}

START_TEST(one_byte_that_is_another_is_found_wherever_it_is)
{
    trip_tracker tracker = scene();
    view unchanged = look_at(tracker);
    bytes b = snapshot_of(tracker, NOON);
    uint64_t state = 1;
    for (size_t i = 0; i < b.len; i++) {
        char right = b.at[i];
        for (int bit = 0; bit < 8; bit++) {
            b.at[i] = (char)(right ^ 1 << bit);
            must_refuse(tracker, &unchanged, b);
        }
        b.at[i] = (char)(right + 1 + (char)(draw(&state) % 255));
        must_refuse(tracker, &unchanged, b);
        b.at[i] = right;
    }
    restore_well(scene_tracker(), NOON, b);
}
END_TEST

/* Copied to where memory ends, so that a sanitizer sees who reads beyond it. */
START_TEST(what_is_cut_off_or_has_something_behind_it_is_refused)
{
    trip_tracker tracker = scene();
    view unchanged = look_at(tracker);
    bytes b = snapshot_of(tracker, NOON);
    for (size_t len = 0; len < b.len + 64; len++) {
        bytes part = room_for(len);
        for (size_t i = 0; i < len; i++)
            part.at[i] = i < b.len ? b.at[i] : 0;
        if (len != b.len)
            must_refuse(tracker, &unchanged, part);
    }
}
END_TEST

START_TEST(noise_is_refused)
{
    trip_tracker tracker = scene();
    view unchanged = look_at(tracker);
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        char noise[200];
        for (size_t j = 0; j < sizeof noise; j++)
            noise[j] = (char)draw(&state);
        if (i % 2 == 0)
            memcpy(noise, "TRIPSNAP\1\0\0\0", 12);
        must_refuse(tracker, &unchanged, (bytes){noise, draw(&state) % sizeof noise});
    }
}
END_TEST

/* ---- Bytes that are whole, but wrong ----------------------------------------------------------------------------- */

enum { FIRST = TRIP_LAYOUT_HEADER_SIZE }; /* where the first circuit begins: the open one of `one_open` */

static trip_tracker one_open(void)
{
    trip_tracker tracker = scene_tracker();
    fail_at(tracker, OPEN, 3);
    return tracker;
}

static void write_number(bytes b, size_t at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        b.at[at + i] = (char)(value >> 8 * i);
}

/* The status of a snapshot of one open circuit in which a number is another. */
static trip_status with(size_t at, uint64_t value, size_t size)
{
    trip_tracker tracker = one_open();
    bytes b = snapshot_of(tracker, NOON);
    write_number(b, at, value, size);
    trip_layout_seal(b.at, b.len);
    trip_circuit_info was = info_of(circuit_at(tracker, OPEN));
    trip_status status = restore(tracker, NOON, b);
    trip_circuit_info is = info_of(circuit_at(tracker, OPEN));
    if (status != TRIP_OK)
        ck_assert_mem_eq(&is, &was, sizeof is);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    return status;
}

START_TEST(what_no_circuit_can_be_is_refused_although_the_checksum_is_right)
{
    ck_assert_int_eq(with(FIRST + 2, TRIP_STATE_OPEN, 1), TRIP_OK);
    ck_assert_int_eq(with(FIRST + 2, TRIP_STATE_CLOSED, 1), TRIP_E_INVALID); /* with time left */
    ck_assert_int_eq(with(FIRST + 2, 3, 1), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 3, 31, 1), TRIP_OK);
    ck_assert_int_eq(with(FIRST + 3, 32, 1), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 4, 4, 1), TRIP_E_INVALID); /* mode */
    ck_assert_int_eq(with(FIRST + 5, 5, 1), TRIP_E_INVALID); /* tenant beyond the circuit */
    ck_assert_int_eq(with(FIRST + 5, 255, 1), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 6, 255, 1), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 7, 1, 1), TRIP_E_INVALID); /* a reason without a mode */
    ck_assert_int_eq(with(FIRST + 8, 1, 8), TRIP_E_INVALID); /* failures in a row of an open one */
    ck_assert_int_eq(with(FIRST + 16, 2 * YEAR, 8), TRIP_OK);
    ck_assert_int_eq(with(FIRST + 16, 2 * YEAR + 1, 8), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 16, UINT64_MAX, 8), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 24, 2 * YEAR, 8), TRIP_OK);
    ck_assert_int_eq(with(FIRST + 24, 2 * YEAR + 1, 8), TRIP_E_INVALID);
    ck_assert_int_eq(with(FIRST + 32, 1, 8), TRIP_E_INVALID); /* time left of no mode */
    for (size_t counter = 0; counter < 7; counter++) {
        ck_assert_int_eq(with(FIRST + 40 + 8 * counter, (UINT64_C(1) << 48) - 1, 8), TRIP_OK);
        ck_assert_int_eq(with(FIRST + 40 + 8 * counter, UINT64_C(1) << 48, 8), TRIP_E_INVALID);
    }
}
END_TEST

START_TEST(a_reason_needs_a_mode)
{
    trip_tracker tracker = scene_tracker();
    set_mode(tracker, OPEN, TRIP_MODE_OBSERVE, 0, "why");
    bytes b = snapshot_of(tracker, NOON);
    restore_well(tracker, NOON, b);
    write_number(b, FIRST + 4, TRIP_MODE_AUTO, 1);
    write_number(b, FIRST + 32, 0, 8);
    trip_layout_seal(b.at, b.len);
    ck_assert_int_eq(restore(tracker, NOON, b), TRIP_E_INVALID);
}
END_TEST

START_TEST(sizes_and_numbers_that_do_not_agree_are_refused)
{
    uint64_t size = 96 + 8;
    ck_assert_int_eq(with(FIRST, size, 2), TRIP_OK);
    static const uint64_t wrong[] = {0, 1, 95, 96, 103, 105, 32768, 65535};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(with(FIRST, wrong[i], 2), TRIP_E_INVALID);
    static const uint64_t headers[] = {0, 39, 41, 40 + 104, 40 + 105, 1 << 20, UINT32_MAX};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        ck_assert_int_eq(with(12, headers[i], 4), TRIP_E_INVALID);
    static const uint64_t counts[] = {0, 2, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        ck_assert_int_eq(with(32, counts[i], 8), TRIP_E_INVALID);
}
END_TEST

START_TEST(a_later_major_is_too_new_and_an_earlier_one_there_never_was)
{
    ck_assert_int_eq(with(8, 2, 2), TRIP_E_TOO_NEW);
    ck_assert_int_eq(with(8, UINT16_MAX, 2), TRIP_E_TOO_NEW);
    ck_assert_int_eq(with(8, 0, 2), TRIP_E_INVALID);
}
END_TEST

/* Whoever is to read a later minor knows where what he knows ends: here, eight bytes more in header and circuit. */
START_TEST(a_later_minor_may_say_more)
{
    trip_tracker before = one_open(), after = scene_tracker();
    bytes b = snapshot_of(before, NOON);
    size_t circuit = b.len - FIRST - TRIP_LAYOUT_CHECKSUM_SIZE;
    bytes later = room_for(b.len + 16);
    memcpy(later.at, b.at, FIRST);
    memset(later.at + FIRST, 0x77, 8);
    memcpy(later.at + FIRST + 8, b.at + FIRST, circuit);
    memset(later.at + FIRST + 8 + circuit, 0x77, 8);
    write_number(later, 10, 1, 2);
    write_number(later, 12, FIRST + 8, 4);
    write_number(later, FIRST + 8, circuit + 8, 2);
    trip_layout_seal(later.at, later.len);
    restore_well(after, NOON, later);
    trip_circuit_info was = info_of(circuit_at(before, OPEN)), is = info_of(circuit_at(after, OPEN));
    judge_restored(&was, &is, 0);

    write_number(later, FIRST + 8 + 4, 9, 1); /* a mode that is yet to come */
    trip_layout_seal(later.at, later.len);
    ck_assert_int_eq(restore(after, NOON, later), TRIP_E_TOO_NEW);
}
END_TEST

/* As a walk may meet a circuit that was removed behind it and made again before it. */
START_TEST(a_circuit_may_be_there_twice)
{
    trip_config config = scene_config();
    config.max_circuits = 1;
    trip_tracker before = one_open(), after = tracker_with(&config);
    bytes b = snapshot_of(before, NOON);
    size_t circuit = b.len - FIRST - TRIP_LAYOUT_CHECKSUM_SIZE;
    bytes twice = room_for(b.len + circuit);
    memcpy(twice.at, b.at, FIRST + circuit);
    memcpy(twice.at + FIRST + circuit, b.at + FIRST, circuit);
    write_number(twice, 32, 2, 8);
    write_number(twice, FIRST + circuit + 16, 7 * SECOND, 8);
    trip_layout_seal(twice.at, twice.len);
    restore_well(after, NOON, twice);
    ck_assert_uint_eq(info_of(circuit_at(after, OPEN)).permits, 6);
    ck_assert_uint_eq(info_of(circuit_at(after, OPEN)).retry_after_ns, 7 * SECOND);
}
END_TEST

static Suite *layout_suite(void)
{
    Suite *suite = suite_create("layout");
    TCase *released = add_case(suite, "released");
    tcase_add_test(released, what_1_0_wrote_every_later_library_reads);
    tcase_add_test(released, the_layout_is_the_one_that_was_released);
    TCase *damage = add_case(suite, "damage");
    tcase_add_test(damage, one_byte_that_is_another_is_found_wherever_it_is);
    tcase_add_test(damage, what_is_cut_off_or_has_something_behind_it_is_refused);
    tcase_add_test(damage, noise_is_refused);
    TCase *wrong = add_case(suite, "wrong");
    tcase_add_test(wrong, what_no_circuit_can_be_is_refused_although_the_checksum_is_right);
    tcase_add_test(wrong, a_reason_needs_a_mode);
    tcase_add_test(wrong, sizes_and_numbers_that_do_not_agree_are_refused);
    tcase_add_test(wrong, a_later_major_is_too_new_and_an_earlier_one_there_never_was);
    tcase_add_test(wrong, a_later_minor_may_say_more);
    tcase_add_test(wrong, a_circuit_may_be_there_twice);
    return suite;
}

int main(void)
{
    return run_suite(layout_suite());
}
