/*
 * libFuzzer's way into the classifiers. The first two bytes are an HTTP status, the rest is its body and a text. What
 * must hold for any bytes: an answer there is, out of the classes that the status leaves open, and again the same.
 */
#include <stdlib.h>
#include <string.h>
#include <trip.h>

#define YEAR_NS (365 * UINT64_C(86400000000000))

static void require(int holds)
{
    if (!holds)
        abort(); /* libFuzzer keeps the input */
}

static trip_outcome outcome_of(uint32_t http_status, const char *body, size_t len)
{
    trip_outcome outcome = {.struct_size = sizeof outcome};
    require(trip_classify_http(http_status, body, len, &outcome) == TRIP_OK);
    return outcome;
}

static trip_outcome outcome_of_text(const char *text, size_t len)
{
    trip_outcome outcome = {.struct_size = sizeof outcome};
    require(trip_classify_text(text, len, &outcome) == TRIP_OK);
    return outcome;
}

static void require_sense(const trip_outcome *outcome)
{
    require(outcome->status_class <= TRIP_CLASS_UNKNOWN && outcome->retry_after_ns <= YEAR_NS);
    require(outcome->sys_errno == 0 && outcome->duration_ns == 0);
}

/* Whatever a body says, it cannot talk a status out of these. */
static void require_what_the_status_says(const trip_outcome *outcome)
{
    uint32_t status = outcome->http_status, class = outcome->status_class;
    if (class == TRIP_CLASS_SUCCESS)
        require(status >= 200 && status <= 299 && outcome->retry_after_ns == 0);
    if (status == 504 || status == 524 || status == 408)
        require(class == TRIP_CLASS_TIMEOUT);
    if (status == 429)
        require(class == TRIP_CLASS_RATE_LIMITED || class == TRIP_CLASS_QUOTA);
    if (status == 401)
        require(class == TRIP_CLASS_AUTH);
    if (status >= 500 && status <= 599)
        require(class == TRIP_CLASS_SERVER_ERROR || class == TRIP_CLASS_OVERLOADED || class == TRIP_CLASS_TIMEOUT ||
                class == TRIP_CLASS_RATE_LIMITED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    uint32_t http_status = ((uint32_t)bytes[0] << 8 | bytes[1]) % 620;
    const char *said = (const char *)bytes + 2;
    size -= 2;
    trip_outcome outcome = outcome_of(http_status, said, size), again = outcome_of(http_status, said, size);
    require(memcmp(&outcome, &again, sizeof outcome) == 0 && outcome.http_status == http_status);
    require_sense(&outcome);
    require_what_the_status_says(&outcome);

    outcome = outcome_of_text(said, size);
    require_sense(&outcome);
    require(outcome.status_class != TRIP_CLASS_SUCCESS);
    require(outcome.http_status == 0 || (outcome.http_status >= 400 && outcome.http_status <= 599));
    require_what_the_status_says(&outcome);
    return 0;
}
