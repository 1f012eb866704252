/* The comparison of facts with expectations: numbers, ranges and texts. */
#include "expect.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static fact *state(facts *found, const char *key)
{
    ck_assert_uint_lt(found->count, FACTS_MAX);
    fact *stated = &found->list[found->count++];
    *stated = (fact){.key = key};
    return stated;
}

void state_number(facts *found, const char *key, uint64_t number)
{
    state(found, key)->number = number;
}

void state_signed(facts *found, const char *key, int64_t number)
{
    fact *stated = state(found, key);
    stated->number = (uint64_t)number;
    stated->is_signed = true;
}

void state_text(facts *found, const char *key, const char *text, size_t len)
{
    fact *stated = state(found, key);
    stated->text = text;
    stated->len = len;
}

void state_name(facts *found, const char *key, const char *name)
{
    state_text(found, key, name, strlen(name));
}

static const fact *fact_of(const facts *found, const char *key)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->list[i].key, key) == 0)
            return &found->list[i];
    return NULL;
}

static bool equals(const json_t *expected, const fact *got)
{
    const char *text = json_string_value(expected);
    if (got->text != NULL)
        return json_string_length(expected) == got->len && memcmp(text, got->text, got->len) == 0;
    json_int_t number = json_integer_value(expected);
    return (number >= 0 || got->is_signed) && (uint64_t)number == got->number;
}

static bool in_range(const place *where, const json_t *range, uint64_t number)
{
    static const char *const ends[] = {"min", "max"};
    only_keys(where, range, ends, 2);
    uint64_t min = (uint64_t)number_member(where, range, "min");
    uint64_t max = (uint64_t)number_member(where, range, "max");
    return min <= number && number <= max;
}

/* A text may hold anything, so it is shown as JSON writes it. */
static _Noreturn void differ(const place *where, const char *key, const json_t *expected, const fact *got)
{
    char *wanted = json_dumps(expected, JSON_ENCODE_ANY | JSON_COMPACT);
    json_t *text = got->text == NULL ? NULL : json_stringn(got->text, got->len);
    char *seen = text == NULL ? NULL : json_dumps(text, JSON_ENCODE_ANY);
    if (got->text == NULL)
        wrong(where, got->is_signed ? "%s: expected %.400s, got %" PRId64 : "%s: expected %.400s, got %" PRIu64, key,
              wanted, got->number);
    wrong(where, "%s: expected %.400s, got %.400s", key, wanted, seen == NULL ? "bytes that are no text" : seen);
}

static void compare_one(const place *where, const char *key, const json_t *expected, const facts *found)
{
    const fact *got = fact_of(found, key);
    if (got == NULL)
        wrong(where, "%s: expected, but the answer (%s) has no such thing", key, fact_of(found, "status")->text);
    json_type type = json_typeof(expected);
    bool is_range = type == JSON_OBJECT && got->text == NULL;
    if (!is_range && type != (got->text == NULL ? JSON_INTEGER : JSON_STRING))
        wrong(where, "%s: the expectation has the wrong type", key);
    if (!(is_range ? in_range(where, expected, got->number) : equals(expected, got)))
        differ(where, key, expected, got);
}

void compare(const place *where, const json_t *expected, const facts *found)
{
    /* The status first: when it is another, the rest differs for that reason. */
    compare_one(where, "status", member(where, expected, "status", JSON_STRING), found);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)expected, key, value) {
        compare_one(where, key, value, found);
    }
}
