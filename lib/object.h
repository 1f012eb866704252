/*
 * Objects: what callers make and destroy beside trackers: retries, deduplicators, gates, routes, pipelines, guards. Each
 * kind has its type-stable slots, so that any handle may be looked at; a slot serves for one object after another, each in
 * a later generation.
 *
 * Whoever works with an object visits it. An object that is destroyed ends when its last visitor has left, be that the
 * one who destroyed it; nobody can visit it any more from then on. Visiting takes no lock. An object's mutex, which is
 * there for its kind to use, is held around a fork.
 *
 * An object whose tracker is destroyed is an orphan: it has no clock any more. A kind whose objects somebody waits at is
 * told of each, once, after the tracker is gone. Either it finds who waits then, or he finds the tracker gone, if he asks
 * with that mutex held before he waits.
 */
#ifndef TRIP_OBJECT_H
#define TRIP_OBJECT_H

#include "handle.h"
#include "pool.h"

#include <pthread.h>

#define TRIP_OBJECT_SLOT_BITS 16
#define TRIP_OBJECTS_MAX ((UINT32_C(1) << TRIP_OBJECT_SLOT_BITS) - 1)
#define TRIP_OBJECT_CHUNK_BITS 4

/* How each object begins. */
typedef struct trip_object {
    trip_pool_link link;
    uint32_t slot;                /* its number, for good */
    _Atomic uint64_t life;        /* generation 32, whether it is somebody's 1, visitors 31 */
    _Atomic trip_tracker tracker; /* whose clock it goes by; 0: the machine's */
    pthread_mutex_t mutex;        /* is there once a generation is, and stays as long as the memory */
} trip_object;

/* What is common to all objects of a kind. */
typedef struct trip_object_kind {
    trip_kind kind;
    void (*end)(trip_object *object);        /* nobody is there any more: give back what it has */
    void (*after_fork)(trip_object *object); /* in the child, of one that is somebody's; NULL: nothing to do */
    void (*orphaned)(trip_object *object);   /* while visited: its tracker is gone; NULL: nothing to do */
    trip_pool pool;
} trip_object_kind;

/* The array of chunks that a kind's pool needs, and the kind, as a static initializer. */
#define TRIP_OBJECT_CHUNKS ((TRIP_OBJECTS_MAX + 1) >> TRIP_OBJECT_CHUNK_BITS)
#define TRIP_OBJECT_KIND(its_kind, type, at_end, at_fork, at_orphan, chunk_array)                                      \
    {                                                                                                                  \
        .kind = (its_kind), .end = (at_end), .after_fork = (at_fork), .orphaned = (at_orphan),                         \
        .pool = TRIP_POOL(sizeof(type), TRIP_OBJECTS_MAX, TRIP_OBJECT_CHUNK_BITS, chunk_array)                         \
    }

/* A slot for an object of a tracker, or of none: to be filled and begun, or given back. What the last one left there is
   there. TRIP_OK, TRIP_E_HANDLE: no such tracker; TRIP_E_NOMEM, TRIP_E_CAPACITY, TRIP_E_SYSTEM. */
trip_status trip_object_make(trip_object_kind *kind, trip_tracker tracker, trip_object **out_object);
void trip_object_unmake(trip_object_kind *kind, trip_object *object);

/* The object is somebody's from now on. Returns its handle. */
uint64_t trip_object_begin(trip_object_kind *kind, trip_object *object);

/* NULL: there is no such object, and nobody visits it. */
trip_object *trip_object_visit(const trip_object_kind *kind, uint64_t handle);
void trip_object_leave(trip_object_kind *kind, trip_object *object);

/* The place of an object, for kinds whose slots may be read without a visit; NULL for what cannot be one. Whether it is
   that object's is for trip_object_lives to say, before and after. */
trip_object *trip_object_named(const trip_object_kind *kind, uint64_t handle);
bool trip_object_lives(const trip_object *object, uint64_t handle);

/* TRIP_OK, or TRIP_E_HANDLE: there was none. */
trip_status trip_object_destroy(trip_object_kind *kind, uint64_t handle);

/* Whether it is one: its tracker is gone. */
bool trip_object_is_orphan(const trip_object *object);

/* What time it is for an object. False: it is an orphan. */
bool trip_object_now(const trip_object *object, uint64_t *out_ns);

/* The tracker is gone: tell the kind of those that are its orphans. With no lock held. */
void trip_objects_orphan(trip_object_kind *kind, trip_tracker tracker);

/* Around a fork, for each kind. */
void trip_objects_lock(trip_object_kind *kind);
void trip_objects_unlock(trip_object_kind *kind);
void trip_objects_after_fork(trip_object_kind *kind);

#endif
