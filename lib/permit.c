/*
 * Permits: granted, refused, settled. The healthy path, a permit and a success on a closed circuit without
 * failures, is the first lines of trip_circuit_permit and of settle: no lock, no clock, no allocation, and no write to
 * memory that another thread writes.
 */
#include "permit.h"

#include "abi.h"
#include "circuit.h"
#include "emit.h"
#include "express.h"
#include "outstanding.h"
#include "overdue.h"
#include "report.h"
#include "steering.h"
#include "tracker.h"

_Atomic(char *) trip_permit_chunks[TRIP_PERMITS_MAX >> TRIP_PERMIT_CHUNK_BITS];
trip_pool trip_permits =
    TRIP_POOL(sizeof(trip_permit_slot), TRIP_PERMITS_MAX, TRIP_PERMIT_CHUNK_BITS, trip_permit_chunks);

_Static_assert(sizeof(trip_permit_slot) == 64, "a permit slot is one cache line");
_Static_assert(sizeof(trip_permit_slot) * TRIP_PERMITS_RUN == 4096, "a thread's slots are one page");

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

/* Settle in the callers' stead the permits that nobody can settle any more: those of trackers that are gone. */
static void reclaim_orphans(void)
{
    uint32_t made = trip_pool_made(&trip_permits);
    for (uint32_t i = 0; i < made; i++) {
        trip_permit_slot *slot = trip_permit_slot_at(i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
        if (!trip_permit_is_out(word, atomic_load_explicit(&slot->granted, memory_order_acquire)) ||
            trip_tracker_tag_lives(atomic_load_explicit(&slot->tracker_tag, memory_order_relaxed)))
            continue;
        uint64_t settled = trip_permit_settled(word);
        if (atomic_compare_exchange_strong_explicit(&slot->word, &word, settled, memory_order_acq_rel,
                                                    memory_order_relaxed) &&
            (settled & TRIP_PERMIT_SPARE) != 0 && !trip_permit_is_used_up(settled))
            trip_pool_give(&trip_permits, i);
    }
}

static trip_status take_number(uint32_t *out_number)
{
    static _Atomic uint64_t reclaimed_at; /* trackers destroyed when we last looked for orphans */
    trip_status status = trip_pool_take(&trip_permits, out_number);
    if (status != TRIP_E_CAPACITY)
        return status;
    uint64_t destroyed = atomic_load_explicit(&trip_trackers_destroyed, memory_order_acquire);
    if (atomic_exchange_explicit(&reclaimed_at, destroyed, memory_order_acq_rel) == destroyed)
        return status;
    reclaim_orphans();
    return trip_pool_take(&trip_permits, out_number);
}

static trip_permit_slot *taken(uint32_t number)
{
    trip_permit_slot *slot = trip_permit_slot_at(number);
    if (atomic_load_explicit(&slot->word, memory_order_relaxed) == 0)
        atomic_store_explicit(&slot->word, TRIP_PERMIT_SPARE | TRIP_PERMIT_GENERATION | number, memory_order_relaxed);
    return slot;
}

trip_status trip_permit_slot_take(trip_permit_slot **out_slot)
{
    uint32_t number;
    trip_status status = take_number(&number);
    if (status == TRIP_OK)
        *out_slot = taken(number);
    return status;
}

trip_status trip_permit_slots_take_run(trip_permit_slot *out_slots[TRIP_PERMITS_RUN])
{
    if (trip_pool_made(&trip_permits) >= TRIP_PERMITS_SCARCE)
        return TRIP_E_CAPACITY;
    uint32_t first;
    trip_status status = trip_pool_take_run(&trip_permits, TRIP_PERMITS_RUN, &first);
    for (uint32_t i = 0; status == TRIP_OK && i < TRIP_PERMITS_RUN; i++)
        out_slots[i] = taken(first + i);
    return status;
}

static void forget_times(trip_permit_slot *slot)
{
    atomic_store_explicit(&slot->granted_at, TRIP_GRANTED_NEVER, memory_order_relaxed);
    atomic_fetch_and_explicit(&slot->progress, ~TRIP_PROGRESS_TIME, memory_order_relaxed);
}

void trip_permits_after_fork(void)
{
    uint32_t made = trip_pool_made(&trip_permits);
    for (uint32_t i = 0; i < made; i++) {
        trip_permit_slot *slot = trip_permit_slot_at(i);
        if (trip_permit_is_out(atomic_load_explicit(&slot->word, memory_order_relaxed),
                               atomic_load_explicit(&slot->granted, memory_order_relaxed)))
            forget_times(slot);
    }
}

/* A spare that was settled, or not granted after all. */
static void keep(trip_magazine *magazine, trip_permit_slot *spare, uint64_t word)
{
    if (!trip_permit_is_used_up(word))
        trip_magazine_put(magazine, spare);
}

/* ---- Granting ---------------------------------------------------------------------------------------------------- */

static inline trip_permit grant(trip_permit_slot *slot, uint64_t free)
{
    trip_permit permit = free | TRIP_PERMIT_KIND;
    atomic_store_explicit(&slot->granted, permit, memory_order_release);
    return permit;
}

/* What a permit of a closed circuit is granted for. */
typedef struct terms {
    trip_circuit circuit;
    trip_record *record;
    uint64_t tracker;
    uint64_t bare;
    uint64_t revision; /* as of which that is known */
} terms;

/* Bind a free slot of our own to what it is granted for, unless it was granted for the same before. Without the mark of
   a slow circuit, so that such a circuit is never taken for one that need not be told. */
static inline void bind(trip_permit_slot *slot, terms of)
{
    of.bare &= ~TRIP_WORD_SLOW;
    if (atomic_load_explicit(&slot->bare, memory_order_relaxed) == of.bare &&
        atomic_load_explicit(&slot->circuit, memory_order_relaxed) == of.circuit)
        return;
    atomic_store_explicit(&slot->tracker_tag, (uint32_t)of.tracker, memory_order_relaxed);
    atomic_store_explicit(&slot->bare, of.bare, memory_order_relaxed);
    atomic_store_explicit(&slot->record, of.record, memory_order_relaxed);
    atomic_store_explicit(&slot->circuit, of.circuit, memory_order_relaxed);
}

/* In the slot of our own whose turn it is. */
static inline trip_permit grant_own(trip_magazine *magazine, terms of)
{
    trip_own_slot *own = magazine->turn;
    trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_relaxed);
    bind(slot, of);
    trip_permit permit = grant(slot, own->free);
    own->free += TRIP_PERMIT_GENERATION;
    magazine->turn = own->next;
    return permit;
}

static trip_permit grant_spare(const trip_hearing *hearing, trip_permit_slot *slot, uint64_t circuits_word)
{
    uint64_t tracker = atomic_load_explicit(&hearing->record->tracker, memory_order_relaxed);
    atomic_store_explicit(&slot->tracker_tag, (uint32_t)tracker, memory_order_relaxed);
    atomic_store_explicit(&slot->bare, trip_word_bare(circuits_word) & ~TRIP_WORD_SLOW, memory_order_relaxed);
    atomic_store_explicit(&slot->record, hearing->record, memory_order_relaxed);
    atomic_store_explicit(&slot->circuit, hearing->circuit, memory_order_relaxed);
    /* Of a probe too: its first token may make it a call of the closed circuit. */
    bool is_timed = trip_policy_times_calls(hearing->setting.policy);
    atomic_store_explicit(&slot->granted_at, is_timed ? trip_circuit_lately(hearing) : 0, memory_order_relaxed);
    atomic_store_explicit(&slot->progress, 0, memory_order_relaxed);
    trip_magazine_count(hearing->magazine, hearing->circuit, TRIP_COUNT_PERMITS, 1);
    trip_magazine_count(hearing->magazine, hearing->circuit, TRIP_COUNT_OUT, 1);
    return grant(slot, atomic_load_explicit(&slot->word, memory_order_relaxed) & TRIP_PERMIT_NAME);
}

/* There is no place for a permit. An open circuit refuses all the same: a caller who lets calls through on an error
   shall not do so to a provider that is down. */
static __attribute__((noinline)) trip_status without_slot(trip_hearing *hearing, uint64_t word, trip_status error,
                                                          trip_rejection *out_rejection)
{
    trip_status status = trip_circuit_peek(hearing->circuit, out_rejection);
    if (status > 0)
        trip_magazine_count(hearing->magazine, hearing->circuit, TRIP_COUNT_REJECTIONS, 1);
    if (status == TRIP_REJECTED_OPEN && trip_word_state_of(word) == TRIP_WORD_OPEN)
        trip_emit_refused(hearing, word);
    return status > 0 ? status : error;
}

static __attribute__((noinline)) void refuse_anew(trip_hearing *hearing, trip_account *account, uint64_t word)
{
    if (account != NULL)
        account->bare = trip_account_refused(word);
    trip_emit_refused(hearing, word);
}

static trip_status refuse(trip_hearing *hearing, const trip_verdict *verdict, trip_rejection *out_rejection)
{
    trip_account *account = trip_magazine_account(hearing->magazine, hearing->circuit);
    trip_magazine_count_with(account, hearing->circuit, TRIP_COUNT_REJECTIONS, 1);
    trip_circuit_refuse(hearing, verdict, out_rejection);
    bool is_known = account != NULL && account->bare == trip_account_refused(verdict->word);
    if (verdict->status == TRIP_REJECTED_OPEN && !is_known)
        refuse_anew(hearing, account, verdict->word);
    return verdict->status;
}

/* A circuit that is not closed decides by its word. The slot is there already, so that a probe won is a probe had. */
static trip_status ask(trip_hearing *hearing, trip_permit_slot *spare, trip_permit *out_permit,
                       trip_rejection *out_rejection)
{
    trip_verdict verdict;
    bool there = trip_circuit_apply(hearing, TRIP_ON_PERMIT, 0, &verdict);
    if (there && verdict.status == TRIP_OK) {
        *out_permit = grant_spare(hearing, spare, verdict.word);
        return TRIP_OK;
    }
    trip_magazine_put(hearing->magazine, spare);
    return there ? refuse(hearing, &verdict, out_rejection) : TRIP_E_HANDLE;
}

/* In a slot of our own that is free: there is one. The next permit is granted without asking, if it may be. */
static trip_permit grant_closed(trip_magazine *magazine, terms of, bool may_be_known)
{
    trip_account *account = trip_magazine_account(magazine, of.circuit);
    if (account != NULL && may_be_known)
        account->bare = of.bare | of.revision;
    trip_permit permit = grant_own(magazine, of);
    trip_magazine_count_with(account, of.circuit, TRIP_COUNT_PERMITS, 1);
    return permit;
}

static trip_status permit_by_circuit(trip_hearing *hearing, uint64_t revision, trip_permit *out_permit,
                                     trip_rejection *out_rejection);

/* Of a closed circuit that needs more than its word: it may be on a ramp, have calls that hang, or want to know how long
   its calls take. There is a free slot of our own. */
static __attribute__((noinline)) trip_status permit_slowly(trip_hearing *hearing, terms of, uint64_t word,
                                                           trip_permit *out_permit, trip_rejection *out_rejection)
{
    trip_annex *annex = trip_record_annex(of.record);
    const trip_policy *policy = trip_circuit_consult(hearing);
    uint64_t now = trip_policy_times_calls(policy) ? trip_circuit_lately(hearing) : 0;
    if (trip_overdue_may_be(annex, policy, now)) {
        trip_overdue_look(hearing, annex, trip_word_epoch(word), now);
        if (trip_word_epoch(atomic_load_explicit(&of.record->cell.word, memory_order_acquire)) != trip_word_epoch(word))
            return permit_by_circuit(hearing, of.revision, out_permit, out_rejection);
    }
    uint64_t share;
    bool is_on_ramp = trip_circuit_is_on_ramp(hearing, word, &share);
    if (is_on_ramp && !trip_ramp_admits(share, atomic_fetch_add_explicit(&annex->asked, 1, memory_order_relaxed)))
        return refuse(hearing, &(trip_verdict){.word = word, .status = TRIP_REJECTED_RAMP}, out_rejection);
    trip_permit_slot *slot = atomic_load_explicit(&hearing->magazine->turn->slot, memory_order_relaxed);
    atomic_store_explicit(&slot->granted_at, now, memory_order_relaxed);
    atomic_store_explicit(&slot->progress, 0, memory_order_relaxed);
    *out_permit = grant_closed(hearing->magazine, of, !is_on_ramp && !trip_policy_times_calls(policy));
    return TRIP_OK;
}

/* As the circuit's word has it, or its ramp. */
static __attribute__((noinline)) trip_status permit_by_circuit(trip_hearing *hearing, uint64_t revision,
                                                               trip_permit *out_permit, trip_rejection *out_rejection)
{
    trip_record *record = hearing->record;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_verdict refusal;
    if (trip_circuit_refuses_from_afar(hearing, word, &refusal))
        return refuse(hearing, &refusal, out_rejection);
    terms granted = {hearing->circuit, record, trip_record_tracker(record), trip_word_bare(word), revision};
    if (!trip_record_lives(record, hearing->circuit)) /* after the others: so word and tracker were this circuit's */
        return TRIP_E_HANDLE;
    trip_record_use(record);

    trip_magazine *magazine = hearing->magazine;
    bool is_closed = trip_word_state_of(word) == TRIP_WORD_CLOSED;
    trip_permit_slot *spare = NULL;
    trip_status status = TRIP_E_NOMEM;
    if (magazine != NULL)
        status = is_closed ? trip_magazine_prepare_own(magazine) : trip_magazine_take(magazine, &spare);
    if (status != TRIP_OK)
        return without_slot(hearing, word, status, out_rejection);
    if (!is_closed)
        return ask(hearing, spare, out_permit, out_rejection);
    if ((word & TRIP_WORD_SLOW) != 0)
        return permit_slowly(hearing, granted, word, out_permit, out_rejection);
    *out_permit = grant_closed(magazine, granted, true);
    return TRIP_OK;
}

/* By force: whatever becomes of the call, the circuit's word will not hear of it. */
static trip_status permit_by_force(trip_hearing *hearing, trip_permit *out_permit)
{
    trip_record *record = hearing->record;
    trip_status status = hearing->magazine == NULL ? TRIP_E_NOMEM : trip_magazine_prepare_own(hearing->magazine);
    terms granted = {hearing->circuit, record, trip_record_tracker(record), TRIP_EPOCH_NONE, 0};
    if (!trip_record_lives(record, hearing->circuit))
        return TRIP_E_HANDLE;
    trip_record_use(record);
    if (status == TRIP_OK)
        *out_permit = grant_closed(hearing->magazine, granted, false);
    return status;
}

/* An operator has set a mode. */
static __attribute__((noinline)) trip_status permit_steered(trip_hearing *hearing, uint64_t word, uint64_t revision,
                                                            trip_permit *out_permit, trip_rejection *out_rejection)
{
    trip_circuit_look(hearing);
    trip_steer steer = trip_steering_of(hearing->record, word, trip_circuit_lately(hearing));
    if (!trip_record_lives(hearing->record, hearing->circuit))
        return TRIP_E_HANDLE;
    if (steer.mode == TRIP_MODE_FORCED_OPEN) {
        trip_record_use(hearing->record);
        return refuse(hearing, &(trip_verdict){.word = word, .status = TRIP_REJECTED_FORCED}, out_rejection);
    }
    if (steer.mode == TRIP_MODE_FORCED_CLOSED)
        return permit_by_force(hearing, out_permit);
    if (steer.mode == TRIP_MODE_AUTO) {
        trip_steering_end(hearing);
        return permit_by_circuit(hearing, revision, out_permit, out_rejection);
    }
    trip_status status = permit_by_circuit(hearing, revision, out_permit, NULL);
    return status > 0 ? permit_by_force(hearing, out_permit) : status;
}

trip_status trip_permit_by_force(trip_circuit circuit, trip_permit *out_permit, uint64_t *out_lease_ns)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    *out_lease_ns = trip_circuit_consult(&hearing)->probe_lease_ns;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_steer steer = trip_steering_of(record, word, trip_circuit_lately(&hearing));
    if (steer.mode == TRIP_MODE_FORCED_OPEN) /* of whatever circuit is there by now */
        return trip_record_lives(record, circuit) ? TRIP_REJECTED_FORCED : TRIP_E_HANDLE;
    return permit_by_force(&hearing, out_permit);
}

/* Whatever is not the same as last time: another circuit, another epoch, more permits out, a refusal. */
static __attribute__((noinline)) trip_status permit_anew(trip_magazine *mine_if_any, trip_circuit circuit,
                                                         trip_permit *out_permit, trip_rejection *out_rejection)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, mine_if_any != NULL ? mine_if_any : trip_magazine_find());
    uint64_t revision = trip_revision_mark(); /* before what is known as of it */
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    if ((word & TRIP_WORD_SLOW) != 0 && trip_steering_is_set(trip_record_annex(record)))
        return permit_steered(&hearing, word, revision, out_permit, out_rejection);
    trip_verdict refusal; /* an outage is full of these: nothing more is asked of them */
    if (trip_circuit_refuses_from_afar(&hearing, word, &refusal))
        return refuse(&hearing, &refusal, out_rejection);
    return permit_by_circuit(&hearing, revision, out_permit, out_rejection);
}

trip_status trip_circuit_permit(trip_circuit circuit, trip_permit *out_permit, trip_rejection *out_rejection)
{
    if (out_permit == NULL || !trip_abi_may_write(out_rejection, TRIP_REJECTION_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_magazine *magazine = trip_magazine_of_thread;
    if (magazine == NULL)
        return permit_anew(magazine, circuit, out_permit, out_rejection);
    trip_account *account = trip_account_at(magazine->accounts, magazine->mask, circuit);
    if (atomic_load_explicit(&account->circuit, memory_order_relaxed) != circuit)
        return permit_anew(magazine, circuit, out_permit, out_rejection);
    /* Still closed in the epoch that we know: so the circuit still lives, for no other has this epoch. */
    uint64_t word = atomic_load_explicit(&account->record->cell.word, memory_order_acquire);
    const trip_own_slot *own = magazine->turn;
    const trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_relaxed);
    if ((trip_word_bare(word) | trip_revision_mark()) != account->bare || slot == NULL ||
        atomic_load_explicit(&slot->word, memory_order_acquire) != own->free || !trip_record_is_used(account->record))
        return permit_anew(magazine, circuit, out_permit, out_rejection);
    uint64_t bare = trip_word_bare(account->bare);
    *out_permit = grant_own(magazine, (terms){circuit, account->record, account->tracker, bare, 0});
    trip_account_add(account, TRIP_COUNT_PERMITS, 1);
    return TRIP_OK;
}

/* ---- Settling ---------------------------------------------------------------------------------------------------- */

/* What a stream has become by the time that somebody settles it, and from then on it is none. */
static uint64_t claim_stream(trip_permit_slot *slot)
{
    uint64_t progress = atomic_load_explicit(&slot->progress, memory_order_acquire);
    while ((progress & ~TRIP_PROGRESS_WON) != 0 &&
           !atomic_compare_exchange_weak_explicit(&slot->progress, &progress, progress & TRIP_PROGRESS_WON,
                                                  memory_order_acq_rel, memory_order_acquire))
        ;
    return progress;
}

/* A stream that has stalled: the circuit was told then, and it is what was told that counts. */
static trip_status settle_stalled(trip_hearing *hearing, const trip_outstanding *permit)
{
    trip_report report = {.outcome = &trip_stalled};
    trip_circuit_count_outcome(hearing, trip_circuit_event(hearing, &report), TRIP_STALE);
    return trip_outstanding_gone(permit);
}

/* Settle the permit and tell the circuit what became of the call, if there is anything to tell. */
static __attribute__((noinline)) trip_status settle_anew(trip_permit handle, trip_word_event event,
                                                         const trip_outcome *outcome)
{
    trip_outstanding permit;
    uint64_t settled, progress = 0;
    do {
        trip_status status = trip_outstanding_find(handle, &permit);
        if (status != TRIP_OK)
            return status;
        progress |= claim_stream(permit.slot);
        settled = trip_permit_settled(permit.word);
        /* Fails when somebody else was faster, or when the slot has just become a spare. */
    } while (!atomic_compare_exchange_strong_explicit(&permit.slot->word, &permit.word, settled, memory_order_acq_rel,
                                                      memory_order_relaxed));

    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    bool is_known = (progress & TRIP_PROGRESS_WON) != 0 && trip_epoch_state(permit.epoch) == TRIP_WORD_HALF_OPEN;
    if ((settled & TRIP_PERMIT_SPARE) != 0) {
        trip_magazine_count(hearing.magazine, permit.circuit, TRIP_COUNT_OUT, UINT64_MAX);
        keep(hearing.magazine, permit.slot, settled);
    }
    trip_report report = {event, outcome, permit.epoch, permit.granted_at};
    if ((progress & TRIP_PROGRESS_STALLED) != 0)
        return settle_stalled(&hearing, &permit);
    if (is_known) {
        trip_circuit_count_outcome(&hearing, trip_circuit_event(&hearing, &report), TRIP_OK);
        return TRIP_OK;
    }
    trip_status status;
    return trip_circuit_tell(&hearing, &report, &status) ? status : trip_outstanding_gone(&permit);
}

static inline trip_status settle(trip_permit handle, trip_word_event event, const trip_outcome *outcome)
{
    if (!trip_handle_is(handle, TRIP_KIND_PERMIT))
        return trip_is_express(handle) ? trip_express_settle(handle, event, outcome) : TRIP_E_HANDLE;
    return settle_anew(handle, event, outcome);
}

/* Settle the permit in a slot of a thread's own. False: somebody else was faster, or it is no thread's own. */
static inline bool settle_own(trip_permit_slot *slot, trip_permit permit)
{
    uint64_t expected = permit & TRIP_PERMIT_NAME;
    return atomic_compare_exchange_strong_explicit(&slot->word, &expected, trip_permit_settled(expected),
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* A success on a healthy circuit with windows. */
static __attribute__((noinline)) trip_status settle_seen(trip_permit permit, trip_permit_slot *slot, uint64_t bare)
{
    trip_circuit circuit = atomic_load_explicit(&slot->circuit, memory_order_acquire);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, trip_record_known(circuit), trip_magazine_mine());
    hearing.setting.policy = trip_circuit_policy(&hearing);
    if (trip_policy_times_calls(hearing.setting.policy) || !settle_own(slot, permit))
        return settle_anew(permit, TRIP_ON_SUCCESS, NULL);
    trip_circuit_observe_success(&hearing, trip_word_epoch(bare));
    return TRIP_OK;
}

trip_status trip_permit_record_success(trip_permit permit)
{
    if (!trip_handle_is(permit, TRIP_KIND_PERMIT))
        return settle(permit, TRIP_ON_SUCCESS, NULL);
    trip_permit_slot *slot = trip_permit_slot_if_any(trip_permit_number(permit));
    if (slot == NULL || atomic_load_explicit(&slot->granted, memory_order_acquire) != permit)
        return settle_anew(permit, TRIP_ON_SUCCESS, NULL);
    /* Closed without failures, as when the permit was granted: there is nothing to tell, but to the windows. A probe's
       word is never bare, for the probe is out. */
    const trip_record *record = atomic_load_explicit(&slot->record, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    uint64_t bare = atomic_load_explicit(&slot->bare, memory_order_relaxed);
    if (word == (bare | TRIP_WORD_SLOW))
        return settle_seen(permit, slot, bare);
    if (word != bare || !settle_own(slot, permit))
        return settle_anew(permit, TRIP_ON_SUCCESS, NULL);
    return TRIP_OK;
}

trip_status trip_permit_record_failure(trip_permit permit)
{
    return settle(permit, TRIP_ON_FAILURE, NULL);
}

trip_status trip_permit_drop(trip_permit permit)
{
    return settle(permit, TRIP_ON_DROP, NULL);
}

trip_status trip_permit_cancel(trip_permit permit)
{
    return settle(permit, TRIP_ON_CANCEL, NULL);
}

trip_status trip_permit_record(trip_permit permit, const trip_outcome *outcome)
{
    trip_outcome complete = {0};
    if (outcome == NULL)
        return TRIP_E_INVALID;
    trip_status status = trip_abi_read(outcome, &complete, sizeof complete, TRIP_OUTCOME_SIZE_1_2);
    if (status != TRIP_OK)
        return status;
    if (complete.status_class >= TRIP_CLASSES)
        return TRIP_E_INVALID;
    return settle(permit, TRIP_ON_SUCCESS, &complete);
}
