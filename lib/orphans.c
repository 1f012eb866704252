/*
 * The end of a tracker for those who wait at what was made for it: they are told. Holds no lock, for each kind of object
 * takes its own, and decides nothing.
 */
#include "kinds.h"
#include "tracker.h"

trip_status trip_tracker_destroy(trip_tracker tracker)
{
    trip_status status = trip_tracker_end(tracker);
    for (size_t i = 0; i < TRIP_KINDS && status == TRIP_OK; i++)
        trip_objects_orphan(trip_kinds[i], tracker);
    return status;
}
