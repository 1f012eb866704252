/*
 * A circuit kept twice, as a word and as the model, and taken through the same steps. After each one the two are
 * compared whole: what the model knows exactly must be equal; a time that the word rounds must lie within its promised
 * bounds, and then the model goes on with the rounded one. The layout of the word is read here a second time, from the
 * text of word.h.
 */
#ifndef TRIP_TESTS_WORD_TWIN_H
#define TRIP_TESTS_WORD_TWIN_H

#include "model.h"

#define TWIN_QUARTERS 63 /* by so many quarters of its length a lease can grow */
#define TWIN_YEAR_NS (UINT64_C(31536000000) * TRIP_NS_PER_MS)

typedef struct spelled {
    trip_word_state state;
    uint64_t slow;
    uint64_t stamp;
    uint64_t failures;
    uint64_t level;
    uint64_t units;
    uint64_t out;
    uint64_t won;
    uint64_t lost;
    uint64_t quarters;
    bool tallies; /* half-open, of at most 15 probes: fields of 4 bits make room for one more */
} spelled;

typedef struct twin {
    uint64_t word;
    model_circuit circuit;
    model_timing timing; /* the deadline that the last step set, */
    wide late;           /* and by how many ns it lies after the exact one */
} twin;

/* What a permit carries: the epoch of its grant, as the model and as the library know it. */
typedef struct twin_permit {
    uint64_t era;
    uint64_t epoch;
} twin_permit;

uint64_t twin_word(const spelled *s);
spelled twin_spell(uint64_t word, const trip_policy *policy);
uint64_t twin_epoch(trip_word_state state, uint64_t stamp);
twin twin_of(const spelled *s, const trip_policy *policy);

/* These return the promise that is broken, or NULL. */
const char *twin_step(twin *t, trip_word_event event, twin_permit permit, const trip_setting *setting,
                      trip_verdict *out_verdict);
const char *twin_look(const twin *t, const trip_setting *setting);
const char *twin_forget_probes(twin *t, const trip_policy *policy);
const char *twin_open_until(twin *t, uint64_t deadline, uint64_t level, const trip_policy *policy);
const char *twin_with_failures(twin *t, uint64_t failures, const trip_policy *policy);

#endif
