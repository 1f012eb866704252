/* The express lane, as express.h describes it. Takes no lock. */
#include "express.h"

#include "abi.h"
#include "circuit.h"
#include "report.h"
#include "tracker.h"

/* Whether its policy gives the circuit no lane; one that an operator has taken comes back. */
static bool has_none(const trip_record *record, uint64_t word)
{
    if ((word & TRIP_WORD_SLOW) == 0)
        return false;
    trip_policy policy;
    trip_record_policy(record, &policy);
    return trip_policy_is_slow(&policy);
}

trip_status trip_circuit_express(trip_circuit circuit, trip_express *out_express)
{
    if (out_express == NULL || !trip_abi_may_write(out_express, TRIP_EXPRESS_SIZE_1_1))
        return TRIP_E_INVALID;
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    if (!trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    uint64_t healthy = word & ~TRIP_WORD_PAYLOAD;
    trip_express express = {
        .layout = has_none(record, word) ? TRIP_EXPRESS_LAYOUT_NONE : TRIP_EXPRESS_LAYOUT_WORD,
        .mask = 0,
        .value = 1,
        .word = (const uint64_t *)&record->cell.word,
    };
    if (trip_word_is_healthy(healthy)) {
        express.mask = UINT64_MAX;
        express.admit_mask = ~TRIP_WORD_PAYLOAD;
        express.value = healthy;
        express.permit = trip_express_make(trip_word_stamp(word), trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS));
    }
    trip_abi_write(out_express, &express, sizeof express);
    return TRIP_OK;
}

/* ---- Settling ---------------------------------------------------------------------------------------------------- */

/* How the permit of a lane stands to what lives in its place now. */
typedef struct lane {
    trip_record *record;
    trip_circuit circuit; /* that lives there */
    uint64_t word;        /* its word */
    uint64_t epoch;       /* the permit's */
    bool is_its_own;      /* the circuit is the one that the permit was told for */
} lane;

/* A permit that does not name the present epoch. TRIP_STALE: it once did; TRIP_E_HANDLE: it never did, or its tracker is
   gone. */
static __attribute__((noinline)) trip_status place(trip_permit permit, lane *on)
{
    uint64_t life = atomic_load_explicit(&on->record->life, memory_order_acquire);
    uint64_t born = trip_record_born(on->record);
    trip_tracker tracker = atomic_load_explicit(&on->record->tracker, memory_order_acquire);
    const trip_tracker_record *owner = trip_tracker_named(tracker);
    if (owner == NULL || !trip_tracker_lives(owner, tracker))
        return TRIP_E_HANDLE;
    uint64_t behind = (trip_word_stamp(on->word) - trip_express_stamp(permit)) & TRIP_EXPRESS_STAMP_MASK;
    if (behind > TRIP_EXPRESS_STAMP_MASK / 2)
        return TRIP_E_HANDLE;
    uint64_t stamp = trip_word_stamp(on->word) - behind;
    on->epoch = trip_word_epoch(trip_word_closed(stamp, 0));
    on->is_its_own = (life & 1) != 0 && stamp >= born;
    return TRIP_STALE;
}

static inline trip_status find(trip_permit permit, lane *out)
{
    uint32_t slot = trip_handle_slot(permit, TRIP_CIRCUIT_SLOT_BITS);
    out->record = trip_record_at(slot);
    if (out->record == NULL)
        return TRIP_E_HANDLE;
    out->word = atomic_load_explicit(&out->record->cell.word, memory_order_acquire);
    out->circuit = trip_record_handle(atomic_load_explicit(&out->record->life, memory_order_acquire), slot);
    out->epoch = trip_word_epoch(out->word);
    out->is_its_own = true;
    bool is_current = trip_word_state_of(out->word) == TRIP_WORD_CLOSED &&
                      trip_express_make(trip_word_stamp(out->word), slot) == permit &&
                      trip_record_lives(out->record, out->circuit);
    return is_current ? TRIP_OK : place(permit, out);
}

trip_status trip_express_inspect(trip_permit permit)
{
    lane on;
    return find(permit, &on);
}

trip_status trip_express_settle(trip_permit permit, trip_word_event event, const trip_outcome *outcome)
{
    lane on;
    trip_status status = find(permit, &on);
    if (status < 0 || !on.is_its_own)
        return status;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, on.circuit, on.record, trip_magazine_mine());
    trip_report report = {.event = event, .outcome = outcome, .epoch = on.epoch};
    if (!trip_circuit_tell(&hearing, &report, &status))
        return TRIP_STALE;
    trip_magazine_count(hearing.magazine, on.circuit, TRIP_COUNT_PERMITS, 1);
    return status;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

trip_status trip_circuit_count(trip_circuit circuit, uint64_t permits, uint64_t successes)
{
    const trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    trip_circuit_count_in_cell(circuit, TRIP_COUNT_PERMITS, permits);
    trip_circuit_count_in_cell(circuit, TRIP_COUNT_OUT, permits - successes);
    return TRIP_OK;
}
