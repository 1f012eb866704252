/*
 * Events, as events.h describes them. The ring is the bounded queue of Dmitry Vyukov (Bounded MPMC queue, 1024cores.net,
 * 2010): each slot says whose turn it is, to fill it or to empty it, and in which lap; who moves a cursor has the slot to
 * himself until he passes the turn on. Laps are counted instead of positions, so that memory of zeros is an empty ring.
 */
#include "events.h"

#include "abi.h"
#include "alloc.h"
#include "clock.h"
#include "name.h"
#include "texts.h"
#include "tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CAPACITY 4096

typedef struct event_slot {
    _Atomic uint32_t turn;
    _Atomic uint16_t text_len; /* of all its texts: read by who wants to empty the slot, before he may */
    uint8_t kind;
    uint8_t state;
    uint8_t mode;
    uint8_t cause;
    uint8_t scope;
    uint32_t failures;
    trip_text_place name;
    trip_text_place reason;
    uint64_t at_ns;
    uint64_t at_unix_ns;
    trip_circuit circuit;
    uint64_t epoch; /* of a gate: depth << 32 | limit */
    uint64_t duration_ns;
} event_slot;

struct trip_ring {
    _Alignas(64) _Atomic uint64_t filled; /* events ever told: the position of the next one */
    _Alignas(64) _Atomic uint64_t emptied;
    _Alignas(64) event_slot slots[CAPACITY];
};

_Static_assert(sizeof(event_slot) == 64, "an event is one cache line");
_Static_assert(offsetof(trip_event, depth) == TRIP_EVENT_SIZE_1_3, "later members go behind the released ones");

/* ---- Turns ------------------------------------------------------------------------------------------------------- */

typedef enum turn { TO_FILL = 0, TO_EMPTY = 1 } turn;

/* They begin anew after more laps than anybody sleeps through. */
static uint32_t turn_at(uint64_t position, turn whose)
{
    return (uint32_t)(position / CAPACITY * 2 + whose);
}

/* The slot at a cursor if it is somebody's turn there; else NULL: the ring is full, or empty. */
static event_slot *slot_in_turn(trip_ring *ring, const _Atomic uint64_t *cursor, turn whose, uint64_t *out_position)
{
    for (;;) {
        uint64_t position = atomic_load_explicit(cursor, memory_order_relaxed);
        event_slot *slot = &ring->slots[position % CAPACITY];
        uint32_t there = atomic_load_explicit(&slot->turn, memory_order_acquire);
        *out_position = position;
        if (there == turn_at(position, whose))
            return slot;
        if ((int32_t)(there - turn_at(position, whose)) < 0)
            return NULL;
        /* Ahead of us: others have moved the cursor. */
    }
}

/* Have the slot at this position to oneself. False: somebody else has it. */
static bool claim(_Atomic uint64_t *cursor, uint64_t position)
{
    return atomic_compare_exchange_weak_explicit(cursor, &position, position + 1, memory_order_relaxed,
                                                 memory_order_relaxed);
}

static void pass_on(event_slot *slot, uint32_t next_turn)
{
    atomic_store_explicit(&slot->turn, next_turn, memory_order_release);
}

static bool is_full(trip_ring *ring)
{
    uint64_t position;
    return slot_in_turn(ring, &ring->filled, TO_FILL, &position) == NULL;
}

static bool is_empty(trip_ring *ring)
{
    uint64_t position;
    return slot_in_turn(ring, &ring->emptied, TO_EMPTY, &position) == NULL;
}

/* ---- The descriptor ---------------------------------------------------------------------------------------------- */

/*
 * While events wait `woken` is set, and the descriptor has been written to since it was set. Who finds the ring empty reads
 * the descriptor, then takes the flag back, then looks again. Whoever told an event meanwhile has either set the flag
 * before, and then the event is seen; or sets it afterwards, and then writes.
 */

static void write_to(int fd)
{
    int saved = errno;
    const uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one); /* fails only where it is readable already */
    (void)written;
    errno = saved;
}

static void read_from(int fd)
{
    int saved = errno;
    uint64_t count;
    ssize_t taken = read(fd, &count, sizeof count); /* fails only where it is not readable */
    (void)taken;
    errno = saved;
}

static void wake(trip_events *events)
{
    if (atomic_exchange_explicit(&events->woken, 1, memory_order_acq_rel) != 0)
        return;
    int fd = atomic_load_explicit(&events->fd, memory_order_acquire) - 1;
    if (fd >= 0)
        write_to(fd);
}

static void wake_from_now_on(trip_events *events)
{
    atomic_exchange_explicit(&events->woken, 0, memory_order_acq_rel);
    trip_ring *ring = atomic_load_explicit(&events->ring, memory_order_acquire);
    if (ring != NULL && !is_empty(ring))
        wake(events);
}

static void let_sleep(trip_events *events)
{
    int fd = atomic_load_explicit(&events->fd, memory_order_acquire) - 1;
    if (fd < 0)
        return;
    read_from(fd);
    wake_from_now_on(events);
}

/* With the registry's mutex held. False: the system gives none. */
static bool have_descriptor(trip_events *events)
{
    if (atomic_load_explicit(&events->fd, memory_order_relaxed) != 0)
        return true;
    int saved = errno;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    errno = saved;
    if (fd < 0)
        return false;
    atomic_store_explicit(&events->fd, fd + 1, memory_order_release);
    wake_from_now_on(events);
    return true;
}

trip_status trip_tracker_event_fd(trip_tracker tracker, int32_t *out_fd)
{
    if (out_fd == NULL)
        return TRIP_E_INVALID;
    trip_tracker_record *record = trip_tracker_lock(tracker);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_status status = have_descriptor(&record->events) ? TRIP_OK : TRIP_E_SYSTEM;
    if (status == TRIP_OK)
        *out_fd = atomic_load_explicit(&record->events.fd, memory_order_relaxed) - 1;
    trip_tracker_unlock(record);
    return status;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static trip_ring *have_ring(trip_events *events)
{
    trip_ring *ring = atomic_load_explicit(&events->ring, memory_order_acquire);
    if (ring != NULL)
        return ring;
    trip_ring *fresh = trip_allocate(sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&events->ring, &ring, fresh, memory_order_acq_rel,
                                                memory_order_acquire))
        return fresh;
    trip_release(fresh);
    return ring;
}

/* Copies of an event's texts. */
typedef struct kept {
    trip_text_place name;
    trip_text_place reason;
    uint16_t len;
} kept;

static void drop(const kept *texts)
{
    trip_texts_drop(texts->name);
    trip_texts_drop(texts->reason);
}

static bool keep(const trip_event_texts *texts, kept *out_kept)
{
    const trip_name name = {texts->tenant, texts->provider, texts->tenant_len, texts->provider_len};
    unsigned char bytes[TRIP_NAME_BYTES_MAX];
    trip_name_write(&name, bytes);
    *out_kept = (kept){.len = (uint16_t)(texts->tenant_len + texts->provider_len + texts->reason_len)};
    if (trip_texts_keep(bytes, trip_name_bytes(&name), &out_kept->name) != TRIP_OK)
        return false;
    if (texts->reason_len == 0 || trip_texts_keep(texts->reason, texts->reason_len, &out_kept->reason) == TRIP_OK)
        return true;
    drop(out_kept);
    return false;
}

static bool is_of_gate(uint32_t kind)
{
    return kind == TRIP_EVENT_GATE_SOFT || kind == TRIP_EVENT_GATE_FULL;
}

static void fill(event_slot *slot, const trip_event *event, const kept *texts, uint64_t at_unix_ns)
{
    atomic_store_explicit(&slot->text_len, texts->len, memory_order_relaxed);
    slot->kind = (uint8_t)event->kind;
    slot->state = (uint8_t)event->state;
    slot->mode = (uint8_t)event->mode;
    slot->cause = (uint8_t)event->cause;
    slot->scope = (uint8_t)event->scope;
    slot->failures = event->failures;
    slot->name = texts->name;
    slot->reason = texts->reason;
    slot->at_ns = event->at_ns;
    slot->at_unix_ns = at_unix_ns;
    slot->circuit = event->circuit;
    slot->epoch = is_of_gate(event->kind) ? (uint64_t)event->depth << 32 | event->limit : event->epoch;
    slot->duration_ns = event->duration_ns;
}

/* All that takes time comes before the slot is claimed: until it is filled, those behind it wait for it too. */
static bool put(trip_events *events, const trip_event *event, const trip_event_texts *texts)
{
    trip_ring *ring = have_ring(events);
    kept copies;
    if (ring == NULL || is_full(ring) || !keep(texts, &copies))
        return false;
    uint64_t at_unix_ns = trip_clock_of_day();
    uint64_t position;
    event_slot *slot;
    do {
        slot = slot_in_turn(ring, &ring->filled, TO_FILL, &position);
        if (slot == NULL) {
            drop(&copies);
            return false;
        }
    } while (!claim(&ring->filled, position));
    fill(slot, event, &copies, at_unix_ns);
    pass_on(slot, turn_at(position, TO_EMPTY));
    wake(events);
    return true;
}

static void lose(trip_events *events)
{
    atomic_fetch_add_explicit(&events->lost, 1, memory_order_relaxed);
}

void trip_events_tell(trip_tracker tracker, const trip_event *event, const trip_event_texts *texts)
{
    trip_tracker_record *record = trip_tracker_visit(tracker);
    if (record == NULL)
        return;
    if (!put(&record->events, event, texts))
        lose(&record->events);
    trip_tracker_leave(tracker);
}

void trip_events_lose(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_visit(tracker);
    if (record == NULL)
        return;
    lose(&record->events);
    trip_tracker_leave(tracker);
}

bool trip_events_have_room(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_visit(tracker);
    if (record == NULL)
        return false;
    trip_ring *ring = atomic_load_explicit(&record->events.ring, memory_order_acquire);
    bool has_room = ring == NULL || !is_full(ring);
    if (!has_room)
        lose(&record->events);
    trip_tracker_leave(tracker);
    return has_room;
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

/* What a caller wants filled, and how far it is. */
typedef struct basket {
    char *events;
    size_t event_size;
    size_t capacity;
    size_t count;
    char *text;
    size_t text_capacity;
    size_t text_len;
} basket;

/* Put a text behind the others, and say where. */
static void append(basket *into, const char *text, size_t len, uint32_t *out_offset, uint32_t *out_len)
{
    if (len != 0)
        memcpy(into->text + into->text_len, text, len);
    *out_offset = (uint32_t)into->text_len;
    *out_len = (uint32_t)len;
    into->text_len += len;
}

static void append_texts(basket *into, const event_slot *slot, size_t text_len, trip_event *event)
{
    unsigned char bytes[TRIP_NAME_BYTES_MAX];
    trip_name name = {0};
    trip_name_read(bytes, trip_texts_copy(slot->name, bytes, sizeof bytes), &name);
    append(into, name.tenant, name.tenant_len, &event->tenant_offset, &event->tenant_len);
    append(into, name.provider, name.provider_len, &event->provider_offset, &event->provider_len);
    size_t reason_len = text_len - name.tenant_len - name.provider_len;
    trip_texts_copy(slot->reason, bytes, reason_len);
    append(into, (const char *)bytes, reason_len, &event->reason_offset, &event->reason_len);
}

static void hand_over(basket *into, const event_slot *slot, uint64_t position)
{
    bool is_gate = is_of_gate(slot->kind);
    trip_event event = {
        .kind = slot->kind,
        .number = position + 1,
        .at_ns = slot->at_ns,
        .at_unix_ns = slot->at_unix_ns,
        .circuit = slot->circuit,
        .epoch = is_gate ? 0 : slot->epoch,
        .depth = is_gate ? (uint32_t)(slot->epoch >> 32) : 0,
        .limit = is_gate ? (uint32_t)slot->epoch : 0,
        .duration_ns = slot->duration_ns,
        .state = slot->state,
        .mode = slot->mode,
        .cause = slot->cause,
        .scope = slot->scope,
        .failures = slot->failures,
    };
    append_texts(into, slot, atomic_load_explicit(&slot->text_len, memory_order_relaxed), &event);
    uint32_t size = (uint32_t)into->event_size;
    char *out = into->events + into->count++ * into->event_size;
    memcpy(out, &size, sizeof size);
    trip_abi_write(out, &event, sizeof event);
}

static void empty(event_slot *slot, uint64_t position)
{
    drop(&(kept){.name = slot->name, .reason = slot->reason});
    pass_on(slot, turn_at(position + CAPACITY, TO_FILL));
}

typedef enum taken { TAKEN, NONE_WAITS, TOO_LONG } taken;

static taken take(trip_ring *ring, basket *into)
{
    uint64_t position;
    event_slot *slot;
    while ((slot = slot_in_turn(ring, &ring->emptied, TO_EMPTY, &position)) != NULL) {
        /* It is the length of this event's texts if nobody has claimed the slot since. */
        size_t text_len = atomic_load_explicit(&slot->text_len, memory_order_acquire);
        bool fits = text_len <= into->text_capacity - into->text_len;
        if (!fits && atomic_load_explicit(&ring->emptied, memory_order_relaxed) == position)
            return TOO_LONG;
        if (!claim(&ring->emptied, position))
            continue;
        hand_over(into, slot, position);
        empty(slot, position);
        return TAKEN;
    }
    return NONE_WAITS;
}

static trip_status take_all(trip_events *events, basket *into)
{
    trip_ring *ring = atomic_load_explicit(&events->ring, memory_order_acquire);
    taken last = ring == NULL ? NONE_WAITS : TAKEN;
    while (last == TAKEN && into->count < into->capacity)
        last = take(ring, into);
    if (ring != NULL && is_empty(ring))
        let_sleep(events);
    return last == TOO_LONG && into->count == 0 ? TRIP_E_CAPACITY : TRIP_OK;
}

trip_status trip_tracker_events(trip_tracker tracker, trip_event *out_events, size_t event_size, size_t capacity,
                                char *out_text, size_t text_capacity, size_t *out_count, uint64_t *out_lost)
{
    if (out_events == NULL || out_text == NULL || out_count == NULL || out_lost == NULL || capacity == 0 ||
        !trip_abi_size_fits(event_size, TRIP_EVENT_SIZE_1_3))
        return TRIP_E_INVALID;
    trip_tracker_record *record = trip_tracker_visit(tracker);
    if (record == NULL)
        return TRIP_E_HANDLE;
    basket into = {.events = (char *)out_events,
                   .event_size = event_size,
                   .capacity = capacity,
                   .text = out_text,
                   .text_capacity = text_capacity < UINT32_MAX ? text_capacity : UINT32_MAX};
    trip_status status = take_all(&record->events, &into);
    if (status == TRIP_OK) {
        *out_count = into.count;
        *out_lost = atomic_load_explicit(&record->events.lost, memory_order_relaxed);
    }
    trip_tracker_leave(tracker);
    return status;
}

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

/* Nobody else is there. What was being filled or emptied at a fork was some thread's that is not here, with its texts. */
static void drop_all(trip_ring *ring)
{
    uint64_t end = atomic_load_explicit(&ring->filled, memory_order_relaxed);
    for (uint64_t i = atomic_load_explicit(&ring->emptied, memory_order_relaxed); i != end; i++) {
        event_slot *slot = &ring->slots[i % CAPACITY];
        if (atomic_load_explicit(&slot->turn, memory_order_relaxed) == turn_at(i, TO_EMPTY))
            empty(slot, i);
    }
}

/* Taken away before it is closed, that nobody who comes here after a fork closes it again. */
static void close_descriptor(trip_events *events)
{
    int fd = atomic_exchange_explicit(&events->fd, 0, memory_order_relaxed) - 1;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* Who watches a duplicate of the descriptor learns from it that the tracker is gone. */
void trip_events_end(trip_events *events)
{
    int fd = atomic_load_explicit(&events->fd, memory_order_relaxed) - 1;
    if (fd >= 0)
        write_to(fd);
    close_descriptor(events);
    trip_ring *ring = atomic_exchange_explicit(&events->ring, NULL, memory_order_relaxed);
    if (ring != NULL)
        drop_all(ring);
    trip_release(ring);
    atomic_store_explicit(&events->lost, 0, memory_order_relaxed);
    atomic_store_explicit(&events->woken, 0, memory_order_relaxed);
}

/* Another descriptor under the same number, of which the parent knows nothing. */
static void renew_descriptor(trip_events *events)
{
    int fd = atomic_load_explicit(&events->fd, memory_order_acquire) - 1;
    if (fd < 0)
        return;
    int saved = errno;
    int fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fresh < 0 || dup3(fresh, fd, O_CLOEXEC) < 0)
        close_descriptor(events);
    if (fresh >= 0)
        close(fresh);
    errno = saved;
}

void trip_events_after_fork(trip_events *events)
{
    trip_ring *ring = atomic_load_explicit(&events->ring, memory_order_relaxed);
    if (ring != NULL) {
        drop_all(ring);
        uint64_t filled = atomic_load_explicit(&ring->filled, memory_order_relaxed);
        size_t touched = filled < CAPACITY ? (size_t)filled : CAPACITY;
        memset(ring, 0, offsetof(trip_ring, slots) + touched * sizeof ring->slots[0]);
    }
    atomic_store_explicit(&events->lost, 0, memory_order_relaxed);
    atomic_store_explicit(&events->woken, 0, memory_order_relaxed);
    renew_descriptor(events);
}
