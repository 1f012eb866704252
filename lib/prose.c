/* Prose, as prose.h describes it. */
#include "prose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

void trip_prose_add(trip_prose *prose, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof prose->text - prose->len;
    int written = vsnprintf(prose->text + prose->len, room, format, arguments);
    va_end(arguments);
    if (written > 0)
        prose->len += (size_t)written < room ? (size_t)written : room - 1;
}

void trip_prose_quote(trip_prose *prose, const char *bytes, size_t len)
{
    trip_prose_add(prose, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\')
            trip_prose_add(prose, "\\%c", c);
        else if (c >= ' ' && c < 0x7F)
            trip_prose_add(prose, "%c", c);
        else
            trip_prose_add(prose, "\\x%02x", c);
    }
    trip_prose_add(prose, "\"");
}

/* In two units, the smaller one only where it is not 0. */
static void two_units(trip_prose *prose, uint64_t ns, uint64_t large, const char *name, uint64_t small,
                      const char *small_name)
{
    trip_prose_add(prose, "%" PRIu64 " %s", ns / large, name);
    if (ns % large / small != 0)
        trip_prose_add(prose, " %" PRIu64 " %s", ns % large / small, small_name);
}

void trip_prose_duration(trip_prose *prose, uint64_t ns)
{
    if (ns == 0)
        trip_prose_add(prose, "0 s");
    else if (ns < MS)
        trip_prose_add(prose, "less than 1 ms");
    else if (ns < SECOND)
        trip_prose_add(prose, "%" PRIu64 " ms", ns / MS);
    else if (ns < MINUTE && ns % SECOND < SECOND / 10)
        trip_prose_add(prose, "%" PRIu64 " s", ns / SECOND);
    else if (ns < MINUTE)
        trip_prose_add(prose, "%" PRIu64 ".%" PRIu64 " s", ns / SECOND, ns % SECOND / (SECOND / 10));
    else if (ns < HOUR)
        two_units(prose, ns, MINUTE, "min", SECOND, "s");
    else if (ns < DAY)
        two_units(prose, ns, HOUR, "h", MINUTE, "min");
    else
        two_units(prose, ns, DAY, "d", HOUR, "h");
}

void trip_prose_date(trip_prose *prose, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / SECOND);
    struct tm date;
    if (gmtime_r(&seconds, &date) != NULL)
        trip_prose_add(prose, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
                       date.tm_hour, date.tm_min, date.tm_sec);
}

void trip_prose_count(trip_prose *prose, uint64_t count, const char *singular, const char *plural)
{
    trip_prose_add(prose, "%" PRIu64 " %s", count, count == 1 ? singular : plural);
}
