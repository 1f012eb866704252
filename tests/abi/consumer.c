/*
 * A program that knows the installed library through pkg-config alone. It opens a circuit, is refused, and prints the
 * version; it owns nothing else that the library's own tests own.
 */
#include <stdio.h>
#include <trip.h>

static int refused_after_one_failure(trip_circuit circuit)
{
    trip_permit permit;
    trip_rejection refusal = {.struct_size = sizeof refusal};
    if (trip_circuit_permit(circuit, &permit, &refusal) != TRIP_OK || trip_permit_record_failure(permit) != TRIP_OK)
        return 0;
    return trip_circuit_permit(circuit, &permit, &refusal) == TRIP_REJECTED_OPEN && refusal.retry_after_ns > 0;
}

int main(void)
{
    trip_config config;
    trip_tracker tracker;
    trip_circuit circuit;
    if (trip_config_init(&config, sizeof config) != TRIP_OK)
        return 1;
    config.failure_threshold = 1;
    config.clock = TRIP_CLOCK_MANUAL;
    if (trip_tracker_create(&config, &tracker, NULL) != TRIP_OK)
        return 2;
    if (trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &circuit) != TRIP_OK)
        return 3;
    if (!refused_after_one_failure(circuit))
        return 4;
    if (trip_tracker_destroy(tracker) != TRIP_OK)
        return 5;
    printf("%s\n", trip_version());
    return 0;
}
