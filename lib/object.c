/* Objects, as object.h describes them. Waits for nothing but the lock under which slots are made. */
#include "object.h"

#include "clock.h"
#include "process.h"
#include "tracker.h"

#define GENERATION_SHIFT 32
#define GENERATIONS (UINT64_C(1) << 32)
#define IS_SOMEBODYS (UINT64_C(1) << 31)
#define VISITORS (IS_SOMEBODYS - 1)

static uint64_t generation_of(uint64_t life)
{
    return life >> GENERATION_SHIFT;
}

static uint64_t generation_named(uint64_t handle)
{
    return trip_handle_generation(handle, TRIP_OBJECT_SLOT_BITS);
}

static bool is_life_of(uint64_t life, uint64_t handle)
{
    return (life & IS_SOMEBODYS) != 0 && generation_of(life) == generation_named(handle);
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static trip_status take(trip_object_kind *kind, trip_object **out_object)
{
    uint32_t slot;
    trip_status status = trip_pool_take(&kind->pool, &slot);
    if (status != TRIP_OK)
        return status;
    trip_object *object = trip_pool_at(&kind->pool, slot);
    if (atomic_load_explicit(&object->life, memory_order_relaxed) == 0) {
        object->slot = slot;
        pthread_mutex_init(&object->mutex, NULL);
        atomic_store_explicit(&object->life, UINT64_C(1) << GENERATION_SHIFT, memory_order_relaxed);
    }
    *out_object = object;
    return TRIP_OK;
}

trip_status trip_object_make(trip_object_kind *kind, trip_tracker tracker, trip_object **out_object)
{
    const trip_tracker_record *record = trip_tracker_named(tracker);
    if (tracker != 0 && (record == NULL || !trip_tracker_lives(record, tracker)))
        return TRIP_E_HANDLE;
    trip_process_lock();
    trip_status status = trip_process_prepare();
    if (status == TRIP_OK)
        status = take(kind, out_object);
    trip_process_unlock();
    if (status == TRIP_OK)
        atomic_store_explicit(&(*out_object)->tracker, tracker, memory_order_relaxed);
    return status;
}

void trip_object_unmake(trip_object_kind *kind, trip_object *object)
{
    trip_pool_give(&kind->pool, object->slot);
}

/* In one order with the ends of trackers: whoever then finds its tracker alive is found when that is gone. */
uint64_t trip_object_begin(trip_object_kind *kind, trip_object *object)
{
    uint64_t generation = generation_of(atomic_load_explicit(&object->life, memory_order_relaxed));
    atomic_store_explicit(&object->life, generation << GENERATION_SHIFT | IS_SOMEBODYS, memory_order_seq_cst);
    return trip_handle_make(kind->kind, TRIP_OBJECT_SLOT_BITS, generation, object->slot);
}

/* ---- Visiting ---------------------------------------------------------------------------------------------------- */

trip_object *trip_object_named(const trip_object_kind *kind, uint64_t handle)
{
    uint32_t slot = trip_handle_slot(handle, TRIP_OBJECT_SLOT_BITS);
    return trip_handle_is(handle, kind->kind) && slot < TRIP_OBJECTS_MAX ? trip_pool_at(&kind->pool, slot) : NULL;
}

bool trip_object_lives(const trip_object *object, uint64_t handle)
{
    return is_life_of(atomic_load_explicit(&object->life, memory_order_acquire), handle);
}

trip_object *trip_object_visit(const trip_object_kind *kind, uint64_t handle)
{
    trip_object *object = trip_object_named(kind, handle);
    if (object == NULL)
        return NULL;
    uint64_t life = atomic_load_explicit(&object->life, memory_order_relaxed);
    do {
        if (!is_life_of(life, handle))
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&object->life, &life, life + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return object;
}

/* It is nobody's, and nobody is there: its slot may serve for another, if it has a generation left. */
static void end(trip_object_kind *kind, trip_object *object, uint64_t generation)
{
    kind->end(object);
    if (generation + 1 == GENERATIONS)
        return;
    atomic_store_explicit(&object->life, (generation + 1) << GENERATION_SHIFT, memory_order_relaxed);
    trip_pool_give(&kind->pool, object->slot);
}

void trip_object_leave(trip_object_kind *kind, trip_object *object)
{
    uint64_t life = atomic_fetch_sub_explicit(&object->life, 1, memory_order_acq_rel) - 1;
    if ((life & (IS_SOMEBODYS | VISITORS)) == 0)
        end(kind, object, generation_of(life));
}

trip_status trip_object_destroy(trip_object_kind *kind, uint64_t handle)
{
    trip_object *object = trip_object_named(kind, handle);
    if (object == NULL)
        return TRIP_E_HANDLE;
    uint64_t life = atomic_load_explicit(&object->life, memory_order_relaxed);
    do {
        if (!is_life_of(life, handle))
            return TRIP_E_HANDLE;
    } while (!atomic_compare_exchange_weak_explicit(&object->life, &life, life & ~IS_SOMEBODYS, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if ((life & VISITORS) == 0)
        end(kind, object, generation_of(life));
    return TRIP_OK;
}

/* ---- The clock --------------------------------------------------------------------------------------------------- */

bool trip_object_is_orphan(const trip_object *object)
{
    trip_tracker tracker = atomic_load_explicit(&object->tracker, memory_order_relaxed);
    return tracker != 0 && !trip_tracker_lives(trip_tracker_named(tracker), tracker);
}

bool trip_object_now(const trip_object *object, uint64_t *out_ns)
{
    trip_tracker tracker = atomic_load_explicit(&object->tracker, memory_order_relaxed);
    *out_ns = tracker == 0 ? trip_clock_precise() : trip_tracker_time(tracker);
    return !trip_object_is_orphan(object); /* after, so that it was its time */
}

/* Visit an object of the tracker, if there is one in this place. */
static bool come_to_orphan(trip_object *object, trip_tracker tracker)
{
    uint64_t life = atomic_load_explicit(&object->life, memory_order_seq_cst);
    do {
        if ((life & IS_SOMEBODYS) == 0 || atomic_load_explicit(&object->tracker, memory_order_relaxed) != tracker)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&object->life, &life, life + 1, memory_order_acquire,
                                                    memory_order_acquire));
    return true;
}

/* What is made while none can be is made after the tracker's end, and knows that. */
void trip_objects_orphan(trip_object_kind *kind, trip_tracker tracker)
{
    if (kind->orphaned == NULL)
        return;
    trip_process_lock();
    uint32_t made = trip_pool_made(&kind->pool);
    trip_process_unlock();
    for (uint32_t i = 0; i < made; i++) {
        trip_object *object = trip_pool_at(&kind->pool, i);
        if (!come_to_orphan(object, tracker))
            continue;
        kind->orphaned(object);
        trip_object_leave(kind, object);
    }
}

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

static void each(trip_object_kind *kind, int (*act)(pthread_mutex_t *))
{
    uint32_t made = trip_pool_made(&kind->pool);
    for (uint32_t i = 0; i < made; i++) {
        trip_object *object = trip_pool_at(&kind->pool, i);
        if (atomic_load_explicit(&object->life, memory_order_relaxed) != 0)
            act(&object->mutex);
    }
}

void trip_objects_lock(trip_object_kind *kind)
{
    each(kind, pthread_mutex_lock);
}

void trip_objects_unlock(trip_object_kind *kind)
{
    each(kind, pthread_mutex_unlock);
}

/* Visitors stay: the one that forked may be one, which leaves when its callback is over. Those that it does not have any
   more keep an object from ever ending in the child; that is some memory, and the child may well be about to exec. */
void trip_objects_after_fork(trip_object_kind *kind)
{
    if (kind->after_fork == NULL)
        return;
    uint32_t made = trip_pool_made(&kind->pool);
    for (uint32_t i = 0; i < made; i++) {
        trip_object *object = trip_pool_at(&kind->pool, i);
        if ((atomic_load_explicit(&object->life, memory_order_relaxed) & IS_SOMEBODYS) != 0)
            kind->after_fork(object);
    }
}
