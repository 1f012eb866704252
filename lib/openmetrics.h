/*
 * The text of metrics as OpenMetrics 1.0 has it: families, samples, labels. Writes bytes where it is told to, or only
 * counts them; knows nothing of circuits, and fails at nothing.
 */
#ifndef TRIP_OPENMETRICS_H
#define TRIP_OPENMETRICS_H

#include <stddef.h>
#include <stdint.h>

/* Where the text goes. NULL: nowhere, and only its length is of interest. */
typedef struct trip_page {
    char *at;
    size_t len;
} trip_page;

/* The names and texts of a family are ours: nothing in them has to be escaped. */
typedef struct trip_family {
    const char *name; /* without the ending that the samples of its type have */
    const char *type; /* counter, gauge or info */
    const char *help;
} trip_family;

/*
 * The value of a label is any bytes, but not any may stand in a text. One that belongs to no character of UTF-8, and a
 * control character other than the newline, are told as \xHH, with capital digits; and a backslash in front of what
 * looks like that, as \x5C. So no two values are told alike, and nearly all are told as they are.
 */
typedef struct trip_label {
    const char *name;
    const char *value;
    size_t len;
} trip_label;

void trip_page_family(trip_page *page, const trip_family *family);
void trip_page_sample(trip_page *page, const trip_family *family, const trip_label *labels, size_t count,
                      uint64_t value);
void trip_page_end(trip_page *page);

#endif
