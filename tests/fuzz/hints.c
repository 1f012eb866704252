/*
 * libFuzzer's way into the hint parser. The first byte chooses a header, the rest is its value. What must hold for any
 * bytes: a wait of a year at most, or none and an output that nobody touched.
 */
#include <stdlib.h>
#include <trip.h>

#define YEAR_NS (365 * UINT64_C(86400000000000))
#define UNTOUCHED UINT64_C(0x5afe5afe5afe5afe)
#define NOW_NS UINT64_C(1795284253000000000) /* 2026-11-21 18:04:13 */

static void require(int holds)
{
    if (!holds)
        abort(); /* libFuzzer keeps the input */
}

static const char *const names[] = {
    "", "Retry-After", "retry-after-ms", "x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-reset", "Date",
};

/* The wait, or UNTOUCHED. */
static uint64_t wait_of(const char *name, const char *value, size_t len, uint64_t now_ns)
{
    uint64_t wait = UNTOUCHED;
    trip_status status = trip_parse_retry_hint(name, SIZE_MAX, value, len, now_ns, &wait);
    require(status == TRIP_OK || status == TRIP_NO_HINT || status == TRIP_E_INVALID);
    require(status == TRIP_OK ? wait <= YEAR_NS : wait == UNTOUCHED);
    return wait;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return 0;
    const char *name = names[bytes[0] % (sizeof names / sizeof names[0])], *value = (const char *)bytes + 1;
    uint64_t wait = wait_of(name, value, size - 1, NOW_NS);
    wait_of(name, value, size - 1, 0);
    wait_of(name, value, size - 1, UINT64_MAX);
    /* An hour later the wait is the same, if it is none until a date, else an hour shorter. */
    uint64_t hour_ns = UINT64_C(3600000000000), later = wait_of(name, value, size - 1, NOW_NS + hour_ns);
    if (wait != UNTOUCHED && later != UNTOUCHED)
        require(later == wait || later + hour_ns == wait);
    /* The bytes of a value are as good a name as any. */
    trip_parse_retry_hint(value, size - 1, value, size - 1, NOW_NS, &wait);
    return 0;
}
