/* Reads dates by pictures of them, and counts days of the Gregorian calendar. */
#include "civil_time.h"

#include <string.h>

#define NS_DIGITS 9

typedef struct civil {
    uint32_t year, month, day, hour, minute, second;
} civil;

static const char days[] = "mon tue wed thu fri sat sun ";
static const char long_days[] = "monday tuesday wednesday thursday friday saturday sunday ";
static const char months[] = "jan feb mar apr may jun jul aug sep oct nov dec ";

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

static bool take_digits(trip_text *text, size_t count, uint32_t *number)
{
    if (text->len < count)
        return false;
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        if (!trip_is_digit(text->at[i]))
            return false;
        *number = *number * 10 + (uint32_t)(text->at[i] - '0');
    }
    *text = trip_text_from(*text, count);
    return true;
}

/* Which of `names`, each with a space behind it, the text begins with: 1 is the first. */
static bool take_name(trip_text *text, const char *names, uint32_t *number)
{
    *number = 1;
    for (const char *name = names; *name != '\0'; name += strcspn(name, " ") + 1, ++*number) {
        size_t len = strcspn(name, " "), i = 0;
        while (i < len && i < text->len && trip_lower(text->at[i]) == name[i])
            i++;
        if (i == len) {
            *text = trip_text_from(*text, len);
            return true;
        }
    }
    return false;
}

/* A day of the month with a space in place of its first digit. */
static bool take_padded(trip_text *text, uint32_t *number)
{
    if (text->len == 0 || text->at[0] != ' ')
        return take_digits(text, 2, number);
    *text = trip_text_from(*text, 1);
    return take_digits(text, 1, number);
}

static bool take_literal(trip_text *text, char literal)
{
    if (text->len == 0 || trip_lower(text->at[0]) != trip_lower(literal))
        return false;
    *text = trip_text_from(*text, 1);
    return true;
}

/* Take from the text what one sign of a picture stands for: a and A a day of the week, d and e a day of the month (e
   padded), b and m a month by name and by number, Y and y a year of four and of two digits, H, M and S the time, z GMT.
   Any other stands for itself. */
static bool take_sign(trip_text *text, char sign, civil *when)
{
    uint32_t unused;
    switch (sign) {
    case 'a':
        return take_name(text, days, &unused);
    case 'A':
        return take_name(text, long_days, &unused);
    case 'b':
        return take_name(text, months, &when->month);
    case 'm':
        return take_digits(text, 2, &when->month);
    case 'd':
        return take_digits(text, 2, &when->day);
    case 'e':
        return take_padded(text, &when->day);
    case 'Y':
        return take_digits(text, 4, &when->year);
    case 'y':
        return take_digits(text, 2, &when->year);
    case 'H':
        return take_digits(text, 2, &when->hour);
    case 'M':
        return take_digits(text, 2, &when->minute);
    case 'S':
        return take_digits(text, 2, &when->second);
    case 'z':
        return take_name(text, "gmt ", &unused);
    default:
        return take_literal(text, sign);
    }
}

static bool take_picture(trip_text *text, const char *picture, civil *when)
{
    while (*picture != '\0' && take_sign(text, *picture, when))
        picture++;
    return *picture == '\0';
}

/* ---- The calendar ------------------------------------------------------------------------------------------------ */

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t month_length(uint32_t year, uint32_t month)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : lengths[month - 1];
}

/* 60 is a second of its own, and the same moment as the next minute's first. */
static bool is_real(const civil *when)
{
    return when->year >= 1970 && when->month >= 1 && when->month <= 12 && when->day >= 1 &&
           when->day <= month_length(when->year, when->month) && when->hour < 24 && when->minute < 60 &&
           when->second <= 60;
}

static uint64_t seconds_of(const civil *when)
{
    uint64_t before = when->year - 1;
    uint64_t day = before * 365 + before / 4 - before / 100 + before / 400 - UINT64_C(719162); /* 1970-01-01 is 0 */
    for (uint32_t month = 1; month < when->month; month++)
        day += month_length(when->year, month);
    day += when->day - 1;
    return ((day * 24 + when->hour) * 60 + when->minute) * 60 + when->second;
}

/* ---- The forms --------------------------------------------------------------------------------------------------- */

static uint32_t whole_year(uint32_t two_digits, uint64_t now_seconds)
{
    const uint64_t mean_year = 31556952; /* of the Gregorian calendar, in seconds */
    uint64_t latest = 1970 + now_seconds / mean_year + 50;
    return (uint32_t)(latest - (latest + 100 - two_digits) % 100);
}

bool trip_read_http_date(trip_text text, uint64_t now_seconds, trip_moment *moment)
{
    static const char *const pictures[] = {"a, d b Y H:M:S z", "A, d-b-y H:M:S z", "a b e H:M:S Y"};
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        civil when = {0};
        trip_text rest = text;
        if (!take_picture(&rest, pictures[i], &when) || rest.len != 0)
            continue;
        if (strchr(pictures[i], 'y') != NULL)
            when.year = whole_year(when.year, now_seconds);
        *moment = (trip_moment){.seconds = is_real(&when) ? seconds_of(&when) : 0};
        return is_real(&when);
    }
    return false;
}

/* The digits behind a point, as many as there are, rounded up to nanoseconds; a whole second carries. */
static bool take_fraction(trip_text *text, trip_moment *moment)
{
    if (text->len == 0 || text->at[0] != '.')
        return true;
    size_t i = 1;
    bool more = false;
    for (; i < text->len && trip_is_digit(text->at[i]); i++) {
        if (i <= NS_DIGITS)
            moment->nanoseconds = moment->nanoseconds * 10 + (uint32_t)(text->at[i] - '0');
        else
            more |= text->at[i] != '0';
    }
    for (size_t missing = i; missing <= NS_DIGITS; missing++)
        moment->nanoseconds *= 10;
    moment->nanoseconds += more;
    if (moment->nanoseconds == 1000000000) {
        moment->nanoseconds = 0;
        moment->seconds++;
    }
    *text = trip_text_from(*text, i);
    return i > 1;
}

/* "Z", or how far local time is ahead of UTC. */
static bool take_offset(trip_text *text, trip_moment *moment)
{
    if (take_literal(text, 'Z'))
        return true;
    bool ahead = text->len != 0 && text->at[0] == '+';
    civil offset = {0};
    if (!take_picture(text, ahead ? "+H:M" : "-H:M", &offset) || offset.hour > 23 || offset.minute > 59)
        return false;
    uint64_t seconds = (offset.hour * UINT64_C(60) + offset.minute) * 60;
    if (ahead && moment->seconds < seconds)
        return false;
    moment->seconds = ahead ? moment->seconds - seconds : moment->seconds + seconds;
    return true;
}

bool trip_read_rfc3339(trip_text text, trip_moment *moment)
{
    civil when = {0};
    if (!take_picture(&text, "Y-m-d", &when) || !(take_literal(&text, 'T') || take_literal(&text, ' ')) ||
        !take_picture(&text, "H:M:S", &when) || !is_real(&when))
        return false;
    *moment = (trip_moment){.seconds = seconds_of(&when)};
    return take_fraction(&text, moment) && take_offset(&text, moment) && text.len == 0;
}
