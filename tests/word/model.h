/*
 * The state machine of a circuit, told a second time: a plain struct with wide fields and exact deadlines, slow and
 * obvious. It shares with lib/word.c the names of the questions (trip_word_event, trip_policy, trip_status) and nothing
 * else: no bits, no rounding, no stamps. It must never look at a word.
 */
#ifndef TRIP_TESTS_WORD_MODEL_H
#define TRIP_TESTS_WORD_MODEL_H

#include "word.h"

__extension__ typedef unsigned __int128 wide;

typedef enum model_state { MODEL_CLOSED, MODEL_OPEN, MODEL_HALF_OPEN } model_state;

typedef struct model_circuit {
    model_state state;
    uint64_t failures; /* closed: in a row */
    uint64_t level;    /* open and half-open: probes that failed since the circuit was closed */
    uint64_t out;
    uint64_t won;
    uint64_t lost;  /* half-open: probes that failed, or whose lease ended as if they had */
    wide deadline;  /* open: the end of the period; half-open with a probe out: the end of the lease */
    wide reach;     /* half-open with a probe out: the lease can be extended to here and no further */
    uint64_t era;   /* counts epochs, from 0 */
    uint64_t epoch; /* the number that the library published for this era: it enters the jitter */
} model_circuit;

/* Which deadline an answer has set: the library may round each of them in its own way. */
typedef enum model_timing {
    MODEL_KEPT,    /* none */
    MODEL_OPENED,  /* an open period has begun */
    MODEL_PUT_OFF, /* one that is there, or was and nobody has asked since, ends later now */
    MODEL_LEASED,  /* a lease has begun: no probe was out */
    MODEL_EXTENDED /* the lease that covers the other probes too ends later now */
} model_timing;

typedef struct model_answer {
    trip_status status;
    model_timing timing;
    bool renumbers; /* nobody holds a permit of this epoch, so the library may begin another unnoticed */
} model_answer;

/* Whether expiry comes first at `now`, and what expiry does, from the moment the lease ended. */
bool model_is_due(const model_circuit *circuit, wide now);
model_timing model_expire(model_circuit *circuit, const trip_setting *setting);

/* The transitions, for a circuit that is not due. `era` is that of the permit's grant. */
model_answer model_judge(model_circuit *circuit, trip_word_event event, uint64_t era, const trip_setting *setting);

/* The stretched open period after the epoch of this number. */
wide model_period(uint64_t level, uint64_t epoch, const trip_setting *setting);

/* The backoff periods that trip.h describes, for a whole multiplier. */
void model_backoff(trip_policy *policy, uint64_t initial_ns, uint64_t max_ns, uint64_t multiplier, uint32_t backoff);

#endif
