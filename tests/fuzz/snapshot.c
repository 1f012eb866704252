/*
 * libFuzzer's way into snapshots. The bytes are one without its checksum; it is made right here, for the checksum hides
 * the reader from nearly all that is wrong. What must hold for any bytes: they are refused, and the tracker is as it was;
 * or they are restored, and what they say is all there: the snapshot of a tracker that has nothing else says it again.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>
#include <trip.h>

enum { CIRCUITS = 16, ROOM = 16384 };

static void require(int holds)
{
    if (!holds)
        abort(); /* libFuzzer keeps the input */
}

static trip_tracker make_tracker(void)
{
    trip_config config;
    require(trip_config_init(&config, sizeof config) == TRIP_OK);
    config.clock = TRIP_CLOCK_MANUAL;
    config.failure_threshold = 8388607; /* no count in a row is cut down to it */
    config.max_circuits = CIRCUITS;
    trip_tracker tracker;
    require(trip_tracker_create(&config, &tracker, NULL) == TRIP_OK);
    return tracker;
}

static size_t write_snapshot(trip_tracker tracker, char *out)
{
    size_t len;
    require(trip_tracker_snapshot(tracker, 1, out, ROOM, &len) == TRIP_OK);
    return len;
}

static void require_unchanged(trip_tracker tracker, const char *before, size_t before_len)
{
    static char after[ROOM];
    require(write_snapshot(tracker, after) == before_len && memcmp(after, before, before_len) == 0);
}

/* Each circuit of one is in the other, wherever: their order is that of the places in which they live. */
static void require_the_same(const char *one, size_t one_len, const char *other, size_t other_len)
{
    trip_layout_reader reader;
    trip_saved circuit;
    require(one_len == other_len && trip_layout_open(one, one_len, &reader) == NULL);
    for (const char *at = reader.at; trip_layout_next(&reader, &circuit) == NULL; at = reader.at)
        require(memmem(other, other_len, at, (size_t)(reader.at - at)) != NULL);
}

/* What was restored is written and restored again, and says the same. */
static void require_the_same_again(trip_tracker tracker)
{
    static char first[ROOM], again[ROOM];
    size_t len = write_snapshot(tracker, first);
    trip_tracker another = make_tracker();
    require(trip_tracker_restore(another, 1, first, len, NULL) == TRIP_OK);
    require_the_same(first, len, again, write_snapshot(another, again));
    require(trip_tracker_destroy(another) == TRIP_OK);
}

/* What no library writes, though it is restored: the later one counts. Its times are then rounded up to the clock of the
   earlier one, and once more when they are restored elsewhere. */
static bool names_one_twice(const char *bytes, size_t size)
{
    trip_layout_reader reader, others;
    trip_saved one, other;
    require(trip_layout_open(bytes, size, &reader) == NULL);
    while (trip_layout_has_more(&reader)) {
        require(trip_layout_next(&reader, &one) == NULL);
        for (others = reader; trip_layout_has_more(&others);) {
            require(trip_layout_next(&others, &other) == NULL);
            if (one.tenant_len == other.tenant_len && one.provider_len == other.provider_len &&
                memcmp(one.tenant, other.tenant, one.tenant_len) == 0 &&
                memcmp(one.provider, other.provider, one.provider_len) == 0)
                return true;
        }
    }
    return false;
}

static void take(const char *bytes, size_t size, uint64_t now)
{
    static char before[ROOM];
    trip_tracker tracker = make_tracker();
    trip_circuit circuit;
    require(trip_tracker_circuit(tracker, "acme", 4, "openai", 6, &circuit) == TRIP_OK);
    size_t before_len = write_snapshot(tracker, before);
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_restore(tracker, now, bytes, size, &error);
    require(status == TRIP_OK || status == TRIP_E_INVALID || status == TRIP_E_TOO_NEW || status == TRIP_E_CAPACITY);
    require(error.status == status);
    if (status == TRIP_OK && !names_one_twice(bytes, size))
        require_the_same_again(tracker);
    else if (status != TRIP_OK)
        require_unchanged(tracker, before, before_len);
    require(trip_tracker_destroy(tracker) == TRIP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    take((const char *)bytes, size, 1);
    if (size < TRIP_LAYOUT_HEADER_SIZE)
        return 0;
    size_t len = size + TRIP_LAYOUT_CHECKSUM_SIZE;
    char *whole = malloc(len); /* where memory ends when they do */
    require(whole != NULL);
    memcpy(whole, bytes, size);
    trip_layout_seal(whole, len);
    take(whole, len, 1);
    take(whole, len, UINT64_MAX);
    free(whole);
    return 0;
}
