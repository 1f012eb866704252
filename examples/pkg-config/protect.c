/* Asks a provider that is down until its circuit opens, and does not ask it again. */
#include <stdio.h>
#include <trip.h>

static int ask_the_provider(void)
{
    return -1;
}

int main(void)
{
    trip_tracker tracker;
    trip_circuit circuit;
    trip_permit permit;
    trip_rejection refused = {.struct_size = sizeof refused};
    if (trip_tracker_create(NULL, &tracker, NULL) != TRIP_OK ||
        trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &circuit) != TRIP_OK)
        return 1;

    int asked = 0;
    trip_status status;
    while ((status = trip_circuit_permit(circuit, &permit, &refused)) == TRIP_OK) {
        asked++;
        ask_the_provider() == 0 ? trip_permit_record_success(permit) : trip_permit_record_failure(permit);
    }
    printf("asked %d times; %s: come back in %.0f s\n", asked, trip_status_name(status), refused.retry_after_ns / 1e9);
    return trip_tracker_destroy(tracker) == TRIP_OK ? 0 : 2;
}
