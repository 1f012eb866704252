/* Headers, durations and phrases with a wait in them, and how each is read. */
#include "retry_hint.h"

#include "abi.h"
#include "civil_time.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define MILLISECOND UINT64_C(1000000)

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* A number without a sign or an exponent: whole + billionths / 10^9, rounded up. */
typedef struct decimal {
    uint64_t whole;
    uint64_t billionths; /* at most 10^9 */
} decimal;

#define WHOLE_MAX UINT64_C(100000000000000) /* a millisecond of the year 5138, and no product of it with a unit wraps */

static bool take_whole(trip_text *text, uint64_t *whole)
{
    size_t i = 0;
    *whole = 0;
    for (; i < text->len && trip_is_digit(text->at[i]); i++)
        *whole = *whole > WHOLE_MAX ? *whole : *whole * 10 + (uint64_t)(text->at[i] - '0');
    *text = trip_text_from(*text, i);
    return i > 0 && *whole <= WHOLE_MAX;
}

/* Digits, and a point with digits behind it. */
static bool take_decimal(trip_text *text, decimal *number)
{
    *number = (decimal){0};
    if (!take_whole(text, &number->whole))
        return false;
    if (text->len < 2 || text->at[0] != '.' || !trip_is_digit(text->at[1]))
        return true;
    size_t i = 1;
    uint64_t place = 100000000;
    bool more = false;
    for (; i < text->len && trip_is_digit(text->at[i]); i++, place /= 10) {
        number->billionths += place * (uint64_t)(text->at[i] - '0');
        more |= place == 0 && text->at[i] != '0';
    }
    number->billionths += more;
    *text = trip_text_from(*text, i);
    return true;
}

/* number * unit, rounded up; false above a year. */
static bool times(decimal number, uint64_t unit_ns, uint64_t *ns)
{
    if (number.whole > TRIP_HINT_MAX / unit_ns)
        return false;
    uint64_t part = unit_ns >= TRIP_SECOND ? number.billionths * (unit_ns / TRIP_SECOND)
                                           : (number.billionths * unit_ns + TRIP_SECOND - 1) / TRIP_SECOND;
    *ns = number.whole * unit_ns + part;
    return *ns <= TRIP_HINT_MAX;
}

static bool read_number(trip_text text, uint64_t unit_ns, uint64_t *ns)
{
    decimal number;
    return take_decimal(&text, &number) && text.len == 0 && times(number, unit_ns, ns);
}

bool trip_read_seconds(trip_text text, uint64_t *ns)
{
    return read_number(text, TRIP_SECOND, ns);
}

/* ---- Durations --------------------------------------------------------------------------------------------------- */

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* the micro sign */
    {"\xce\xbcs", 1000}, /* the Greek letter */
    {"ms", MILLISECOND},
    {"millisecond", MILLISECOND},
    {"milliseconds", MILLISECOND},
    {"s", TRIP_SECOND},
    {"sec", TRIP_SECOND},
    {"secs", TRIP_SECOND},
    {"second", TRIP_SECOND},
    {"seconds", TRIP_SECOND},
    {"m", 60 * TRIP_SECOND},
    {"min", 60 * TRIP_SECOND},
    {"mins", 60 * TRIP_SECOND},
    {"minute", 60 * TRIP_SECOND},
    {"minutes", 60 * TRIP_SECOND},
    {"h", 3600 * TRIP_SECOND},
    {"hr", 3600 * TRIP_SECOND},
    {"hrs", 3600 * TRIP_SECOND},
    {"hour", 3600 * TRIP_SECOND},
    {"hours", 3600 * TRIP_SECOND},
    {"d", 86400 * TRIP_SECOND},
    {"day", 86400 * TRIP_SECOND},
    {"days", 86400 * TRIP_SECOND},
};

/* The unit that the text begins with, up to the first character that no unit has: a digit of the next number, say. */
static uint64_t take_unit(trip_text *text)
{
    size_t len = 0;
    while (len < text->len && trip_is_word_char(text->at[len]) && !trip_is_digit(text->at[len]))
        len++;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!trip_text_is((trip_text){text->at, len}, units[i].name))
            continue;
        *text = trip_text_from(*text, len);
        return units[i].ns;
    }
    return 0;
}

/* A number and its unit, which `gap` spaces at most may part, added to *ns. The text moves only if it is one. */
static bool take_part(trip_text *text, size_t gap, uint64_t *ns)
{
    trip_text rest = *text;
    decimal number;
    uint64_t part = 0;
    if (!take_decimal(&rest, &number))
        return false;
    for (; gap > 0 && rest.len > 0 && rest.at[0] == ' '; gap--)
        rest = trip_text_from(rest, 1);
    uint64_t unit_ns = take_unit(&rest);
    if (unit_ns == 0 || !times(number, unit_ns, &part))
        return false;
    *ns += part;
    *text = rest;
    return *ns <= TRIP_HINT_MAX;
}

bool trip_read_duration(trip_text text, uint64_t *ns)
{
    *ns = 0;
    while (text.len > 0)
        if (!take_part(&text, 0, ns))
            return false;
    return true;
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* What stands before a wait, and the unit of a bare number there; 0: it needs one. */
static const struct cue {
    const char *phrase;
    uint64_t unit_ns;
} cues[] = {
    {"try again in", 0},
    {"try again after", 0},
    {"retry in", 0},
    {"retry again in", 0},
    {"retry after", TRIP_SECOND},
    {"retry_after", TRIP_SECOND},
    {"retry_after_seconds", TRIP_SECOND},
    {"retrydelay", 0},
    {"reset after", 0},
    {"reset in", 0},
    {"resets in", 0},
    {"please wait", 0},
};

/* Behind a cue, up to its wait: space, and what JSON and Python put between a key and its value. */
static trip_text behind_cue(trip_text text)
{
    static const char between[] = {' ', '\t', ':', '=', '"', '\'', '\\'};
    while (text.len > 0 && memchr(between, text.at[0], sizeof between) != NULL)
        text = trip_text_from(text, 1);
    return text;
}

/* Past ", " or " and " between the parts of "1 minute and 30 seconds". */
static trip_text past_joint(trip_text text)
{
    size_t position = 0;
    trip_text rest = text;
    while (rest.len > 0 && (rest.at[0] == ' ' || rest.at[0] == ','))
        rest = trip_text_from(rest, 1);
    if (rest.len > 3 && trip_phrase_follows((trip_text){rest.at, 4}, &position, "and") && rest.at[3] == ' ')
        rest = trip_text_from(rest, 4);
    return rest;
}

/* Whether a number without a unit is over here, and no part of "5-10" or "3 attempts". */
static bool ends(trip_text text)
{
    static const char closing[] = {',', ';', '"', '\'', '\\', ')', ']', '}', '\r', '\n'};
    if (text.len == 0 || memchr(closing, text.at[0], sizeof closing) != NULL)
        return text.len < 2 || !trip_is_digit(text.at[1]);
    return text.at[0] == '.' && (text.len == 1 || !trip_is_word_char(text.at[1]));
}

static bool take_parts(trip_text text, uint64_t *ns)
{
    *ns = 0;
    if (!take_part(&text, 1, ns))
        return false;
    for (trip_text next = past_joint(text); take_part(&next, 1, ns); next = past_joint(text))
        text = next;
    bool goes_on = text.len > 0 && (trip_is_word_char(text.at[0]) || text.at[0] == '-');
    return !goes_on && *ns <= TRIP_HINT_MAX;
}

/* The wait at the beginning of `text`. */
static trip_status read_wait(trip_text text, uint64_t bare_unit_ns, uint64_t *ns)
{
    decimal number;
    if (text.len > 1 && text.at[0] == '-' && trip_is_digit(text.at[1]))
        return TRIP_E_INVALID;
    if (text.len == 0 || !trip_is_digit(text.at[0]))
        return TRIP_NO_HINT;
    if (take_parts(text, ns))
        return TRIP_OK;
    bool is_bare = bare_unit_ns != 0 && take_decimal(&text, &number) && ends(text);
    return is_bare && times(number, bare_unit_ns, ns) ? TRIP_OK : TRIP_E_INVALID;
}

trip_status trip_hint_in_text(trip_text text, uint64_t *ns)
{
    trip_status status = TRIP_NO_HINT;
    trip_text word;
    for (size_t position = 0; trip_next_word(text, &position, &word);) {
        for (size_t i = 0; i < COUNT(cues); i++) {
            size_t end = (size_t)(word.at - text.at);
            if (trip_lower(word.at[0]) != cues[i].phrase[0] || !trip_phrase_follows(text, &end, cues[i].phrase))
                continue;
            trip_status found = read_wait(behind_cue(trip_text_from(text, end)), cues[i].unit_ns, ns);
            if (found == TRIP_OK)
                return TRIP_OK;
            status = found == TRIP_E_INVALID ? found : status;
        }
    }
    return status;
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

typedef bool reader(trip_text value, uint64_t now_unix_ns, uint64_t *ns);

/* From now to `moment`, which is neither past nor more than a year away. */
static bool until(trip_moment moment, uint64_t now_unix_ns, uint64_t *ns)
{
    if (moment.seconds > UINT64_MAX / TRIP_SECOND - 1)
        return false;
    uint64_t then = moment.seconds * TRIP_SECOND + moment.nanoseconds;
    *ns = then - now_unix_ns;
    return then >= now_unix_ns && *ns <= TRIP_HINT_MAX;
}

static bool read_milliseconds(trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    (void)now_unix_ns;
    return read_number(value, MILLISECOND, ns);
}

static bool read_date(trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    trip_moment moment;
    return (trip_read_http_date(value, now_unix_ns / TRIP_SECOND, &moment) || trip_read_rfc3339(value, &moment)) &&
           until(moment, now_unix_ns, ns);
}

static bool read_seconds_or_date(trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    trip_moment moment;
    return trip_read_seconds(value, ns) ||
           (trip_read_http_date(value, now_unix_ns / TRIP_SECOND, &moment) && until(moment, now_unix_ns, ns));
}

/* A bare number is what its size says: up to a year of seconds a wait, from 10^9 (2001) on seconds since 1970, from
   10^12 on milliseconds. What lies between is none of these. */
static bool read_reset_number(trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    decimal number;
    if (!take_decimal(&value, &number) || value.len != 0)
        return false;
    if (number.whole < UINT64_C(1000000000))
        return times(number, TRIP_SECOND, ns);
    if (number.whole < UINT64_C(100000000000)) {
        trip_moment moment = {number.whole, (uint32_t)number.billionths};
        return until(moment, now_unix_ns, ns);
    }
    if (number.whole < UINT64_C(1000000000000))
        return false;
    trip_moment moment = {number.whole / 1000,
                          (uint32_t)(number.whole % 1000 * MILLISECOND + (number.billionths + 999) / 1000)};
    return until(moment, now_unix_ns, ns);
}

static bool read_reset(trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    return read_reset_number(value, now_unix_ns, ns) || (value.len != 0 && trip_read_duration(value, ns)) ||
           read_date(value, now_unix_ns, ns);
}

static const struct header {
    const char *name; /* in lower case; one * stands for anything but nothing */
    reader *read;
} headers[] = {
    {"retry-after", read_seconds_or_date},       {"retry-after-ms", read_milliseconds},
    {"x-ms-retry-after-ms", read_milliseconds},  {"ratelimit-reset", read_reset},
    {"x-ratelimit-reset", read_reset},           {"x-ratelimit-reset-*", read_reset},
    {"anthropic-ratelimit-*-reset", read_reset},
};

static bool matches(trip_text name, const char *pattern)
{
    size_t before = strcspn(pattern, "*");
    if (pattern[before] == '\0')
        return trip_text_is(name, pattern);
    size_t behind = strlen(pattern) - before - 1;
    if (name.len <= before + behind || !trip_text_is(trip_text_from(name, name.len - behind), pattern + before + 1))
        return false;
    size_t i = 0;
    while (i < before && trip_lower(name.at[i]) == pattern[i])
        i++;
    return i == before;
}

static trip_text without_edges(trip_text value)
{
    while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = trip_text_from(value, 1);
    while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static trip_status read_header(trip_text name, trip_text value, uint64_t now_unix_ns, uint64_t *ns)
{
    for (size_t i = 0; i < COUNT(headers); i++)
        if (matches(name, headers[i].name))
            return headers[i].read(without_edges(value), now_unix_ns, ns) ? TRIP_OK : TRIP_E_INVALID;
    return TRIP_NO_HINT;
}

trip_status trip_parse_retry_hint(const char *name, size_t name_len, const char *value, size_t value_len,
                                  uint64_t now_unix_ns, uint64_t *out_retry_after_ns)
{
    if (!trip_abi_text(name, &name_len) || !trip_abi_said(&value, &value_len) || out_retry_after_ns == NULL)
        return TRIP_E_INVALID;
    trip_text said = {value, value_len};
    uint64_t ns = 0;
    trip_status status =
        name_len == 0 ? trip_hint_in_text(said, &ns) : read_header((trip_text){name, name_len}, said, now_unix_ns, &ns);
    if (status == TRIP_OK)
        *out_retry_after_ns = ns;
    return status;
}
