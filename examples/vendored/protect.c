/* libtrip as a part of the program: nothing is installed, and nobody else sees its circuits. Time is moved by hand. */
#include <stdio.h>

#include "trip.h"

#define SECOND UINT64_C(1000000000)

static void ask(trip_circuit circuit, int provider_is_up)
{
    trip_permit permit;
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_status status = trip_circuit_permit(circuit, &permit, &refused);
    if (status == TRIP_OK)
        provider_is_up ? trip_permit_record_success(permit) : trip_permit_record_failure(permit);
    puts(trip_status_name(status));
}

int main(void)
{
    trip_config config;
    trip_tracker tracker;
    trip_circuit circuit;
    trip_config_init(&config, sizeof config);
    config.clock = TRIP_CLOCK_MANUAL;
    config.failure_threshold = 1;
    if (trip_tracker_create(&config, &tracker, NULL) != TRIP_OK ||
        trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &circuit) != TRIP_OK)
        return 1;

    ask(circuit, 0);
    ask(circuit, 1);
    trip_tracker_advance(tracker, 30 * SECOND);
    ask(circuit, 1);
    return trip_tracker_destroy(tracker) == TRIP_OK ? 0 : 2;
}
