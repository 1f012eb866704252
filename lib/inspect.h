/* What can be seen of a circuit, by callers and by the rest of the library. */
#ifndef TRIP_INSPECT_H
#define TRIP_INSPECT_H

#include "circuit.h"

/* What trip_circuit_inspect says. False: there is no such circuit. */
bool trip_circuit_info_of(trip_circuit circuit, trip_circuit_info *out_info);

/* The same of a circuit that nobody can take away meanwhile, as it is or was with this word. */
void trip_circuit_info_with(trip_circuit circuit, trip_record *record, uint64_t word, trip_circuit_info *out_info);

/* What is in the cell, and what threads have not handed in yet; the successes of it. */
void trip_circuit_counts(const trip_record *record, trip_circuit circuit, uint64_t out_counts[TRIP_COUNTERS]);
uint64_t trip_successes(const uint64_t counts[TRIP_COUNTERS]);

/* The state of a word as callers know it. */
static inline uint32_t trip_state_told(trip_word_state state)
{
    return (uint32_t)state - TRIP_WORD_CLOSED + TRIP_STATE_CLOSED;
}

#endif
