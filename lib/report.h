/*
 * Reports: how the end of a call reaches its circuit. A report is counted, judged by the word, remembered where the
 * provider asked for time, and seen by the windows; any of them may open the circuit.
 */
#ifndef TRIP_REPORT_H
#define TRIP_REPORT_H

#include "circuit.h"

/* How a call ended, as its settlement says it. */
typedef struct trip_report {
    trip_word_event event;       /* where there is an outcome: what the config makes of it */
    const trip_outcome *outcome; /* complete; NULL: the event is all there is to tell */
    uint64_t epoch;              /* the permit's */
    uint64_t granted_at;         /* tracker's ns; of interest where calls are timed */
} trip_report;

/* Let the circuit have it. False: the circuit is gone, and nothing was counted. */
bool trip_circuit_tell(trip_hearing *hearing, const trip_report *report, trip_status *out_status);

/* The same, of a call that is not settled and so not counted yet. `event` is what trip_circuit_event says. */
bool trip_circuit_learn(trip_hearing *hearing, const trip_report *report, trip_word_event event,
                        trip_status *out_status);

/* The same for a success on a healthy circuit, of which only the windows want to know. The setting has the policy. */
void trip_circuit_observe_success(trip_hearing *hearing, uint64_t epoch);

/* What a report is about, by the circuit's config; count that a call was settled so, and with this status. */
trip_word_event trip_circuit_event(trip_hearing *hearing, const trip_report *report);
void trip_circuit_count_outcome(trip_hearing *hearing, trip_word_event event, trip_status status);

/* Let an event happen that opens the circuit, by more than the end of one call, which is the TRIP_CAUSE_*. False: the
   circuit is gone. */
bool trip_circuit_open(trip_hearing *hearing, trip_word_event event, uint64_t epoch, uint32_t cause);

/* Hand in calls of a time window that a thread has counted. */
void trip_circuit_hand_in_calls(const trip_account *account);

#endif
