/* Calls, as calls.h describes them. */
#include "calls.h"

#include "alloc.h"
#include "watch.h"

#include <string.h>

#define TIDIED_AT_ONCE 4 /* of each line: more than one call ever adds, so that nothing piles up */

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void append(trip_line *line, trip_call *call)
{
    call->earlier = line->last;
    call->later = NULL;
    *(line->last == NULL ? &line->first : &line->last->later) = call;
    line->last = call;
}

static void take_out(trip_line *line, trip_call *call)
{
    *(call->earlier == NULL ? &line->first : &call->earlier->later) = call->later;
    *(call->later == NULL ? &line->last : &call->later->earlier) = call->earlier;
}

static bool has_ended(const trip_calls *calls, const trip_call *call)
{
    return call->ends_ns <= calls->now_ns;
}

/* ---- What is left to do ------------------------------------------------------------------------------------------ */

trip_call *trip_call_make(const trip_call_key *key)
{
    trip_call *call = trip_allocate_close(sizeof *call + key->len);
    if (call == NULL)
        return NULL;
    *call = (trip_call){.link.hash = key->hash, .watch = -1, .key_len = (uint32_t)key->len};
    if (key->len != 0)
        memcpy(call->key, key->text, key->len);
    return call;
}

void trip_call_unmake(trip_call *call)
{
    trip_value_drop(call->value);
    if (call->watch >= 0)
        trip_watch_fire(call->watch);
    trip_release(call);
}

void trip_aftermath_do(trip_aftermath *after)
{
    while (after->owed != NULL) {
        trip_waiter *waiter = after->owed;
        after->owed = waiter->next; /* before it is told, and gone */
        trip_waiter_tell(waiter);
    }
    while (after->gone != NULL) {
        trip_call *call = after->gone;
        after->gone = call->later;
        trip_call_unmake(call);
    }
    trip_value_drop(after->dropped);
    if (after->fired != 0)
        trip_watch_fire(after->fired - 1);
    *after = (trip_aftermath){0};
}

/* It is in no line any more, and its bytes were taken off the count. */
static void remove_call(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    trip_buckets_remove(&calls->by_key, &call->link);
    call->later = after->gone;
    after->gone = call;
}

/* ---- Waiters ----------------------------------------------------------------------------------------------------- */

void trip_calls_join(trip_calls *calls, trip_call *call, trip_waiter *waiter)
{
    trip_waiter_queue(&call->waiters, waiter);
    waiter->call = call;
    calls->counts.waiting++;
}

void trip_calls_part(trip_calls *calls, trip_call *call, trip_waiter *waiter)
{
    trip_waiter_unqueue(&call->waiters, waiter);
    waiter->call = NULL;
    calls->counts.waiting--;
}

static trip_waiter *answer_first(trip_calls *calls, trip_call *call, trip_status status, trip_aftermath *after)
{
    trip_waiter *waiter = call->waiters;
    trip_calls_part(calls, call, waiter);
    waiter->status = status;
    waiter->next = after->owed;
    after->owed = waiter;
    return waiter;
}

static void answer_all(trip_calls *calls, trip_call *call, trip_status status, trip_aftermath *after)
{
    while (call->waiters != NULL)
        answer_first(calls, call, status, after);
}

/* ---- In progress ------------------------------------------------------------------------------------------------- */

static void set_watch(const trip_calls *calls, const trip_call *call)
{
    trip_watch_set(call->watch, calls->is_timed ? call->ends_ns : TRIP_WATCH_NEVER);
}

void trip_calls_watch(const trip_calls *calls, trip_call *call, int watch)
{
    call->watch = watch;
    set_watch(calls, call);
}

static void begin_lease(trip_calls *calls, trip_call *call)
{
    call->ends_ns = calls->now_ns + calls->limits.lease_ns;
    append(&calls->in_progress, call);
    if (call->watch >= 0)
        set_watch(calls, call);
}

static trip_ticket give_ticket(trip_calls *calls, trip_call *call, trip_ticket_slot *slot)
{
    call->ticket = slot;
    calls->counts.started++;
    return trip_ticket_begin(slot, calls->dedup, call);
}

/* It is out of its line. */
static void stop(trip_calls *calls, trip_call *call)
{
    calls->counts.in_progress--;
    calls->counts.bytes -= call->key_len;
    calls->key_bytes -= call->key_len;
}

/* The call has brought nothing, and its ticket is nobody's any more: who has waited longest makes it next. If there is
   none, or there is no ticket for him, the key is free: false. */
static bool pass_on(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    take_out(&calls->in_progress, call);
    trip_ticket_slot *slot;
    trip_status status = call->waiters == NULL ? TRIP_OK : trip_ticket_take(&slot);
    if (call->waiters != NULL && status == TRIP_OK) {
        answer_first(calls, call, TRIP_OK, after)->ticket = give_ticket(calls, call, slot);
        begin_lease(calls, call);
        return true;
    }
    answer_all(calls, call, status, after);
    stop(calls, call);
    remove_call(calls, call, after);
    return false;
}

static bool expire(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    calls->counts.expired++;
    trip_ticket_abandon(call->ticket);
    return pass_on(calls, call, after);
}

bool trip_calls_is_over(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    bool is_over = has_ended(calls, call);
    if (is_over)
        expire(calls, call, after);
    return is_over;
}

void trip_calls_renew(trip_calls *calls, trip_call *call)
{
    take_out(&calls->in_progress, call);
    begin_lease(calls, call);
}

void trip_calls_fail(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    calls->counts.failed++;
    pass_on(calls, call, after);
}

void trip_calls_lose(trip_calls *calls, trip_status status, trip_aftermath *after)
{
    trip_call *call;
    while ((call = calls->in_progress.first) != NULL) {
        calls->counts.failed++;
        take_out(&calls->in_progress, call);
        trip_ticket_abandon(call->ticket);
        answer_all(calls, call, status, after);
        stop(calls, call);
        remove_call(calls, call, after);
    }
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

void trip_calls_forget(trip_calls *calls, trip_call *call, trip_aftermath *after)
{
    take_out(&calls->kept, call);
    calls->counts.cached--;
    calls->counts.bytes -= call->key_len + call->value->len;
    remove_call(calls, call, after);
}

static void evict(trip_calls *calls, trip_aftermath *after)
{
    trip_call *first = calls->kept.first;
    calls->counts.evicted += !has_ended(calls, first);
    trip_calls_forget(calls, first, after);
}

/* Make room for so many more calls and bytes, at the expense of the values that would go first anyway. False, and none
   of them goes: calls in progress leave too little. */
static bool make_room(trip_calls *calls, uint32_t more, size_t bytes, trip_aftermath *after)
{
    const trip_dedup_config *limits = &calls->limits;
    trip_dedup_info *counts = &calls->counts;
    while (counts->in_progress + more > limits->max_entries || bytes > limits->max_bytes - calls->key_bytes)
        if (calls->in_progress.first == NULL || !trip_calls_is_over(calls, calls->in_progress.first, after))
            return false;
    while (counts->in_progress + counts->cached + more > limits->max_entries ||
           bytes > limits->max_bytes - counts->bytes)
        evict(calls, after);
    return true;
}

trip_status trip_calls_begin(trip_calls *calls, trip_call *call, trip_ticket_slot *slot, trip_ticket *out_ticket,
                             trip_aftermath *after)
{
    if (!make_room(calls, 1, call->key_len, after))
        return TRIP_E_CAPACITY;
    trip_buckets_add(&calls->by_key, &call->link);
    calls->counts.in_progress++;
    calls->counts.bytes += call->key_len;
    calls->key_bytes += call->key_len;
    *out_ticket = give_ticket(calls, call, slot);
    begin_lease(calls, call);
    return TRIP_OK;
}

static void keep(trip_calls *calls, trip_call *call, trip_value *value, trip_aftermath *after)
{
    take_out(&calls->in_progress, call);
    stop(calls, call);
    call->value = value;
    call->ends_ns = calls->now_ns + calls->limits.ttl_ns;
    append(&calls->kept, call);
    calls->counts.cached++;
    calls->counts.bytes += call->key_len + value->len;
    after->fired = call->watch + 1;
    call->watch = -1;
}

void trip_calls_complete(trip_calls *calls, trip_call *call, trip_value *value, trip_aftermath *after)
{
    calls->counts.completed++;
    if (value == NULL || !make_room(calls, 0, value->len, after)) {
        after->dropped = value;
        pass_on(calls, call, after);
        return;
    }
    keep(calls, call, value, after);
    for (; call->waiters != NULL; calls->counts.hits++)
        answer_first(calls, call, TRIP_CACHED, after)->value = trip_value_hold(value);
}

/* ---- Coming by --------------------------------------------------------------------------------------------------- */

void trip_calls_reach(trip_calls *calls, uint64_t now_ns, trip_aftermath *after)
{
    if (now_ns > calls->now_ns)
        calls->now_ns = now_ns;
    for (int i = 0; i < TIDIED_AT_ONCE && calls->in_progress.first != NULL; i++)
        if (!trip_calls_is_over(calls, calls->in_progress.first, after))
            break;
    for (int i = 0; i < TIDIED_AT_ONCE && calls->kept.first != NULL && has_ended(calls, calls->kept.first); i++)
        trip_calls_forget(calls, calls->kept.first, after);
}

static bool is_of(const trip_call *call, const trip_call_key *key)
{
    return call->link.hash == key->hash && call->key_len == key->len &&
           (key->len == 0 || memcmp(call->key, key->text, key->len) == 0);
}

trip_call *trip_calls_find(trip_calls *calls, const trip_call_key *key, trip_aftermath *after)
{
    trip_call *call = (trip_call *)trip_buckets_at(&calls->by_key, key->hash);
    while (call != NULL && !is_of(call, key))
        call = (trip_call *)call->link.next;
    if (call == NULL || !has_ended(calls, call))
        return call;
    if (call->value != NULL) {
        trip_calls_forget(calls, call, after);
        return NULL;
    }
    return expire(calls, call, after) ? call : NULL;
}

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

/* The waiters' stacks are not in use here, and the watch is the parent's: to set it would set his. */
void trip_calls_after_fork(trip_calls *calls)
{
    for (trip_call *call = calls->in_progress.first; call != NULL; call = call->later) {
        if (call->watch >= 0)
            trip_watch_close(call->watch);
        call->watch = -1;
        call->waiters = NULL;
    }
    trip_aftermath after = {0};
    calls->counts.waiting = 0;
    trip_calls_lose(calls, TRIP_E_HANDLE, &after);
    trip_aftermath_do(&after);
}

void trip_calls_clear(trip_calls *calls)
{
    trip_aftermath after = {0};
    while (calls->kept.first != NULL)
        trip_calls_forget(calls, calls->kept.first, &after);
    trip_aftermath_do(&after);
    trip_buckets_clear(&calls->by_key);
}
