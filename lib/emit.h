/*
 * Emission: what in the life of a circuit, or at its tracker's lock, is an event, and what is told of it (events.h). Each
 * transition is told once, by who has made it. Takes no lock.
 */
#ifndef TRIP_EMIT_H
#define TRIP_EMIT_H

#include "circuit.h"
#include "rules.h"
#include "steering.h"

/* Whether it is an event, or several, that this verdict replaces the word. */
static inline bool trip_emit_is_due(uint64_t word, const trip_verdict *verdict)
{
    return verdict->lost || verdict->opened || trip_word_state_of(word) != trip_word_state_of(verdict->word);
}

/* Replace the word that was judged, and tell what that was. False: it is another by now, which *word becomes, or the swap
   was in vain for no reason. */
bool trip_emit_replacing(trip_hearing *hearing, uint64_t *word, trip_word_event event, const trip_verdict *verdict);

/* An open circuit with this word has refused a permit: tell it if nobody has since it opened. */
void trip_emit_refused(trip_hearing *hearing, uint64_t word);

/* The provider has asked for time: if this put off an open period, that goes on, and what was told of it stays told. */
void trip_emit_put_off(const trip_hearing *hearing, uint64_t from, uint64_t to);

/* A permit was settled too late to change anything. */
void trip_emit_late(trip_hearing *hearing);

/* The circuit has just been made vacant; this was its last word. With the mutex of its registry held. */
void trip_emit_gone(trip_record *record, uint64_t word, uint32_t cause);

/* With the mutex held: the circuit has become what it once was, which is open, by this word. */
void trip_emit_restored(trip_hearing *hearing, uint64_t word);

/* With the mutex held: a mode holds from now on. */
void trip_emit_forced(trip_record *record, trip_steer steer, uint32_t cause, const char *reason, size_t reason_len);

/* The policy of a tracker, or of some of its circuits, was replaced. */
void trip_emit_configured(trip_tracker tracker, const trip_subject *about);

/* Somebody has waited for so long for the tracker's lock. */
void trip_emit_lock_wait(trip_tracker tracker, uint64_t waited_ns);

#endif
