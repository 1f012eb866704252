/* Calls the classifiers and the hint parser, and turns their outputs into facts; reads the outcomes that steps record.
   Judges nothing but that outputs are untouched where nothing may be written. */
#include "said.h"

#include "answer.h"

#include <inttypes.h>
#include <string.h>

#define UNWRITTEN UINT64_C(0x5afe5afe5afe5afe)

static const char *const class_names[] = {
    [TRIP_CLASS_SUCCESS] = "TRIP_CLASS_SUCCESS",
    [TRIP_CLASS_SERVER_ERROR] = "TRIP_CLASS_SERVER_ERROR",
    [TRIP_CLASS_RATE_LIMITED] = "TRIP_CLASS_RATE_LIMITED",
    [TRIP_CLASS_OVERLOADED] = "TRIP_CLASS_OVERLOADED",
    [TRIP_CLASS_NETWORK] = "TRIP_CLASS_NETWORK",
    [TRIP_CLASS_TIMEOUT] = "TRIP_CLASS_TIMEOUT",
    [TRIP_CLASS_QUOTA] = "TRIP_CLASS_QUOTA",
    [TRIP_CLASS_AUTH] = "TRIP_CLASS_AUTH",
    [TRIP_CLASS_INVALID_REQUEST] = "TRIP_CLASS_INVALID_REQUEST",
    [TRIP_CLASS_CONTEXT_OVERFLOW] = "TRIP_CLASS_CONTEXT_OVERFLOW",
    [TRIP_CLASS_NOT_FOUND] = "TRIP_CLASS_NOT_FOUND",
    [TRIP_CLASS_CONTENT_FILTERED] = "TRIP_CLASS_CONTENT_FILTERED",
    [TRIP_CLASS_CANCELLED] = "TRIP_CLASS_CANCELLED",
    [TRIP_CLASS_UNKNOWN] = "TRIP_CLASS_UNKNOWN",
};
#define CLASSES (sizeof class_names / sizeof class_names[0])

static const char *class_name(uint32_t status_class)
{
    return status_class < CLASSES ? class_names[status_class] : "a class of no name";
}

static uint32_t class_named(const place *where, const char *name)
{
    for (uint32_t status_class = 0; status_class < CLASSES; status_class++)
        if (strcmp(class_names[status_class], name) == 0)
            return status_class;
    wrong(where, "\"%s\" is no class", name);
}

trip_outcome outcome_argument(const place *where, const json_t *step)
{
    return (trip_outcome){
        .struct_size = sizeof(trip_outcome),
        .status_class = class_named(where, text_member(where, step, "class")),
        .http_status = (uint32_t)number_if_any(where, step, "http_status"),
        .retry_after_ns = number_if_any(where, step, "retry_after_ns"),
        .duration_ns = number_if_any(where, step, "duration_ns"),
    };
}

static void state_outcome(const place *where, trip_status status, const trip_outcome *outcome, facts *found)
{
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    if (outcome->duration_ns != 0)
        wrong(where, "a classification knows of a duration");
    state_name(found, "class", class_name(outcome->status_class));
    state_number(found, "http_status", outcome->http_status);
    state_number(found, "retry_after_ns", outcome->retry_after_ns);
}

void classify_http(const place *where, const json_t *step, facts *found)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .duration_ns = UNWRITTEN};
    uint32_t http_status = (uint32_t)number_member(where, step, "http_status");
    json_t *body = long_text(where, step, "body");
    trip_status status = trip_classify_http(http_status, json_string_value(body), json_string_length(body), &outcome);
    json_decref(body);
    state_outcome(where, status, &outcome, found);
}

void classify_text(const place *where, const json_t *step, facts *found)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .duration_ns = UNWRITTEN};
    json_t *text = long_text(where, step, "text");
    trip_status status = trip_classify_text(json_string_value(text), json_string_length(text), &outcome);
    json_decref(text);
    state_outcome(where, status, &outcome, found);
}

void classify_errno(const place *where, const json_t *step, facts *found)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .duration_ns = UNWRITTEN};
    int32_t sys_errno = (int32_t)json_integer_value(member(where, step, "errno", JSON_INTEGER));
    trip_status status = trip_classify_errno(sys_errno, &outcome);
    if (outcome.sys_errno != sys_errno)
        wrong(where, "the outcome's errno is %" PRId32, outcome.sys_errno);
    state_outcome(where, status, &outcome, found);
}

void retry_hint(const place *where, const json_t *step, facts *found)
{
    uint64_t wait = UNWRITTEN, now = (uint64_t)number_member(where, step, "now_unix_ns");
    const json_t *name = member(where, step, "name", JSON_STRING);
    json_t *value = long_text(where, step, "value");
    trip_status status = trip_parse_retry_hint(json_string_value(name), json_string_length(name),
                                               json_string_value(value), json_string_length(value), now, &wait);
    json_decref(value);
    state_status(found, status);
    if (status == TRIP_OK)
        state_number(found, "retry_after_ns", wait);
    else if (wait != UNWRITTEN)
        wrong(where, "%s, and yet out_retry_after_ns was written", trip_status_name(status));
}
