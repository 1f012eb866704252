/*
 * The registry of a tracker: which circuit belongs to which key. Finding one that is there takes no lock; making,
 * evicting and growing take the registry's mutex. uthash is used in registry.c alone.
 */
#ifndef TRIP_REGISTRY_H
#define TRIP_REGISTRY_H

#include "circuit.h"

#include <pthread.h>

typedef struct trip_table trip_table;
typedef struct trip_series trip_series;

typedef struct trip_registry {
    _Atomic(trip_table *) table; /* what finders read; may lack circuits, never lies */
    trip_policy policy;          /* of the tracker, fixed for its life; keeps what is written away from finders */
    pthread_mutex_t mutex;       /* guards what follows, and the key and links of each record */
    trip_record *by_key;         /* uthash: every circuit, in the order of their making */
    trip_record *hand;           /* where the search for a victim goes on; NULL: at the oldest */
    uint32_t count;
    uint32_t spare;      /* slot of the last circuit that left, plus one, for the next to come; 0: none */
    uint64_t evicted;    /* circuits that went to make room */
    trip_series *series; /* NULL until somebody asks for metrics */
} trip_registry;

/* A (tenant, provider). The texts are the caller's; `hash` is what trip_key_hash makes of them. */
typedef struct trip_key {
    const char *tenant;
    const char *provider;
    size_t tenant_len; /* at most 255, as the other */
    size_t provider_len;
    trip_hash hash;
} trip_key;

trip_hash trip_key_hash(const char *tenant, size_t tenant_len, const char *provider, size_t provider_len);

/* What is kept of a living circuit beside its record. Its by_key.key is `text`. With the mutex held. */
typedef struct trip_name {
    struct trip_row *seat; /* where the metrics count it; NULL: no scrape has come across it */
    unsigned char text[];  /* length and bytes of the tenant, then of the provider */
} trip_name;

static inline trip_name *trip_record_name(const trip_record *record)
{
    return (trip_name *)((uintptr_t)record->by_key.key - offsetof(trip_name, text));
}

/* With the mutex held: the name of a circuit as a key. */
trip_key trip_record_key(const trip_record *record);

/* Random numbers for the hash, once per process. TRIP_OK or TRIP_E_SYSTEM. */
trip_status trip_registry_prepare(void);

/* The circuit of a key, if it is found without a lock; else 0. */
trip_circuit trip_registry_find(const trip_registry *registry, trip_tracker tracker, trip_hash hash);

/* With the mutex held: find or make. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_registry_get(trip_registry *registry, trip_tracker tracker, const trip_key *key,
                              trip_circuit *out_circuit);

/* With the mutex held: remove every circuit. */
void trip_registry_clear(trip_registry *registry);

/* Around a fork, beside the mutex of each registry. */
void trip_registry_lock_tables(void);
void trip_registry_unlock_tables(void);

#endif
