/*
 * What no table of vectors can say of classification: bytes that are no text, bodies cut off at every place, lengths,
 * and that dates agree with the C library's own calendar.
 */
#include "fixture.h"

#include "civil_time.h"
#include "words.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NOW (UINT64_C(1795284253) * SECOND)

static uint32_t class_of(uint32_t http_status, const char *body, size_t len)
{
    trip_outcome outcome = {.struct_size = sizeof outcome};
    ck_assert_int_eq(trip_classify_http(http_status, body, len, &outcome), TRIP_OK);
    return outcome.status_class;
}

static uint32_t class_of_text(const char *text, size_t len)
{
    trip_outcome outcome = {.struct_size = sizeof outcome};
    ck_assert_int_eq(trip_classify_text(text, len, &outcome), TRIP_OK);
    return outcome.status_class;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

START_TEST(bytes_that_are_no_text_are_read_as_any_others)
{
    static const char body[] =
        "{\"error\":{\"message\":\"\xff\xfe\x80 prompt is too long \xc3\",\"type\":\"\xf0\x9f\"}}";
    ck_assert_uint_eq(class_of(400, body, sizeof body - 1), TRIP_CLASS_CONTEXT_OVERFLOW);
    ck_assert_uint_eq(class_of_text("\xff overloaded \xff", SIZE_MAX), TRIP_CLASS_OVERLOADED);
    ck_assert_uint_eq(class_of_text("\xffoverloaded\xff", SIZE_MAX), TRIP_CLASS_UNKNOWN);
}
END_TEST

START_TEST(a_text_ends_where_its_length_says_or_at_its_nul)
{
    static const char text[] = "rate limit\0 prompt is too long";
    ck_assert_uint_eq(class_of_text(text, SIZE_MAX), TRIP_CLASS_RATE_LIMITED);
    ck_assert_uint_eq(class_of_text(text, sizeof text - 1), TRIP_CLASS_CONTEXT_OVERFLOW);
    ck_assert_uint_eq(class_of_text(text, strlen("rate")), TRIP_CLASS_UNKNOWN);
    ck_assert_uint_eq(class_of_text(NULL, 0), TRIP_CLASS_UNKNOWN);
    ck_assert_uint_eq(class_of(429, NULL, 0), TRIP_CLASS_RATE_LIMITED);
}
END_TEST

START_TEST(no_more_is_read_than_65536_bytes)
{
    static const char said[] = "overloaded";
    size_t len = strlen(said), size = 65536;
    char *text = malloc(size + 1); /* and the sanitizer sees who reads behind it */
    memset(text, ' ', size);
    memcpy(text + size - len, said, len);
    text[size] = 's';
    ck_assert_uint_eq(class_of_text(text, size + 1), TRIP_CLASS_OVERLOADED);
    ck_assert_uint_eq(class_of_text(text + 1, size), TRIP_CLASS_UNKNOWN);
    ck_assert_uint_eq(class_of_text(text, SIZE_MAX), TRIP_CLASS_OVERLOADED);
    free(text);
}
END_TEST

/* Whatever is cut off: the status still decides, and what was whole before the cut still counts. */
START_TEST(a_body_may_be_cut_off_anywhere)
{
    static const char body[] =
        "[{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":\"34s\"}],\"type\":\"insufficient_"
        "quota\",\"message\":\"a \\u00e4\\\"\\n b\"}}]";
    const char *known = strstr(body, "quota\"") + strlen("quota\"");
    for (size_t len = 0; len < sizeof body; len++) {
        char *cut = malloc(len + 1); /* of exactly this size, but for what malloc(0) is */
        memcpy(cut, body, len);
        uint32_t expected = body + len < known ? TRIP_CLASS_RATE_LIMITED : TRIP_CLASS_QUOTA;
        ck_assert_uint_eq(class_of(429, cut, len), expected);
        ck_assert_uint_eq(class_of(504, cut, len), TRIP_CLASS_TIMEOUT);
        free(cut);
    }
}
END_TEST

START_TEST(more_tokens_than_are_kept_lose_what_comes_behind_them)
{
    static const char head[] = "{\"error\":{\"code\":\"insufficient_quota\",\"details\":[", filler[] = "{\"a\":1},";
    static const char tail[] = "]}}";
    char body[65536];
    size_t len = strlen(head);
    memcpy(body, head, len);
    for (int i = 0; i < 5000; i++, len += strlen(filler))
        memcpy(body + len, filler, strlen(filler));
    memcpy(body + len, tail, sizeof tail);
    ck_assert_uint_eq(class_of(429, body, SIZE_MAX), TRIP_CLASS_QUOTA);
    ck_assert_uint_eq(class_of(429, body + strlen(head), SIZE_MAX), TRIP_CLASS_RATE_LIMITED);
}
END_TEST

/* ---- The stack --------------------------------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
#define PROMISED_STACK ((size_t)1 << 20) /* a sanitizer's frames are no measure */
#else
#define PROMISED_STACK ((size_t)16 << 10)
#endif

static ucontext_t here, there;
static uint32_t class_on_small_stack;

static void classify_on_small_stack(void)
{
    static const char body[] = "data: [{\"error\":{\"message\":\"retry after 5s, overloaded\"}}]";
    trip_outcome outcome = {.struct_size = sizeof outcome};
    trip_classify_text(body, sizeof body - 1, &outcome);
    trip_classify_http(200, body, sizeof body - 1, &outcome);
    class_on_small_stack = outcome.status_class;
}

/* What a signal handler's stack must have. Below it lies a page that kills who touches it. */
START_TEST(classification_takes_16_kilobytes_of_stack_at_most)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *guard = mmap(NULL, page + PROMISED_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(guard, MAP_FAILED);
    ck_assert_int_eq(mprotect(guard + page, PROMISED_STACK, PROT_READ | PROT_WRITE), 0);
    ck_assert_int_eq(getcontext(&there), 0);
    there.uc_stack = (stack_t){.ss_sp = guard + page, .ss_size = PROMISED_STACK};
    there.uc_link = &here;
    makecontext(&there, classify_on_small_stack, 0);
    ck_assert_int_eq(swapcontext(&here, &there), 0);
    ck_assert_uint_eq(class_on_small_stack, TRIP_CLASS_OVERLOADED);
}
END_TEST

/* ---- Hints ------------------------------------------------------------------------------------------------------- */

START_TEST(a_refused_hint_leaves_the_output_alone)
{
    static const char *const refused[] = {"Infinity", "-1", "1e99", "Sun, 06 Nov 1994 08:49:37 GMT",
                                          "Fri, 31 Dec 9999 23:59:59 GMT"};
    uint64_t wait = 4711;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_int_eq(trip_parse_retry_hint("Retry-After", SIZE_MAX, refused[i], SIZE_MAX, NOW, &wait),
                         TRIP_E_INVALID);
    ck_assert_int_eq(trip_parse_retry_hint("Date", SIZE_MAX, "5", 1, NOW, &wait), TRIP_NO_HINT);
    ck_assert_int_eq(trip_parse_retry_hint(NULL, 1, "5", 1, NOW, &wait), TRIP_E_INVALID);
    ck_assert_int_eq(trip_parse_retry_hint("Retry-After", SIZE_MAX, NULL, 1, NOW, &wait), TRIP_E_INVALID);
    ck_assert_int_eq(trip_parse_retry_hint("Retry-After", SIZE_MAX, NULL, 0, NOW, &wait), TRIP_E_INVALID);
    ck_assert_int_eq(trip_parse_retry_hint(NULL, 0, NULL, 0, NOW, &wait), TRIP_NO_HINT);
    ck_assert_uint_eq(wait, 4711);
}
END_TEST

START_TEST(no_time_of_day_makes_a_date_wrap)
{
    static const char *const dates[] = {"Fri, 31 Dec 9999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Thu Jan  1 00:00:00 1970"};
    static const uint64_t times[] = {0, 1, NOW, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        for (size_t j = 0; j < sizeof times / sizeof *times; j++) {
            uint64_t wait = 0;
            trip_parse_retry_hint("Retry-After", SIZE_MAX, dates[i], SIZE_MAX, times[j], &wait);
            trip_parse_retry_hint("x-ratelimit-reset", SIZE_MAX, "99999999999999", SIZE_MAX, times[j], &wait);
            ck_assert_uint_le(wait, 365 * 86400 * SECOND);
        }
    ck_assert_int_eq(trip_parse_retry_hint("Retry-After", SIZE_MAX, dates[2], SIZE_MAX, UINT64_MAX, &(uint64_t){0}),
                     TRIP_E_INVALID);
}
END_TEST

/* ---- The calendar ------------------------------------------------------------------------------------------------ */

static void require_date(time_t when, const char *format, bool (*read)(const char *text, uint64_t *seconds))
{
    char text[64];
    struct tm parts;
    uint64_t seconds = 0;
    strftime(text, sizeof text, format, gmtime_r(&when, &parts));
    ck_assert_msg(read(text, &seconds), "%s is no date", text);
    ck_assert_msg(seconds == (uint64_t)when, "%s", text);
}

static bool read_http(const char *text, uint64_t *seconds)
{
    trip_moment moment;
    bool is_one = trip_read_http_date((trip_text){text, strlen(text)}, NOW / SECOND, &moment);
    *seconds = moment.seconds;
    return is_one;
}

static bool read_rfc3339(const char *text, uint64_t *seconds)
{
    trip_moment moment;
    bool is_one = trip_read_rfc3339((trip_text){text, strlen(text)}, &moment);
    *seconds = moment.seconds;
    return is_one;
}

/* Every day from 1970 to 2400, each at another time of day. */
START_TEST(dates_agree_with_the_c_library)
{
    const time_t day = 86400, last = 157000 * day;
    for (time_t when = 0; when < last; when += day + 61) {
        require_date(when, "%a, %d %b %Y %H:%M:%S GMT", read_http);
        require_date(when, "%a %b %e %H:%M:%S %Y", read_http);
        require_date(when, "%Y-%m-%dT%H:%M:%SZ", read_rfc3339);
    }
    for (time_t when = 10 * 365 * day; when < 100 * 365 * day; when += day + 61) /* 1980 to 2069, as seen from 2026 */
        require_date(when, "%A, %d-%b-%y %H:%M:%S GMT", read_http);
}
END_TEST

static Suite *outcomes_suite(void)
{
    Suite *suite = suite_create("outcomes");
    TCase *bytes = tcase_create("bytes");
    tcase_add_test(bytes, bytes_that_are_no_text_are_read_as_any_others);
    tcase_add_test(bytes, a_text_ends_where_its_length_says_or_at_its_nul);
    tcase_add_test(bytes, no_more_is_read_than_65536_bytes);
    tcase_add_test(bytes, a_body_may_be_cut_off_anywhere);
    tcase_add_test(bytes, more_tokens_than_are_kept_lose_what_comes_behind_them);
    suite_add_tcase(suite, bytes);
    TCase *stack = tcase_create("stack");
    tcase_add_test(stack, classification_takes_16_kilobytes_of_stack_at_most);
    suite_add_tcase(suite, stack);
    TCase *hints = tcase_create("hints");
    tcase_add_test(hints, a_refused_hint_leaves_the_output_alone);
    tcase_add_test(hints, no_time_of_day_makes_a_date_wrap);
    suite_add_tcase(suite, hints);
    TCase *calendar = tcase_create("calendar");
    tcase_set_timeout(calendar, 300);
    tcase_add_test(calendar, dates_agree_with_the_c_library);
    suite_add_tcase(suite, calendar);
    return suite;
}

int main(void)
{
    return run_suite(outcomes_suite());
}
