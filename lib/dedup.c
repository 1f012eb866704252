/*
 * Deduplicators: objects whose mutex guards their calls (calls.h), and the ways in which callers ask about a key and
 * settle their tickets. Keys are hashed, values copied, memory asked for and threads woken without the mutex. Calls
 * nobody back.
 */
#include "abi.h"
#include "calls.h"
#include "clock.h"
#include "config.h"
#include "kinds.h"
#include "refusal.h"
#include "tracker.h"
#include "watch.h"

typedef struct place {
    trip_object object;
    bool is_over; /* it is being destroyed, and nobody may do anything with it any more */
    trip_calls calls;
} place;

static void end(trip_object *object)
{
    trip_calls_clear(&((place *)object)->calls);
}

static void after_fork(trip_object *object)
{
    trip_calls_after_fork(&((place *)object)->calls);
}

static void orphaned(trip_object *object);

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_dedups = TRIP_OBJECT_KIND(TRIP_KIND_DEDUP, place, end, after_fork, orphaned, chunks);

/* ---- The config -------------------------------------------------------------------------------------------------- */

#define ENTRIES_MAX (UINT32_C(1) << 24)

static const trip_dedup_config defaults = {
    .struct_size = sizeof defaults,
    .max_entries = 65536,
    .max_bytes = UINT64_C(64) << 20,
    .lease_ns = 600 * TRIP_NS_PER_SECOND,
    .ttl_ns = 300 * TRIP_NS_PER_SECOND,
};

_Static_assert(sizeof(trip_dedup_config) == TRIP_DEDUP_CONFIG_SIZE_1_4, "later members go behind the released ones");
_Static_assert(sizeof(trip_dedup_info) == TRIP_DEDUP_INFO_SIZE_1_4, "later members go behind the released ones");

static const trip_refusal *check(const void *config)
{
    const trip_dedup_config *c = config;
    TRIP_REQUIRE(trip_dedup_config, c->max_entries >= 1 && c->max_entries <= ENTRIES_MAX, max_entries,
                 "must be 1 to 16777216");
    TRIP_REQUIRE(trip_dedup_config, c->max_bytes >= 1, max_bytes, "must be above 0");
    TRIP_REQUIRE(trip_dedup_config, c->lease_ns >= 1, lease_ns, "must be above 0");
    TRIP_REQUIRE_YEAR(trip_dedup_config, lease_ns);
    TRIP_REQUIRE_YEAR(trip_dedup_config, ttl_ns);
    return NULL;
}

static const trip_config_kind of_dedups = {sizeof(trip_dedup_config), TRIP_DEDUP_CONFIG_SIZE_1_4, &defaults, check,
                                           TRIP_HOW_TO_FILL(trip_dedup_config)};

trip_status trip_dedup_config_init(trip_dedup_config *out_config, size_t struct_size)
{
    return trip_config_fill(&of_dedups, out_config, struct_size);
}

/* ---- Visits ------------------------------------------------------------------------------------------------------ */

/* A deduplicator that is worked with. */
typedef struct visit {
    place *place;
    trip_calls *calls;
    trip_aftermath after;
} visit;

static bool come(visit *v, trip_dedup dedup)
{
    *v = (visit){.place = (place *)trip_object_visit(&trip_dedups, dedup)};
    v->calls = v->place == NULL ? NULL : &v->place->calls;
    return v->place != NULL;
}

static void go(visit *v)
{
    trip_object_leave(&trip_dedups, &v->place->object);
}

static void unlock(visit *v)
{
    pthread_mutex_unlock(&v->place->object.mutex);
    trip_aftermath_do(&v->after);
}

/* Whatever time it is. False: it is over, and nothing is held. */
static bool lock_untimed(visit *v)
{
    pthread_mutex_lock(&v->place->object.mutex);
    if (v->place->is_over)
        unlock(v);
    return !v->place->is_over;
}

/* False: it is over, or its clock is gone, and nothing is held. The clock may go before the mutex is had: no call may
   begin then, and no ticket is stale, for those that were in progress have been ended. */
static bool lock(visit *v)
{
    uint64_t now;
    if (!trip_object_now(&v->place->object, &now) || !lock_untimed(v))
        return false;
    bool has_clock = !trip_object_is_orphan(&v->place->object);
    if (has_clock)
        trip_calls_reach(v->calls, now, &v->after);
    else
        unlock(v);
    return has_clock;
}

/* With or without a clock. */
static bool lock_somehow(visit *v)
{
    return lock(v) || lock_untimed(v);
}

/* ---- Creating and destroying ------------------------------------------------------------------------------------- */

trip_status trip_dedup_create(trip_tracker tracker, const trip_dedup_config *config, trip_dedup *out_dedup,
                              trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (out_dedup == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "out_dedup is NULL");
    trip_dedup_config limits;
    trip_status status = trip_config_complete(&of_dedups, config, &limits, out_error);
    if (status != TRIP_OK)
        return status;
    trip_object *object;
    status = trip_object_make(&trip_dedups, tracker, &object);
    if (status != TRIP_OK)
        return trip_error_tell_unmade(out_error, status);
    place *made = (place *)object;
    pthread_mutex_lock(&object->mutex); /* nobody comes in before it knows its own name */
    made->is_over = false;
    made->calls = (trip_calls){.limits = limits, .is_timed = tracker == 0 || !trip_tracker_is_manual(tracker)};
    *out_dedup = made->calls.dedup = trip_object_begin(&trip_dedups, object);
    pthread_mutex_unlock(&object->mutex);
    return TRIP_OK;
}

/* Its tracker is gone. What it remembers stays until it is destroyed, which makes no difference to who waits. */
static void orphaned(trip_object *object)
{
    visit v = {.place = (place *)object, .calls = &((place *)object)->calls};
    if (lock_untimed(&v)) { /* else who destroys it tells them */
        trip_calls_lose(v.calls, TRIP_E_HANDLE, &v.after);
        unlock(&v);
    }
}

/* Those who wait are visitors: it cannot end before they are told that it will. */
trip_status trip_dedup_destroy(trip_dedup dedup)
{
    visit v;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    trip_status status = TRIP_E_HANDLE;
    if (lock_untimed(&v)) { /* else somebody else destroys it */
        v.place->is_over = true;
        trip_calls_lose(v.calls, TRIP_E_HANDLE, &v.after);
        unlock(&v);
        status = trip_object_destroy(&trip_dedups, dedup);
    }
    go(&v);
    return status;
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

/* What is said of a key: a ticket with TRIP_OK, a value, which is held, with TRIP_CACHED. */
typedef struct answer {
    trip_ticket ticket;
    trip_value *value;
} answer;

/* Where the caller wants it. */
typedef struct outputs {
    trip_ticket *ticket;
    char *value;
    size_t capacity;
    size_t *len;
} outputs;

static bool are_given(const outputs *out)
{
    return out->ticket != NULL && out->len != NULL && (out->value != NULL || out->capacity == 0);
}

static bool read_key(const char *text, size_t len, trip_call_key *out_key)
{
    if (!trip_abi_bytes(text, &len) || len > TRIP_KEY_MAX)
        return false;
    *out_key = (trip_call_key){.text = text, .len = len, .hash = trip_bytes_hash(text, len).low};
    return true;
}

static trip_status deliver(trip_status status, const answer *a, const outputs *out)
{
    if (status == TRIP_OK)
        *out->ticket = a->ticket;
    if (status != TRIP_CACHED)
        return status;
    *out->len = a->value->len;
    if (a->value->len != 0 && a->value->len <= out->capacity)
        memcpy(out->value, a->value->bytes, a->value->len);
    trip_value_drop(a->value);
    return status;
}

/* What is known of a key; TRIP_OK: nothing. Who is told that it is in progress has joined, or is a waiter from now on.
   */
static trip_status look(visit *v, const trip_call_key *key, trip_waiter *waiter, answer *out)
{
    trip_call *call = trip_calls_find(v->calls, key, &v->after);
    if (call == NULL)
        return TRIP_OK;
    if (call->value != NULL) {
        v->calls->counts.hits++;
        out->value = trip_value_hold(call->value);
        return TRIP_CACHED;
    }
    if (waiter != NULL)
        trip_calls_join(v->calls, call, waiter);
    else
        v->calls->counts.joined++;
    return TRIP_IN_PROGRESS;
}

/* What it takes to begin a call was brought while the mutex was not held; meanwhile somebody else may have begun it. */
static trip_status look_again(visit *v, const trip_call_key *key, trip_waiter *waiter, answer *out, trip_call *call,
                              trip_ticket_slot *slot)
{
    trip_status status = TRIP_E_HANDLE;
    if (lock(v)) {
        status = look(v, key, waiter, out);
        if (status == TRIP_OK)
            status = trip_calls_begin(v->calls, call, slot, &out->ticket, &v->after);
        unlock(v);
    }
    if (status != TRIP_OK) {
        trip_call_unmake(call);
        trip_ticket_give(slot);
    }
    return status;
}

static trip_status begin(visit *v, const trip_call_key *key, trip_waiter *waiter, answer *out)
{
    trip_ticket_slot *slot;
    trip_status status = trip_ticket_take(&slot);
    if (status != TRIP_OK)
        return status;
    trip_call *call = trip_call_make(key);
    if (call != NULL)
        return look_again(v, key, waiter, out, call, slot);
    trip_ticket_give(slot);
    return TRIP_E_NOMEM;
}

static trip_status ask(visit *v, const trip_call_key *key, trip_waiter *waiter, answer *out)
{
    if (!lock(v))
        return TRIP_E_HANDLE;
    trip_status status = look(v, key, waiter, out);
    unlock(v);
    return status == TRIP_OK ? begin(v, key, waiter, out) : status;
}

trip_status trip_dedup_check(trip_dedup dedup, const char *key, size_t key_len, trip_ticket *out_ticket,
                             char *out_value, size_t capacity, size_t *out_len)
{
    const outputs out = {out_ticket, out_value, capacity, out_len};
    trip_call_key of;
    visit v;
    if (!are_given(&out) || !read_key(key, key_len, &of))
        return TRIP_E_INVALID;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    answer a;
    trip_status status = deliver(ask(&v, &of, NULL, &a), &a, &out);
    go(&v);
    return status;
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

/* Look whether there is a reason to wait, and until when: the lease may be over, and the call pass to the first in
   line. False: there is none, and the waiter, in no line any more, has its answer. */
static bool has_to_wait(visit *v, trip_waiter *waiter, uint64_t until_ns, uint64_t *out_wake_ns)
{
    bool is_late = until_ns != UINT64_MAX && trip_clock_precise() >= until_ns;
    *out_wake_ns = UINT64_MAX;
    bool has_clock = lock(v);
    if (!has_clock && !lock_untimed(v))
        return true; /* for the answer of who destroys it */
    if (has_clock && waiter->call != NULL)
        trip_calls_is_over(v->calls, waiter->call, &v->after);
    trip_call *call = waiter->call; /* NULL: the answer is on its way */
    bool gives_up = call != NULL && (!has_clock || is_late);
    if (gives_up) {
        trip_calls_part(v->calls, call, waiter);
        v->calls->counts.joined += has_clock;
        waiter->status = has_clock ? TRIP_IN_PROGRESS : TRIP_E_HANDLE;
    } else if (call != NULL) {
        *out_wake_ns = v->calls->is_timed && call->ends_ns < until_ns ? call->ends_ns : until_ns;
    }
    unlock(v);
    return !gives_up;
}

static void wait_for(visit *v, trip_waiter *waiter, uint64_t until_ns)
{
    uint64_t wake_ns;
    do
        if (!has_to_wait(v, waiter, until_ns, &wake_ns))
            return;
    while (!trip_waiter_sleep(waiter, wake_ns));
}

static trip_status ask_and_wait(visit *v, const trip_call_key *key, uint64_t timeout_ns, answer *out)
{
    uint64_t now = trip_clock_precise();
    trip_waiter waiter = {.call = NULL};
    trip_status status = ask(v, key, timeout_ns == 0 ? NULL : &waiter, out);
    if (status != TRIP_IN_PROGRESS || timeout_ns == 0)
        return status;
    wait_for(v, &waiter, timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX);
    *out = (answer){.ticket = waiter.ticket, .value = waiter.value};
    return waiter.status;
}

trip_status trip_dedup_wait(trip_dedup dedup, const char *key, size_t key_len, uint64_t timeout_ns,
                            trip_ticket *out_ticket, char *out_value, size_t capacity, size_t *out_len)
{
    const outputs out = {out_ticket, out_value, capacity, out_len};
    trip_call_key of;
    visit v;
    if (!are_given(&out) || !read_key(key, key_len, &of))
        return TRIP_E_INVALID;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    answer a;
    trip_status status = deliver(ask_and_wait(&v, &of, timeout_ns, &a), &a, &out);
    go(&v);
    return status;
}

/* ---- Watching ---------------------------------------------------------------------------------------------------- */

/* With the mutex held: the call of a key, if that is in progress. */
static trip_call *find_in_progress(visit *v, const trip_call_key *key)
{
    trip_call *call = trip_calls_find(v->calls, key, &v->after);
    return call == NULL || call->value != NULL ? NULL : call;
}

/* A copy of the watch of a key. `watch` is one that its call may have if it has none, and becomes -1 then. Without one,
   TRIP_STALE says that it takes one. */
static trip_status copy_watch(visit *v, const trip_call_key *key, int *watch, int32_t *out_fd)
{
    if (!lock(v))
        return TRIP_E_HANDLE;
    trip_call *call = find_in_progress(v, key);
    bool has_none = call != NULL && call->watch < 0;
    if (has_none && *watch >= 0) {
        trip_calls_watch(v->calls, call, *watch);
        *watch = -1;
        has_none = false;
    }
    int fd = call == NULL || has_none ? -1 : trip_watch_copy(call->watch);
    unlock(v);
    if (has_none)
        return TRIP_STALE;
    if (call == NULL)
        fd = trip_watch_over();
    if (fd >= 0)
        *out_fd = fd;
    return fd >= 0 ? TRIP_OK : TRIP_E_SYSTEM;
}

static trip_status watch_key(visit *v, const trip_call_key *key, int32_t *out_fd)
{
    int watch = -1;
    trip_status status = copy_watch(v, key, &watch, out_fd);
    if (status != TRIP_STALE)
        return status;
    watch = trip_watch_open();
    if (watch < 0)
        return TRIP_E_SYSTEM;
    status = copy_watch(v, key, &watch, out_fd);
    if (watch >= 0)
        trip_watch_close(watch);
    return status;
}

trip_status trip_dedup_watch(trip_dedup dedup, const char *key, size_t key_len, int32_t *out_fd)
{
    trip_call_key of;
    visit v;
    if (out_fd == NULL || !read_key(key, key_len, &of))
        return TRIP_E_INVALID;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    trip_status status = watch_key(&v, &of, out_fd);
    go(&v);
    return status;
}

/* ---- Forgetting and inspecting ----------------------------------------------------------------------------------- */

trip_status trip_dedup_forget(trip_dedup dedup, const char *key, size_t key_len)
{
    trip_call_key of;
    visit v;
    if (!read_key(key, key_len, &of))
        return TRIP_E_INVALID;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    bool is_there = lock_somehow(&v);
    if (is_there) {
        trip_call *call = trip_calls_find(v.calls, &of, &v.after);
        if (call != NULL && call->value != NULL)
            trip_calls_forget(v.calls, call, &v.after);
        unlock(&v);
    }
    go(&v);
    return is_there ? TRIP_OK : TRIP_E_HANDLE;
}

trip_status trip_dedup_inspect(trip_dedup dedup, trip_dedup_info *out_info)
{
    visit v;
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_DEDUP_INFO_SIZE_1_4))
        return TRIP_E_INVALID;
    if (!come(&v, dedup))
        return TRIP_E_HANDLE;
    trip_dedup_info info;
    bool is_there = lock_somehow(&v);
    if (is_there) {
        info = v.calls->counts;
        unlock(&v);
        trip_abi_write(out_info, &info, sizeof info);
    }
    go(&v);
    return is_there ? TRIP_OK : TRIP_E_HANDLE;
}

/* ---- Tickets ----------------------------------------------------------------------------------------------------- */

typedef enum deed { COMPLETE, FAIL, RENEW } deed;

/* Visit the deduplicator of a ticket that was not settled. */
static trip_status come_with(trip_ticket ticket, visit *v, trip_ticket_slot **out_slot)
{
    trip_status status = trip_ticket_find(ticket, out_slot);
    if (status != TRIP_OK)
        return status;
    if (come(v, atomic_load_explicit(&(*out_slot)->dedup, memory_order_acquire)))
        return TRIP_OK;
    return trip_ticket_look(*out_slot, ticket) == TRIP_TICKET_SETTLED ? TRIP_E_CONSUMED : TRIP_E_HANDLE;
}

/* With the mutex held. Only now it is sure that the ticket is this deduplicator's. */
static trip_status act_on(visit *v, trip_ticket_slot *slot, trip_ticket ticket, deed what, trip_value *value)
{
    if (trip_ticket_look(slot, ticket) == TRIP_TICKET_OUT)
        trip_calls_is_over(v->calls, slot->call, &v->after);
    trip_ticket_state state = trip_ticket_look(slot, ticket);
    trip_call *call = state == TRIP_TICKET_OUT ? slot->call : NULL;
    if (state == TRIP_TICKET_SETTLED || (what != RENEW && !trip_ticket_settle(slot, ticket)))
        return TRIP_E_CONSUMED;
    if (call == NULL)
        return TRIP_STALE;
    if (what == RENEW)
        trip_calls_renew(v->calls, call);
    else if (what == FAIL)
        trip_calls_fail(v->calls, call, &v->after);
    else
        trip_calls_complete(v->calls, call, value, &v->after);
    return TRIP_OK;
}

static trip_status act(visit *v, trip_ticket_slot *slot, trip_ticket ticket, deed what, trip_value *value)
{
    trip_status status = TRIP_E_HANDLE;
    if (lock(v)) {
        status = act_on(v, slot, ticket, what, value);
        unlock(v);
    }
    go(v);
    return status;
}

trip_status trip_ticket_complete(trip_ticket ticket, const char *value, size_t value_len)
{
    visit v;
    trip_ticket_slot *slot;
    if (!trip_abi_bytes(value, &value_len))
        return TRIP_E_INVALID;
    trip_status status = come_with(ticket, &v, &slot);
    if (status != TRIP_OK)
        return status;
    bool is_wanted = v.calls->limits.ttl_ns != 0 && value_len <= v.calls->limits.max_bytes;
    trip_value *copy = is_wanted ? trip_value_make(value, value_len) : NULL;
    bool has_memory = !is_wanted || copy != NULL;
    status = act(&v, slot, ticket, has_memory ? COMPLETE : FAIL, copy);
    if (status != TRIP_OK)
        trip_value_drop(copy);
    return status == TRIP_OK && !has_memory ? TRIP_E_NOMEM : status;
}

static trip_status act_without_value(trip_ticket ticket, deed what)
{
    visit v;
    trip_ticket_slot *slot;
    trip_status status = come_with(ticket, &v, &slot);
    return status == TRIP_OK ? act(&v, slot, ticket, what, NULL) : status;
}

trip_status trip_ticket_fail(trip_ticket ticket)
{
    return act_without_value(ticket, FAIL);
}

trip_status trip_ticket_drop(trip_ticket ticket)
{
    return act_without_value(ticket, FAIL);
}

trip_status trip_ticket_renew(trip_ticket ticket)
{
    return act_without_value(ticket, RENEW);
}
