/* How structs, texts and errno cross the ABI, at every function that takes one. */
#include "fixture.h"

#include <errno.h>
#include <float.h>
#include <stddef.h>

#define CONFIG_SIZE_1_0 80 /* the size that trip_config was released with first, for ever the smallest legal one */

typedef struct later_config {
    trip_config known;
    uint64_t unknown;
} later_config;

static later_config config_from_the_future(void)
{
    later_config config = {.unknown = 0};
    config.known = manual_config();
    config.known.struct_size = sizeof config;
    return config;
}

START_TEST(config_init_fills_the_defaults)
{
    trip_config config;
    memset(&config, 0xAA, sizeof config);
    ck_assert_int_eq(trip_config_init(&config, sizeof config), TRIP_OK);
    trip_config expected = {
        .struct_size = sizeof config,
        .failure_threshold = 5,
        .initial_open_ns = 30 * SECOND,
        .max_open_ns = 300 * SECOND,
        .backoff_multiplier = 2.0,
        .backoff = TRIP_BACKOFF_FIRST,
        .half_open_max_probes = 1,
        .half_open_successes = 1,
        .on_drop = TRIP_DROP_FAILURE,
        .probe_lease_ns = 600 * SECOND,
        .probe_retry_ns = 50 * MS,
        .jitter = 0.0,
        .clock = TRIP_CLOCK_MONOTONIC,
        .max_circuits = 65536,
        .on_server_error = TRIP_EFFECT_FAILURE,
        .on_rate_limited = TRIP_EFFECT_FAILURE,
        .on_overloaded = TRIP_EFFECT_FAILURE,
        .on_network = TRIP_EFFECT_FAILURE,
        .on_timeout = TRIP_EFFECT_FAILURE,
        .on_quota = TRIP_EFFECT_FAILURE,
        .on_auth = TRIP_EFFECT_SUCCESS,
        .on_invalid_request = TRIP_EFFECT_SUCCESS,
        .on_context_overflow = TRIP_EFFECT_SUCCESS,
        .on_not_found = TRIP_EFFECT_SUCCESS,
        .on_content_filtered = TRIP_EFFECT_SUCCESS,
        .on_cancelled = TRIP_EFFECT_NOTHING,
        .on_unknown = TRIP_EFFECT_NOTHING,
        .half_open_probes = 0,
        .quota_open_ns = 600 * SECOND,
        .max_retry_after_ns = 3600 * SECOND,
        .slow_call_ns = 0,
        .count_window = 0,
        .count_minimum = 10,
        .count_failure_ratio = 0.5,
        .count_slow_ratio = 0.0,
        .time_window_ns = 0,
        .time_buckets = 10,
        .time_minimum = 10,
        .time_failure_ratio = 0.5,
        .time_slow_ratio = 0.0,
        .hang_ns = 0,
        .hang_calls = 0,
        .ramp_steps = 4,
        .ramp_ns = 0,
        .stall_ns = 0,
    };
    ck_assert_mem_eq(&config, &expected, sizeof config);
}
END_TEST

START_TEST(config_init_of_a_later_config_zeroes_what_it_does_not_know)
{
    later_config config;
    memset(&config, 0xAA, sizeof config);
    ck_assert_int_eq(trip_config_init(&config.known, sizeof config), TRIP_OK);
    ck_assert_uint_eq(config.known.struct_size, sizeof config);
    ck_assert_uint_eq(config.unknown, 0);
}
END_TEST

/* A config of a program that was compiled with an earlier header. What lies behind it is the program's own. */
START_TEST(config_init_of_an_earlier_config_writes_no_further)
{
    trip_config config, now;
    ck_assert_int_eq(trip_config_init(&now, sizeof now), TRIP_OK);
    for (uint32_t size = CONFIG_SIZE_1_0; size <= sizeof config; size++) {
        memset(&config, 0xAA, sizeof config);
        ck_assert_int_eq(trip_config_init(&config, size), TRIP_OK);
        now.struct_size = size;
        ck_assert_mem_eq(&config, &now, size);
        for (size_t i = size; i < sizeof config; i++)
            ck_assert_uint_eq(((unsigned char *)&config)[i], 0xAA);
    }
}
END_TEST

START_TEST(of_an_earlier_config_what_lies_behind_it_is_not_read)
{
    trip_config config = manual_config();
    memset((char *)&config + CONFIG_SIZE_1_0, 0xAA, sizeof config - CONFIG_SIZE_1_0);
    config.struct_size = CONFIG_SIZE_1_0;
    config.failure_threshold = 2;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    trip_outcome overloaded = {.struct_size = sizeof overloaded, .status_class = TRIP_CLASS_OVERLOADED};
    ck_assert_int_eq(trip_permit_record(permit_of(circuit), &overloaded), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).failures, 1);
    fail_once(circuit);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
    config.struct_size = sizeof config;
    trip_tracker tracker = 7;
    ck_assert_int_eq(trip_tracker_create(&config, &tracker, NULL), TRIP_E_CONFIG);
    ck_assert_uint_eq(tracker, 7);
}
END_TEST

START_TEST(config_init_refuses_absurd_sizes_and_touches_nothing)
{
    static const size_t sizes[] = {0, 1, 4, CONFIG_SIZE_1_0 - 1, 4097, SIZE_MAX};
    trip_config config, untouched;
    memset(&config, 0xAA, sizeof config);
    untouched = config;
    ck_assert_int_eq(trip_config_init(&config, sizes[_i]), TRIP_E_INVALID);
    ck_assert_mem_eq(&config, &untouched, sizeof config);
    ck_assert_int_eq(trip_config_init(NULL, sizeof config), TRIP_E_INVALID);
}
END_TEST

START_TEST(a_later_config_is_accepted_while_its_unknown_members_are_zero)
{
    later_config config = config_from_the_future();
    trip_tracker tracker = 0;
    ck_assert_int_eq(trip_tracker_create(&config.known, &tracker, NULL), TRIP_OK);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}
END_TEST

START_TEST(a_later_config_that_says_something_unknown_is_too_new)
{
    for (size_t byte = 0; byte < sizeof(uint64_t); byte++) {
        later_config config = config_from_the_future();
        ((char *)&config.unknown)[byte] = 1;
        trip_tracker tracker = 7;
        trip_error error = {.struct_size = sizeof error};
        ck_assert_int_eq(trip_tracker_create(&config.known, &tracker, &error), TRIP_E_TOO_NEW);
        ck_assert_int_eq(error.status, TRIP_E_TOO_NEW);
        ck_assert_uint_eq(error.field_offset, UINT32_MAX);
        ck_assert_uint_eq(tracker, 7);
    }
}
END_TEST

START_TEST(a_config_of_impossible_size_is_invalid)
{
    static const uint32_t sizes[] = {0, 4, CONFIG_SIZE_1_0 - 1, 4097, UINT32_MAX};
    trip_config config = manual_config();
    config.struct_size = sizes[_i];
    trip_tracker tracker = 7;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_tracker_create(&config, &tracker, &error), TRIP_E_INVALID);
    ck_assert_uint_eq(error.field_offset, offsetof(trip_config, struct_size));
    ck_assert_ptr_nonnull(strstr(error.message, "struct_size"));
    ck_assert_uint_eq(tracker, 7);
}
END_TEST

/* A permit whose outcome is refused is still out. */
START_TEST(an_outcome_is_read_by_its_size)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit permit = permit_of(circuit);
    struct {
        trip_outcome known;
        uint64_t unknown;
    } later = {.known = {.struct_size = sizeof later}, .unknown = 1};
    static const uint32_t wrong[] = {0, 4, sizeof(trip_outcome) - 1, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(trip_permit_record(permit, &(trip_outcome){.struct_size = wrong[i]}), TRIP_E_INVALID);
    static const uint32_t no_class[] = {TRIP_CLASS_UNKNOWN + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof no_class / sizeof *no_class; i++) {
        trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = no_class[i]};
        ck_assert_int_eq(trip_permit_record(permit, &outcome), TRIP_E_INVALID);
    }
    ck_assert_int_eq(trip_permit_record(permit, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_permit_record(12345, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_permit_record(permit, &later.known), TRIP_E_TOO_NEW);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(permits_out(&info), 1);

    char buffer[64] = {0}; /* at any address */
    trip_outcome server_error = {.struct_size = sizeof server_error, .status_class = TRIP_CLASS_SERVER_ERROR};
    memcpy(buffer + 3, &server_error, sizeof server_error);
    ck_assert_int_eq(trip_permit_record(permit, (trip_outcome *)(void *)(buffer + 3)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).opens, 1);
    later.unknown = 0;
    ck_assert_int_eq(trip_permit_record(permit, &later.known), TRIP_E_CONSUMED);
}
END_TEST

START_TEST(an_error_is_written_on_failure_only_and_says_which_field)
{
    trip_config config = manual_config();
    trip_error error, untouched;
    memset(&error, 0xAA, sizeof error);
    error.struct_size = sizeof error;
    untouched = error;
    trip_tracker tracker = 0;
    ck_assert_int_eq(trip_tracker_create(&config, &tracker, &error), TRIP_OK);
    ck_assert_mem_eq(&error, &untouched, sizeof error);

    config.jitter = -0.5;
    ck_assert_int_eq(trip_tracker_create(&config, &tracker, &error), TRIP_E_CONFIG);
    ck_assert_int_eq(error.status, TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, offsetof(trip_config, jitter));
    ck_assert_uint_eq(error.reserved, 0);
    ck_assert_str_eq(error.message, "jitter: must be 0 to 1");
    ck_assert_ptr_null(strchr(error.message, '\n'));
    ck_assert_int_eq(trip_tracker_create(NULL, NULL, &error), TRIP_E_INVALID);
    ck_assert_str_eq(error.message, "out_tracker is NULL");
}
END_TEST

/* Each function that writes a struct, with a circuit that refuses, so that all of them have something to write. */
typedef struct writer {
    const char *name;
    uint32_t size;
    trip_status expected;
    trip_status (*write)(void *out);
    uint32_t least; /* the size at its first release, where it has grown since */
} writer;

static trip_circuit refusing;
static trip_permit outstanding;

static trip_status write_by_permit(void *out)
{
    trip_permit permit;
    return trip_circuit_permit(refusing, &permit, out);
}

static trip_status write_by_peek(void *out)
{
    return trip_circuit_peek(refusing, out);
}

static trip_status write_by_inspect(void *out)
{
    return trip_circuit_inspect(refusing, out);
}

static trip_status write_by_express(void *out)
{
    return trip_circuit_express(refusing, out);
}

static trip_status write_by_permit_inspect(void *out)
{
    return trip_permit_inspect(outstanding, out);
}

static trip_status write_by_classify_http(void *out)
{
    return trip_classify_http(503, "", 0, out);
}

static trip_status write_by_classify_errno(void *out)
{
    return trip_classify_errno(0, out);
}

static trip_status write_by_classify_text(void *out)
{
    return trip_classify_text("", 0, out);
}

static const writer writers[] = {
    {"permit", sizeof(trip_rejection), TRIP_REJECTED_OPEN, write_by_permit, 0},
    {"peek", sizeof(trip_rejection), TRIP_REJECTED_OPEN, write_by_peek, 0},
    {"inspect", sizeof(trip_circuit_info), TRIP_OK, write_by_inspect, 112},
    {"express", sizeof(trip_express), TRIP_OK, write_by_express, 0},
    {"permit_inspect", sizeof(trip_permit_info), TRIP_OK, write_by_permit_inspect, 0},
    {"classify_http", sizeof(trip_outcome), TRIP_OK, write_by_classify_http, 0},
    {"classify_errno", sizeof(trip_outcome), TRIP_OK, write_by_classify_errno, 0},
    {"classify_text", sizeof(trip_outcome), TRIP_OK, write_by_classify_text, 0},
};
#define WRITERS (int)(sizeof writers / sizeof *writers)

static void open_one_circuit(void)
{
    trip_tracker tracker = fragile_tracker();
    refusing = circuit_of(tracker, "acme", "openai");
    fail_once(refusing);
    outstanding = permit_of(circuit_of(tracker, "acme", "anthropic"));
}

START_TEST(a_struct_to_be_written_may_be_longer_and_its_rest_is_zeroed)
{
    unsigned char buffer[512];
    memset(buffer, 0xAA, sizeof buffer);
    uint32_t size = writers[_i].size + 8;
    memcpy(buffer, &size, sizeof size);
    ck_assert_int_eq(writers[_i].write(buffer), writers[_i].expected);
    ck_assert_mem_eq(buffer, &size, sizeof size);
    for (uint32_t i = writers[_i].size; i < size; i++)
        ck_assert_uint_eq(buffer[i], 0);
    ck_assert_uint_eq(buffer[size], 0xAA);
}
END_TEST

START_TEST(a_struct_to_be_written_may_lie_at_any_address)
{
    unsigned char buffer[512], aligned[512];
    memcpy(buffer + 3, &writers[_i].size, sizeof(uint32_t));
    memcpy(aligned, &writers[_i].size, sizeof(uint32_t));
    ck_assert_int_eq(writers[_i].write(buffer + 3), writers[_i].expected);
    ck_assert_int_eq(writers[_i].write(aligned), writers[_i].expected);
}
END_TEST

START_TEST(the_size_of_a_struct_to_be_written_is_checked_first_on_every_call)
{
    uint32_t least = writers[_i].least != 0 ? writers[_i].least : writers[_i].size;
    const uint32_t wrong[] = {0, 1, 15, least - 1, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        unsigned char buffer[512], untouched[512];
        memset(buffer, 0xAA, sizeof buffer);
        memcpy(buffer, &wrong[i], sizeof(uint32_t));
        memcpy(untouched, buffer, sizeof buffer);
        ck_assert_int_eq(writers[_i].write(buffer), TRIP_E_INVALID);
        ck_assert_mem_eq(buffer, untouched, sizeof buffer);
    }
    /* before the handle is looked at, and though nothing would be written */
    trip_rejection rejection = {.struct_size = 1};
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(12345, &permit, &rejection), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_peek(12345, &rejection), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_express(12345, &(trip_express){.struct_size = 1}), TRIP_E_INVALID);
}
END_TEST

START_TEST(a_rejection_is_untouched_when_nothing_is_rejected)
{
    trip_rejection rejection, untouched;
    memset(&rejection, 0xAA, sizeof rejection);
    rejection.struct_size = sizeof rejection;
    untouched = rejection;
    trip_permit permit;
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_OK);
    ck_assert_int_eq(trip_circuit_peek(circuit, &rejection), TRIP_OK);
    ck_assert_int_eq(trip_circuit_permit(12345, &permit, &rejection), TRIP_E_HANDLE);
    ck_assert_mem_eq(&rejection, &untouched, sizeof rejection);
}
END_TEST

START_TEST(outputs_that_are_needed_may_not_be_null)
{
    size_t len;
    char text[510];
    ck_assert_int_eq(trip_circuit_permit(refusing, NULL, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_inspect(refusing, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_permit_inspect(outstanding, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_express(refusing, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_classify_http(503, "", 0, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_classify_errno(0, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_classify_text("", 0, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_parse_retry_hint("Retry-After", SIZE_MAX, "1", 1, 0, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_key(refusing, NULL, 510, &len, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_key(refusing, text, 510, NULL, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_key(refusing, text, 510, &len, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_peek(refusing, NULL), TRIP_REJECTED_OPEN);
}
END_TEST

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

START_TEST(texts_are_bytes_with_a_length)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit by_length, by_nul, longer, other;
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme!", 4, "openai", 6, &by_length), TRIP_OK);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &by_nul), TRIP_OK);
    ck_assert_uint_eq(by_length, by_nul);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme\0x", 6, "openai", 6, &longer), TRIP_OK);
    ck_assert_uint_ne(by_length, longer);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acmeo", 5, "penai", 5, &other), TRIP_OK);
    ck_assert_uint_ne(by_length, other);
}
END_TEST

START_TEST(null_is_the_empty_text_when_its_length_is_zero)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit null_text, empty_text, circuit = 7;
    ck_assert_int_eq(trip_tracker_circuit(tracker, NULL, 0, NULL, 0, &null_text), TRIP_OK);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "", SIZE_MAX, "", 0, &empty_text), TRIP_OK);
    ck_assert_uint_eq(null_text, empty_text);
    ck_assert_int_eq(trip_tracker_circuit(tracker, NULL, 1, "x", 1, &circuit), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "x", 1, NULL, SIZE_MAX, &circuit), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "x", 1, "y", 1, NULL), TRIP_E_INVALID);
    ck_assert_uint_eq(circuit, 7);

    size_t tenant_len = 9, provider_len = 9;
    ck_assert_int_eq(trip_circuit_key(null_text, NULL, 0, &tenant_len, &provider_len), TRIP_OK);
    ck_assert_uint_eq(tenant_len + provider_len, 0);
}
END_TEST

START_TEST(texts_have_255_bytes_at_most)
{
    trip_tracker tracker = fragile_tracker();
    char text[300];
    memset(text, 'x', sizeof text);
    trip_circuit circuit = 0;
    ck_assert_int_eq(trip_tracker_circuit(tracker, text, 255, text, 255, &circuit), TRIP_OK);
    trip_circuit untouched = circuit;
    ck_assert_int_eq(trip_tracker_circuit(tracker, text, 256, text, 1, &circuit), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_circuit(tracker, text, 1, text, SIZE_MAX - 1, &circuit), TRIP_E_INVALID);
    text[299] = '\0';
    ck_assert_int_eq(trip_tracker_circuit(tracker, text, SIZE_MAX, text, 1, &circuit), TRIP_E_INVALID);
    ck_assert_uint_eq(circuit, untouched);

    char key[510];
    size_t tenant_len = 9, provider_len = 9;
    ck_assert_int_eq(trip_circuit_key(circuit, key, 509, &tenant_len, &provider_len), TRIP_E_CAPACITY);
    ck_assert_uint_eq(tenant_len + provider_len, 18);
    ck_assert_int_eq(trip_circuit_key(circuit, key, 510, &tenant_len, &provider_len), TRIP_OK);
    ck_assert_uint_eq(tenant_len, 255);
    ck_assert_uint_eq(provider_len, 255);
    ck_assert_mem_eq(key, text, 255);
}
END_TEST

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

START_TEST(errno_is_preserved)
{
    errno = EDOM;
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    trip_rejection rejection = {.struct_size = sizeof rejection};
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    info_of(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_renew(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    trip_outcome outcome = {.struct_size = sizeof outcome};
    ck_assert_int_eq(trip_classify_http(429, "[{\"error\":", SIZE_MAX, &outcome), TRIP_OK);
    ck_assert_int_eq(trip_parse_retry_hint("", 0, "retry after 1e99", SIZE_MAX, 0, &(uint64_t){0}), TRIP_E_INVALID);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

START_TEST(versions_names_and_features_are_constants)
{
    ck_assert_uint_eq(trip_abi_version(), 1u << 16 | 4);
    ck_assert_str_eq(trip_version(), TRIP_VERSION);
    ck_assert_str_eq(trip_status_name(TRIP_OK), "TRIP_OK");
    ck_assert_str_eq(trip_status_name(TRIP_E_SYSTEM), "TRIP_E_SYSTEM");
    for (trip_status status = TRIP_E_SYSTEM; status <= TRIP_STAGE_FAILED; status++)
        ck_assert_str_ne(trip_status_name(status), "TRIP_UNKNOWN");
    ck_assert_str_eq(trip_status_name(TRIP_E_SYSTEM - 1), "TRIP_UNKNOWN");
    ck_assert_str_eq(trip_status_name(TRIP_STAGE_FAILED + 1), "TRIP_UNKNOWN");
    ck_assert_str_eq(trip_status_name(INT32_MIN), "TRIP_UNKNOWN");
    for (uint32_t feature = TRIP_FEATURE_CIRCUITS; feature <= TRIP_FEATURE_POLICIES; feature++)
        ck_assert_uint_eq(trip_has_feature(feature), 1);
    ck_assert_uint_eq(trip_has_feature(TRIP_FEATURE_GUARDS + 1), 0);
    ck_assert_uint_eq(trip_has_feature(0), 0);
    ck_assert_uint_eq(trip_has_feature(UINT32_MAX), 0);
}
END_TEST

static Suite *structs_suite(void)
{
    Suite *suite = suite_create("structs");
    TCase *reading = tcase_create("read");
    tcase_add_test(reading, config_init_fills_the_defaults);
    tcase_add_test(reading, config_init_of_a_later_config_zeroes_what_it_does_not_know);
    tcase_add_test(reading, config_init_of_an_earlier_config_writes_no_further);
    tcase_add_test(reading, of_an_earlier_config_what_lies_behind_it_is_not_read);
    tcase_add_loop_test(reading, config_init_refuses_absurd_sizes_and_touches_nothing, 0, 6);
    tcase_add_test(reading, a_later_config_is_accepted_while_its_unknown_members_are_zero);
    tcase_add_test(reading, a_later_config_that_says_something_unknown_is_too_new);
    tcase_add_loop_test(reading, a_config_of_impossible_size_is_invalid, 0, 5);
    suite_add_tcase(suite, reading);
    TCase *writing = tcase_create("written");
    tcase_add_checked_fixture(writing, open_one_circuit, NULL);
    tcase_add_test(reading, an_outcome_is_read_by_its_size);
    tcase_add_test(writing, an_error_is_written_on_failure_only_and_says_which_field);
    tcase_add_loop_test(writing, a_struct_to_be_written_may_be_longer_and_its_rest_is_zeroed, 0, WRITERS);
    tcase_add_loop_test(writing, a_struct_to_be_written_may_lie_at_any_address, 0, WRITERS);
    tcase_add_loop_test(writing, the_size_of_a_struct_to_be_written_is_checked_first_on_every_call, 0, WRITERS);
    tcase_add_test(writing, a_rejection_is_untouched_when_nothing_is_rejected);
    tcase_add_test(writing, outputs_that_are_needed_may_not_be_null);
    suite_add_tcase(suite, writing);
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, texts_are_bytes_with_a_length);
    tcase_add_test(texts, null_is_the_empty_text_when_its_length_is_zero);
    tcase_add_test(texts, texts_have_255_bytes_at_most);
    suite_add_tcase(suite, texts);
    TCase *rest = tcase_create("constants");
    tcase_add_test(rest, errno_is_preserved);
    tcase_add_test(rest, versions_names_and_features_are_constants);
    suite_add_tcase(suite, rest);
    return suite;
}

int main(void)
{
    return run_suite(structs_suite());
}
