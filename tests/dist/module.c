/* A module that has a copy of libtrip for itself, and uses it once. */
#include "trip.h"

__attribute__((visibility("default"))) int use_module(void)
{
    trip_tracker tracker;
    trip_circuit circuit;
    trip_permit permit;
    if (trip_tracker_create(NULL, &tracker, NULL) != TRIP_OK ||
        trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &circuit) != TRIP_OK ||
        trip_circuit_permit(circuit, &permit, NULL) != TRIP_OK)
        return 1;
    return trip_permit_record_success(permit) == TRIP_OK ? 0 : 2;
}
