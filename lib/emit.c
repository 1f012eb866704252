/* Emission, as emit.h describes it. What was read of a circuit is told only if the circuit lived when all was read. */
#include "emit.h"

#include "inspect.h"
#include "story.h"
#include "tracker.h"

/* What stays as it is while a circuit lives. */
typedef struct subject {
    trip_tracker tracker;
    uint64_t base_ns;
    trip_name_copy copy;
} subject;

static void read_subject(const trip_record *record, subject *out)
{
    out->tracker = trip_record_tracker(record);
    out->base_ns = atomic_load_explicit(&record->cell.base_ns, memory_order_acquire);
    trip_record_copy_name(record, &out->copy);
}

static uint32_t mode_of(const trip_hearing *hearing)
{
    uint64_t word = atomic_load_explicit(&hearing->record->cell.word, memory_order_acquire);
    return trip_steering_of(hearing->record, word, trip_circuit_lately(hearing)).mode;
}

/* An event as of hearing->setting.now. */
static trip_event event_of(const trip_hearing *hearing, const subject *of, uint32_t kind, uint32_t cause,
                           const trip_view *view)
{
    return (trip_event){
        .kind = kind,
        .at_ns = of->base_ns + hearing->setting.now,
        .circuit = hearing->circuit,
        .epoch = view->epoch,
        .duration_ns = kind == TRIP_EVENT_OPENED ? view->retry_after_ns : 0,
        .state = trip_state_told(view->state),
        .mode = mode_of(hearing),
        .cause = cause,
        .scope = TRIP_SCOPE_CIRCUIT,
        .failures = view->failures,
    };
}

static trip_event_texts texts_of(const subject *of)
{
    const trip_name *name = &of->copy.name;
    return (trip_event_texts){.tenant = name->tenant,
                              .tenant_len = name->tenant_len,
                              .provider = name->provider,
                              .provider_len = name->provider_len};
}

static void tell(const trip_hearing *hearing, const subject *of, uint32_t kind, uint32_t cause, const trip_view *view)
{
    trip_event event = event_of(hearing, of, kind, cause, view);
    trip_event_texts texts = texts_of(of);
    trip_events_tell(of->tracker, &event, &texts);
}

/* ---- Transitions ------------------------------------------------------------------------------------------------- */

static uint32_t why_opened(const trip_hearing *hearing, trip_word_state from, trip_word_event event)
{
    if (event == TRIP_ON_OPEN)
        return TRIP_CAUSE_OPERATOR;
    if (event == TRIP_ON_TRIP)
        return hearing->cause;
    return from == TRIP_WORD_HALF_OPEN ? TRIP_CAUSE_PROBE : TRIP_CAUSE_FAILURES;
}

/* For whoever takes events, and for whoever asks the circuit. */
static void tell_opened(trip_hearing *hearing, const subject *of, uint32_t cause, const trip_view *view)
{
    trip_story_opened(hearing, cause);
    tell(hearing, of, TRIP_EVENT_OPENED, cause, view);
}

/* One swap may be several events: the lease of a probe had run out, so the circuit opened, that was over too, and a permit
   is the first probe of another epoch. */
static void tell_replaced(trip_hearing *hearing, const subject *of, uint64_t from, trip_word_event event,
                          const trip_verdict *verdict)
{
    const trip_view expired = trip_word_view(from, &hearing->setting); /* the same as before where nothing ran out */
    const trip_view after = trip_word_view(verdict->word, &hearing->setting);
    if (verdict->lost)
        tell(hearing, of, TRIP_EVENT_PROBE_LOST, TRIP_CAUSE_LEASE, &expired);
    if (expired.opened && verdict->opened && event != TRIP_ON_OPEN)
        tell_opened(hearing, of, TRIP_CAUSE_LEASE, after.state == TRIP_WORD_OPEN ? &after : &expired);
    else if (verdict->opened)
        tell_opened(hearing, of, why_opened(hearing, expired.state, event), &after);
    if (after.state == TRIP_WORD_HALF_OPEN && expired.state == TRIP_WORD_OPEN)
        tell(hearing, of, TRIP_EVENT_HALF_OPENED, TRIP_CAUSE_TIME, &after);
    if (after.state == TRIP_WORD_CLOSED && expired.state != TRIP_WORD_CLOSED)
        tell(hearing, of, TRIP_EVENT_CLOSED, event == TRIP_ON_RESET ? hearing->cause : TRIP_CAUSE_PROBE, &after);
}

/* The circuit's name and tracker are read first: the swap succeeds only if it lived then. */
bool trip_emit_replacing(trip_hearing *hearing, uint64_t *word, trip_word_event event, const trip_verdict *verdict)
{
    uint64_t from = *word;
    subject of;
    read_subject(hearing->record, &of);
    if (!atomic_compare_exchange_weak_explicit(&hearing->record->cell.word, word, verdict->word, memory_order_acq_rel,
                                               memory_order_acquire))
        return false;
    tell_replaced(hearing, &of, from, event, verdict);
    return true;
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static uint64_t mark_of(const trip_hearing *hearing)
{
    return trip_annex_mark(hearing->record, trip_handle_generation(hearing->circuit, TRIP_CIRCUIT_SLOT_BITS));
}

/* Of all who refuse in an open epoch one is the first. Epochs come one after the other, so that who comes too late for one
   does not take a later one's for told. */
static bool is_first(const trip_hearing *hearing, trip_annex *annex, uint64_t stamp)
{
    uint64_t mark = mark_of(hearing);
    uint64_t there = atomic_load_explicit(&annex->refused, memory_order_acquire);
    while (trip_annex_stamp(there, mark) < stamp && trip_record_lives(hearing->record, hearing->circuit))
        if (atomic_compare_exchange_weak_explicit(&annex->refused, &there, trip_annex_stamped(mark, stamp),
                                                  memory_order_acq_rel, memory_order_acquire))
            return true;
    return false;
}

void trip_emit_put_off(const trip_hearing *hearing, uint64_t from, uint64_t to)
{
    trip_annex *annex = trip_record_annex(hearing->record);
    uint64_t told = trip_annex_stamped(mark_of(hearing), trip_word_stamp(from));
    bool goes_on = trip_word_state_of(from) == TRIP_WORD_OPEN && trip_word_state_of(to) == TRIP_WORD_OPEN;
    if (annex != NULL && goes_on)
        atomic_compare_exchange_strong_explicit(&annex->refused, &told,
                                                trip_annex_stamped(mark_of(hearing), trip_word_stamp(to)),
                                                memory_order_acq_rel, memory_order_relaxed);
}

/* What is told of a circuit that changes nothing by it: how it is now, by a word that it had. */
static void tell_as_is(trip_hearing *hearing, uint64_t word, uint32_t kind, uint32_t cause)
{
    if (!trip_events_have_room(trip_record_tracker(hearing->record)))
        return;
    subject of;
    read_subject(hearing->record, &of);
    trip_circuit_look(hearing);
    trip_view view = trip_word_view(word, &hearing->setting);
    if (trip_record_lives(hearing->record, hearing->circuit))
        tell(hearing, &of, kind, cause, &view);
}

/* Without memory for an annex nobody can say who is the first: as if all of them were, and had been lost. */
void trip_emit_refused(trip_hearing *hearing, uint64_t word)
{
    trip_annex *annex = trip_annex_have(&hearing->record->annex);
    if (annex == NULL)
        trip_events_lose(trip_record_tracker(hearing->record));
    else if (is_first(hearing, annex, trip_word_stamp(word)))
        tell_as_is(hearing, word, TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE);
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

void trip_emit_late(trip_hearing *hearing)
{
    uint64_t word = atomic_load_explicit(&hearing->record->cell.word, memory_order_acquire);
    if (trip_record_lives(hearing->record, hearing->circuit))
        tell_as_is(hearing, word, TRIP_EVENT_DROPPED_LATE, TRIP_CAUSE_NONE);
}

void trip_emit_gone(trip_record *record, uint64_t word, uint32_t cause)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    uint32_t slot = atomic_load_explicit(&record->link, memory_order_relaxed);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, trip_record_handle(life, slot), record, trip_magazine_of_thread);
    tell_as_is(&hearing, word, TRIP_EVENT_EVICTED, cause);
}

void trip_emit_restored(trip_hearing *hearing, uint64_t word)
{
    subject of;
    read_subject(hearing->record, &of);
    trip_circuit_look(hearing);
    trip_view view = trip_word_view(word, &hearing->setting);
    tell_opened(hearing, &of, TRIP_CAUSE_RESTORED, &view);
}

void trip_emit_forced(trip_record *record, trip_steer steer, uint32_t cause, const char *reason, size_t reason_len)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, trip_record_handle(life, atomic_load(&record->link)), record, trip_magazine_of_thread);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    subject of;
    read_subject(record, &of);
    uint64_t now = of.base_ns + hearing.setting.now;
    trip_event event = event_of(&hearing, &of, TRIP_EVENT_FORCED, cause, &view);
    event.mode = steer.mode;
    event.duration_ns = steer.until == UINT64_MAX || steer.until < now ? 0 : steer.until - now;
    trip_event_texts texts = texts_of(&of);
    texts.reason = reason;
    texts.reason_len = reason_len;
    trip_events_tell(of.tracker, &event, &texts);
}

void trip_emit_configured(trip_tracker tracker, const trip_subject *about)
{
    trip_event event = {
        .kind = TRIP_EVENT_CONFIGURED,
        .at_ns = trip_tracker_time(tracker),
        .cause = TRIP_CAUSE_OPERATOR,
        .scope = about->scope,
    };
    trip_event_texts texts = {.tenant = about->tenant,
                              .tenant_len = about->tenant_len,
                              .provider = about->provider,
                              .provider_len = about->provider_len};
    trip_events_tell(tracker, &event, &texts);
}

void trip_emit_lock_wait(trip_tracker tracker, uint64_t waited_ns)
{
    trip_event event = {
        .kind = TRIP_EVENT_LOCK_WAITED,
        .at_ns = trip_tracker_time(tracker),
        .duration_ns = waited_ns,
        .scope = TRIP_SCOPE_TRACKER,
    };
    trip_events_tell(tracker, &event, &(trip_event_texts){0});
}
