/* What operators do and see: steps that steer circuits, list and explain them, take events, metrics and snapshots. */
#ifndef CONTRACT_OPERATING_H
#define CONTRACT_OPERATING_H

#include "expect.h"

#include <trip.h>

#define SNAPSHOTS_MAX 8 /* of a vector */

typedef struct snapshots {
    struct snapshot {
        const char *name;
        char *bytes;
        size_t len;
    } list[SNAPSHOTS_MAX];
    size_t count;
} snapshots;

void set_mode(const place *where, trip_circuit circuit, const json_t *step, facts *found);
void configure(const place *where, trip_tracker tracker, const json_t *step, facts *found);
void list_circuits(const place *where, trip_tracker tracker, const json_t *step, facts *found);
void explain(const place *where, trip_circuit circuit, const json_t *step, facts *found);
void take_event(const place *where, trip_tracker tracker, facts *found);
void find_metric(const place *where, trip_tracker tracker, const json_t *step, facts *found);
void take_snapshot(const place *where, trip_tracker tracker, const json_t *step, snapshots *taken, facts *found);
void restore_snapshot(const place *where, trip_tracker tracker, const json_t *step, const snapshots *taken,
                      facts *found);
void forget_snapshots(snapshots *taken);

/* "TRIP_MODE_AUTO". */
const char *mode_name_of(uint32_t mode);

#endif
