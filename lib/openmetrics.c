/* OpenMetrics 1.0, the text format, as openmetrics.h describes it. Source: the OpenMetrics specification, sections "ABNF",
   "Escaping" and "Overall Structure". */
#include "openmetrics.h"

#include <stdbool.h>
#include <string.h>

static void put(trip_page *page, const char *text, size_t len)
{
    if (page->at != NULL && len != 0)
        memcpy(page->at + page->len, text, len);
    page->len += len;
}

static void put_text(trip_page *page, const char *text)
{
    put(page, text, strlen(text));
}

static void put_number(trip_page *page, uint64_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    put(page, digits + first, sizeof digits - first);
}

/* ---- Values of labels -------------------------------------------------------------------------------------------- */

/* The bytes of the character of UTF-8 that begins here; 0: none does (RFC 3629, section 4). */
static size_t character_at(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80)
        return 1;
    size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    bool is_too_long = (first == 0xE0 && at[1] < 0xA0) || (first == 0xF0 && at[1] < 0x90);
    bool is_surrogate = first == 0xED && at[1] >= 0xA0;
    bool is_too_large = first == 0xF4 && at[1] >= 0x90;
    return is_too_long || is_surrogate || is_too_large ? 0 : size;
}

static bool is_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool looks_like_an_escape(const unsigned char *at, size_t left)
{
    return left >= 4 && at[0] == '\\' && at[1] == 'x' && is_digit(at[2]) && is_digit(at[3]);
}

/* A backslash stands twice wherever it stands for itself. */
static void put_byte(trip_page *page, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    const char text[] = {'\\', '\\', 'x', digits[byte >> 4], digits[byte & 15]};
    put(page, text, sizeof text);
}

static void put_value(trip_page *page, const char *value, size_t len)
{
    const unsigned char *at = (const unsigned char *)value;
    for (size_t size, left = len; left > 0; at += size, left -= size) {
        size = character_at(at, left);
        bool is_control = *at < 0x20 || *at == 0x7F;
        if (*at == '\n')
            put_text(page, "\\n");
        else if (size == 0 || is_control || looks_like_an_escape(at, left))
            put_byte(page, *at);
        else if (*at == '\\' || *at == '"')
            put(page, (const char[]){'\\', (char)*at}, 2);
        else
            put(page, (const char *)at, size);
        size += size == 0;
    }
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void put_metadata(trip_page *page, const char *kind, const char *name, const char *text)
{
    const char *const parts[] = {"# ", kind, " ", name, " ", text, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        put_text(page, parts[i]);
}

void trip_page_family(trip_page *page, const trip_family *family)
{
    put_metadata(page, "TYPE", family->name, family->type);
    put_metadata(page, "HELP", family->name, family->help);
}

static const char *ending_of(const trip_family *family)
{
    return strcmp(family->type, "counter") == 0 ? "_total" : strcmp(family->type, "info") == 0 ? "_info" : "";
}

void trip_page_sample(trip_page *page, const trip_family *family, const trip_label *labels, size_t count,
                      uint64_t value)
{
    put_text(page, family->name);
    put_text(page, ending_of(family));
    for (size_t i = 0; i < count; i++) {
        put_text(page, i == 0 ? "{" : ",");
        put_text(page, labels[i].name);
        put_text(page, "=\"");
        put_value(page, labels[i].value, labels[i].len);
        put_text(page, "\"");
    }
    put_text(page, count == 0 ? " " : "} ");
    put_number(page, value);
    put_text(page, "\n");
}

void trip_page_end(trip_page *page)
{
    put_text(page, "# EOF\n");
}
