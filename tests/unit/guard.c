/* Guards: types, rules, errno, refusals, what becomes of them when circuits, trackers and guards go, threads and forks. */
#include "fixture.h"

#include "forbid.h"
#include "seams.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static trip_tracker tracker;
static trip_circuit circuit;

static void begin(void)
{
    tracker = fragile_tracker();
    circuit = circuit_of(tracker, "acme", "openai");
}

static void finish(void)
{
    trip_tracker_destroy(tracker);
}

static trip_guard_config rule_config(uint32_t rule)
{
    trip_guard_config config;
    ck_assert_int_eq(trip_guard_config_init(&config, sizeof config), TRIP_OK);
    config.rule = rule;
    return config;
}

static trip_guard guard_with(const trip_guard_config *config, trip_classifier classifier, void *user_data,
                             trip_finalizer finalizer, trip_function function, const char *signature)
{
    trip_guard guard = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_guard_create(circuit, function, signature, SIZE_MAX, config, classifier, user_data,
                                           finalizer, &guard, &error);
    ck_assert_msg(status == TRIP_OK, "%s: %s", signature, error.message);
    return guard;
}

/* One that judges by a rule which fits every type but void. */
static trip_guard guard_of(trip_function function, const char *signature)
{
    trip_guard_config config = rule_config(TRIP_RULE_ZERO_FAILS);
    return guard_with(&config, NULL, NULL, NULL, function, signature);
}

static trip_function pointer_of(trip_guard guard)
{
    trip_function function = NULL;
    ck_assert_int_eq(trip_guard_pointer(guard, &function), TRIP_OK);
    ck_assert_ptr_nonnull((void *)(uintptr_t)function);
    return function;
}

static trip_status call(trip_guard guard, const void *argument, void *out_result)
{
    return trip_guard_call(guard, &argument, argument == NULL ? 0 : 1, out_result, NULL);
}

/* ---- Types ------------------------------------------------------------------------------------------------------- */

/* A function that returns its argument, and what it and its pointer return for a value, in room that is as wide as the
   type and has neighbours. */
#define TYPE(name, type)                                                                                               \
    static type return_##name(type value)                                                                              \
    {                                                                                                                  \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void pass_##name(const char *word, type value)                                                              \
    {                                                                                                                  \
        char signature[32];                                                                                            \
        snprintf(signature, sizeof signature, "%s (%s)", word, word);                                                  \
        trip_guard guard = guard_of((trip_function)return_##name, signature);                                          \
        struct {                                                                                                       \
            unsigned char before[8];                                                                                   \
            type result;                                                                                               \
            unsigned char after[8];                                                                                    \
        } __attribute__((packed)) room;                                                                                \
        memset(&room, 0x5A, sizeof room);                                                                              \
        ck_assert_int_eq(call(guard, &value, &room.result), TRIP_OK);                                                  \
        ck_assert_mem_eq(&room.result, &value, sizeof value);                                                          \
        ck_assert_mem_eq(room.before, "ZZZZZZZZ", 8);                                                                  \
        ck_assert_mem_eq(room.after, "ZZZZZZZZ", 8);                                                                   \
        ck_assert_int_eq(call(guard, &value, NULL), TRIP_OK);                                                          \
        type passed = ((type(*)(type))pointer_of(guard))(value);                                                       \
        ck_assert_mem_eq(&passed, &value, sizeof value);                                                               \
        ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);                                                          \
    }

TYPE(int8, int8_t)
TYPE(uint8, uint8_t)
TYPE(int16, int16_t)
TYPE(uint16, uint16_t)
TYPE(int32, int32_t)
TYPE(uint32, uint32_t)
TYPE(int64, int64_t)
TYPE(uint64, uint64_t)
TYPE(float, float)
TYPE(double, double)
TYPE(pointer, void *)

START_TEST(each_type_comes_through_as_wide_as_it_is)
{
    pass_int8("int8", -1);
    pass_int8("int8", INT8_MIN);
    pass_int8("int8", INT8_MAX);
    pass_uint8("uint8", 255);
    pass_int16("int16", -2);
    pass_int16("int16", INT16_MIN);
    pass_uint16("uint16", UINT16_MAX);
    pass_int32("int32", -3);
    pass_int32("int32", INT32_MIN);
    pass_uint32("uint32", UINT32_MAX);
    pass_int64("int64", -4);
    pass_int64("int64", INT64_MIN);
    pass_int64("int64", INT64_MAX);
    pass_uint64("uint64", UINT64_MAX);
    pass_float("float", -1.5f);
    pass_float("float", FLT_MAX);
    pass_double("double", DBL_MIN);
    pass_double("double", -DBL_MAX);
    pass_pointer("pointer", &tracker);
    pass_pointer("pointer", (void *)UINTPTR_MAX);
}
END_TEST

static int nothing_calls;

static void nothing(void)
{
    nothing_calls++;
}

static uint32_t succeed(void *user_data, const void *result, int32_t error_number)
{
    (void)error_number;
    *(const void **)user_data = result;
    return TRIP_CLASS_SUCCESS;
}

START_TEST(a_function_may_take_and_return_nothing)
{
    trip_guard_config config = rule_config(TRIP_RULE_CLASSIFIER);
    const void *seen = &config;
    nothing_calls = 0;
    trip_guard guard = guard_with(&config, succeed, &seen, NULL, nothing, "void (void)");
    unsigned char result = 0x5A;
    ck_assert_int_eq(trip_guard_call(guard, NULL, 0, &result, NULL), TRIP_OK);
    ck_assert_int_eq(result, 0x5A);
    ck_assert_ptr_null(seen);
    pointer_of(guard)();
    ck_assert_int_eq(nothing_calls, 2);
    fail_once(circuit);
    pointer_of(guard)();
    ck_assert_int_eq(nothing_calls, 2);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

static double mix(int8_t a, double b, uint16_t c, float d, void *e, int64_t f, uint8_t g, int32_t h, double i,
                  uint64_t j)
{
    return a + b + c + (double)d + (e == NULL ? 1000 : 0) + (double)f + g + h + i + (double)j;
}

START_TEST(arguments_of_all_types_come_through_mixed)
{
    trip_guard guard = guard_of((trip_function)mix,
                                "double (int8, double, uint16, float, pointer, int64, uint8, int32, double, uint64)");
    int8_t a = -1;
    double b = 0.5, i = 0.25;
    uint16_t c = 2;
    float d = 0.125f;
    void *e = NULL;
    int64_t f = -8;
    uint8_t g = 200;
    int32_t h = -100;
    uint64_t j = 7;
    const void *arguments[] = {&a, &b, &c, &d, &e, &f, &g, &h, &i, &j};
    double wanted = mix(a, b, c, d, e, f, g, h, i, j), result = 0;
    ck_assert_int_eq(trip_guard_call(guard, arguments, 10, &result, NULL), TRIP_OK);
    ck_assert_double_eq(result, wanted);
    ck_assert_double_eq(((__typeof__(&mix))pointer_of(guard))(a, b, c, d, e, f, g, h, i, j), wanted);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

#define EIGHT(x) x##0, x##1, x##2, x##3, x##4, x##5, x##6, x##7
#define SIXTY_FOUR EIGHT(10), EIGHT(20), EIGHT(30), EIGHT(40), EIGHT(50), EIGHT(60), EIGHT(70), EIGHT(80)
#define EIGHT_OF(p)                                                                                                    \
    uint64_t p##0, uint64_t p##1, uint64_t p##2, uint64_t p##3, uint64_t p##4, uint64_t p##5, uint64_t p##6,           \
        uint64_t p##7
#define SUM_OF(p, n)                                                                                                   \
    ((n)*p##0 + ((n) + 1) * p##1 + ((n) + 2) * p##2 + ((n) + 3) * p##3 + ((n) + 4) * p##4 + ((n) + 5) * p##5 +         \
     ((n) + 6) * p##6 + ((n) + 7) * p##7)

/* Each with a weight of its own, so that no two can be exchanged. */
static uint64_t weigh(EIGHT_OF(a), EIGHT_OF(b), EIGHT_OF(c), EIGHT_OF(d), EIGHT_OF(e), EIGHT_OF(f), EIGHT_OF(g),
                      EIGHT_OF(h))
{
    return SUM_OF(a, 1) + SUM_OF(b, 9) + SUM_OF(c, 17) + SUM_OF(d, 25) + SUM_OF(e, 33) + SUM_OF(f, 41) + SUM_OF(g, 49) +
           SUM_OF(h, 57);
}

START_TEST(sixty_four_arguments_come_through)
{
    char signature[1024] = "uint64 (uint64";
    for (int i = 1; i < 64; i++)
        strcat(signature, ", uint64");
    strcat(signature, ")");
    trip_guard guard = guard_of((trip_function)weigh, signature);
    const uint64_t values[64] = {SIXTY_FOUR};
    const void *arguments[64];
    for (int i = 0; i < 64; i++)
        arguments[i] = &values[i];
    uint64_t result = 0, wanted = weigh(SIXTY_FOUR);
    ck_assert_int_eq(trip_guard_call(guard, arguments, 64, &result, NULL), TRIP_OK);
    ck_assert_uint_eq(result, wanted);
    ck_assert_uint_eq(((__typeof__(&weigh))pointer_of(guard))(SIXTY_FOUR), wanted);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

START_TEST(functions_of_the_c_library_are_called)
{
    trip_guard length = guard_of((trip_function)strlen, "uint64 (pointer)");
    trip_guard number = guard_of((trip_function)atoi, "int32 (pointer)");
    const char *text = "4711";
    uint64_t len = 0;
    int32_t result = 0;
    ck_assert_int_eq(call(length, &text, &len), TRIP_OK);
    ck_assert_uint_eq(len, 4);
    ck_assert_int_eq(call(number, &text, &result), TRIP_OK);
    ck_assert_int_eq(result, 4711);
    ck_assert_int_eq(trip_guard_destroy(length), TRIP_OK);
    ck_assert_int_eq(trip_guard_destroy(number), TRIP_OK);
}
END_TEST

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

/* Whether a call that returned this counted as a failure, or as a success. */
static bool counts_as_failure(trip_guard guard, const void *argument)
{
    trip_circuit_info before = info_of(circuit);
    ck_assert_int_eq(call(guard, argument, NULL), TRIP_OK);
    trip_circuit_info after = info_of(circuit);
    ck_assert_uint_eq(permits_out(&after), 0);
    ck_assert_uint_eq(after.permits, before.permits + 1);
    bool has_failed = after.failures_total != before.failures_total;
    ck_assert_uint_eq(after.successes - before.successes, !has_failed);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    return has_failed;
}

#define JUDGED(rule, name, type, value, fails)                                                                         \
    do {                                                                                                               \
        trip_guard_config config = rule_config(rule);                                                                  \
        trip_guard guard = guard_with(&config, NULL, NULL, NULL, (trip_function)return_##name, #name " (" #name ")");  \
        type argument = (type)(value);                                                                                 \
        ck_assert_int_eq(counts_as_failure(guard, &argument), fails);                                                  \
        ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);                                                          \
    } while (0)

START_TEST(a_negative_result_fails)
{
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int8, int8_t, -1, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int8, int8_t, 0, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int8, int8_t, 127, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int16, int16_t, INT16_MIN, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int16, int16_t, 1, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int32, int32_t, -1, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int32, int32_t, 0, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int64, int64_t, INT64_MIN, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, int64, int64_t, UINT32_MAX, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, float, float, -0.5, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, float, float, -0.0, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, float, float, NAN, false);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, double, double, -INFINITY, true);
    JUDGED(TRIP_RULE_NEGATIVE_FAILS, double, double, NAN, false);
}
END_TEST

/* Of each width, where a byte that is not 0 stands. */
#define JUDGED_BY_ZERO(name, type, other)                                                                              \
    do {                                                                                                               \
        JUDGED(TRIP_RULE_ZERO_SUCCEEDS, name, type, 0, false);                                                         \
        JUDGED(TRIP_RULE_ZERO_SUCCEEDS, name, type, other, true);                                                      \
        JUDGED(TRIP_RULE_ZERO_FAILS, name, type, 0, true);                                                             \
        JUDGED(TRIP_RULE_ZERO_FAILS, name, type, other, false);                                                        \
    } while (0)

START_TEST(zero_succeeds_or_fails)
{
    JUDGED_BY_ZERO(int8, int8_t, -128);
    JUDGED_BY_ZERO(uint8, uint8_t, 128);
    JUDGED_BY_ZERO(int16, int16_t, 256);
    JUDGED_BY_ZERO(uint16, uint16_t, 256);
    JUDGED_BY_ZERO(int32, int32_t, 1 << 24);
    JUDGED_BY_ZERO(uint32, uint32_t, 1 << 24);
    JUDGED_BY_ZERO(int64, int64_t, INT64_MIN);
    JUDGED_BY_ZERO(uint64, uint64_t, UINT64_C(1) << 56);
    JUDGED_BY_ZERO(float, float, FLT_MIN);
    JUDGED_BY_ZERO(double, double, NAN);
    JUDGED_BY_ZERO(pointer, void *, &tracker);
    JUDGED(TRIP_RULE_ZERO_FAILS, double, double, -0.0, true);
}
END_TEST

START_TEST(a_rule_must_fit_the_result)
{
    static const struct {
        uint32_t rule;
        const char *fits, *does_not;
    } table[] = {
        {TRIP_RULE_NEGATIVE_FAILS, "int8 int16 int32 int64 float double", "void uint8 uint16 uint32 uint64 pointer"},
        {TRIP_RULE_ZERO_SUCCEEDS, "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float double pointer", "void"},
        {TRIP_RULE_ZERO_FAILS, "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float double pointer", "void"},
        {TRIP_RULE_ERRNO, "int8 int16 int32 int64 pointer", "void uint8 uint16 uint32 uint64 float double"},
        {TRIP_RULE_CLASSIFIER, "void int8 uint8 int16 uint16 int32 uint32 int64 uint64 float double pointer", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int fits = 0; fits < 2; fits++) {
            char words[128];
            snprintf(words, sizeof words, "%s", fits ? table[i].fits : table[i].does_not);
            for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
                char signature[32];
                snprintf(signature, sizeof signature, "%s ()", word);
                trip_guard_config config = rule_config(table[i].rule);
                const void *seen;
                trip_guard guard;
                trip_error error = {.struct_size = sizeof error};
                trip_classifier classifier = config.rule == TRIP_RULE_CLASSIFIER ? succeed : NULL;
                trip_status status = trip_guard_create(circuit, nothing, signature, SIZE_MAX, &config, classifier,
                                                       &seen, NULL, &guard, &error);
                ck_assert_msg(status == (fits ? TRIP_OK : TRIP_E_CONFIG), "rule %zu, %s", i, word);
                if (fits)
                    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
                else
                    ck_assert_uint_eq(error.field_offset, offsetof(trip_guard_config, rule));
            }
        }
}
END_TEST

/* ---- errno ------------------------------------------------------------------------------------------------------- */

static int seen_errno, set_errno;

static int32_t return_with_errno(int32_t value)
{
    seen_errno = errno;
    if (set_errno >= 0)
        errno = set_errno;
    return value;
}

static trip_guard errno_guard(uint32_t rule)
{
    trip_guard_config config = rule_config(rule);
    return guard_with(&config, NULL, NULL, NULL, (trip_function)return_with_errno, "int32 (int32)");
}

START_TEST(the_function_sees_the_callers_errno_and_the_caller_the_functions)
{
    trip_guard guard = errno_guard(TRIP_RULE_NEGATIVE_FAILS);
    int32_t fine = 1, wrong = -1, result;
    set_errno = -1;
    errno = ENOTTY;
    ck_assert_int_eq(call(guard, &fine, &result), TRIP_OK);
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_int_eq(seen_errno, ENOTTY);
    set_errno = ECHILD;
    errno = ENOTTY;
    ck_assert_int_eq(call(guard, &wrong, &result), TRIP_OK);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    int32_t (*pointer)(int32_t) = (int32_t(*)(int32_t))pointer_of(guard);
    errno = ENOTTY;
    ck_assert_int_eq(pointer(-1), -1);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(seen_errno, ENOTTY);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

static void *nowhere(int32_t error)
{
    errno = error;
    return error == 0 ? &tracker : NULL;
}

START_TEST(errno_says_what_failed)
{
    trip_guard guard = errno_guard(TRIP_RULE_ERRNO);
    int32_t fine = 1, wrong = -1, result;
    set_errno = ECONNREFUSED;
    ck_assert(counts_as_failure(guard, &wrong));
    ck_assert(!counts_as_failure(guard, &fine)); /* whatever errno is */
    set_errno = ENOTTY;                          /* says nothing about a provider */
    trip_circuit_info before = info_of(circuit);
    ck_assert_int_eq(call(guard, &wrong, &result), TRIP_OK);
    trip_circuit_info after = info_of(circuit);
    ck_assert_uint_eq(after.cancels, before.cancels + 1);
    ck_assert_uint_eq(after.failures_total, before.failures_total);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);

    trip_guard_config config = rule_config(TRIP_RULE_ERRNO);
    guard = guard_with(&config, NULL, NULL, NULL, (trip_function)nowhere, "pointer (int32)");
    int32_t none = 0, timeout = ETIMEDOUT;
    ck_assert(!counts_as_failure(guard, &none));
    ck_assert(counts_as_failure(guard, &timeout));
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

START_TEST(an_errno_of_before_says_nothing)
{
    trip_guard guard = errno_guard(TRIP_RULE_ERRNO);
    int32_t wrong = -1, result;
    set_errno = -1;
    errno = ECONNREFUSED;
    trip_circuit_info before = info_of(circuit);
    ck_assert_int_eq(call(guard, &wrong, &result), TRIP_OK);
    ck_assert_int_eq(errno, ECONNREFUSED); /* which nobody has touched */
    ck_assert_int_eq(seen_errno, 0);
    ck_assert_uint_eq(info_of(circuit).failures_total, before.failures_total);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

/* ---- Classifiers ------------------------------------------------------------------------------------------------- */

typedef struct judgement {
    uint32_t class;
    int8_t result;
    int32_t error_number;
    uint32_t ends;
} judgement;

static uint32_t judge(void *user_data, const void *result, int32_t error_number)
{
    judgement *j = user_data;
    memcpy(&j->result, result, 1);
    j->error_number = error_number;
    errno = EBADMSG; /* nobody's business */
    return j->class;
}

static void end_judgement(void *user_data)
{
    ((judgement *)user_data)->ends++;
}

static int8_t eight_bits(int8_t value)
{
    errno = EPIPE;
    return value;
}

START_TEST(a_classifier_judges_what_was_returned)
{
    judgement j = {.class = TRIP_CLASS_SUCCESS};
    trip_guard_config config = rule_config(TRIP_RULE_CLASSIFIER);
    trip_guard guard = guard_with(&config, judge, &j, end_judgement, (trip_function)eight_bits, "int8 (int8)");
    int8_t value = -7;
    ck_assert(!counts_as_failure(guard, &value));
    ck_assert_int_eq(j.result, -7);
    ck_assert_int_eq(j.error_number, EPIPE);
    j.class = TRIP_CLASS_OVERLOADED;
    ck_assert(counts_as_failure(guard, &value));
    ck_assert_int_eq(call(guard, &value, NULL), TRIP_OK);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    static const uint32_t nothing_known[] = {TRIP_CLASS_UNKNOWN, TRIP_CLASS_UNKNOWN + 1, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        j.class = nothing_known[i];
        trip_circuit_info before = info_of(circuit);
        ck_assert_int_eq(call(guard, &value, NULL), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit).cancels, before.cancels + 1);
    }
    ck_assert_uint_eq(j.ends, 0);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
    ck_assert_uint_eq(j.ends, 1);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_E_HANDLE);
    ck_assert_uint_eq(j.ends, 1);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

START_TEST(a_refused_call_says_when_to_come_back)
{
    trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)");
    int32_t value = 1, result = 42;
    const void *argument = &value;
    fail_once(circuit);
    trip_rejection rejection = {.struct_size = sizeof rejection};
    errno = ENOTTY;
    ck_assert_int_eq(trip_guard_call(guard, &argument, 1, &result, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_int_eq(result, 42);
    ck_assert_int_eq(rejection.status, TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(rejection.retry_after_ns, SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_guard_call(guard, &argument, 1, &result, &rejection), TRIP_OK);
    ck_assert_int_eq(result, 1);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

static trip_function refusing(trip_function function, const char *signature, int64_t result, double floating, int error)
{
    trip_guard_config config = rule_config(TRIP_RULE_ZERO_FAILS);
    config.refused_result = result;
    config.refused_double = floating;
    config.refused_errno = error;
    return pointer_of(guard_with(&config, NULL, NULL, NULL, function, signature));
}

#define REFUSED(name, type, refused, wanted)                                                                           \
    do {                                                                                                               \
        type (*pointer)(type) = (type(*)(type))refusing((trip_function)return_##name, #name " (" #name ")",            \
                                                        (int64_t)(refused), -2.5, EBUSY);                              \
        errno = 0;                                                                                                     \
        type result = pointer((type)1);                                                                                \
        type expected = (type)(wanted);                                                                                \
        ck_assert_mem_eq(&result, &expected, sizeof expected);                                                         \
        ck_assert_int_eq(errno, EBUSY);                                                                                \
    } while (0)

START_TEST(a_refused_pointer_returns_what_the_config_says)
{
    const uint64_t wide = UINT64_C(0x8182838485868788);
    fail_once(circuit);
    REFUSED(int8, int8_t, -1, -1);
    REFUSED(int8, int8_t, wide, 0x88);
    REFUSED(uint8, uint8_t, -1, 255);
    REFUSED(int16, int16_t, -1, -1);
    REFUSED(int16, int16_t, wide, 0x8788);
    REFUSED(uint16, uint16_t, wide, 0x8788);
    REFUSED(int32, int32_t, -7, -7);
    REFUSED(int32, int32_t, wide, 0x85868788);
    REFUSED(uint32, uint32_t, -1, UINT32_MAX);
    REFUSED(int64, int64_t, INT64_MIN, INT64_MIN);
    REFUSED(uint64, uint64_t, wide, wide);
    REFUSED(float, float, 1, -2.5);
    REFUSED(double, double, 1, -2.5);
    REFUSED(pointer, void *, 0, NULL);
    REFUSED(pointer, void *, (uintptr_t)&tracker, &tracker);
}
END_TEST

START_TEST(a_refusal_sets_errno_unless_told_not_to)
{
    fail_once(circuit);
    int32_t (*pointer)(int32_t) =
        (int32_t(*)(int32_t))pointer_of(guard_of((trip_function)return_int32, "int32 (int32)"));
    errno = ENOTTY;
    ck_assert_int_eq(pointer(1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    pointer = (int32_t(*)(int32_t))refusing((trip_function)return_int32, "int32 (int32)", -9, 0, 0);
    errno = ENOTTY;
    ck_assert_int_eq(pointer(1), -9);
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

/* ---- Recursion --------------------------------------------------------------------------------------------------- */

static trip_guard own;
static uint64_t (*own_pointer)(uint64_t);

static uint64_t factorial_by_call(uint64_t n)
{
    uint64_t less = n - 1, result = 1;
    if (n > 1)
        ck_assert_int_eq(call(own, &less, &result), TRIP_OK);
    return n * result;
}

static uint64_t depth_by_pointer(uint64_t n)
{
    return n == 0 ? 1 : 1 + own_pointer(n - 1);
}

START_TEST(a_guarded_function_may_call_itself_through_its_guard)
{
    own = guard_of((trip_function)factorial_by_call, "uint64 (uint64)");
    uint64_t n = 20, result = 0;
    ck_assert_int_eq(call(own, &n, &result), TRIP_OK);
    ck_assert_uint_eq(result, UINT64_C(2432902008176640000));
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, 20);
    ck_assert_uint_eq(info.successes, 20);
    ck_assert_int_eq(trip_guard_destroy(own), TRIP_OK);

    own = guard_of((trip_function)depth_by_pointer, "uint64 (uint64)");
    own_pointer = (uint64_t(*)(uint64_t))pointer_of(own);
    ck_assert_uint_eq(own_pointer(500), 501);
    info = info_of(circuit);
    ck_assert_uint_eq(info.successes, 521);
    ck_assert_uint_eq(permits_out(&info), 0);
    ck_assert_int_eq(trip_guard_destroy(own), TRIP_OK);
}
END_TEST

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

static judgement of_own;

static int8_t destroy_own(int8_t value)
{
    ck_assert_int_eq(trip_guard_destroy(own), TRIP_OK);
    ck_assert_int_eq(trip_guard_destroy(own), TRIP_E_HANDLE);
    ck_assert_uint_eq(of_own.ends, 0);
    return value;
}

START_TEST(a_guard_that_is_destroyed_within_a_call_ends_behind_it)
{
    trip_guard_config config = rule_config(TRIP_RULE_CLASSIFIER);
    int8_t value = 5, result = 0;
    for (int by_pointer = 0; by_pointer < 2; by_pointer++) {
        of_own = (judgement){.class = TRIP_CLASS_SUCCESS};
        own = guard_with(&config, judge, &of_own, end_judgement, (trip_function)destroy_own, "int8 (int8)");
        trip_circuit_info before = info_of(circuit);
        if (by_pointer)
            result = ((int8_t(*)(int8_t))pointer_of(own))(value);
        else
            ck_assert_int_eq(call(own, &value, &result), TRIP_OK);
        ck_assert_int_eq(result, 5);
        ck_assert_int_eq(of_own.result, 5);
        ck_assert_uint_eq(of_own.ends, 1);
        ck_assert_uint_eq(info_of(circuit).successes, before.successes + 1);
        ck_assert_int_eq(call(own, &value, &result), TRIP_E_HANDLE);
    }
}
END_TEST

START_TEST(a_pointer_outlives_its_guard_and_asks_nobody)
{
    int32_t (*pointers[40])(int32_t);
    trip_guard guards[40];
    for (int i = 0; i < 40; i++) {
        guards[i] = guard_of((trip_function)return_int32, "int32 (int32)");
        pointers[i] = (int32_t(*)(int32_t))pointer_of(guards[i]);
        ck_assert_ptr_eq((void *)(uintptr_t)pointer_of(guards[i]), (void *)(uintptr_t)pointers[i]);
        for (int before = 0; before < i; before++)
            ck_assert_ptr_ne((void *)(uintptr_t)pointers[before], (void *)(uintptr_t)pointers[i]);
    }
    fail_once(circuit);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(trip_guard_destroy(guards[i]), TRIP_OK);
    trip_guard another = guard_of((trip_function)return_int32, "int32 (int32)"); /* in the place of one of them */
    trip_circuit_info before = info_of(circuit);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(pointers[i](i + 1), i + 1);
    trip_circuit_info after = info_of(circuit);
    ck_assert_uint_eq(after.rejections, before.rejections);
    ck_assert_int_eq(trip_guard_destroy(another), TRIP_OK);
}
END_TEST

START_TEST(a_circuit_that_was_removed_is_made_anew)
{
    trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)");
    int32_t fine = 1, wrong = 0, result = 0;
    ck_assert_int_eq(call(guard, &wrong, &result), TRIP_OK);
    ck_assert_int_eq(call(guard, &fine, &result), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    ck_assert_int_eq(call(guard, &fine, &result), TRIP_OK);
    ck_assert_int_eq(result, 1);
    trip_circuit anew = circuit_of(tracker, "acme", "openai");
    ck_assert_uint_ne(anew, circuit);
    ck_assert_uint_eq(info_of(anew).successes, 1);
    ck_assert_int_eq(call(guard, &wrong, &result), TRIP_OK);
    ck_assert_int_eq(call(guard, &fine, &result), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

START_TEST(without_a_circuit_the_function_is_called_all_the_same)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.max_circuits = 1;
    trip_tracker small = tracker_with(&config);
    circuit = circuit_of(small, "acme", "openai");
    trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)");
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    fail_once(circuit_of(small, "acme", "anthropic")); /* which nothing evicts while it is open */
    int32_t value = 7, result = 0;
    ck_assert_int_eq(call(guard, &value, &result), TRIP_OK);
    ck_assert_int_eq(result, 7);
    ck_assert_int_eq(trip_tracker_destroy(small), TRIP_OK);
    value = 8;
    ck_assert_int_eq(call(guard, &value, &result), TRIP_OK);
    ck_assert_int_eq(result, 8);
    ck_assert_int_eq(((int32_t(*)(int32_t))pointer_of(guard))(9), 9);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

typedef struct unguarded {
    trip_guard guard;
    trip_status status;
    int32_t result;
} unguarded;

static void *call_without_memory(void *argument)
{
    unguarded *u = argument;
    int32_t value = 6;
    u->status = call(u->guard, &value, &u->result);
    return NULL;
}

START_TEST(without_memory_for_a_permit_the_function_is_called_all_the_same)
{
    unguarded u = {.guard = guard_of((trip_function)return_int32, "int32 (int32)")};
    trip_circuit_info before = info_of(circuit);
    pthread_t thread; /* a new one needs memory for its first permit */
    atomic_store(&allocations_left, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_without_memory, &u), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_int_eq(u.status, TRIP_OK);
    ck_assert_int_eq(u.result, 6);
    ck_assert_uint_eq(info_of(circuit).permits, before.permits);
    ck_assert_int_eq(trip_guard_destroy(u.guard), TRIP_OK);
}
END_TEST

START_TEST(guards_give_back_what_they_have)
{
    int64_t pieces = 0;
    for (int i = 0; i < 100; i++) {
        trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)");
        if (i == 0)
            pieces = atomic_load(&allocated);
        ck_assert_int_eq(atomic_load(&allocated), pieces);
        ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
    }
    for (int fails_at = 0; fails_at < 2; fails_at++) { /* the record, then the place */
        trip_guard guards[17];
        int count = 0;
        trip_status status = TRIP_OK;
        int64_t before = atomic_load(&allocated);
        atomic_store(&allocations_left, fails_at);
        while (count < 17 && status == TRIP_OK) {
            atomic_store(&allocations_left, fails_at);
            status =
                trip_guard_create(circuit, nothing, "int8 ()", SIZE_MAX, NULL, NULL, NULL, NULL, &guards[count], NULL);
            count += status == TRIP_OK;
        }
        atomic_store(&allocations_left, INT64_MAX);
        ck_assert_int_eq(status, TRIP_E_NOMEM);
        while (count > 0)
            ck_assert_int_eq(trip_guard_destroy(guards[--count]), TRIP_OK);
        ck_assert_int_eq(atomic_load(&allocated), before);
    }
}
END_TEST

/* ---- Threads and forks ------------------------------------------------------------------------------------------- */

#define CALLERS 4

typedef struct traffic {
    trip_guard guard;
    int8_t (*pointer)(int8_t);
    _Atomic uint32_t calls, inside, wrong, ended;
} traffic;

static traffic road;

static int8_t pass_by(int8_t value)
{
    atomic_fetch_add(&road.calls, 1);
    return value;
}

/* The classifier and what it uses are there while it runs. */
static uint32_t judge_traffic(void *user_data, const void *result, int32_t error_number)
{
    traffic *t = user_data;
    (void)error_number;
    atomic_fetch_add(&t->inside, 1);
    atomic_fetch_add(&t->wrong, *(const int8_t *)result != -3 || atomic_load(&t->ended) != 0);
    atomic_fetch_sub(&t->inside, 1);
    return TRIP_CLASS_SUCCESS;
}

static void end_traffic(void *user_data)
{
    traffic *t = user_data;
    atomic_fetch_add(&t->wrong, atomic_load(&t->inside) != 0);
    atomic_fetch_add(&t->ended, 1);
}

static void *call_until_destroyed(void *argument)
{
    traffic *t = argument;
    int8_t value = -3, result;
    for (;;) {
        result = 0;
        trip_status status = call(t->guard, &value, &result);
        atomic_fetch_add(&t->wrong, (status == TRIP_OK) != (result == -3));
        atomic_fetch_add(&t->wrong, t->pointer(-3) != -3);
        if (status != TRIP_OK) {
            atomic_fetch_add(&t->wrong, status != TRIP_E_HANDLE || t->pointer(-4) != -4);
            return NULL;
        }
    }
}

START_TEST(a_guard_is_destroyed_while_threads_call)
{
    trip_guard_config config = rule_config(TRIP_RULE_CLASSIFIER);
    for (int round = 0; round < 20; round++) {
        memset(&road, 0, sizeof road);
        road.guard = guard_with(&config, judge_traffic, &road, end_traffic, (trip_function)pass_by, "int8 (int8)");
        road.pointer = (int8_t(*)(int8_t))pointer_of(road.guard);
        pthread_t threads[CALLERS];
        for (int i = 0; i < CALLERS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, call_until_destroyed, &road), 0);
        while (atomic_load(&road.calls) < 50 * CALLERS)
            sched_yield();
        ck_assert_int_eq(trip_guard_destroy(road.guard), TRIP_OK);
        for (int i = 0; i < CALLERS; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_uint_eq(atomic_load(&road.wrong), 0);
        ck_assert_uint_eq(atomic_load(&road.ended), 1);
    }
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

static void *ask_for_pointer(void *guard)
{
    trip_function function = NULL;
    trip_guard_pointer(*(trip_guard *)guard, &function);
    return (void *)(uintptr_t)function;
}

START_TEST(threads_that_ask_at_once_get_the_same_pointer)
{
    for (int round = 0; round < 20; round++) {
        trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)");
        pthread_t threads[CALLERS];
        void *pointers[CALLERS];
        for (int i = 0; i < CALLERS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_for_pointer, &guard), 0);
        for (int i = 0; i < CALLERS; i++)
            ck_assert_int_eq(pthread_join(threads[i], &pointers[i]), 0);
        ck_assert_ptr_nonnull(pointers[0]);
        for (int i = 1; i < CALLERS; i++)
            ck_assert_ptr_eq(pointers[i], pointers[0]);
        ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
    }
}
END_TEST

static pid_t fork_here(void)
{
    return fork();
}

START_TEST(a_guarded_function_may_fork)
{
    int32_t (*earlier)(int32_t) =
        (int32_t(*)(int32_t))pointer_of(guard_of((trip_function)return_int32, "int32 (int32)"));
    trip_guard_config config = rule_config(TRIP_RULE_NEGATIVE_FAILS);
    trip_guard guard = guard_with(&config, NULL, NULL, NULL, (trip_function)fork_here, "int32 ()");
    pid_t (*forking)(void) = (pid_t(*)(void))pointer_of(guard);
    pid_t child = forking();
    if (child == 0) { /* Check's assertions would speak for the parent */
        trip_guard later;
        trip_function made = NULL;
        bool is_right = earlier(7) == 7 && trip_guard_destroy(guard) == TRIP_OK &&
                        trip_guard_create(circuit, (trip_function)return_int8, "int8 (int8)", SIZE_MAX, NULL, NULL,
                                          NULL, NULL, &later, NULL) == TRIP_OK &&
                        trip_guard_pointer(later, &made) == TRIP_OK && ((int8_t(*)(int8_t))made)(-5) == -5;
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(info_of(circuit).successes, 1);
}
END_TEST

/* ---- Systems that allow no functions that are made --------------------------------------------------------------- */

typedef struct forbidden {
    trip_guard guard;
    forbidden_memory what;
    int filter;
    int error_number;
    trip_status status;
} forbidden;

static void *ask_where_it_is_forbidden(void *argument)
{
    forbidden *f = argument;
    f->filter = forbid(f->what);
    trip_function function = NULL;
    errno = ENOTTY;
    f->status = trip_guard_pointer(f->guard, &function);
    f->error_number = errno;
    return NULL;
}

START_TEST(a_system_that_forbids_it_makes_no_pointer_and_guards_calls_all_the_same)
{
    static const struct {
        forbidden_memory what;
        trip_status status;
    } systems[] = {{EXECUTABLE_OR_MUCH, TRIP_E_NOMEM}, {EXECUTABLE, TRIP_E_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        forbidden f = {.guard = guard_of((trip_function)return_int32, "int32 (int32)"), .what = systems[i].what};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, ask_where_it_is_forbidden, &f), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(f.filter, 0);
        ck_assert_int_eq(f.status, systems[i].status);
        ck_assert_int_eq(f.error_number, ENOTTY);
        int32_t value = 3, result = 0;
        ck_assert_int_eq(call(f.guard, &value, &result), TRIP_OK);
        ck_assert_int_eq(result, 3);
        trip_function function = nothing; /* another thread may: asked again, it is tried again */
        if (systems[i].what == EXECUTABLE)
            function = pointer_of(f.guard);
        ck_assert(systems[i].what != EXECUTABLE || ((int32_t(*)(int32_t))function)(4) == 4);
        ck_assert_int_eq(trip_guard_destroy(f.guard), TRIP_OK);
    }
}
END_TEST

/* Whether the function of a guard that is made now does what it should. */
static trip_status make_and_call(int32_t value)
{
    trip_guard guard;
    trip_function function;
    trip_status status = trip_guard_create(circuit, (trip_function)return_int32, "int32 (int32)", SIZE_MAX, NULL, NULL,
                                           NULL, NULL, &guard, NULL);
    if (status == TRIP_OK)
        status = trip_guard_pointer(guard, &function);
    if (status == TRIP_OK && ((int32_t(*)(int32_t))function)(value) != value)
        status = TRIP_E_SYSTEM;
    return status;
}

/* libffi then shares what it makes with forked children. Everything in a child of its own; the first thing that is not so. */
static int split_where_nothing_may_be_written_and_executed(void)
{
    if (forbid(EXECUTABLE_AND_WRITABLE) != 0)
        return 1;
    trip_guard guard = 0;
    trip_function function = NULL;
    if (trip_guard_create(circuit, (trip_function)return_int32, "int32 (int32)", SIZE_MAX, NULL, NULL, NULL, NULL,
                          &guard, NULL) != TRIP_OK ||
        trip_guard_pointer(guard, &function) != TRIP_OK || ((int32_t(*)(int32_t))function)(4) != 4)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        bool calls = ((int32_t(*)(int32_t))function)(5) == 5;
        _exit(!calls ? 3 : make_and_call(6) != TRIP_E_UNSUPPORTED ? 4 : 0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0)
        return WEXITSTATUS(status) + 10;
    return make_and_call(7) == TRIP_OK && ((int32_t(*)(int32_t))function)(8) == 8 ? 0 : 5;
}

START_TEST(no_pointers_are_made_in_memory_that_a_parent_shares)
{
    pid_t child = fork();
    if (child == 0)
        _exit(split_where_nothing_may_be_written_and_executed());
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- Wrong arguments --------------------------------------------------------------------------------------------- */

START_TEST(a_wrong_config_is_told)
{
    trip_guard guard = 42;
    judgement j = {.class = 0};
    trip_guard_config config = rule_config(TRIP_RULE_CLASSIFIER + 1);
    trip_error error = {.struct_size = sizeof error};
#define REFUSE_CONFIG(classifier, field)                                                                               \
    do {                                                                                                               \
        ck_assert_int_eq(trip_guard_create(circuit, nothing, "int8 ()", SIZE_MAX, &config, classifier, &j,             \
                                           end_judgement, &guard, &error),                                             \
                         TRIP_E_CONFIG);                                                                               \
        ck_assert_uint_eq(error.field_offset, offsetof(trip_guard_config, field));                                     \
        ck_assert_int_eq(strncmp(error.message, #field ":", strlen(#field) + 1), 0);                                   \
    } while (0)
    REFUSE_CONFIG(NULL, rule);
    config.rule = TRIP_RULE_CLASSIFIER;
    REFUSE_CONFIG(NULL, rule);
    config.rule = TRIP_RULE_ERRNO;
    REFUSE_CONFIG(judge, rule);
    config.reserved = 1;
    REFUSE_CONFIG(NULL, reserved);
    ck_assert_uint_eq(guard, 42);
    ck_assert_uint_eq(j.ends, 0);

    ck_assert_int_eq(trip_guard_config_init(NULL, sizeof config), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_config_init(&config, sizeof config - 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_config_init(&config, 4097), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_config_init(&config, sizeof config), TRIP_OK);
    ck_assert_int_eq(config.refused_errno, EAGAIN);
    ck_assert_int_eq(config.refused_result, -1);
    config.struct_size = 8;
    ck_assert_int_eq(trip_guard_create(circuit, nothing, "int8 ()", 7, &config, NULL, NULL, NULL, &guard, &error),
                     TRIP_E_INVALID);
    struct {
        trip_guard_config known;
        uint64_t unknown;
    } later = {.known = rule_config(0), .unknown = 1};
    later.known.struct_size = sizeof later;
    ck_assert_int_eq(trip_guard_create(circuit, nothing, "int8 ()", 7, &later.known, NULL, NULL, NULL, &guard, &error),
                     TRIP_E_TOO_NEW);
}
END_TEST

START_TEST(variadic_functions_and_structs_are_refused_in_words)
{
    trip_guard guard;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_guard_create(circuit, (trip_function)printf, "int32 (pointer, ...)", SIZE_MAX, NULL, NULL,
                                       NULL, NULL, &guard, &error),
                     TRIP_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "variadic"));
    ck_assert_int_eq(trip_guard_create(circuit, nothing, "int32 (struct timespec)", SIZE_MAX, NULL, NULL, NULL, NULL,
                                       &guard, &error),
                     TRIP_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "struct"));
}
END_TEST

START_TEST(what_is_wrong_gets_a_status)
{
    trip_guard guard = guard_of((trip_function)return_int32, "int32 (int32)"), none = 42;
    trip_error error = {.struct_size = sizeof error}, bad_error = {.struct_size = 8};
    trip_rejection bad_rejection = {.struct_size = 8};
    int32_t value = 1, result = 42;
    const void *arguments[] = {&value, &value}, *missing[] = {NULL};
    trip_function function = nothing;
#define CREATE(circuit, function, signature, out_guard, out_error)                                                     \
    trip_guard_create(circuit, function, signature, SIZE_MAX, NULL, NULL, NULL, NULL, out_guard, out_error)
    ck_assert_int_eq(CREATE(circuit, NULL, "int8 ()", &none, &error), TRIP_E_INVALID);
    ck_assert_str_eq(error.message, "function is NULL");
    ck_assert_int_eq(CREATE(circuit, nothing, "int8 ()", NULL, &error), TRIP_E_INVALID);
    ck_assert_int_eq(CREATE(circuit, nothing, NULL, &none, &error), TRIP_E_INVALID);
    ck_assert_int_eq(CREATE(circuit, nothing, "int8 ()", &none, &bad_error), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, NULL, 1, &result, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, NULL, 0, &result, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, missing, 1, &result, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, arguments, 2, &result, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, arguments, SIZE_MAX, &result, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_call(guard, arguments, 1, &result, &bad_rejection), TRIP_E_INVALID);
    ck_assert_int_eq(trip_guard_pointer(guard, NULL), TRIP_E_INVALID);

    const uint64_t wrong[] = {0, 1, UINT64_MAX, tracker, circuit + 1, guard + (UINT64_C(1) << 16)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(CREATE(wrong[i], nothing, "int8 ()", &none, &error), TRIP_E_HANDLE);
        ck_assert_str_eq(error.message, "there is no such circuit");
        ck_assert_int_eq(trip_guard_call(wrong[i], arguments, 1, &result, NULL), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_guard_pointer(wrong[i], &function), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_guard_destroy(wrong[i]), TRIP_E_HANDLE);
    }
    ck_assert_int_eq(CREATE(guard, nothing, "int8 ()", &none, &error), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_guard_destroy(circuit), TRIP_E_HANDLE);
    ck_assert(function == nothing);
    ck_assert_uint_eq(none, 42);
    ck_assert_int_eq(result, 42);
    ck_assert_uint_eq(info_of(circuit).permits, 0);
    ck_assert_int_eq(trip_guard_destroy(guard), TRIP_OK);
}
END_TEST

static Suite *guard_suite(void)
{
    Suite *suite = suite_create("guard");
    if (trip_has_feature(TRIP_FEATURE_GUARDS) == 0)
        return suite;
    TCase *types = tcase_create("types");
    tcase_add_test(types, each_type_comes_through_as_wide_as_it_is);
    tcase_add_test(types, a_function_may_take_and_return_nothing);
    tcase_add_test(types, arguments_of_all_types_come_through_mixed);
    tcase_add_test(types, sixty_four_arguments_come_through);
    tcase_add_test(types, functions_of_the_c_library_are_called);
    TCase *rules = tcase_create("rules");
    tcase_add_test(rules, a_negative_result_fails);
    tcase_add_test(rules, zero_succeeds_or_fails);
    tcase_add_test(rules, a_rule_must_fit_the_result);
    tcase_add_test(rules, the_function_sees_the_callers_errno_and_the_caller_the_functions);
    tcase_add_test(rules, errno_says_what_failed);
    tcase_add_test(rules, an_errno_of_before_says_nothing);
    tcase_add_test(rules, a_classifier_judges_what_was_returned);
    TCase *refusals = tcase_create("refusals");
    tcase_add_test(refusals, a_refused_call_says_when_to_come_back);
    tcase_add_test(refusals, a_refused_pointer_returns_what_the_config_says);
    tcase_add_test(refusals, a_refusal_sets_errno_unless_told_not_to);
    TCase *ends = tcase_create("ends");
    tcase_add_test(ends, a_guarded_function_may_call_itself_through_its_guard);
    tcase_add_test(ends, a_guard_that_is_destroyed_within_a_call_ends_behind_it);
    tcase_add_test(ends, a_pointer_outlives_its_guard_and_asks_nobody);
    tcase_add_test(ends, a_circuit_that_was_removed_is_made_anew);
    tcase_add_test(ends, without_a_circuit_the_function_is_called_all_the_same);
    tcase_add_test(ends, without_memory_for_a_permit_the_function_is_called_all_the_same);
    tcase_add_test(ends, guards_give_back_what_they_have);
    TCase *threads = tcase_create("threads");
    tcase_add_test(threads, a_guard_is_destroyed_while_threads_call);
    tcase_add_test(threads, threads_that_ask_at_once_get_the_same_pointer);
    tcase_add_test(threads, a_guarded_function_may_fork);
    tcase_add_test(threads, a_system_that_forbids_it_makes_no_pointer_and_guards_calls_all_the_same);
    tcase_add_test(threads, no_pointers_are_made_in_memory_that_a_parent_shares);
    TCase *wrong = tcase_create("wrong");
    tcase_add_test(wrong, a_wrong_config_is_told);
    tcase_add_test(wrong, variadic_functions_and_structs_are_refused_in_words);
    tcase_add_test(wrong, what_is_wrong_gets_a_status);
    TCase *cases[] = {types, rules, refusals, ends, threads, wrong};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tcase_set_timeout(cases[i], 60);
        tcase_add_checked_fixture(cases[i], begin, finish);
        suite_add_tcase(suite, cases[i]);
    }
    return suite;
}

int main(void)
{
    return run_suite(guard_suite());
}
